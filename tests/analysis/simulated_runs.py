"""Runs on simulated domains whose masks are set by hand, so that what they recover is known; nothing is trained."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from msadg.extraction.simulated_truth import SimulationConfig
from msadg.methods.build import MethodSpec
from msadg.protocols.checkpoint import TrainingState
from msadg.protocols.domains import DomainSplit
from msadg.protocols.experiment import Experiment, InterventionName
from msadg.protocols.features import DataConfig
from msadg.protocols.fit import new_method, source_clips
from msadg.protocols.run import TrainedRun
from msadg.protocols.stores import prepare_stores

TARGETS = ("simulated-shift-0", "simulated-shift-100")
IDENTITY = {"dim": 32, "layers": 0, "projection": "identity"}
S2LIF = IDENTITY | {"similarity": "mean", "keyframes": False}

Keep = Callable[[str], bool]
"""Which kinds of features a mask lets pass."""


def data_of(stores: Path, redundancy: float) -> DataConfig:
    """Simulated text and video."""
    return DataConfig(features={"text": "simulated", "video": f"simulated:redundancy={redundancy:g}"}, stores=stores)


def make_stores(stores: Path) -> None:
    """All features that these runs read."""
    for redundancy in (0.0, 0.5):
        prepare_stores(data_of(stores, redundancy), ["simulated-a", *TARGETS])


def simulated_run(
    stores: Path,
    order: str | None,
    *,
    redundancy: float = 0.5,
    seed: int = 0,
    keep: Keep = lambda _: True,
    intervention: InterventionName = "none",
    **settings: object,
) -> TrainedRun:
    """An S2LIF of an order whose masks keep some kinds of features, or ERM where there is no order."""
    method = MethodSpec(name="erm", settings=IDENTITY)
    if order is not None:
        method = MethodSpec(name="s2lif", settings={**S2LIF, "order": order, **settings})
    experiment = Experiment(
        row=f"{order or 'erm'}, redundancy {redundancy:g}",
        method=method,
        domains=DomainSplit(("simulated-a",), TARGETS),
        data=data_of(stores, redundancy),
        seed=seed,
        intervention=intervention,
    )
    model = new_method(experiment, source_clips(experiment, "dev")[0].feature_dims)
    if order is not None and settings.get("mask", "learned") == "learned":
        for modality, mask in model.masks.items():  # type: ignore[union-attr,operator]
            kinds = SimulationConfig(redundancy=redundancy).kinds(modality)
            rejected = torch.from_numpy(np.array([not keep(kind) for kind in kinds]))
            mask.threshold.data[rejected] = 2.0
    return TrainedRun(experiment, model.eval(), TrainingState(finished=True))
