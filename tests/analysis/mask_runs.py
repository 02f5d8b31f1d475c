"""Runs whose masks keep what a test wants."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch

from msadg.analysis.masked_runs import feature_masks
from msadg.protocols.checkpoint import TrainingState
from msadg.protocols.domains import DomainSplit
from msadg.protocols.fit import new_method, source_clips
from msadg.protocols.run import TrainedRun
from tests.protocols.helpers import toy_experiment

DIM = 8


def toy_run(folder: Path, *, seed: int = 0, sources: str = "ab", row: str = "s2lif", **settings: object) -> TrainedRun:
    """An S2LIF that nobody trained, on the domains named by letters."""
    settings = {"keyframes": False} | settings
    method = "erm" if row.startswith("erm") else "s2lif"
    experiment = toy_experiment(folder, method, row=row, settings=settings if method == "s2lif" else {})
    named = {name.partition("=")[0]: name for name in experiment.domains.all_domains}
    domains = DomainSplit(tuple(named[s] for s in sources), tuple(d for s, d in named.items() if s not in sources))
    experiment = replace(experiment, seed=seed, domains=domains)
    dims = source_clips(experiment, "dev")[0].feature_dims
    return TrainedRun(experiment, new_method(experiment, dims).eval(), TrainingState())


def keep(trained: TrainedRun, **kept: Iterable[int]) -> TrainedRun:
    """Set the masks: these features pass with weight 1, by modality, the others do not."""
    for modality, mask in feature_masks(trained.method).items():
        if modality in kept:
            with torch.no_grad():
                mask.threshold.fill_(9.0)
                mask.threshold[list(kept[modality])] = -9.0
    return trained
