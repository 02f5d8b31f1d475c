"""A table as data: rows are methods, columns are domains by setting, as the papers print them.

Everything in a table comes from records (and from a comparison made of their predictions); the files `markdown.py`,
`latex.py` and `csv_table.py` only spell it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from msadg.metrics.by_domain import LOWER_IS_BETTER, worst
from msadg.report.names import printed
from msadg.report.notes import answers_one_sentiment, caption_of, notes_of
from msadg.results.aggregate import Group, Setting, group_runs, row_of, shown_runs, targets_of, values_of
from msadg.results.record import ORACLE, Record
from msadg.results.statistics import Interval, least_p, t_interval
from msadg.types import SENTIMENT, LabelSet

if TYPE_CHECKING:
    import pandas as pd

LEFT_OUT = "to-"
"""How the names of settings begin in which each domain in turn is the only target."""

LEVEL = 0.05
"""Below this adjusted p a difference is marked."""
FEW_VIDEOS = 10
"""Test sets of fewer are named below a table with tests."""


@dataclass(frozen=True, slots=True)
class Column:
    """One domain in one setting; or a summary over all target columns of the table."""

    setting: Setting | None
    """None for a summary."""
    group: str
    """What the columns of one setting share in print: ``A``; "" where the table has one setting only."""
    domain: str
    role: Literal["source", "target", "summary"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a cell differs from the same column of the row that it is tested against."""

    difference: float
    low: float
    high: float
    p: float
    p_adjusted: float


@dataclass(frozen=True, slots=True)
class Cell:
    """One row in one column: its scores by seed, unrounded, and what is to be said of them."""

    values: Mapping[int, float]
    """By seed."""
    interval: Interval
    is_best: bool = False
    """Best mean of a target or summary column; rows selected on the target do not compete."""
    num_one_sentiment: int = 0
    """Seeds that gave every clip the same class, so that the score is a constant classifier's."""
    comparison: Comparison | None = None

    @property
    def differs(self) -> bool:
        """Whether the difference to the row it is tested against is significant after Holm's adjustment."""
        return self.comparison is not None and self.comparison.p_adjusted < LEVEL


@dataclass(frozen=True, slots=True)
class Row:
    """One method with its settings."""

    name: str
    """As in the records."""
    label: str
    """As printed."""
    selection: str
    """The rule that chose what to keep."""
    cells: tuple[Cell | None, ...]
    """By column; None where no run has a score."""
    category: str = ""
    """Under which a paper lists it."""
    published: tuple[float | None, ...] = ()
    """By column, what a paper prints there; empty where that is not asked for."""

    @property
    def is_oracle(self) -> bool:
        """Whether the target was read to choose what to keep."""
        return self.selection == ORACLE


@dataclass(frozen=True, slots=True)
class Table:
    """A table, ready to be spelled."""

    name: str
    """Fit for a file: ``single-source-f1_macro``."""
    title: str
    metric: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    """Below the table: what was flagged, and which runs failed."""

    @property
    def has_categories(self) -> bool:
        """Whether its rows are listed under categories."""
        return any(row.category for row in self.rows)

    @property
    def has_published(self) -> bool:
        """Whether a paper's numbers stand beside ours."""
        return any(row.published for row in self.rows)


def with_published(row: Row) -> list[tuple[Cell | None, float | None]]:
    """Each cell of a row with what a paper prints there."""
    return list(zip(row.cells, row.published or (None,) * len(row.cells), strict=True))


def shown_once(rows: Sequence[Row]) -> list[str]:
    """The category of each row, "" where it is that of the row above."""
    above = ["", *(row.category for row in rows)]
    return ["" if row.category == before else row.category for row, before in zip(rows, above, strict=False)]


Groups = Mapping[Group, Sequence[Record]]
Cells = dict[str, list[Cell | None]]


def split_by_sources(records: Iterable[Record]) -> dict[str, list[Record]]:
    """The records of each table: the papers' two, and one where each domain in turn is held out; those there are.

    Runs on other classes than the three sentiments have tables of their own, which say so.
    """
    titles = ("Single-source", "Multi-source", "Leave one domain out")
    parts: dict[tuple[LabelSet, str], list[Record]] = {}
    for record in records:
        title = titles[2 if _is_left_out(record.setting) else int(len(record.source_domains) > 1)]
        parts.setdefault((record.label_set, title), []).append(record)
    label_sets = sorted({label_set for label_set, _ in parts}, key=lambda one: (one != SENTIMENT, one.name))
    return {
        title if label_set == SENTIMENT else f"{title} {label_set.name}": parts[label_set, title]
        for label_set in label_sets
        for title in titles
        if (label_set, title) in parts
    }


