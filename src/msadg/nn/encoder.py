"""The encoder of one modality: a projection to the common width, then a small Transformer (METHODS 2.1)."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from msadg.nn.mask import MaskedLinear
from msadg.nn.steps import attendable

Projection = Literal["mlp", "linear", "identity"]


def sinusoidal_positions(num_steps: int, dim: int, device: torch.device | None = None) -> Float[Tensor, "time feature"]:
    """Sines and cosines of Vaswani et al. (2017), interleaved: even features sine, odd features cosine."""
    position = torch.arange(num_steps, device=device, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, dim, 2, device=device, dtype=torch.float32) * (-math.log(10_000.0) / dim))
    table = torch.zeros(num_steps, dim, device=device)
    table[:, 0::2] = torch.sin(position * rate)
    table[:, 1::2] = torch.cos(position * rate[: dim // 2])
    return table


class Projector(nn.Sequential):
    """Each step's features to the common width: an MLP [P], one linear layer, or nothing.

    Args:
        feature_dim: width of the input.
        dim: common width; with ``identity`` it must equal ``feature_dim``.
        kind: ``mlp`` (linear, GELU, linear), ``linear`` or ``identity``.
        mask_weights: mask the last layer's weights (Liu et al., ICLR 2020); not with ``identity``.

    Raises:
        ValueError: ``identity`` between different widths.
    """

    def __init__(self, feature_dim: int, dim: int, kind: Projection = "mlp", *, mask_weights: bool = False) -> None:
        last: type[nn.Linear] = MaskedLinear if mask_weights else nn.Linear
        match kind:
            case "mlp":
                super().__init__(nn.Linear(feature_dim, dim), nn.GELU(), last(dim, dim))
            case "linear":
                super().__init__(last(feature_dim, dim))
            case "identity":
                if feature_dim != dim:
                    raise ValueError(f"projection 'identity' needs features of width dim = {dim}, got {feature_dim}")
                super().__init__()


class StepTransformer(nn.Module):
    """Positions, then pre-norm Transformer layers over the valid steps; with 0 layers, the identity.

    Args:
        dim: width.
        heads: attention heads; must divide ``dim``.
        layers: number of layers.
        dropout: in [0, 1).
    """

    def __init__(self, dim: int, heads: int = 4, layers: int = 1, dropout: float = 0.1) -> None:
        super().__init__()
        self.dim = dim
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(dim, heads, 4 * dim, dropout, "gelu", batch_first=True, norm_first=True)
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(dim) if layers else nn.Identity()

    def forward(
        self, features: Float[Tensor, "batch time feature"], valid: Bool[Tensor, "batch time"]
    ) -> Float[Tensor, "batch time feature"]:
        """Each step in the light of the others; invalid steps come out as 0."""
        if len(self.layers):
            features = features + sinusoidal_positions(features.shape[1], self.dim, features.device)
            padding = ~attendable(valid)
            for layer in self.layers:
                features = layer(features, src_key_padding_mask=padding)
            features = self.norm(features)
        return features * valid.unsqueeze(-1).to(features.dtype)


class StepEncoder(nn.Module):
    """Projection and Transformer of one modality: features in, x_m of width ``dim`` out."""

    def __init__(
        self,
        feature_dim: int,
        dim: int,
        *,
        heads: int = 4,
        layers: int = 1,
        dropout: float = 0.1,
        projection: Projection = "mlp",
        mask_weights: bool = False,
    ) -> None:
        super().__init__()
        self.projector = Projector(feature_dim, dim, projection, mask_weights=mask_weights)
        self.transformer = StepTransformer(dim, heads, layers, dropout)

    def forward(
        self, features: Float[Tensor, "batch time feature"], valid: Bool[Tensor, "batch time"]
    ) -> Float[Tensor, "batch time hidden"]:
        """x_m; 0 at invalid steps."""
        encoded: Tensor = self.transformer(self.projector(features), valid)
        return encoded
