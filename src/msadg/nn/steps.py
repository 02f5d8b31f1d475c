"""Reductions along time that never read an invalid step.

A clip without a single valid step is an absent modality: every reduction gives zeros for it, never NaN.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def mean_over_valid(
    values: Float[Tensor, "batch time feature"], valid: Bool[Tensor, "batch time"]
) -> Float[Tensor, "batch feature"]:
    """Mean over each clip's valid steps."""
    weight = valid.to(values.dtype).unsqueeze(-1)
    return (values * weight).sum(dim=1) / weight.sum(dim=1).clamp_min(1)


def share_of_mean(
    values: Float[Tensor, "batch time feature"], valid: Bool[Tensor, "batch time"]
) -> Float[Tensor, "batch time feature"]:
    """What each step adds to ``mean_over_valid``; 0 at invalid steps."""
    weight = valid.to(values.dtype).unsqueeze(-1)
    return values * weight / weight.sum(dim=1, keepdim=True).clamp_min(1)


def softmax_over_valid(
    scores: Float[Tensor, "batch time"], valid: Bool[Tensor, "batch time"]
) -> Float[Tensor, "batch time"]:
    """Softmax over each clip's valid steps; invalid steps get exactly 0."""
    lowest = torch.finfo(scores.dtype).min
    weight = torch.softmax(scores.masked_fill(~valid, lowest), dim=-1)
    return weight.masked_fill(~valid, 0.0)


def at_last_valid(
    values: Float[Tensor, "batch time feature"], valid: Bool[Tensor, "batch time"]
) -> Float[Tensor, "batch feature"]:
    """Vector at each clip's last valid step (at step 0 where there is none)."""
    position = torch.arange(values.shape[1], device=values.device)
    last = torch.where(valid, position, 0).amax(dim=1)
    return values[torch.arange(values.shape[0], device=values.device), last]


def attendable(valid: Bool[Tensor, "batch time"]) -> Bool[Tensor, "batch time"]:
    """``valid``, but with the first step open where a clip has none: attention over nothing would be NaN."""
    first = torch.zeros_like(valid)
    first[:, 0] = ~valid.any(dim=1)
    return valid | first


def compact_order(valid: Bool[Tensor, "batch time"]) -> Int[Tensor, "batch time"]:
    """Permutation of each clip's steps that brings the valid ones to the front, in their order."""
    return torch.argsort((~valid).to(torch.uint8), dim=1, stable=True)