def build_table(
    records: Sequence[Record],
    metric: str,
    title: str,
    rows: Sequence[str] | None = None,
    against: str | None = None,
    comparison: pd.DataFrame | None = None,
    columns: Sequence[Column] | None = None,
) -> Table:
    """The table of one metric over these records.

    Args:
        records: runs of one table, ended well or failed.
        metric: which of the metrics of the records.
        title: what the runs have in common: ``Single-source``.
        rows: which rows, in which order; by default all, as met. The constant row always comes first.
        against: the row that `comparison` compares with.
        comparison: what `msadg.results.compare` found, for the marks of significance.
        columns: which, in which order; by default those of ``_columns``.
    """
    names = _row_order(records, rows)
    records = shown_runs([record for record in records if row_of(record) in names])
    groups = group_runs(records)
    columns = _columns(records) if columns is None else columns
    cells = {name: [_cell(groups, name, column, columns, metric) for column in columns] for name in names}
    if comparison is not None:
        cells = _with_comparison(cells, columns, comparison)
    rules = {name: ", ".join(dict.fromkeys(r.selection for r in records if row_of(r) == name)) for name in names}
    cells = _with_best(cells, columns, metric, eligible=[name for name in names if rules[name] != ORACLE])
    num_compared = 0 if comparison is None else int(comparison["p"].notna().sum())
    return Table(
        name=f"{title.lower().replace(' ', '-')}-{metric}",
        title=f"{title}: {printed(metric)}",
        metric=metric,
        caption=caption_of(records, metric, against if num_compared else None, num_compared),
        columns=tuple(columns),
        rows=tuple(Row(name, row_label(name, records), rules[name], tuple(cells[name])) for name in names),
        notes=(
            *_untested(cells, columns, against if comparison is not None else None),
            *_of_few_videos(comparison),
            *notes_of(records, {c.setting: c.group for c in columns if c.setting}),
        ),
    )


def _untested(cells: Cells, columns: Sequence[Column], against: str | None) -> list[str]:
    """Which rows lack a test that their scores would allow: no mark is no finding there."""
    if against is None or against not in cells:
        return []
    targets = [at for at, column in enumerate(columns) if column.role == "target" and cells[against][at]]
    counted = {
        name: [cell.comparison is None for at in targets if (cell := row[at])]
        for name, row in cells.items()
        if name != against
    }
    without = [
        f"{printed(name)} ({sum(lacks)} of {len(lacks)} targets)" if not all(lacks) else printed(name)
        for name, lacks in counted.items()
        if any(lacks)
    ]
    reason = f"predictions of theirs or of {printed(against)} are not at hand, or not of the same clips"
    return [f"Not tested, as {reason}: {', '.join(without)}"] if without else []


def _of_few_videos(comparison: pd.DataFrame | None) -> list[str]:
    """Test sets of so few videos that a mark, or none, says little."""
    if comparison is None:
        return []
    few = {
        line["domain"]: line["num_videos"] for line in comparison.to_dict("records") if line["num_videos"] < FEW_VIDEOS
    }
    said = [
        f"{printed(domain)} has {number} (no p below {least_p(number):.2g})"
        if number > 1
        else f"{printed(domain)} has 1 (not tested: nothing can be drawn)"
        for domain, number in few.items()
    ]
    return [f"Few test videos to draw from: {'; '.join(said)}"] if said else []


def _row_order(records: Sequence[Record], rows: Sequence[str] | None) -> list[str]:
    constant = dict.fromkeys(row_of(record) for record in records if record.method == "constant")
    met = dict.fromkeys(row_of(record) for record in records)
    chosen = [row for row in rows if row in met] if rows is not None else list(met)
    return list(dict.fromkeys([*constant, *chosen]))


def row_label(name: str, records: Iterable[Record]) -> str:
    """The printed name of a row; simulated features that it reads, and what else must be known of some, go with it.

    Records from before they said what is read name all that there was to read.
    """
    label = printed(name.removesuffix(f" ({ORACLE})"))
    said = dict.fromkeys(
        f"simulated {modality}" if feature.get("simulated") else str(feature["row_note"])
        for record in records
        if row_of(record) == name
        for modality, feature in record.features.items()
        if modality in record.extra.get("modalities", record.features)
        if feature.get("simulated") or feature.get("row_note")
    )
    return f"{label} ({', '.join(said)})" if said else label


