"""Modality dropout: a training clip loses one of its modalities now and then, so that a method learns to go without.

What it makes of a clip is what a clip without that modality looks like: no valid step there, and zeros beneath.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from msadg.types import Batch, Steps


def drop_modalities(batch: Batch, probability: float, seed: int) -> Batch:
    """Return the batch with some clips' modalities taken out; the batch given is left as it was.

    Each clip loses, with ``probability``, one of the modalities it has, each as likely as the others; a clip that has
    a single one keeps it. The draws depend on nothing but the arguments: a clip's on its place in the batch.

    Args:
        batch: of training clips.
        probability: in [0, 1].
        seed: of the draws.
    """
    draws = np.random.default_rng(seed).random((len(batch), 2))
    present = torch.stack([steps.valid.any(dim=1) for steps in batch.steps.values()], dim=1).cpu().numpy()
    counts = present.sum(axis=1)
    loses = (draws[:, 0] < probability) & (counts > 1)
    if not loses.any():
        return batch
    # The n-th modality that the clip has, n even over them; its place is where the running count first exceeds n.
    chosen = (draws[:, 1] * counts).astype(np.int64)
    place = (np.cumsum(present, axis=1) > chosen[:, None]).argmax(axis=1)
    kept = {}
    for at, (modality, steps) in enumerate(batch.steps.items()):
        lost = torch.from_numpy(loses & (place == at)).to(steps.valid.device)
        kept[modality] = Steps(
            steps.values.masked_fill(lost[:, None, None], 0), steps.valid.masked_fill(lost[:, None], False)
        )
    return replace(batch, steps=kept)
