"""Central moment discrepancy: how far two samples are apart, moment by moment (Zellinger et al., ICLR 2017).

    CMD_K(a, b) = ||E a - E b||_2 + sum_{k=2..K} ||E (a - E a)^k - E (b - E b)^k||_2

for values in [0, 1], so that no factor (b - a)^k is needed; powers are taken feature by feature.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def moment_discrepancy(
    samples: Float[Tensor, "clip part feature"], present: Bool[Tensor, "clip part"], order: int = 5
) -> Float[Tensor, ""]:
    """Mean over the pairs of parts of CMD_K between their samples.

    A part's expectation is over the clips that have it; a pair of which no clip has one part is left out, and where
    no pair is left the discrepancy is 0. Of one clip there is only a mean: its higher moments are 0. Equal samples
    have gradient 0, not NaN.

    Args:
        samples: in [0, 1]; two parts or more, else the discrepancy is 0.
        present: which clips have which part.
        order: K, the highest moment.
    """
    moments = _moments(samples, present, order)
    first, second = torch.triu_indices(samples.shape[1], samples.shape[1], offset=1, device=samples.device)
    counts = present.any(dim=0)
    counted = (counts[first] & counts[second]).to(samples.dtype)
    distance: Tensor = torch.linalg.vector_norm(moments[:, first] - moments[:, second], dim=-1).sum(dim=0)
    mean: Tensor = (distance * counted).sum() / counted.sum().clamp_min(1)
    return mean


def _moments(
    samples: Float[Tensor, "clip part feature"], present: Bool[Tensor, "clip part"], order: int
) -> Float[Tensor, "order part feature"]:
    """E a, then E (a - E a)^k for k = 2 to ``order``, of each part."""
    weight = (present.to(samples.dtype) / present.sum(dim=0).clamp_min(1)).unsqueeze(-1)
    mean = (samples * weight).sum(dim=0)
    centred = samples - mean
    moments, power = [mean], centred
    for _ in range(2, order + 1):
        power = power * centred
        moments.append((power * weight).sum(dim=0))
    return torch.stack(moments)
