"""Mean and spread of each feature over the steps of some clips."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from msadg.batches.clips import ClipSet

MOST_CLIPS = 4096
"""Of more, this many are looked at, evenly chosen: enough for two decimals of a mean."""


def step_moments(clips: ClipSet, modality: str) -> tuple[Float[Tensor, " feature"], Float[Tensor, " feature"]]:
    """Return mean and standard deviation of each feature over the valid steps of a modality, every step alike.

    0 and 0 for a feature of no step. Sums are taken in double precision, clip after clip in their order.
    """
    column = clips.columns[modality]
    chosen = np.unique(np.linspace(0, len(clips) - 1, min(len(clips), MOST_CLIPS)).round().astype(np.int64))
    count, total, squares = 0, torch.zeros(column.dim).double(), torch.zeros(column.dim).double()
    for clip in chosen:
        steps = column.gather(np.array([clip]))
        values = steps.values[steps.valid].double()
        count += len(values)
        total += values.sum(dim=0)
        squares += values.square().sum(dim=0)
    mean = total / max(count, 1)
    variance = (squares / max(count, 1) - mean.square()).clamp_min(0)
    # What rounding leaves of a constant feature is no spread.
    spread = torch.where(variance > 1e-10 * mean.square() + 1e-12, variance, 0.0).sqrt()
    return mean.float(), spread.float()
