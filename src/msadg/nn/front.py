"""Bring each clip's valid steps to the front, so that what there is of it is a prefix."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from msadg.nn.steps import compact_order


def at_front(
    values: Float[Tensor, "batch time feature"], valid: Bool[Tensor, "batch time"]
) -> tuple[Float[Tensor, "batch shorter feature"], Bool[Tensor, "batch shorter"]]:
    """Steps and validity, valid steps first and in their order, cut to the longest clip but never to nothing."""
    longest = max(1, int(valid.sum(dim=1).max()))
    if (valid[:, 1:] & ~valid[:, :-1]).any():
        order = compact_order(valid)[:, :longest]
        return torch.take_along_dim(values, order.unsqueeze(-1), dim=1), torch.take_along_dim(valid, order, dim=1)
    return values[:, :longest], valid[:, :longest]


def windows(valid: Bool[Tensor, "batch time"], width: int) -> Bool[Tensor, "batch window"]:
    """Which windows of so many steps, next to each other, are all valid; a clip shorter than one has its first.

    There are as many windows as a convolution without padding has, and at least one.
    """
    if valid.shape[1] < width:
        return valid.any(dim=1, keepdim=True)
    whole = valid.unfold(1, width, 1).all(dim=-1)
    whole[:, 0] |= valid.any(dim=1) & ~whole.any(dim=1)
    return whole
