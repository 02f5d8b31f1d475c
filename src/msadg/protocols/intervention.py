"""Controls at scoring time (METHODS 2.6, Table 3): read noise, or the rejected features, instead of the selected.

*Add Noise*: each selected feature is replaced by Gaussian noise of the mean and variance that it has on the sources'
dev clips; the noise of a clip depends on its id alone, so a score does not depend on the batch. *Using DS*: the
rejected features pass, the selected ones do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from msadg.batches.clips import ClipSet
from msadg.batches.sampling import sequential_batches
from msadg.errors import UsageError
from msadg.methods.finetuned import FineTuned
from msadg.methods.method import Method
from msadg.methods.s2lif import S2LIF, Intervention
from msadg.methods.wrapped import Wrapped
from msadg.nn.mask import FeatureMask
from msadg.nn.seeds import derive_seed
from msadg.protocols.experiment import InterventionName
from msadg.types import Batch

Moments = dict[str, tuple[Tensor, Tensor]]
"""Modality -> mean and standard deviation of each selected feature."""


def read_rejected(modality: str, features: Tensor, mask: FeatureMask, batch: Batch) -> tuple[Tensor, Tensor]:  # noqa: ARG001
    """*Using DS*: x * r * (1 - p), pooled by its likeness to r * (1 - p)."""
    return features * mask.complement, mask.complement


def selected_moments(method: Method, clips: Sequence[ClipSet], device: str = "cpu") -> Moments:
    """Mean and standard deviation of x^c over the valid steps of some clips, by modality."""
    sums: dict[str, list[Tensor]] = {}
    model = _s2lif(method)
    method.eval()
    with torch.no_grad():
        for clip_set in clips:
            for indices in sequential_batches(clip_set.lengths, 128):
                batch = clip_set.batch(indices).to(device)
                if isinstance(method, FineTuned):
                    batch = method.encoded(batch)
                for modality in model.modalities:
                    encoded, steps = model.encode(modality, batch.steps[modality])
                    rows = model.masks[modality](encoded)[steps.valid].double().cpu()
                    parts = [torch.tensor(float(len(rows))), rows.sum(dim=0), rows.square().sum(dim=0)]
                    old = sums.get(modality)
                    sums[modality] = parts if old is None else [a + b for a, b in zip(old, parts, strict=True)]
    moments = {}
    for modality, (count, total, squares) in sums.items():
        mean = total / count
        moments[modality] = (mean.float(), (squares / count - mean.square()).clamp_min(0).sqrt().float())
    return moments


def read_noise(moments: Moments) -> Intervention:
    """*Add Noise* with these moments."""

    def replace(modality: str, features: Tensor, mask: FeatureMask, batch: Batch) -> tuple[Tensor, Tensor]:
        mean, deviation = (moment.to(features.device) for moment in moments[modality])
        noise = torch.empty(features.shape)
        for row, clip_id in enumerate(batch.clip_ids):
            # NumPy's stream, for its beginning does not depend on how much is drawn: padding changes nothing.
            chance = np.random.default_rng(derive_seed(0, "noise", modality, clip_id))
            noise[row] = torch.from_numpy(chance.standard_normal(features.shape[1:]))
        drawn = mean + deviation * noise.to(features.device)
        return drawn * mask.kept.to(drawn.dtype), mask.mask

    return replace


@contextmanager
def intervened(
    method: Method, name: InterventionName, dev_sets: Sequence[ClipSet], device: str = "cpu"
) -> Iterator[None]:
    """Score under a control.

    Args:
        method: on ``device``.
        name: of the control; ``none`` does nothing.
        dev_sets: of the sources; their selected features give the noise its moments.
        device: where the method is.

    Raises:
        UsageError: the method selects nothing.
    """
    if name == "none":
        yield
        return
    model = _s2lif(method)
    moments = selected_moments(method, dev_sets, device) if name == "noise" else {}
    model.intervention = read_rejected if name == "rejected" else read_noise(moments)
    try:
        yield
    finally:
        model.intervention = None


def _s2lif(method: Method) -> S2LIF:
    model = method
    while isinstance(model, Wrapped):
        model = model.inner
    if not isinstance(model, S2LIF):
        raise UsageError(f"{method.name} selects no features, so there is nothing to replace; only s2lif does")
    if model.config.mask not in ("learned", "random") or model.config.mask_target != "features":
        raise UsageError(
            f"this s2lif has mask {model.config.mask!r} on {model.config.mask_target}: it rejects no feature, so there "
            "is nothing to read instead; the controls need mask 'learned' or 'random' on features"
        )
    return model
