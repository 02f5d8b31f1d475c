"""Whether a row is better than another in the mean of all its target cells, not in one of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from msadg.errors import MsadgWarning, RunError, UnknownNameError
from msadg.results.aggregate import Group, Setting, group_runs, loader, shared_targets, values_of
from msadg.results.predictions import Predictions
from msadg.results.record import Record
from msadg.results.statistics import drawn_differences, holm, judged, t_interval

if TYPE_CHECKING:
    import pandas as pd

Side = list[tuple[Record, Callable[[], Predictions]]]
"""The runs of a row in a setting, each with what reads its predictions, once."""
COLUMNS = (
    "row", "num_cells", "mean", "baseline_mean", "difference", "low", "high", "p", "p_adjusted",
    "num_seeds", "seed_low", "seed_high",
)  # fmt: skip


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
    are taken as they are; what they are worth says the t-interval of the difference seed by seed, on the clips as they
    are. p_adjusted is Holm's over the rows.

    Args:
        records: of all settings that are to count.
        load_predictions: finds the predictions of a run.
        baseline_row: the row that all others are held against.
        metric: one that sums over clips determine.
        draws: of the bootstrap.
        seed: of the draws.

    Returns:
        One line a row, the columns ``COLUMNS``: mean and baseline_mean are of the shared cells, difference is
        row - baseline; num_seeds that both have in all of them, seed_low and seed_high their 95 % t-interval (NaN with
        fewer than two). low, high and p are NaN where predictions cannot be read; a row whose predictions are of other
        clips has no line; both with a warning.

    Raises:
        UnknownNameError: no run of the baseline row ended well.
    """
    import pandas as pd

    groups = group_runs(records)
    rows = list(dict.fromkeys(row for row, _ in groups))
    if baseline_row not in rows:
        raise UnknownNameError("row", baseline_row, rows)
    baseline = _by_setting(baseline_row, groups, load_predictions)
    lines: list[dict[str, Any]] = []
    unread: dict[str, str] = {}
    for row in rows:
        if row != baseline_row:
            # What is read of a row goes with its line; the baseline is read once.
            own = _by_setting(row, groups, load_predictions)
            try:
                lines += _line(row, own, baseline, metric, draws, seed, unread)
            except RunError as error:
                warnings.warn(MsadgWarning(f"{row} not compared with {baseline_row} overall: {error}"), stacklevel=2)
    if unread:
        message = f"{len(unread)} of {len(lines)} rows not tested against {baseline_row} in the mean over all targets"
        warnings.warn(MsadgWarning(f"{message} (first: {next(iter(unread.values()))})"), stacklevel=2)
    for line, adjusted in zip(lines, holm([line["p"] for line in lines]), strict=True):
        line["p_adjusted"] = adjusted
    return pd.DataFrame(lines, columns=list(COLUMNS))


def _by_setting(
    row: str, groups: Mapping[Group, list[Record]], load: Callable[[Record], Predictions]
) -> dict[Setting, Side]:
    return {
        setting: [(run, loader(load, run)) for run in runs] for (name, setting), runs in groups.items() if name == row
    }


def _line(
    row: str,
    own: Mapping[Setting, Side],
    baseline: Mapping[Setting, Side],
    metric: str,
    draws: int,
    seed: int,
    unread: dict[str, str],
) -> list[dict[str, Any]]:
    """The line of a row, none where no cell is shared; why it could not be tested goes into ``unread``."""
    import pandas as pd

    differences, drawn, means, by_seed = [], [], [], []
    videos_of: dict[str, int] = {}  # a test set may stand in several cells
    for ours, theirs in ((own[setting], baseline[setting]) for setting in own if setting in baseline):
        our_runs, their_runs = ([run for run, _ in side] for side in (ours, theirs))
        for domain in shared_targets(our_runs, their_runs, metric):
            first, second = (pd.Series(values_of(side, domain, metric)) for side in (our_runs, their_runs))
            observed, cell_draws = float(first.mean() - second.mean()), None
            try:
                a, b = ([load().of_domain(domain) for _, load in side] for side in (ours, theirs))
            except RunError as error:
                unread.setdefault(row, f"{row} on {domain}: {error}")
            else:
                observed, cell_draws, videos_of[domain] = drawn_differences(a, b, metric, draws, seed)
            differences.append(observed)
            drawn.append(cell_draws)
            means.append([first.mean(), second.mean()])
            by_seed.append((first - second).dropna())
    if not differences:
        return []
    known = [cell for cell in drawn if cell is not None]
    # A cell in which nothing can be drawn leaves the mean without an interval, too.
    together = np.mean(known, axis=0) if len(known) == len(drawn) else None
    found = judged(float(np.mean(differences)), together, sum(videos_of.values()))
    mean, baseline_mean = np.mean(means, axis=0)
    judgement = (found.mean, found.low, found.high, found.p, np.nan)
    values = (row, len(differences), mean, baseline_mean, *judgement, *_over_seeds(by_seed))
    return [dict(zip(COLUMNS, values, strict=True))]


def _over_seeds(cells: Sequence[pd.Series]) -> tuple[int, float, float]:
    """Seeds that all cells have, and the t-interval of their mean differences."""
    import pandas as pd

    found = pd.concat(cells, axis=1, join="inner").mean(axis=1).tolist()
    if len(found) < 2:
        return len(found), np.nan, np.nan
    interval = t_interval(found)
    return len(found), interval.mean - interval.half, interval.mean + interval.half
