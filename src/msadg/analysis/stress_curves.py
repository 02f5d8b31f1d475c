"""From stressed runs to curves: seeds of one row together, the mean over domains, and how far to trust it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from msadg.analysis.movement import MOVEMENTS
from msadg.analysis.stress import CHANGES, SCORES, Stress
from msadg.errors import UsageError
from msadg.protocols.domains import domain_name
from msadg.protocols.experiment import Experiment
from msadg.results.record import ORACLE
from msadg.results.statistics import t_interval
from msadg.results.video_means import drawn_means

MEASURES = (*MOVEMENTS, *SCORES, *CHANGES)
"""A curve is drawn of those that every domain of a run has."""

Band = Literal["seeds", "videos", "none"]


class PlannedRun(NamedTuple):
    """What is known of a run before it is put under stress."""

    label: str
    seed: int
    sources: tuple[str, ...]
    domains: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class StressedRun:
    """What one run did under stress."""

    label: str
    """Of its curve; runs that share it differ by seed only."""
    experiment: Experiment
    found: Sequence[Stress]

    @property
    def sources(self) -> tuple[str, ...]:
        """Domains that it was trained on."""
        return tuple(map(domain_name, self.experiment.domains.source_domains))

    @property
    def domains(self) -> tuple[str, ...]:
        """Domains that it was put under stress on."""
        return tuple(dict.fromkeys(stress.domain for stress in self.found))

    @property
    def planned(self) -> PlannedRun:
        """The run as it was before."""
        return PlannedRun(self.label, self.experiment.seed, self.sources, self.domains)


@dataclass(frozen=True, slots=True)
class Point:
    """One rate of a curve."""

    rate: float
    """Share of the steps; 0 = as stored."""
    mean: float
    """Over seeds, repeats and domains, each alike."""
    low: float
    high: float
    """95 %: of the t-interval over seeds or, of one seed, of the bootstrap over videos; NaN where there is neither."""
    values: tuple[float, ...]
    """By run."""


@dataclass(frozen=True, slots=True)
class Curve:
    """How one measure of one row goes with the rate."""

    label: str
    modality: str
    kind: str
    measure: str
    band: Band
    """What low and high are about."""
    points: tuple[Point, ...]


def label_of(experiment: Experiment) -> str:
    """The row of a run; one that was selected on the target says so."""
    return f"{experiment.row} (oracle)" if experiment.selection == ORACLE else experiment.row


def curve_names(runs: Sequence[PlannedRun]) -> list[str]:
    """Of each run, its label with what it was trained and stressed on, where that is not the same for all."""
    if len({(run.sources, run.domains) for run in runs}) < 2:
        return [run.label for run in runs]
    return [f"{run.label}, {'+'.join(run.sources)} to {'+'.join(run.domains)}" for run in runs]


def with_settings_named(runs: Sequence[StressedRun]) -> list[StressedRun]:
    """The runs under the names of their curves."""
    names = curve_names([run.planned for run in runs])
    return [replace(run, label=name) for run, name in zip(runs, names, strict=True)]


def curves_of(runs: Sequence[StressedRun]) -> list[Curve]:
    """The curves of every label, modality, kind and measure, in the order met.

    Raises:
        UsageError: runs of one label differ by more than their seed, or not even by that.
    """
    groups: dict[str, list[StressedRun]] = {}
    for run in with_settings_named(runs):
        groups.setdefault(run.label, []).append(run)
    curves = []
    for label, group in groups.items():
        _check_alike(label, group)
        cells = dict.fromkeys((stress.modality, stress.kind) for stress in group[0].found)
        known = [m for m in MEASURES if all(m in stress.values for run in group for stress in run.found)]
        curves += [_curve(label, group, *cell, measure) for cell in cells for measure in known]
    return curves


def _curve(label: str, group: Sequence[StressedRun], modality: str, kind: str, measure: str) -> Curve:
    chosen = [[s for s in run.found if (s.modality, s.kind) == (modality, kind)] for run in group]
    rates = sorted({stress.rate for stress in chosen[0]})
    points = tuple(_point(rate, measure, [[s for s in part if s.rate == rate] for part in chosen]) for rate in rates)
    band: Band = "seeds" if len(group) > 1 else "none" if all(np.isnan(point.low) for point in points) else "videos"
    return Curve(label, modality, kind, measure, band, points)


def _point(rate: float, measure: str, by_run: Sequence[Sequence[Stress]]) -> Point:
    values = [float(np.mean([np.mean(stress.values[measure]) for stress in domains])) for domains in by_run]
    found = t_interval(values)
    low, high = found.mean - found.half, found.mean + found.half
    if len(by_run) == 1 and all(measure in stress.by_clip for stress in by_run[0]):
        drawn = [drawn_means(stress.by_clip[measure], stress.video_id) for stress in by_run[0]]
        low, high = (float(bound) for bound in np.quantile(np.mean(drawn, axis=0), [0.025, 0.975]))
    return Point(rate, found.mean, low, high, tuple(values))


def _check_alike(label: str, group: Sequence[StressedRun]) -> None:
    ways = "give each a name of its own (NAME=RUN), or compare one of them"
    seeds = [run.experiment.seed for run in group]
    if len(set(seeds)) < len(seeds):
        twice = next(seed for seed in seeds if seeds.count(seed) > 1)
        raise UsageError(f"two runs are called {label} and have seed {twice}, so they cannot be told apart; {ways}")
    first = _identity(group[0].experiment)
    for run in group[1:]:
        differing = [key for key, value in _identity(run.experiment).items() if value != first[key]]
        if differing:
            raise UsageError(f"two runs are called {label} and differ in their {', '.join(differing)}; {ways}")


def _identity(experiment: Experiment) -> Mapping[str, Any]:
    """What runs of one curve have in common: all but seed, name, domains, and what decides no number."""
    own = {field.name: getattr(experiment, field.name) for field in fields(experiment)}
    own = {name: value for name, value in own.items() if name not in ("row", "seed", "domains")}
    training = replace(experiment.training, device="cpu", checkpoint_steps=None)
    return own | {"training": training, "data": replace(experiment.data, stores=Path(), data_root=None)}
