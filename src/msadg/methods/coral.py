"""CORAL: features whose mean and covariance are the same in every source domain.

Reference: Sun and Saenko, "Deep CORAL: Correlation Alignment for Deep Domain Adaptation", ECCV Workshops 2016
(arXiv 1607.01719), Eq. 1-3; between the pairs of source domains as in DomainBed [D] (see ``methods.penalised``).

    penalty = mean over pairs (i, j) of  mean (m_i - m_j)^2 + mean (C_i - C_j)^2

m_d, C_d: mean and covariance (over n - 1) of the classifier's input in domain d; the means run over the d features and
over the d^2 entries, as in [D]. The paper compares covariances alone, between a source and the target, and divides
their squared distance by 4 d^2: ``means = false`` with a quarter of the weight.
A domain with one clip in the batch has a mean and no covariance: its pairs count among those of means alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from msadg.methods.penalised import Penalised, PenalisedConfig
from msadg.nn.domains import mean_over_members, members_by_domain
from msadg.types import Batch, Prediction


def moment_distance(
    features: Float[Tensor, "batch feature"], members: Bool[Tensor, "domain batch"], *, means: bool = True
) -> Float[Tensor, ""]:
    """How far the domains' covariances, and means, are apart: the penalty above; 0 without a pair to compare.

    Args:
        features: of each clip.
        members: which clips are of which domain; every domain has one.
        means: compare means, too.
    """
    counts = members.sum(dim=1)
    features = features.to(torch.promote_types(features.dtype, torch.float32))
    mean = mean_over_members(features, members)
    # Centred first: a covariance from raw second moments loses its digits where means are large.
    centred = members.to(features.dtype)[:, :, None] * (features[None] - mean[:, None])
    with torch.autocast(features.device.type, enabled=False):
        covariance = centred.mT @ centred / (counts - 1).clamp_min(1)[:, None, None]
    distance = _mean_over_pairs(covariance.flatten(1), counts > 1)
    return distance + _mean_over_pairs(mean, counts > 0) if means else distance


def _mean_over_pairs(rows: Float[Tensor, "domain entry"], counted: Bool[Tensor, " domain"]) -> Float[Tensor, ""]:
    """Mean squared difference between rows, over the pairs of which both are counted."""
    first, second = torch.triu_indices(len(rows), len(rows), offset=1, device=rows.device)
    weight = (counted[first] & counted[second]).to(rows.dtype)
    apart = (rows[first] - rows[second]).square().mean(dim=1)
    mean: Tensor = (apart * weight).sum() / weight.sum().clamp_min(1)
    return mean


@dataclass(frozen=True, kw_only=True)
class CORALConfig(PenalisedConfig):
    """Settings of CORAL."""

    means: bool = True
    """Bring means together, too [D]; False compares covariances alone."""


class CORAL(Penalised):
    """Mean and covariance of the pooled features, brought together over the source domains."""

    name = "coral"
    Config = CORALConfig
    config: CORALConfig

    def penalty(self, prediction: Prediction, batch: Batch) -> Float[Tensor, ""]:  # noqa: D102
        members = members_by_domain(batch.domain)
        return moment_distance(prediction.auxiliary["features"], members, means=self.config.means)
