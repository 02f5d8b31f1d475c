"""Shared and private codes of several modalities, and the projection that they start from (METHODS 3)."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from msadg.nn.encoder import Projector, StepTransformer


class LateProjection(nn.Module):
    """x_m = LN(ReLU(W u_m)), u_m from a Transformer as wide as the features; with 0 layers, the features."""

    def __init__(self, feature_dim: int, dim: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.scaler = Projector(feature_dim, feature_dim, "identity")
        self.transformer = StepTransformer(feature_dim, 1, layers, dropout)
        self.projection = nn.Sequential(nn.Linear(feature_dim, dim), nn.ReLU(), nn.LayerNorm(dim))

    def forward(
        self, features: Float[Tensor, "batch time feature"], valid: Bool[Tensor, "batch time"]
    ) -> Float[Tensor, "batch time hidden"]:
        """x_m; 0 at invalid steps."""
        projected: Tensor = self.projection(self.transformer(self.scaler(features), valid))
        return projected * valid.unsqueeze(-1)


class Codes(nn.Module):
    """S_m = sigmoid(W_m x_m), each modality's own, and I_m = sigmoid(W_s x_m), W_s the same for all."""

    def __init__(self, modalities: tuple[str, ...], dim: int) -> None:
        super().__init__()
        self.shared = nn.Linear(dim, dim)
        self.private = nn.ModuleDict({modality: nn.Linear(dim, dim) for modality in modalities})

    def forward(
        self, modality: str, encoded: Float[Tensor, "batch time feature"], valid: Bool[Tensor, "batch time"]
    ) -> Float[Tensor, "batch time codes"]:
        """[S_m ; I_m] in one piece; 0 at invalid steps."""
        private = self.private[modality]
        weight = torch.cat([private.weight, self.shared.weight])  # type: ignore[list-item]
        bias = torch.cat([private.bias, self.shared.bias])  # type: ignore[list-item]
        return torch.sigmoid(F.linear(encoded, weight, bias)) * valid.unsqueeze(-1)
