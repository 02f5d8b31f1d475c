"""Whether a row is better than another in the mean of all its target cells, not in one of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from msadg.errors import MsadgWarning, RunError, UnknownNameError
from msadg.results.aggregate import Group, Setting, group_runs, shared_targets
from msadg.results.predictions import Predictions
from msadg.results.record import Record
from msadg.results.statistics import drawn_differences, holm, judged

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("row", "num_cells", "mean", "baseline_mean", "difference", "low", "high", "p", "p_adjusted")


def compare_means(
    records: Iterable[Record],
    load_predictions: Callable[[Record], Predictions],
    baseline_row: str,
    metric: str = "f1_macro",
    draws: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """Each row against a baseline row, in the mean over the target cells (setting, domain) that both have.

    Whole videos are drawn, as in ``paired_cluster_bootstrap``; a test set that stands in several cells is drawn alike
    in all of them, so that what its videos have in common is not counted as if it were independent. The trained seeds
    are taken as they are. p_adjusted is Holm's over the rows.

    Args:
        records: of all settings that are to count.
        load_predictions: finds the predictions of a run.
        baseline_row: the row that all others are held against.
        metric: one that sums over clips determine.
        draws: of the bootstrap.
        seed: of the draws.

    Returns:
        One line a row, the columns ``COLUMNS``: mean and baseline_mean are of the shared cells, difference is
        row - baseline.

    Raises:
        UnknownNameError: no run of the baseline row ended well.
    """
    import pandas as pd

    groups = group_runs(records)
    rows = list(dict.fromkeys(row for row, _ in groups))
    if baseline_row not in rows:
        raise UnknownNameError("row", baseline_row, rows)
    lines: list[dict[str, Any]] = []
    for row in rows:
        if row != baseline_row:
            try:
                lines += _line(row, baseline_row, groups, load_predictions, metric, draws, seed)
            except RunError as error:
                warnings.warn(MsadgWarning(f"{row} not compared with {baseline_row} overall: {error}"), stacklevel=2)
    for line, adjusted in zip(lines, holm([line["p"] for line in lines]), strict=True):
        line["p_adjusted"] = adjusted
    return pd.DataFrame(lines, columns=list(COLUMNS))


def _line(
    row: str,
    baseline_row: str,
    groups: dict[Group, list[Record]],
    load: Callable[[Record], Predictions],
    metric: str,
    draws: int,
    seed: int,
) -> list[dict[str, Any]]:
    """The line of a row; none where no cell is shared."""
    differences, drawn, means, num_videos = [], [], [], 0
    for setting in _shared(row, baseline_row, groups):
        sides = groups[row, setting], groups[baseline_row, setting]
        loaded = [[load(run) for run in side] for side in sides]
        for domain in shared_targets(*sides, metric):
            ours, theirs = ([run.of_domain(domain) for run in side] for side in loaded)
            observed, cell_draws, videos = drawn_differences(ours, theirs, metric, draws, seed)
            differences.append(observed)
            drawn.append(np.full(draws, np.nan) if cell_draws is None else cell_draws)
            means.append([np.mean([run.metrics[domain][metric] for run in side]) for side in sides])
            num_videos += videos
    if not differences:
        return []
    together = np.mean(drawn, axis=0)
    has_draws = not np.isnan(together).all()
    found = judged(float(np.mean(differences)), together if has_draws else None, num_videos)
    mean, baseline_mean = np.mean(means, axis=0)
    values = (row, len(differences), mean, baseline_mean, found.mean, found.low, found.high, found.p, np.nan)
    return [dict(zip(COLUMNS, values, strict=True))]


def _shared(row: str, baseline_row: str, groups: dict[Group, list[Record]]) -> Sequence[Setting]:
    return [setting for name, setting in groups if name == row and (baseline_row, setting) in groups]