def _columns(records: Sequence[Record]) -> list[Column]:
    """By setting the sources, then the targets; at the end the summaries. Settings with a name come in its order."""
    targets: dict[Setting, dict[str, None]] = {}
    for record in records:
        setting = Setting(record.setting, record.source_domains)
        targets.setdefault(setting, {}).update(dict.fromkeys(targets_of(record)))
    settings = sorted(targets, key=lambda setting: (setting.name is None, setting.name or ""))
    columns = []
    for setting in settings:
        group = _group(setting, settings)
        if not _is_left_out(setting.name):  # there the sources are all the others, and the table would be too wide
            columns += [Column(setting, group, domain, "source") for domain in setting.source_domains]
        columns += [Column(setting, group, domain, "target") for domain in targets[setting]]
    return columns + [Column(None, "", name, "summary") for name in ("mean_target", "worst_target")]


def _is_left_out(setting: str | None) -> bool:
    return setting is not None and setting.startswith(LEFT_OUT)


def _group(setting: Setting, settings: Sequence[Setting]) -> str:
    if len(settings) == 1 or _is_left_out(setting.name):
        return ""
    sources = "+".join(printed(domain) for domain in setting.source_domains)
    if setting.name is None:
        return f"from {sources}"
    short = setting.name.removeprefix("single-").removeprefix("multi-")
    is_unique = sum(other.name == setting.name for other in settings) == 1
    return short if is_unique else f"{short} ({sources})"


def _cell(groups: Groups, name: str, column: Column, columns: Sequence[Column], metric: str) -> Cell | None:
    if column.setting is None:
        values = _summary(groups, name, column.domain, columns, metric)
        return Cell(values, t_interval(list(values.values()))) if values else None
    runs = groups.get((name, column.setting), [])
    values = values_of(runs, column.domain, metric)
    num_flagged = sum(answers_one_sentiment(run, column.domain) for run in runs)
    return Cell(values, t_interval(list(values.values())), num_one_sentiment=num_flagged) if values else None


def _summary(groups: Groups, name: str, summary: str, columns: Sequence[Column], metric: str) -> dict[int, float]:
    """Mean or worst over the target columns that any row has, by seed; only of seeds that have them all."""
    places = [
        values_of(groups.get((name, column.setting), []), column.domain, metric)
        for column in columns
        if column.role == "target" and column.setting is not None and _has_score(groups, column, metric)
    ]
    seeds = sorted(set.intersection(*(set(place) for place in places))) if places else []
    by_seed = {seed: [place[seed] for place in places] for seed in seeds}
    if summary == "worst_target":
        return {seed: worst(metric, values) for seed, values in by_seed.items()}
    return {seed: sum(values) / len(values) for seed, values in by_seed.items()}


def _has_score(groups: Groups, column: Column, metric: str) -> bool:
    runs = [run for (_, setting), runs in groups.items() if setting == column.setting for run in runs]
    return bool(values_of(runs, column.domain, metric))


def _with_comparison(cells: Cells, columns: Sequence[Column], comparison: pd.DataFrame) -> Cells:
    found = {
        (line["row"], line["setting"], line["domain"]): Comparison(
            *(line[name] for name in ("difference", "low", "high", "p", "p_adjusted"))
        )
        for line in comparison.to_dict("records")
    }
    return {
        name: [
            cell and replace(cell, comparison=found.get((name, column.setting, column.domain)))
            for cell, column in zip(row, columns, strict=True)
        ]
        for name, row in cells.items()
    }


def _with_best(cells: Cells, columns: Sequence[Column], metric: str, eligible: Sequence[str]) -> Cells:
    sign = -1 if metric in LOWER_IS_BETTER else 1
    marked = {name: list(row) for name, row in cells.items()}
    for index, column in enumerate(columns):
        means = {name: cell.interval.mean for name in eligible if (cell := cells[name][index])}
        means = {name: mean for name, mean in means.items() if not math.isnan(mean)}
        is_alone = sum(row[index] is not None for row in cells.values()) < 2  # the best of nothing
        if column.role == "source" or not means or is_alone:
            continue
        best = max(sign * mean for mean in means.values())
        for name, mean in means.items():
            cell = marked[name][index]
            if cell is not None and math.isclose(sign * mean, best, abs_tol=1e-12):
                marked[name][index] = replace(cell, is_best=True)
    return marked
