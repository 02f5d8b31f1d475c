"""A discriminator that says which modality a code is of, and a gradient that makes codes hide it.

References: gradient reversal: Ganin and Lempitsky, ICML 2015; cosine margin: Wang et al., "CosFace", CVPR 2018.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Float[Tensor, "*axes"]) -> Float[Tensor, "*axes"]:  # noqa: ARG004
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, gradient: Float[Tensor, "*axes"]) -> Float[Tensor, "*axes"]:  # noqa: ARG004
        return -gradient


def reverse_gradient(values: Float[Tensor, "*axes"]) -> Float[Tensor, "*axes"]:
    """The same values; what is behind them learns to raise what is before them."""
    reversed_: Tensor = _Reversal.apply(values)  # type: ignore[no-untyped-call]
    return reversed_


class CosineMarginSoftmax(nn.Module):
    """Cross-entropy of s (cos(x, w_k) - m [k is the true class]): the true class has to win by a margin.

    Args:
        dim: width of x.
        num_classes: rows w_k.
        scale: s.
        margin: m, in cosine.
    """

    def __init__(self, dim: int, num_classes: int, scale: int | float = 30.0, margin: int | float = 0.5) -> None:
        super().__init__()
        self.scale = scale
        self.margin = margin
        self.weight = nn.Parameter(torch.empty(num_classes, dim))
        nn.init.xavier_normal_(self.weight)

    def forward(
        self, features: Float[Tensor, "*batch feature"], target: Int[Tensor, "*batch"]
    ) -> Float[Tensor, "*batch"]:
        """The loss of each row; features of length 0 have cosine 0 with every class."""
        cosine = F.linear(F.normalize(features, dim=-1, eps=1e-6), F.normalize(self.weight, dim=-1, eps=1e-6))
        true = F.one_hot(target, len(self.weight)).to(cosine.dtype)
        logits = self.scale * (cosine - self.margin * true)
        return -(logits.log_softmax(dim=-1) * true).sum(dim=-1)


class ModalityDiscriminator(nn.Module):
    """Which modality is a code of? One hidden layer, then a cosine-margin softmax over the modalities.

    Args:
        dim: width of the codes.
        num_modalities: classes.
        dropout: of the hidden layer, in [0, 1).
        scale: of the softmax.
        margin: of the softmax.
    """

    def __init__(
        self, dim: int, num_modalities: int, dropout: float, scale: int | float = 30.0, margin: int | float = 0.5
    ) -> None:
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Dropout(dropout))
        self.classifier = CosineMarginSoftmax(dim, num_modalities, scale, margin)

    def forward(
        self, codes: Float[Tensor, "*batch modality feature"], present: Bool[Tensor, "*batch modality"]
    ) -> Float[Tensor, ""]:
        """Mean loss over the codes that are there; 0 where none is."""
        target = torch.arange(codes.shape[-2], device=codes.device).expand(codes.shape[:-1])
        losses: Tensor = self.classifier(self.hidden(codes), target)
        return (losses * present).sum() / present.sum().clamp_min(1)
