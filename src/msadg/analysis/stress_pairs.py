"""Two rows under the same stress, seed by seed: does a part make predictions move less, or do they only rely on less?

Tested by paired t over seeds, at the highest rate of each perturbation; Holm-adjusted over the perturbations and
modalities of one pair of rows and one measure. *Relative* movement is that of a perturbation divided by that of the
modality missing altogether: a model that hardly reads a modality hardly moves with it, and that alone is no stability.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from msadg.analysis.movement import MOVEMENTS
from msadg.analysis.stress_curves import PlannedRun, StressedRun, curve_names, with_settings_named
from msadg.errors import UnknownNameError, UsageError
from msadg.results.statistics import holm, t_interval

HEADLINE_MEASURES = ("js_distance", "polarity_shift", "f1_macro_change", "mae_change")
RELATIVE = "relative_"
"""How the names of relative movements begin."""


@dataclass(frozen=True, slots=True)
class StressPair:
    """How far one row differs from another under one perturbation."""

    label: str
    against: str
    modality: str
    kind: str
    rate: float
    measure: str
    first: float
    """Mean over seeds of the row itself."""
    second: float
    """Of the row that it is held against."""
    low: float
    """Of the 95 % t-interval of first - second."""
    high: float
    num_seeds: int
    p: float
    p_adjusted: float


def planned_comparisons(runs: Sequence[PlannedRun], comparisons: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The comparisons by the names of their curves, checked before anything is scored.

    Where a row has several curves, its label stands for each of them, held against the other row's curve of the same
    training and stress.

    Args:
        runs: all that will be stressed.
        comparisons: (row, row that it is held against), by their labels or by the whole names of their curves.

    Raises:
        UnknownNameError: there is no such curve.
        UsageError: two rows share no training and stress, or fewer than two seeds.
    """
    seeds: dict[str, set[int]] = {}
    curves: dict[str, dict[tuple[tuple[str, ...], ...], str]] = {}
    for run, curve in zip(runs, curve_names(runs), strict=True):
        seeds.setdefault(curve, set()).add(run.seed)
        for name in {run.label, curve}:
            curves.setdefault(name, {})[run.sources, run.domains] = curve
    found: list[tuple[str, str]] = []
    for label, against in comparisons:
        _check_known((label, against), curves)
        if label in seeds and against in seeds:
            found.append((label, against))
            continue
        both = [(curve, curves[against][place]) for place, curve in curves[label].items() if place in curves[against]]
        if not both:
            raise UsageError(
                f"{label} and {against} have no curves of the same sources and domains; name the curves whole, as in "
                f"{next(iter(curves[label].values()))!r}"
            )
        found += both
    for label, against in found:
        _shared_seeds(label, against, seeds)
    return found


def pairs_of(runs: Sequence[StressedRun], comparisons: Sequence[tuple[str, str]]) -> list[StressPair]:
    """Hold rows against others, over the seeds that both have.

    Args:
        runs: stressed in the same way.
        comparisons: (row, row that it is held against), as their curves are called.

    Raises:
        UnknownNameError: there is no such curve.
        UsageError: two rows share fewer than two seeds.
    """
    by_curve: dict[str, dict[int, dict[Cell, float]]] = {}
    for run in with_settings_named(runs):
        by_curve.setdefault(run.label, {})[run.experiment.seed] = _values(run)
    found = []
    for label, against in comparisons:
        _check_known((label, against), by_curve)
        first, second = by_curve[label], by_curve[against]
        seeds = _shared_seeds(label, against, by_curve)
        found += _adjusted(list(_compared(label, against, [first[s] for s in seeds], [second[s] for s in seeds])))
    return found


def _check_known(names: Iterable[str], curves: Iterable[str]) -> None:
    known = list(curves)
    for name in names:
        if name not in known:
            raise UnknownNameError("curve to compare", name, known)


def _shared_seeds(label: str, against: str, seeds_of: Mapping[str, Iterable[int]]) -> list[int]:
    shared = sorted(set(seeds_of[label]) & set(seeds_of[against]))
    if len(shared) < 2:
        raise UsageError(
            f"{label} and {against} share {len(shared)} seed{'' if len(shared) == 1 else 's'}, and a paired test takes "
            "two at least; stress runs of the same seeds"
        )
    return shared


Cell = tuple[str, str, float, str]
"""Modality, kind, rate, measure."""


def _values(run: StressedRun) -> dict[Cell, float]:
    """Mean over domains and repeats of what is compared, at the highest rate of each kind."""
    by_cell: dict[Cell, list[float]] = {}
    for stress in run.found:
        for measure in [name for name in HEADLINE_MEASURES if name in stress.values]:
            cell = (stress.modality, stress.kind, stress.rate, measure)
            by_cell.setdefault(cell, []).append(float(np.mean(stress.values[measure])))
    highest = {(m, kind): max(c[2] for c in by_cell if c[:2] == (m, kind)) for m, kind, *_ in by_cell}
    values = {c: float(np.mean(parts)) for c, parts in by_cell.items() if c[2] == highest[c[:2]] and c[2] > 0}
    return values | _relative(values)


def _relative(values: dict[Cell, float]) -> dict[Cell, float]:
    relative = {}
    for (modality, kind, rate, measure), value in values.items():
        whole = values.get((modality, "missing", 1.0, measure))
        if measure in MOVEMENTS and kind != "missing" and whole is not None:
            relative[modality, kind, rate, RELATIVE + measure] = value / whole if whole > 0 else float("nan")
    return relative


def _compared(
    label: str, against: str, first: Sequence[dict[Cell, float]], second: Sequence[dict[Cell, float]]
) -> Iterator[StressPair]:
    from scipy.stats import ttest_rel

    for cell in [cell for cell in first[0] if cell in second[0]]:
        a, b = (np.array([values[cell] for values in side]) for side in (first, second))
        found = t_interval((a - b).tolist())
        p = float("nan") if np.ptp(a - b) == 0 or np.isnan(a - b).any() else float(ttest_rel(a, b).pvalue)
        modality, kind, rate, measure = cell
        yield StressPair(
            label, against, modality, kind, rate, measure, float(a.mean()), float(b.mean()),
            found.mean - found.half, found.mean + found.half, len(a), p, float("nan"),
        )  # fmt: skip


def _adjusted(pairs: Sequence[StressPair]) -> list[StressPair]:
    adjusted = []
    for measure in dict.fromkeys(pair.measure for pair in pairs):
        chosen = [pair for pair in pairs if pair.measure == measure]
        p_values = holm([pair.p for pair in chosen])
        adjusted += [replace(pair, p_adjusted=p) for pair, p in zip(chosen, p_values, strict=True)]
    return adjusted
