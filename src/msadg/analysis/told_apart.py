"""Runs that go by the same name in every table, under names that tell them apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from msadg.analysis.stress_curves import label_of
from msadg.errors import UsageError
from msadg.protocols.domains import domain_name
from msadg.protocols.experiment import UNRECORDED
from msadg.protocols.run import TrainedRun

SAYS_NOTHING = ("row", "data.stores", "data.data_root", *(f"training.{name}" for name in UNRECORDED))
"""Settings that decide no number."""


def told_apart(runs: Sequence[TrainedRun]) -> list[TrainedRun]:
    """The runs, those with another of the same row, sources and seed under a name that says in what they differ.

    Tables of measurements go by row, sources and seed; without it, such runs would be taken for one.

    Raises:
        UsageError: two do not differ.
    """
    alike: dict[tuple[str, tuple[str, ...], int], list[TrainedRun]] = {}
    for run in runs:
        sources = tuple(map(domain_name, run.experiment.domains.source_domains))
        alike.setdefault((label_of(run.experiment), sources, run.experiment.seed), []).append(run)
    renamed: dict[int, TrainedRun] = {}
    for (label, sources, seed), group in alike.items():
        names = _differences(group)
        if len(set(names)) < len(group):
            raise UsageError(
                f"a run was given twice: {label} on {'+'.join(sources)}, seed {seed}; name each run once, and folders "
                "that hold the same runs one at a time"
            )
        for run, name in zip(group, names, strict=True):
            row = f"{run.experiment.row} ({name})" if name else run.experiment.row
            renamed[id(run)] = replace(run, experiment=replace(run.experiment, row=row))
    return [renamed[id(run)] for run in runs]


def _differences(group: Sequence[TrainedRun]) -> list[str]:
    """Of each run, the settings in which it is not like all others: ``dim = 64, seed = 1``; "" for one alone."""
    settings = [_flat(run.experiment.to_dict()) for run in group]
    names = sorted({name for own in settings for name in own if not name.startswith(SAYS_NOTHING)})
    differing = [name for name in names if len({repr(own.get(name)) for own in settings}) > 1]
    return [
        ", ".join(f"{name.rpartition('.')[2]} = {own.get(name, 'default')}" for name in differing) for own in settings
    ]


def _flat(settings: dict[str, Any]) -> Mapping[str, Any]:
    """Values by ``part.setting``."""
    (flat,) = pd.json_normalize(settings).to_dict("records")
    return {str(name): value for name, value in flat.items()}
