"""A table as CSV, for further computing: one line per cell, nothing rounded."""

from __future__ import annotations

import csv
import io

from msadg.report.tables import Cell, Column, Row, Table, with_published
from msadg.results.statistics import Interval

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

NO_RUN = Cell({}, Interval(float("nan"), float("nan"), float("nan"), 0))


def to_csv(table: Table) -> str:
    """One line per cell that has a score; values by seed are joined by spaces, what does not exist is empty.

    A table in a paper's layout has a column ``category``; one with its numbers has ``published``, and lines for those
    rows too that nobody ran.
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    more = ("category",) * table.has_categories + ("published",) * table.has_published
    writer.writerow([*COLUMNS, *more])
    for row in table.rows:
        for column, (cell, published) in zip(table.columns, with_published(row), strict=True):
            if cell is not None or published is not None:
                own = {"category": row.category, "published": "" if published is None else repr(published)}
                writer.writerow([*_line(table.metric, row, column, cell or NO_RUN), *(own[name] for name in more)])
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
