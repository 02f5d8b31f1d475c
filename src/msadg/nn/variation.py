"""Sequential variation: how much a sequence changes from each step to the next (METHODS 3).

A regulariser that any method can add to any of its sequences. Each clip counts alike, however long it is; neighbours
are steps that follow one another directly and are both valid, so what lies beyond a gap is no neighbour.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.autograd.function import once_differentiable

VariationKind = Literal["tv_l1", "tv_l2", "jsd", "none"]
"""What of two neighbours is compared: the mean absolute difference of their features (``tv_l1``), the mean squared one
(``tv_l2``), or the Jensen-Shannon divergence of their softmaxes over the features (``jsd``, in nats); or nothing."""


def sequential_variation(
    sequence: Float[Tensor, "batch time feature"],
    valid: Bool[Tensor, "batch time"],
    kind: VariationKind = "tv_l1",
) -> Float[Tensor, ""]:
    """L_sv: mean over the clips of ``clip_variation``."""
    return clip_variation(sequence, valid, kind).mean()


def clip_variation(
    sequence: Float[Tensor, "batch time feature"],
    valid: Bool[Tensor, "batch time"],
    kind: VariationKind = "tv_l1",
) -> Float[Tensor, " batch"]:
    """Mean over a clip's pairs of neighbours of how much they differ; 0 for a clip without neighbours (L = 1).

    Args:
        sequence: read where it lies; what stands at invalid steps, if finite, changes nothing.
        valid: True at real steps.
        kind: what is compared; ``none`` gives 0.
    """
    if kind == "none":
        return sequence.new_zeros(len(sequence))
    neighbours = valid[:, 1:] & valid[:, :-1]
    weight = neighbours.to(sequence.dtype) / neighbours.sum(dim=1, keepdim=True).clamp_min(1)
    return (_difference(sequence, kind) * weight).sum(dim=1)


def _difference(sequence: Float[Tensor, "batch time feature"], kind: VariationKind) -> Float[Tensor, "batch pair"]:
    """How much each step differs from the one before it."""
    if kind == "jsd":
        divergence: Tensor = _JensenShannon.apply(sequence)  # type: ignore[no-untyped-call]
        return divergence
    change = sequence[:, 1:] - sequence[:, :-1]
    return change.abs().mean(dim=-1) if kind == "tv_l1" else change.square().mean(dim=-1)


class _JensenShannon(torch.autograd.Function):
    """Jensen-Shannon divergence of each step's softmax q and that of the step before it, p, in [0, log 2].

    JSD = 1/2 sum(p log(p / m) + q log(q / m)),  m = (p + q) / 2. With d = log q - log p,
    log(q / m) = log 2 - log(1 + e^-d) and log(p / m) = log 2 - log(1 + e^d): no logarithm of 0, no difference of large
    numbers. The gradient by log p is p log(p / m) / 2 (what m depends on cancels), so that backward needs nothing but
    products of what forward has; left to autograd, this would be the dearest part of L_sv.
    """

    @staticmethod
    def forward(ctx: Any, sequence: Float[Tensor, "batch time feature"]) -> Float[Tensor, "batch pair"]:
        log_share = sequence.log_softmax(dim=-1)
        share = log_share.exp()
        d = log_share[:, 1:] - log_share[:, :-1]
        # In place: what is allocated costs as much as what is computed.
        both = d.abs().neg_().exp_().log1p_().neg_().add_(math.log(2))
        later = d.clamp_max(0).add_(both)  # log(q / m)
        earlier = d.clamp_min_(0).neg_().add_(both)  # log(p / m)
        ctx.save_for_backward(share, later, earlier)
        both = torch.mul(share[:, 1:], later, out=both).addcmul_(share[:, :-1], earlier)
        return both.sum(dim=-1) / 2

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Float[Tensor, "batch pair"]) -> Float[Tensor, "batch time feature"]:
        share, later, earlier = ctx.saved_tensors
        half = gradient.unsqueeze(-1) / 2
        slope: Tensor = torch.zeros_like(share)
        slope[:, 1:].addcmul_(later, half)
        slope[:, :-1].addcmul_(earlier, half)
        slope.mul_(share)  # by the log shares; and through the softmax:
        return slope.addcmul_(share, slope.sum(dim=-1, keepdim=True), value=-1)
