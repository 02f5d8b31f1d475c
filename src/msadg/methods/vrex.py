"""V-REx: the same risk in every source domain.

Reference: Krueger, Caballero, Jacobsen, Zhang, Binas, Zhang, Le Priol, Courville. "Out-of-Distribution Generalization
via Risk Extrapolation (REx)", ICML 2021 (arXiv 2003.00688), Eq. 8:  L = beta Var(R_1, ..., R_m) + sum_e R_e.

    penalty = (1/D) sum_d (R_d - mean R)^2

Departure, as in DomainBed (see ``methods.penalised``): the mean of the risks instead of their sum, so that lambda is
beta / m.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from msadg.methods.penalised import Penalised, PenalisedConfig
from msadg.types import Batch, Prediction


def variance_of_risks(risks: Float[Tensor, " domain"]) -> Float[Tensor, ""]:
    """Variance over the domains, over D; 0 for one."""
    return (risks - risks.mean()).square().mean()


@dataclass(frozen=True, kw_only=True)
class VRExConfig(PenalisedConfig):
    """Settings of V-REx; the defaults are DomainBed's."""

    penalty_weight: float = 10.0
    """lambda."""
    anneal_steps: int = 500
    """So many steps come before it; count them against those of a run."""


class VREx(Penalised):
    """Risks that vary little from source domain to source domain."""

    name = "vrex"
    Config = VRExConfig
    config: VRExConfig

    def penalty(self, prediction: Prediction, batch: Batch) -> Float[Tensor, ""]:  # noqa: D102
        return variance_of_risks(self.domain_risks(prediction, batch))
