"""A table as CSV, for further computing: one line per cell, nothing rounded."""

from __future__ import annotations

import csv
import io

from msadg.report.tables import Cell, Column, Row, Table

COLUMNS = (
    "row",
    "label",
    "selection",
    "setting",
    "sources",
    "domain",
    "role",
    "metric",
    "mean",
    "sd",
    "half",
    "n",
    "values",
    "one_sentiment",
    "difference",
    "low",
    "high",
    "p",
    "p_adjusted",
)


def to_csv(table: Table) -> str:
    """One line per cell that has a score; values by seed are joined by spaces, what does not exist is empty."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in table.rows:
        for column, cell in zip(table.columns, row.cells, strict=True):
            if cell is not None:
                writer.writerow(_line(table.metric, row, column, cell))
    return file.getvalue()


def _line(metric: str, row: Row, column: Column, cell: Cell) -> list[str]:
    interval, found = cell.interval, cell.comparison
    setting = column.setting
    return [
        row.name,
        row.label,
        row.selection,
        (setting.name or "") if setting else "",
        "+".join(setting.source_domains) if setting else "",
        column.domain,
        column.role,
        metric,
        *(_exact(value) for value in (interval.mean, interval.sd, interval.half)),
        str(interval.num_values),
        " ".join(repr(float(value)) for value in cell.values.values()),
        str(cell.num_one_sentiment),
        *(
            _exact(value)
            for value in (
                (found.difference, found.low, found.high, found.p, found.p_adjusted) if found else (float("nan"),) * 5
            )
        ),
    ]


def _exact(value: float) -> str:
    return "" if value != value else repr(float(value))
