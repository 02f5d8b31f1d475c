"""Time-mean features of clips, in every space that a shift can be measured in: the input, and what the method learned.

``input``: the stored features; ``hidden``: the learned sequence of a method without learned masks; ``selected`` and
``rejected``: the learned features before the mask that pass it, and those that do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from msadg.analysis.mask_inputs import mask_inputs
from msadg.analysis.masked_runs import learned_masks
from msadg.batches.clips import ClipSet
from msadg.batches.sampling import sequential_batches
from msadg.methods.method import Method
from msadg.nn.mask import FeatureMask
from msadg.nn.steps import mean_over_valid
from msadg.types import Batch

SPACES = ("input", "hidden", "selected", "rejected")

Space = tuple[str, str]
"""(one of SPACES, modality)"""


def pooled_features(
    method: Method, clips: ClipSet, at: Int[np.ndarray, " chosen"]
) -> dict[Space, Float[np.ndarray, "chosen feature"]]:
    """Mean over the valid steps of each clip, by space and modality; rows of NaN where a clip has no valid step.

    Args:
        method: in eval mode, on the CPU.
        clips: of one domain, or of several.
        at: positions of the clips that are looked at.
    """
    masks = learned_masks(method)
    rows: dict[Space, list[Tensor]] = {}
    batches = sequential_batches(clips.lengths[at], 128)
    with torch.no_grad():
        for part in batches:
            for space, values in _of_batch(method, masks, clips.batch(at[part])):
                rows.setdefault(space, []).append(values)
    if not batches:
        return {}
    places = np.argsort(np.concatenate(batches))
    return {space: torch.cat(parts).double().numpy()[places] for space, parts in rows.items()}


def _of_batch(method: Method, masks: Mapping[str, FeatureMask], batch: Batch) -> Iterator[tuple[Space, Tensor]]:
    for modality in method.modalities:
        steps = batch.steps[modality]
        if steps.values.is_floating_point():  # the mean of token ids means nothing
            yield ("input", modality), _means(steps.values, steps.valid)
    with mask_inputs(masks) as before:
        auxiliary = method(batch).auxiliary
    for modality in method.modalities:
        if f"sequence_{modality}" not in auxiliary:
            continue  # reads its input directly
        sequence, valid = auxiliary[f"sequence_{modality}"], auxiliary[f"sequence_valid_{modality}"]
        if modality not in masks:
            yield ("hidden", modality), _means(sequence, valid)
            continue
        means, kept = _means(before[modality], valid), masks[modality].kept
        for space, columns in (("selected", kept), ("rejected", ~kept)):
            if columns.any():
                yield (space, modality), means[:, columns]


def _means(values: Tensor, valid: Tensor) -> Tensor:
    means = mean_over_valid(values, valid)
    return torch.where(valid.any(dim=1, keepdim=True), means, torch.nan)
