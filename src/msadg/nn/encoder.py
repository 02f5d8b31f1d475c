"""The encoder of one modality: a projection to the common width, then a small Transformer (METHODS 2.1)."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from msadg.nn.mask import MaskedLinear
from msadg.nn.step_layer import StepLayer
from msadg.nn.valid_front import ValidFront

Projection = Literal["mlp", "linear", "identity"]


def sinusoidal_positions(num_steps: int, dim: int, device: torch.device | None = None) -> Float[Tensor, "time feature"]:
    """Sines and cosines of Vaswani et al. (2017), interleaved: even features sine, odd features cosine."""
    position = torch.arange(num_steps, device=device, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, dim, 2, device=device, dtype=torch.float32) * (-math.log(10_000.0) / dim))
    table = torch.zeros(num_steps, dim, device=device)
    table[:, 0::2] = torch.sin(position * rate)
    table[:, 1::2] = torch.cos(position * rate[: dim // 2])
    return table


FAR = 10.0
"""Scaled features are cut to this many standard deviations: one that hardly moved in the sources may, elsewhere, be
thousands of theirs away, and would drown all others."""


class Projector(nn.Sequential):
    """Each step's features to the common width: an MLP [P], one linear layer, or nothing.

    Features in natural units (decibels, kilohertz) are first brought to mean 0 and spread 1 (``scale``); until then
    they are taken as they are.

    Args:
        feature_dim: width of the input.
        dim: common width; with ``identity`` it must equal ``feature_dim``.
        kind: ``mlp`` (linear, GELU, linear), ``linear`` or ``identity``.
        mask_weights: mask the last layer's weights (Liu et al., ICLR 2020); not with ``identity``.

    Raises:
        ValueError: ``identity`` between different widths.
    """

    input_mean: Tensor
    input_spread: Tensor
    input_limit: Tensor

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
        self.register_buffer("input_mean", torch.zeros(feature_dim))
        self.register_buffer("input_spread", torch.ones(feature_dim))
        self.register_buffer("input_limit", torch.tensor(math.inf))

    def scale(self, mean: Float[Tensor, " feature"], spread: Float[Tensor, " feature"]) -> None:
        """From here on, take features less ``mean``, over ``spread``, cut at FAR; a spread of 0 counts as 1."""
        self.input_mean.copy_(mean)
        self.input_spread.copy_(torch.where(spread > 0, spread, 1.0))
        self.input_limit.fill_(FAR)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        # Weights from before features were scaled say nothing of it: they learned from features as they are.
        unscaled = {
            "input_mean": torch.zeros_like(self.input_mean),
            "input_spread": torch.ones_like(self.input_spread),
            "input_limit": torch.full_like(self.input_limit, math.inf),
        }
        if not any(prefix + name in state_dict for name in unscaled):
            state_dict = state_dict | {prefix + name: value for name, value in unscaled.items()}
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def forward(self, features: Float[Tensor, "*batch feature"]) -> Float[Tensor, "*batch hidden"]:
        """Each step by itself."""
        scaled = (features - self.input_mean) / self.input_spread
        projected: Tensor = super().forward(  # type: ignore[no-untyped-call]
            torch.clamp(scaled, -self.input_limit, self.input_limit)
        )
        return projected


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
        self.layers = nn.ModuleList(StepLayer(dim, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(dim) if layers else nn.Identity()

    def forward(
        self, features: Float[Tensor, "batch time feature"], valid: Bool[Tensor, "batch time"]
    ) -> Float[Tensor, "batch time feature"]:
        """Each step in the light of the others; invalid steps come out as 0."""
        if not len(self.layers):
            return features * valid.unsqueeze(-1).to(features.dtype)
        placed = features + sinusoidal_positions(features.shape[1], self.dim, features.device)
        front = ValidFront(valid)
        steps = front.gather(placed)
        for layer in self.layers:
            steps = layer(steps, front.count.clamp_min(1))
        return front.scatter(self.norm(steps))


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
