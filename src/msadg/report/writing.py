"""The report of a results folder: its tables, in every format asked for, as files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from msadg.errors import RunError, UnknownNameError
from msadg.report.csv_table import to_csv
from msadg.report.latex import to_latex
from msadg.report.markdown import escape, to_markdown
from msadg.report.notes import notes_on_runs
from msadg.report.overall_table import Overall, overall_to_markdown
from msadg.report.tables import Table, build_table, row_label, split_by_sources
from msadg.results.aggregate import compare, row_of, to_frame
from msadg.results.journal import read_records
from msadg.results.overall import compare_means
from msadg.results.predictions import Predictions, joined_predictions, read_predictions
from msadg.results.record import Record
from msadg.results.statistics import BOOTSTRAPPED
from msadg.store.atomic import write_text

METRICS = ("f1_macro", "accuracy")
REGRESSION_METRICS = ("mae", "corr", "acc2_has0", "acc2_non0", "acc7", "f1_macro")
"""Shown where nobody names others; the first is the primary one."""
FORMATS = ("md", "csv", "tex")


def load_results(folder: Path) -> tuple[list[Record], Callable[[Record], Predictions]]:
    """The records of a results folder, and what reads the predictions of one of them.

    Raises:
        RunError: there is no such folder, or no run in it was recorded.
    """
    journal = folder / "records.jsonl"
    if not journal.is_file():
        raise RunError(
            f"{journal}: there is no such file; expected a folder that `msadg train` or `msadg benchmark` wrote"
        )
    records = read_records(journal)
    if not records:
        raise RunError(f"{journal}: no run is recorded yet; wait for the first to end, or run `msadg benchmark`")

    def load(record: Record) -> Predictions:
        keys = record.extra.get("keys_by_domain") or {None: record.key}
        by_key = {key: read_predictions(folder / "runs" / key / "predictions.parquet") for key in set(keys.values())}
        parts = [by_key[key] if domain is None else by_key[key].of_domain(domain) for domain, key in keys.items()]
        return joined_predictions(parts)

    return records, load


def metrics_for(records: Sequence[Record]) -> tuple[str, ...]:
    """The metrics that are shown where nobody names any: of a regression, those that only polarities have, too."""
    scored = [scores for record in records for scores in record.metrics.values()]
    if not any("mae" in scores for scores in scored):
        return METRICS
    has_classification = any("nll" in scores for scores in scored)
    return (*METRICS, *REGRESSION_METRICS[:-1]) if has_classification else REGRESSION_METRICS


def build_tables(
    records: Sequence[Record],
    load_predictions: Callable[[Record], Predictions],
    metrics: Sequence[str] | None = None,
    against: str | None = None,
    draws: int = 2000,
) -> list[Table]:
    """The single-source and the multi-source table (of those there are runs for) of each metric, metric by metric.

    Args:
        records: what to show.
        load_predictions: finds the predictions of a run; read only for a comparison.
        metrics: the first is the primary one; None for those of ``metrics_for``.
        against: the row that all others are tested against, or None for no test. Metrics that sums over clips do not
            determine are not tested.
        draws: of the bootstrap.

    Raises:
        UnknownNameError: a metric or row that no run has.
    """
    metrics = metrics_for(records) if metrics is None else metrics
    ended_well = [record for record in records if record.error is None]
    known = {name for record in ended_well for scores in record.metrics.values() for name in scores}
    for metric in metrics if known else ():
        if metric not in known:
            raise UnknownNameError("metric", metric, known)
    rows = {row_of(record) for record in ended_well}
    if against is not None and against not in rows:
        raise UnknownNameError("row", against, rows)
    tables = []
    for metric in metrics:
        for title, part in split_by_sources(records).items():
            if not _has(part, metric, known):
                continue
            has_test = against in {row_of(r) for r in part if r.error is None} and metric in BOOTSTRAPPED
            found = compare(part, load_predictions, str(against), metric=metric, draws=draws) if has_test else None
            tables.append(build_table(part, metric, title, against=against, comparison=found))
    return tables


def _has(records: Sequence[Record], metric: str, known: Collection[str]) -> bool:
    """Whether a table has anything to show: recalls are by class, so not every table has each."""
    ended_well = [record for record in records if record.error is None]
    scored = any(metric in scores for record in ended_well for scores in record.metrics.values())
    return scored or not ended_well or not known


def overall_comparison(
    records: Sequence[Record],
    load_predictions: Callable[[Record], Predictions],
    against: str | None,
    metrics: Sequence[str],
) -> list[Overall]:
    """Every row against one in the mean over all targets, in the first of some metrics that can be tested.

    Empty without such a row, or where no row shares more than one target cell with it.
    """
    testable = [metric for metric in metrics if metric in BOOTSTRAPPED]
    if against is None or not testable:
        return []
    found = compare_means(records, load_predictions, against, testable[0])
    has_several = len(found) > 0 and found["num_cells"].max() > 1
    labels = {row: row_label(row, records) for row in found["row"]}
    return [Overall(found, against, testable[0], labels)] if has_several else []


def write_report(
    records: Sequence[Record],
    tables: Sequence[Table],
    folder: Path,
    formats: Sequence[str] = FORMATS,
    overall: Sequence[Overall] = (),
) -> None:
    """Write ``report.md`` with all tables; per table a CSV and a LaTeX file; ``scores.csv`` with every metric.

    Args:
        records: what the tables were built from.
        tables: in the order of the report.
        folder: where to.
        formats: ``md`` (which says, too, what the runs warned of), ``csv``, ``tex``.
        overall: comparisons over all targets, which follow the tables; as CSV ``overall-METRIC.csv``.
    """
    if "md" in formats:
        parts = [*map(to_markdown, tables), *map(overall_to_markdown, overall)]
        if notes := notes_on_runs(records):
            parts.append("### Runs\n\n" + "\n".join(f"- {escape(note)}" for note in notes) + "\n")
        write_text(folder / "report.md", "# Results\n\n" + "\n".join(parts))
    for one in overall if "csv" in formats else ():
        write_text(folder / f"overall-{one.metric}.csv", one.found.to_csv(index=False))
    if "csv" in formats:
        frame = to_frame(records)
        frame["values"] = [" ".join(repr(float(value)) for value in values) for values in frame["values"]]
        write_text(folder / "scores.csv", frame.to_csv(index=False))
    for table in tables:
        if "csv" in formats:
            write_text(folder / f"{table.name}.csv", to_csv(table))
        if "tex" in formats:
            write_text(folder / f"{table.name}.tex", to_latex(table))
