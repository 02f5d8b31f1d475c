"""From records to cells: which runs belong together, their mean over seeds, and whether two rows differ."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from msadg.errors import MsadgWarning, RunError, UnknownNameError
from msadg.metrics.by_domain import summarise_domains
from msadg.results.predictions import Predictions
from msadg.results.record import ORACLE, Record
from msadg.results.statistics import Difference, holm, paired_cluster_bootstrap, t_interval

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Setting:
    """Who trains: a name for it where it has one, and the source domains."""

    name: str | None
    source_domains: tuple[str, ...]


Group = tuple[str, Setting]
"""A row of a table in one setting: the runs in it differ by seed only."""


def row_of(record: Record) -> str:
    """The row that a run belongs to; one that was selected on the target never shares a row with one that was not.

    Example:
        `row_of` of a run of ``erm`` is ``erm``; with the selection rule ``oracle``, ``erm (oracle)``.
    """
    return f"{record.row} (oracle)" if record.selection == ORACLE else record.row


def is_same_training(a: Record, b: Record) -> bool:
    """Whether two records are of the same weights."""
    key = a.extra.get("training_key")
    return key is not None and key == b.extra.get("training_key")


def merged(earlier: Record, later: Record) -> Record:
    """One record of a run that was scored twice; where both scored a domain, the later one counts.

    ``extra["keys_by_domain"]`` says whose predictions are those of each domain.
    """
    keys = {domain: record.key for record in (earlier, later) for domain in record.metrics}
    keys |= earlier.extra.get("keys_by_domain", {}) | dict.fromkeys(later.metrics, later.key)
    return replace(
        later,
        target_domains=tuple(dict.fromkeys([*earlier.target_domains, *later.target_domains])),
        metrics={**earlier.metrics, **later.metrics},
        features={**earlier.features, **later.features},
        extra={**later.extra, "keys_by_domain": keys},
    )


def group_runs(records: Iterable[Record]) -> dict[Group, list[Record]]:
    """The runs that ended well, by row and setting, ordered by seed; rows and settings in the order met.

    Two records of one training, scored on different targets, are one run that was scored on all of them. Two runs of
    one row, setting and seed that were trained otherwise cannot both count: the later one does, with a warning.
    """
    groups: dict[Group, dict[int, Record]] = {}
    num_replaced, example = 0, ""
    for record in records:
        if record.error is not None:
            continue
        group = row_of(record), Setting(record.setting, record.source_domains)
        runs = groups.setdefault(group, {})
        earlier = runs.get(record.seed)
        if earlier is not None and is_same_training(earlier, record):
            runs[record.seed] = merged(earlier, record)
            continue
        if earlier is not None:
            num_replaced += 1
            example = example or f"{group[0]}, {'+'.join(record.source_domains)}, seed {record.seed}"
        if earlier is None or record.finished_at >= earlier.finished_at:
            runs[record.seed] = record
    if num_replaced:
        warnings.warn(
            MsadgWarning(
                f"{num_replaced} runs left out, as a later run has the same row, setting and seed but was made "
                f"otherwise (first: {example}); give them different rows to see both"
            ),
            stacklevel=2,
        )
    return {group: [runs[seed] for seed in sorted(runs)] for group, runs in groups.items()}


def shown_runs(records: Iterable[Record]) -> list[Record]:
    """The runs that tables show, and those that failed; without those that a later one replaces."""
    records = list(records)
    shown = [run for runs in group_runs(records).values() for run in runs]
    return [*shown, *(record for record in records if record.error is not None)]


def keys_of(run: Record) -> set[str]:
    """The keys of the records that a run was made of: several where one training was scored several times."""
    return {run.key, *run.extra.get("keys_by_domain", {}).values()}


def to_frame(records: Iterable[Record]) -> pd.DataFrame:
    """One line per row, setting, domain and metric: its mean, spread and values over seeds.

    Columns: row, setting, sources, domain, role, metric, mean, sd, half (of the 95 % t-interval), n, values (by seed).
    The role is source or target; or summary, whose "domains" are mean_target, worst_target and gap.
    """
    import pandas as pd

    lines = [
        {"row": row, "setting": setting.name, "sources": "+".join(setting.source_domains)} | cell
        for (row, setting), runs in group_runs(records).items()
        for cell in _cells(runs)
    ]
    columns = ["row", "setting", "sources", "domain", "role", "metric", "mean", "sd", "half", "n", "values"]
    return pd.DataFrame(lines, columns=columns)


def _draws_needed(
    groups: Mapping[Group, Sequence[Record]], baseline_row: str, rows: Sequence[str] | None, metric: str
) -> int:
    """80 for each cell that will be compared: the smallest p, 2 / (draws + 1), times the cells, is then half of .05."""
    num_cells = sum(
        len(shared_targets(runs, groups[baseline_row, setting], metric))
        for (row, setting), runs in groups.items()
        if row != baseline_row and (rows is None or row in rows) and (baseline_row, setting) in groups
    )
    return 80 * num_cells


def compare(
    records: Iterable[Record],
    load_predictions: Callable[[Record], Predictions],
    baseline_row: str,
    rows: Sequence[str] | None = None,
    metric: str = "f1_macro",
    draws: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Each row (all others by default) against a baseline row, on every target domain of every setting they share.

    On those, that is, where both have the metric: neither a classification nor a target of classes has a polarity's.

    Columns: row, setting (a `Setting`), domain, difference (row - baseline), low, high, p, p_adjusted, num_videos.
    There are at least 80 draws for each cell, whatever `draws` says: with fewer, Holm could adjust even the smallest
    possible p to above .05.
    p_adjusted is Holm's over all lines, so pass the records of one table. Cells that cannot be compared (predictions
    that are missing, or of other clips) are left out, with a warning that counts them.

    Raises:
        UnknownNameError: no run of the baseline row, or of one in `rows`, ended well.
    """
    import pandas as pd

    groups = group_runs(records)
    known = list(dict.fromkeys(row for row, _ in groups))
    for row in [baseline_row, *(rows or [])]:
        if row not in known:
            raise UnknownNameError("row", row, known)
    lines: list[dict[str, Any]] = []
    reasons: list[str] = []
    draws = max(draws, _draws_needed(groups, baseline_row, rows, metric))
    for setting in dict.fromkeys(setting for row, setting in groups if row == baseline_row):
        baseline = [loader(load_predictions, run) for run in groups[baseline_row, setting]]
        for row in (row for row, at in groups if at == setting and row != baseline_row):
            if rows is not None and row not in rows:
                continue
            runs = [loader(load_predictions, run) for run in groups[row, setting]]
            for domain in shared_targets(groups[row, setting], groups[baseline_row, setting], metric):
                try:
                    a, b = ([load().of_domain(domain) for load in side] for side in (runs, baseline))
                    found = paired_cluster_bootstrap(a, b, metric, draws, seed)
                except RunError as error:
                    reasons.append(f"{row} on {domain}: {error}")
                else:
                    lines.append({"row": row, "setting": setting, "domain": domain} | _as_columns(found))
    if reasons:
        warnings.warn(
            MsadgWarning(
                f"{len(reasons)} of {len(reasons) + len(lines)} cells not compared with {baseline_row} "
                f"(first: {reasons[0]})"
            ),
            stacklevel=2,
        )
    for line, adjusted in zip(lines, holm([line["p"] for line in lines]), strict=True):
        line["p_adjusted"] = adjusted
    columns = ["row", "setting", "domain", "difference", "low", "high", "p", "p_adjusted", "num_videos"]
    return pd.DataFrame(lines, columns=columns)


