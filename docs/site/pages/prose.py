"""Docstrings as Markdown: what they say stays as it is, and no character in them is taken for markup.

Docstrings here are plain prose with ``code`` in backticks, Google sections (``Args:`` ...), indented formulas, and data
cards ("Label: ...", "Licence: ..."). Read as reStructuredText or Markdown, their formulas (W * x, |r| - s, x_t) break.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

SECTIONS = ("Args", "Returns", "Yields", "Raises", "Example", "Examples", "Note")
"""Headers of Google style."""

CODE = re.compile(r"(``.+?``|`[^`]+`)", re.DOTALL)
CARD = re.compile(r"[A-Z][^.:`]{0,48}:( |$)")
"""How a line of a data card starts."""
ENTRY = re.compile(r"(\*{0,2}[\w.]+(?: \([^)]*\))?): (.*)", re.DOTALL)
"""An argument or an error, and what is said of it."""


def escaped(text: str) -> str:
    r"""Return plain prose as Markdown; what stands in backticks becomes code.

    Example:
        >>> print(escaped("``x`` is m * p, x_t <name>"))
        `x` is m \* p, x\_t \<name\>
    """
    parts = CODE.split(text)
    parts[1::2] = [f"`{' '.join(part.strip('`').split())}`" for part in parts[1::2]]
    parts[::2] = [re.sub(r"([\\`*_\[\]<>{}$|~^#])", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)


def cell(text: str) -> str:
    """Return prose for one cell of a table."""
    return re.sub(r"(?<!\\)\|", r"\\|", escaped(" ".join(text.split())))


def code_cell(text: str) -> str:
    """Return code for one cell of a table."""
    return "`" + text.replace("|", r"\|") + "`"


def title(text: str, level: int = 1) -> str:
    """Return a heading."""
    return f"{'#' * level} {escaped(text)}\n"


def table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a table of cells that are Markdown already."""
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def markdown_of(docstring: str | None) -> str:
    """Return a docstring as Markdown."""
    lines = inspect.cleandoc(docstring or "").split("\n")
    return "\n".join(_blocks(lines)).strip() + "\n"


def _blocks(lines: list[str]) -> Iterator[str]:
    """Yield a docstring's blocks, each followed by an empty line."""
    at = 0
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        end = _end_of_block(lines, at)
        yield _block(lines[at:end]) + "\n"
        at = end


def _end_of_block(lines: list[str], at: int) -> int:
    """Where the block that starts here ends: at the next empty line; a section or indented block, where it dedents."""
    is_section = lines[at].removesuffix(":") in SECTIONS and lines[at].endswith(":")
    is_indented = lines[at].startswith("  ")
    end = at + 1
    while end < len(lines):
        blank = not lines[end].strip()
        if (is_section or is_indented) and not blank and not lines[end].startswith("  "):
            break
        if not (is_section or is_indented) and (blank or _is_header(lines[end])):
            break
        end += 1
    return end


def _is_header(line: str) -> bool:
    return line.endswith(":") and line.removesuffix(":") in SECTIONS


def _block(lines: list[str]) -> str:
    if _is_header(lines[0]):
        return _section(lines[0].removesuffix(":"), inspect.cleandoc("\n".join(["", *lines[1:]])))
    if lines[0].startswith("  "):
        return _code(inspect.cleandoc("\n".join(["", *lines])))
    if lines[0].startswith(">>>"):
        return _code("\n".join(lines), "python")
    if CARD.match(lines[0]) and sum(CARD.match(line) is not None for line in lines) > 1:
        return _card(lines)
    return "\n".join(_prose(lines))


def _prose(lines: list[str]) -> list[str]:
    """A paragraph, or a list with its markers kept; a line is never taken for a heading or a list that it is not."""
    text = escaped("\n".join(lines).rstrip()).split("\n")
    return [re.sub(r"^(\d+)\. ", r"\1\\. ", line) if re.match(r"\d+\. ", line) else _unmarked(line) for line in text]


def _unmarked(line: str) -> str:
    return re.sub(r"^(\s*)([+=])", r"\1\\\2", line)


def _card(lines: list[str]) -> str:
    """A data card: an item for each line that names what it is about."""
    items: list[str] = []
    for line in lines:
        if CARD.match(line):
            items.append(line)
        else:
            items[-1] += " " + line.strip()
    parts = [item.partition(":") for item in items]
    return "\n".join(f"- *{escaped(name)}*: {escaped(rest.strip())}" for name, _, rest in parts)


def _section(name: str, body: str) -> str:
    if name.startswith("Example"):
        return f"*{name}*\n\n{_code(body, 'python') if body.startswith('>>>') else escaped(body)}"
    if name == "Note":
        return f"*Note*: {escaped(' '.join(body.split()))}"
    entries: list[str] = []
    for line in body.split("\n"):
        if line.startswith("  ") and entries:
            entries[-1] += " " + line.strip()
        elif line.strip():
            entries.append(line)
    if name in ("Returns", "Yields"):
        return f"*{name}*: {escaped(' '.join(entries))}"
    header = "Arguments" if name == "Args" else name
    return f"*{header}*\n\n" + "\n".join(f"- {_entry(entry)}" for entry in entries)


def _entry(entry: str) -> str:
    match = ENTRY.fullmatch(entry)
    return escaped(f"``{match[1]}``: {match[2]}" if match else entry)


def _code(text: str, language: str = "text") -> str:
    return f"```{language}\n{text.rstrip()}\n```"
