"""Sequential variation: how much a sequence changes from each step to the next (METHODS 3).

A regulariser that any method can add to any of its sequences. Each clip counts alike, however long it is; neighbours
are steps that follow one another directly and are both valid, so what lies beyond a gap is no neighbour.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

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
        return _divergence(sequence.log_softmax(dim=-1))
    change = sequence[:, 1:] - sequence[:, :-1]
    return change.abs().mean(dim=-1) if kind == "tv_l1" else change.square().mean(dim=-1)


def _divergence(log_share: Float[Tensor, "batch time feature"]) -> Float[Tensor, "batch pair"]:
    """Jensen-Shannon divergence of each step's shares and those of the step before it, in [0, log 2].

    With m the mean of two shares and d how far their logarithms are apart, a feature adds m (log 2 - H(sigmoid(d))),
    H the entropy of a coin. Written so, no term is a logarithm of 0 or a difference of large numbers.
    """
    share = log_share.exp()
    mean = (share[:, 1:] + share[:, :-1]) / 2
    d = (log_share[:, 1:] - log_share[:, :-1]).abs()
    entropy = d * torch.sigmoid(-d) + F.softplus(-d)
    return (mean * (math.log(2) - entropy)).sum(dim=-1)
