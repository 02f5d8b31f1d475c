"""A table as the page shows it: text cells under headings, in a box of its own that scrolls."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from msadg.report.markdown import heading
from msadg.report.names import MISSING, bracketed, number, spread
from msadg.report.tables import Cell, Row, Table, shown_once, with_published

MOST_LINES = 60
"""Of a measurement's table; the rest is counted, and in the files of ``msadg analyse``."""


@dataclass(frozen=True, slots=True)
class GridCell:
    """What stands in a cell."""

    text: str
    is_strong: bool = False


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table, ready to be laid out; the first ``num_labels`` columns say what a row is."""

    title: str
    """For who hears the page: what the table is."""
    head: tuple[str, ...]
    rows: tuple[tuple[GridCell, ...], ...]
    num_labels: int = 1
    num_left_out: int = 0
    """Rows that are not shown."""


def grid_of(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], num_labels: int = 1) -> Grid:
    """A table of plain text."""
    lines = tuple(tuple(GridCell(text) for text in row) for row in rows)
    return Grid(title=title, head=tuple(head), rows=lines, num_labels=num_labels)


def grid_of_scores(table: Table) -> Grid:
    """A table of scores with its marks, as ``to_markdown`` spells it."""
    head = ["method", *(heading(column) for column in table.columns)]
    labels = [[GridCell(marked(row))] for row in table.rows]
    if table.has_categories:
        head = ["category", *head]
        labels = [[GridCell(name), *label] for name, label in zip(shown_once(table.rows), labels, strict=True)]
    rows = [
        (*label, *(_score(cell, published) for cell, published in with_published(row)))
        for label, row in zip(labels, table.rows, strict=True)
    ]
    return Grid(
        title=table.title, head=tuple(head), rows=tuple(map(tuple, rows)), num_labels=1 + int(table.has_categories)
    )


def marked(row: Row) -> str:
    """A row's label; of one that was chosen on the target with the dagger that says so."""
    return row.label + ("†" if row.is_oracle else "")


def _score(cell: Cell | None, published: float | None) -> GridCell:
    if cell is None:
        return GridCell(MISSING if published is None else bracketed("", published))
    text = spread(cell.interval.mean, cell.interval.half)
    text += ("*" if cell.differs else "") + ("‡" if cell.num_one_sentiment else "")
    return GridCell(text if published is None else bracketed(text, published), cell.is_best)


def grid_of_frame(title: str, frame: pd.DataFrame) -> Grid:
    """The first lines of a measurement's table; numbers to four digits."""
    texts = [[_plain(value) for value in line] for line in frame.head(MOST_LINES).itertuples(index=False)]
    rows = tuple(tuple(GridCell(text) for text in line) for line in texts)
    head = tuple(str(name).replace("_", " ") for name in frame.columns)
    return Grid(title=title, head=head, rows=rows, num_left_out=max(len(frame) - MOST_LINES, 0))


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return MISSING if math.isnan(value) else f"{value:.4g}"
    return MISSING if value is None else str(value)


def told_interval(cell: Cell) -> str:
    """Mean and interval of a cell for a sentence."""
    interval = cell.interval
    if math.isnan(interval.half):
        return number(interval.mean)
    return (
        f"{number(interval.mean)} ({number(interval.mean - interval.half)} to {number(interval.mean + interval.half)})"
    )
