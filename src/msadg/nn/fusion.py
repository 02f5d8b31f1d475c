"""Token fusion: one vector a clip from its masked steps, by their similarity to the mask (S2LIF, Eq. 14-15)."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from msadg.nn.steps import softmax_over_valid

Similarity = Literal["cosine", "dot", "cosine_raw", "mean"]


class TokenFusion(nn.Module):
    """x^c' = sum_j a_j x^c_j with a_j = sim(m, x^c_j) over valid steps.

    Args:
        similarity: ``cosine``: softmax over steps of cos(m, x) / temperature (default); ``dot``: softmax of
            m . x / sqrt(d); ``cosine_raw``: cos(m, x) itself, as Eq. 14 is printed; ``mean``: equal weights.
        temperature: of the cosine softmax; lower is sharper.
    """

    def __init__(self, similarity: Similarity = "cosine", temperature: float = 0.1) -> None:
        super().__init__()
        self.similarity = similarity
        self.temperature = temperature

    def weights(
        self,
        features: Float[Tensor, "batch time feature"],
        valid: Bool[Tensor, "batch time"],
        mask: Float[Tensor, " feature"],
    ) -> Float[Tensor, "batch time"]:
        """a_j for each step; exactly 0 at invalid steps."""
        match self.similarity:
            case "mean":
                weight = valid.to(features.dtype)
                return weight / weight.sum(dim=1, keepdim=True).clamp_min(1)
            case "dot":
                return softmax_over_valid(features @ mask / math.sqrt(mask.shape[0]), valid)
            case "cosine":
                return softmax_over_valid(_cosine(features, mask) / self.temperature, valid)
            case "cosine_raw":
                return _cosine(features, mask).masked_fill(~valid, 0.0)

    def forward(
        self,
        features: Float[Tensor, "batch time feature"],
        valid: Bool[Tensor, "batch time"],
        mask: Float[Tensor, " feature"],
    ) -> Float[Tensor, "batch feature"]:
        """The fused vector of each clip; zeros for a clip without a valid step."""
        weights = self.weights(features, valid, mask)
        return torch.einsum("bt,btf->bf", weights, features)


def _cosine(
    features: Float[Tensor, "batch time feature"], mask: Float[Tensor, " feature"]
) -> Float[Tensor, "batch time"]:
    """Cosine similarity, 0 with a vector of zeros; one product in place of four passes over all features.

    In 32 bits under mixed precision, too: a temperature magnifies what rounding does to it.
    """
    shortest = 1e-8
    precision = torch.promote_types(features.dtype, torch.float32)
    with torch.autocast(features.device.type, enabled=False):
        features, mask = features.to(precision), mask.to(precision)
        lengths = torch.linalg.vector_norm(features, dim=-1).clamp_min(shortest)
        cosine: Tensor = features @ mask / (lengths * torch.linalg.vector_norm(mask).clamp_min(shortest))
    return cosine