def shared_targets(runs: Sequence[Record], others: Sequence[Record] = (), metric: str | None = None) -> list[str]:
    """The target domains that all these runs were scored on (by a metric, if named), in the order of the first."""
    everyone = [*runs, *others]
    scores = [(domain, [run.metrics.get(domain) for run in everyone]) for domain in targets_of(runs[0])]
    return [domain for domain, found in scores if all(s is not None and (not metric or metric in s) for s in found)]


def targets_of(run: Record) -> list[str]:
    """The domains that a run was scored on without training there, the declared ones first."""
    scored = [*run.target_domains, *run.metrics]
    return [domain for domain in dict.fromkeys(scored) if domain not in run.source_domains]


def loader(load: Callable[[Record], Predictions], run: Record) -> Callable[[], Predictions]:
    """Load a run's predictions when first asked for, and once; they go with what is returned."""
    return functools.cache(functools.partial(load, run))


def values_of(runs: Iterable[Record], domain: str, metric: str) -> dict[int, float]:
    """The score on one domain of each run that has it, by seed."""
    return {run.seed: run.metrics[domain][metric] for run in runs if metric in run.metrics.get(domain, {})}


def _cells(runs: Sequence[Record]) -> list[dict[str, Any]]:
    """The lines of one row in one setting."""
    by_place: dict[tuple[str, str, str], list[float]] = {}
    for run in runs:
        for domain, scores in run.metrics.items():
            role = "source" if domain in run.source_domains else "target"
            for metric, value in scores.items():
                by_place.setdefault((domain, role, metric), []).append(value)
    for run in runs:
        for metric, summary in _summaries(run).items():
            for name, value in summary.items():
                by_place.setdefault((name, "summary", metric), []).append(value)
    return [
        {"domain": domain, "role": role, "metric": metric} | _spread(values)
        for (domain, role, metric), values in by_place.items()
    ]


def _summaries(run: Record) -> Mapping[str, Mapping[str, float]]:
    return summarise_domains(run.metrics, run.source_domains, targets_of(run))


def _spread(values: Sequence[float]) -> dict[str, Any]:
    interval = t_interval(values)
    return {
        "mean": interval.mean,
        "sd": interval.sd,
        "half": interval.half,
        "n": interval.num_values,
        "values": tuple(values),
    }


def _as_columns(found: Difference) -> dict[str, Any]:
    return {
        "difference": found.mean,
        "low": found.low,
        "high": found.high,
        "p": found.p,
        "p_adjusted": math.nan,
        "num_videos": found.num_videos,
    }
