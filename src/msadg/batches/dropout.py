"""Modality dropout: a training clip loses one of its modalities now and then, so that a method learns to go without.

What it makes of a clip is what a clip without that modality looks like: no valid step there, and zeros beneath.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import torch

from msadg.types import Batch, Steps


def drop_modalities(batch: Batch, probability: float, seed: int, *, among: Collection[str]) -> Batch:
    """Return the batch with some clips' modalities taken out; the batch given is left as it was.

    Each clip loses, with ``probability``, one of those it has, each as likely as the others; a clip that has a single
    one keeps it. The draws depend on nothing but the arguments: a clip's on its place in the batch.

    Args:
        batch: of training clips.
        probability: in [0, 1].
        seed: of the draws.
        among: the modalities that may go: those that the method reads.
    """
    draws = np.random.default_rng(seed).random((len(batch), 2))
    modalities = [modality for modality in batch.steps if modality in among]
    if len(modalities) < 2:
        return batch
    present = np.stack([batch.steps[modality].valid.any(dim=1).cpu().numpy() for modality in modalities], axis=1)
    counts = present.sum(axis=1)
    loses = (draws[:, 0] < probability) & (counts > 1)
    if not loses.any():
        return batch
    # The n-th modality that the clip has, n even over them; its place is where the running count first exceeds n.
    chosen = (draws[:, 1] * counts).astype(np.int64)
    place = (np.cumsum(present, axis=1) > chosen[:, None]).argmax(axis=1)
    kept = dict(batch.steps)
    for at, modality in enumerate(modalities):
        steps = batch.steps[modality]
        lost = torch.from_numpy(loses & (place == at)).to(steps.valid.device)
        kept[modality] = Steps(
            steps.values.masked_fill(lost[:, None, None], 0), steps.valid.masked_fill(lost[:, None], False)
        )
    return replace(batch, steps=kept)
