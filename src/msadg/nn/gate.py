"""Attention of one sequence to another, let through by a gate that both decide (METHODS 3).

Reference of the pooling: Yu et al., "Multi-modal Factorized Bilinear Pooling", ICCV 2017.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from msadg.nn.mask import UnitStep
from msadg.nn.steps import attendable

GateKind = Literal["hard", "soft", "none"]
"""``hard``: 0 or 1, with the slope of S2LIF's Eq. 11 in training; ``soft``: in (0, 1); ``none``: always open."""


class BilinearGate(nn.Module):
    """How well two codes go together, as a gate: factorised bilinear pooling, one linear score, tanh, gate.

    Args:
        dim: width of the codes.
        kind: ``hard``: step(tanh(score)); ``soft``: (1 + tanh(score)) / 2, a sigmoid of twice the score.
        hidden: width of the pooled product.
        factor: products added up for each of its features.
        dropout: of the products, in [0, 1).
    """

    def __init__(
        self, dim: int, kind: GateKind = "hard", *, hidden: int = 32, factor: int = 2, dropout: float = 0.4
    ) -> None:
        super().__init__()
        self.kind = kind
        self.factor = factor
        self.left = nn.Linear(dim, hidden * factor, bias=False)
        self.right = nn.Linear(dim, hidden * factor, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.score = nn.Linear(hidden, 1)
        # A gate starts open: behind a closed one nothing learns, so nothing would speak for opening it.
        nn.init.constant_(self.score.bias, 0.5)

    def forward(
        self, left: Float[Tensor, "batch time feature"], right: Float[Tensor, "batch feature"]
    ) -> Float[Tensor, "batch time"]:
        """The gate of each step of ``left``, given one code of the other side for each clip."""
        products = self.dropout(self.left(left) * self.right(right).unsqueeze(1))
        pooled = products.unflatten(-1, (-1, self.factor)).sum(dim=-1)
        score = torch.tanh(self.score(F.normalize(pooled, dim=-1, eps=1e-6)).squeeze(-1))
        if self.kind == "soft":
            return (1 + score) / 2
        gate: Tensor = UnitStep.apply(score)  # type: ignore[no-untyped-call]
        return gate


class GatedAttention(nn.Module):
    """LN(T + g CrossAttn(T, A)): a sequence takes from another what its gate lets through.

    Args:
        dim: width of both.
        heads: attention heads; must divide ``dim``.
        dropout: of the attention weights, in [0, 1).
    """

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(dim, heads, dropout, batch_first=True)
        self.norm = nn.LayerNorm(dim)

    def forward(
        self,
        steps: Float[Tensor, "batch time feature"],
        query: Float[Tensor, "batch time feature"],
        other: Float[Tensor, "batch other_time feature"],
        other_valid: Bool[Tensor, "batch other_time"],
        gate: Float[Tensor, "batch time"] | None,
    ) -> Float[Tensor, "batch time feature"]:
        """One vector a step; nothing is added where the other sequence has no valid step.

        Args:
            steps: T, what is added to.
            query: T with its positions.
            other: A with its positions: keys and values.
            other_valid: which of them there are.
            gate: g of each step; None is always open.
        """
        padding = ~attendable(other_valid)
        attended, _ = self.attention(query, other, other, key_padding_mask=padding, need_weights=False)
        open_ = other_valid.any(dim=1)[:, None, None].to(steps.dtype)
        if gate is not None:
            open_ = open_ * gate.unsqueeze(-1)
        fused: Tensor = self.norm(steps + open_ * attended)
        return fused
