"""The first paper's Tables 1, 2 and 3 from our records: its categories, rows and columns, its numbers where asked for.

Accuracy is laid out as the paper does it. Every other metric has a second layout, with the mean over the targets and
the worst of them. Rows of ours that the paper does not have follow below its own (in Table 3, they are left out).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from msadg.errors import RunError, UnknownNameError
from msadg.protocols.domains import SETTINGS
from msadg.report.names import printed
from msadg.report.published import PublishedTable, published_table
from msadg.report.published_notes import notes_on_published, notes_on_setup
from msadg.report.tables import Column, Row, Table, build_table
from msadg.results.aggregate import Setting, compare, row_of
from msadg.results.predictions import Predictions
from msadg.results.record import ORACLE, Record
from msadg.results.statistics import BOOTSTRAPPED
from msadg.types import SENTIMENT

if TYPE_CHECKING:
    import pandas as pd

METRICS = ("accuracy", "f1_macro")
"""The paper's, and ours."""

OF_OURS = "not in the paper"
"""The category of rows that the paper does not have."""


def records_of_table(records: Sequence[Record], number: int) -> list[Record]:
    """The runs that one of the paper's tables shows: of its settings, on its domains, of rows that belong there.

    Raises:
        RunError: there are none.
    """
    paper = published_table(number)
    chosen = [record for record in records if _is_of(record, paper)]
    if not chosen:
        found = dict.fromkeys(record.setting or "+".join(record.source_domains) for record in records)
        raise RunError(
            f"no run of {paper.title} is recorded here: it shows {', '.join(paper.settings)}, and there are runs of "
            f"{', '.join(found)}; make some with `msadg benchmark --table {number}`"
        )
    return chosen


def _is_of(record: Record, paper: PublishedTable) -> bool:
    is_setting = record.setting in paper.settings and record.source_domains == SETTINGS[record.setting]
    belongs = record.method == "constant" or paper.admits(record.row)
    return is_setting and belongs and record.label_set == SENTIMENT


def build_paper_tables(
    records: Sequence[Record],
    load_predictions: Callable[[Record], Predictions],
    number: int,
    *,
    published: bool = False,
    metrics: Sequence[str] | None = None,
    against: str | None = None,
    draws: int = 2000,
) -> list[Table]:
    """One of the paper's tables in each metric.

    Args:
        records: of ``records_of_table``.
        load_predictions: finds the predictions of a run; read only for a comparison.
        number: 1, 2 or 3.
        published: whether the paper's accuracies stand beside ours, and its rows that we have no run of, too.
        metrics: None for accuracy and macro-F1.
        against: the row that all others are tested against, or None for no test.
        draws: of the bootstrap.

    Raises:
        UnknownNameError: a metric or row that no run of this table has.
    """
    paper = published_table(number)
    ended_well = [record for record in records if record.error is None]
    known = {name for record in ended_well for scores in record.metrics.values() for name in scores}
    for metric in metrics if metrics is not None and known else ():
        if metric not in known:
            raise UnknownNameError("metric", metric, known)
    rows = dict.fromkeys(row_of(record) for record in ended_well)
    if against is not None and against not in rows:
        raise UnknownNameError("row", against, rows)
    tables = []
    for metric in metrics or METRICS:
        has_test = against is not None and metric in BOOTSTRAPPED
        found = compare(records, load_predictions, str(against), metric=metric, draws=draws) if has_test else None
        table = _table(records, paper, metric, published, against if has_test else None, found)
        tables.append(table)
    return tables


def _table(
    records: Sequence[Record],
    paper: PublishedTable,
    metric: str,
    published: bool,
    against: str | None,
    comparison: pd.DataFrame | None,
) -> Table:
    shows_published = published and metric == "accuracy"
    met = dict.fromkeys(row_of(record) for record in records)
    order = sorted(met, key=lambda row: _place(row, paper))  # stable: those of ours as they were met
    columns = _columns(records, paper, metric, every_setting=shows_published)
    table = build_table(records, metric, paper.title, order, against, comparison, columns)
    rows = [replace(row, category=_category(row, records, paper)) for row in table.rows]
    notes = [*notes_on_setup(records), *table.notes]
    caption = table.caption
    if shows_published:
        rows = _with_published(rows, columns, paper)
        notes = [*notes_on_published(paper), *notes]
        caption += " In brackets: what the paper prints, which has no interval; it does not compete."
    return replace(table, name=f"table-{paper.number}-{metric}", caption=caption, rows=tuple(rows), notes=tuple(notes))


def _own_name(row: str) -> str:
    return row.removesuffix(f" ({ORACLE})")


def _place(row: str, paper: PublishedTable) -> int:
    return paper.rows.index(_own_name(row)) if _own_name(row) in paper.rows else len(paper.rows)


def _category(row: Row, records: Sequence[Record], paper: PublishedTable) -> str:
    is_constant = any(record.method == "constant" for record in records if row_of(record) == row.name)
    return "" if is_constant else paper.categories.get(_own_name(row.name), OF_OURS)


def _columns(records: Sequence[Record], paper: PublishedTable, metric: str, every_setting: bool) -> list[Column]:
    """The paper's, of the settings that there are runs of or of all; behind them the summaries, not of accuracy."""
    met = {record.setting for record in records}
    settings = [setting for setting in paper.settings if every_setting or setting in met]
    columns = [
        Column(
            Setting(setting, SETTINGS[setting]),
            setting.rpartition("-")[2] if len(settings) > 1 else "",
            domain,
            "source" if paper.is_source((setting, domain)) else "target",
        )
        for setting, domain in paper.places
        if setting in settings
    ]
    summaries = [] if metric == "accuracy" else ["mean_target", "worst_target"]
    return columns + [Column(None, "", name, "summary") for name in summaries]


def _with_published(rows: Sequence[Row], columns: Sequence[Column], paper: PublishedTable) -> list[Row]:
    """The rows with the paper's numbers, and where they belong the paper's rows that we have no run of."""
    numbers = {
        name: tuple(paper.accuracy.get((name, str(c.setting and c.setting.name), c.domain)) for c in columns)
        for name in paper.rows
    }
    ours = {row.name for row in rows}  # a row selected on the target is no run of the paper's
    not_run = [
        Row(name, printed(name), "", (None,) * len(columns), paper.categories[name])
        for name in paper.rows
        if name not in ours
    ]
    # Constant rows, which have no category, stay in front.
    together = sorted([*rows, *not_run], key=lambda row: _place(row.name, paper) if row.category else -1)
    return [replace(row, published=numbers.get(row.name, ())) for row in together]
