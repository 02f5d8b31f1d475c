"""Which features a trained S2LIF selected, and how they compare with a truth that is known (METHODS 7)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from msadg.analysis.recovery import attribute_features, recovery
from msadg.batches.sampling import sequential_batches
from msadg.methods.method import Method
from msadg.methods.s2lif import S2LIF
from msadg.methods.varied import Varied
from msadg.nn.steps import mean_over_valid
from msadg.protocols.features import feature_kinds
from msadg.protocols.fit import source_clips
from msadg.protocols.run import TrainedRun


def measure_recovery(trained: TrainedRun) -> dict[str, Any]:
    """Precision and recall of the selected features of each simulated modality; {} where nothing is simulated.

    A hidden feature counts as what the input feature is that it correlates with most, on the sources' dev clips.
    """
    model, experiment = s2lif_of(trained.method), trained.experiment
    if model is None:
        return {}
    found = {}
    for modality in model.modalities:
        kinds = feature_kinds(experiment.data, experiment.domains.source_domains[0], modality)
        if kinds is None:
            continue
        inputs, hidden = _pooled(trained, model, modality)
        attributed = attribute_features(hidden, inputs, kinds)
        selected = model.masks[modality].kept.numpy()  # type: ignore[operator]
        found[modality] = asdict(recovery(selected, attributed))
    return {"recovery": found} if found else {}


def s2lif_of(method: Method) -> S2LIF | None:
    """The S2LIF that a method is, or is wrapped around; None for another."""
    inner = method.inner if isinstance(method, Varied) else method
    return inner if isinstance(inner, S2LIF) else None


def _pooled(
    trained: TrainedRun, model: S2LIF, modality: str
) -> tuple[Float[np.ndarray, "clip feature"], Float[np.ndarray, "clip hidden"]]:
    inputs, hidden = [], []
    with torch.no_grad():
        for clips in source_clips(trained.experiment, "dev"):
            for indices in sequential_batches(clips.lengths, 128):
                steps = clips.batch(indices).steps[modality]
                encoded, kept = model.encode(modality, steps)
                inputs.append(mean_over_valid(steps.values, steps.valid))
                hidden.append(mean_over_valid(encoded, kept.valid))
    return torch.cat(inputs).double().numpy(), torch.cat(hidden).double().numpy()
