"""A table in GitHub's Markdown, padded so that it reads in a terminal too."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from msadg.report.names import MISSING, bracketed, printed, spread
from msadg.report.tables import Cell, Column, Row, Table, shown_once, with_published


def to_markdown(table: Table) -> str:
    """Title, table, caption and notes; ends with a line break."""
    head = ["method", *(heading(column) for column in table.columns)]
    body = [[_label(row), *itertools.starmap(_cell, with_published(row))] for row in table.rows]
    if table.has_categories:
        head = ["category", *head]
        body = [[escape(name), *line] for name, line in zip(shown_once(table.rows), body, strict=True)]
    parts = [
        f"### {escape(table.title)}",
        grid([[escape(name) for name in head], *body], 1 + table.has_categories),
        escape(table.caption),
    ]
    if table.notes:
        parts.append("\n".join(f"- {escape(note)}" for note in table.notes))
    return "\n\n".join(parts) + "\n"


def heading(column: Column) -> str:
    """What stands over a column where there is one line for it: ``A: MOSEI (source)``."""
    group = f"{column.group}: " if column.group else ""
    source = " (source)" if column.role == "source" else ""
    return f"{group}{printed(column.domain)}{source}"


def escape(text: str) -> str:
    r"""`text` as Markdown prints it, even inside a table.

    Example:
        >>> print(escape("s2lif (V|T) *"))
        s2lif (V\|T) \*
    """
    return re.sub(r"([\\`*_|<>\[\]])", r"\\\1", " ".join(text.split()))


def _label(row: Row) -> str:
    return escape(row.label) + ("†" if row.is_oracle else "")


def _cell(cell: Cell | None, published: float | None) -> str:
    if published is not None:
        return bracketed(_cell(cell, None) if cell else "", published)
    if cell is None:
        return MISSING
    text = spread(cell.interval.mean, cell.interval.half)
    text = f"**{text}**" if cell.is_best else text
    return text + (r"\*" if cell.differs else "") + ("‡" if cell.num_one_sentiment else "")


def grid(lines: Sequence[Sequence[str]], num_left: int = 1) -> str:
    """Header and rows as a table; the first column, or so many, to the left, the others to the right."""
    widths = [max(3, *(len(text) for text in column)) for column in zip(*lines, strict=True)]
    rule = [f":{'-' * (w - 1)}" if at < num_left else f"{'-' * (w - 1)}:" for at, w in enumerate(widths)]
    return "\n".join(_line(line, widths, num_left) for line in (lines[0], rule, *lines[1:]))


def _line(texts: Sequence[str], widths: Sequence[int], num_left: int) -> str:
    padded = [text.ljust(width) for text, width in zip(texts, widths, strict=True)]
    right = [text.strip().rjust(len(text)) for text in padded[num_left:]]
    return "| " + " | ".join([*padded[:num_left], *right]) + " |"
