"""One page for each verb of ``msadg``, from its own parser: a verb or option that is added has its place at once."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator

from pages.prose import cell, code_cell, escaped, table, title

WIDTH = 86
"""Of a usage line, in characters."""


def pages() -> Iterator[tuple[str, str]]:
    """Yield the overview, and the page of each verb."""
    from msadg.cli import parser

    top = parser()
    verbs = verbs_of(top)
    summaries = {action.dest: action.help or "" for action in _subparsers(top)._choices_actions}
    rows = [(f"[`msadg {verb}`]({verb}.md)", cell(summaries.get(verb, ""))) for verb in verbs]
    listed = "\n".join(verbs)
    yield (
        "commands/index.md",
        f"{title('Commands')}\n{table(('command', 'what'), rows)}\n"
        f"{_description(top.epilog or '')}\n"
        "Results go to standard output, progress to standard error.\n\n"
        f"```{{toctree}}\n:hidden:\n\n{listed}\n```\n",
    )
    for verb, sub in verbs.items():
        yield f"commands/{verb}.md", verb_page(sub)


def verbs_of(top: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each verb."""
    return dict(_subparsers(top).choices)


def verb_page(parser: argparse.ArgumentParser, level: int = 1) -> str:
    """Return the page of one verb; its own verbs are sections of it."""
    description = parser.description or ""
    parts = [title(parser.prog, level), _description(description[:1].upper() + description[1:]), _usage(parser)]
    for group in parser._action_groups:
        rows = [_row(action) for action in group._group_actions if _is_shown(action)]
        if rows:
            parts += [f"**{escaped(_group_title(group.title))}**\n", table(("", "meaning"), rows)]
    for sub in _unique_subparsers(parser):
        parts.append(verb_page(sub, level + 1))
    return "\n".join(parts)


def _usage(parser: argparse.ArgumentParser) -> str:
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(WIDTH + 2)
    try:
        return f"```text\n{parser.format_usage().removeprefix('usage: ').rstrip()}\n```\n"
    finally:
        os.environ.pop("COLUMNS")
        if before is not None:
            os.environ["COLUMNS"] = before


def _row(action: argparse.Action) -> tuple[str, str]:
    if not action.option_strings:
        name = action.metavar if isinstance(action.metavar, str) else action.dest
        return code_cell(name), cell(_help(action))
    value = "" if action.nargs == 0 else f" {_value(action)}"
    return ", ".join(code_cell(f"{option}{value}") for option in action.option_strings), cell(_help(action))


def _value(action: argparse.Action) -> str:
    if isinstance(action.metavar, tuple):
        return " ".join(action.metavar)
    name = action.metavar or (f"{{{','.join(map(str, action.choices))}}}" if action.choices else action.dest.upper())
    return f"{name} [{name} ...]" if action.nargs == "+" else name


def _help(action: argparse.Action) -> str:
    """The help as argparse would print it, with its %(default)s filled in."""
    return (action.help or "") % {**vars(action), "prog": "msadg"} if "%" in (action.help or "") else action.help or ""


def _is_shown(action: argparse.Action) -> bool:
    if isinstance(action, argparse._SubParsersAction):
        return False
    return action.help != argparse.SUPPRESS and not isinstance(action, argparse._HelpAction)


def _group_title(name: str | None) -> str:
    return {"positional arguments": "Arguments", "options": "Options"}.get(name or "", (name or "").capitalize())


def _description(text: str) -> str:
    """A help text as Markdown: prose, and its commands as blocks of code."""
    blocks: list[tuple[bool, list[str]]] = []
    for line in text.strip("\n").split("\n"):
        is_code = line.startswith(("  ", "msadg "))
        if blocks and (blocks[-1][0] == is_code or not line.strip()):
            blocks[-1][1].append(line)
        else:
            blocks.append((is_code, [line]))
    return (
        "\n\n".join(_code(lines) if is_code else escaped("\n".join(lines)).strip() for is_code, lines in blocks) + "\n"
    )


def _code(lines: list[str]) -> str:
    shortest = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    body = "\n".join(line[shortest:] for line in lines).rstrip()
    return f"```text\n{body}\n```"


def _subparsers(parser: argparse.ArgumentParser) -> argparse._SubParsersAction[argparse.ArgumentParser]:
    return next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction))


def _unique_subparsers(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return list(dict.fromkeys(action.choices.values()))
    return []
