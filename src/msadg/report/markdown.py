"""A table in GitHub's Markdown, padded so that it reads in a terminal too."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msadg.report.names import MISSING, printed, spread
from msadg.report.tables import Cell, Column, Row, Table


def to_markdown(table: Table) -> str:
    """Title, table, caption and notes; ends with a line break."""
    head = ["method", *(heading(column) for column in table.columns)]
    body = [[_label(row), *(_cell(cell) for cell in row.cells)] for row in table.rows]
    parts = [f"### {escape(table.title)}", grid([[escape(name) for name in head], *body]), escape(table.caption)]
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


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return MISSING
    text = spread(cell.interval.mean, cell.interval.half)
    text = f"**{text}**" if cell.is_best else text
    return text + (r"\*" if cell.differs else "") + ("‡" if cell.num_one_sentiment else "")


def grid(lines: Sequence[Sequence[str]]) -> str:
    """Header and rows as a table; the first column to the left, the others to the right."""
    widths = [max(3, *(len(text) for text in column)) for column in zip(*lines, strict=True)]
    rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(_line(line, widths) for line in (lines[0], rule, *lines[1:]))


def _line(texts: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (text.ljust(width) for text, width in zip(texts, widths, strict=True))
    return "| " + " | ".join([first, *(text.strip().rjust(len(text)) for text in others)]) + " |"
