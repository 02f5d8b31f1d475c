"""IRM: one classifier that no source domain alone would scale otherwise.

Reference: Arjovsky, Bottou, Gulrajani, Lopez-Paz. "Invariant Risk Minimization" (arXiv 1907.02893), Eq. IRMv1:

    min  sum_e R_e(w o Phi) + lambda ||d R_e(w . Phi) / dw||^2  at the scalar w = 1.0

    penalty = (1/D) sum_d g_d' g_d'',   g = mean over clips of d loss(w * logits) / dw

Departures, as in DomainBed (see ``methods.penalised``): means over domains instead of sums; and the squared gradient is
the product of the gradients of two halves of the domain's clips (every other clip), whose expectation is the square of
the expected gradient (the paper's App. D), where the square of one mean would add its variance. The product may be
negative. ``halves = false`` squares the whole domain's gradient, as in the authors' experiment on Colored MNIST.

A domain with one clip in the batch has no second half: it is left out of the penalty. w is a multiplier of the logits,
so the gradient is taken through the loss alone, never twice through an encoder.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from msadg.methods.penalised import Penalised, PenalisedConfig
from msadg.nn.domains import halves_of, mean_over_members, members_by_domain
from msadg.types import Batch, Prediction


def multiplier_gradients(
    losses: Callable[[Float[Tensor, "batch output"]], Float[Tensor, " batch"]],
    logits: Float[Tensor, "batch output"],
) -> Float[Tensor, " batch"]:
    """d loss(w * logits) / dw of each clip at w = 1, itself a differentiable function of the logits.

    Args:
        losses: each clip's loss from its logits, and from no other clip's.
        logits: of each clip.
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    with torch.enable_grad():
        multiplier = torch.ones(len(logits), 1, dtype=logits.dtype, device=logits.device, requires_grad=True)
        (gradient,) = torch.autograd.grad(losses(logits * multiplier).sum(), multiplier, create_graph=True)
    return gradient[:, 0]


def squared_gradient(
    gradients: Float[Tensor, " batch"], members: Bool[Tensor, "domain batch"], *, halves: bool = True
) -> Float[Tensor, ""]:
    """Mean over domains of the squared mean gradient, or of the product of two halves' means."""
    if not halves:
        return mean_over_members(gradients, members).square().mean()
    first, second = halves_of(members)
    products = mean_over_members(gradients, first) * mean_over_members(gradients, second)
    counted = second.any(dim=1).to(products.dtype)
    mean: Tensor = (products * counted).sum() / counted.sum().clamp_min(1)
    return mean


@dataclass(frozen=True, kw_only=True)
class IRMConfig(PenalisedConfig):
    """Settings of IRM; the defaults are DomainBed's."""

    penalty_weight: float = 100.0
    """lambda."""
    anneal_steps: int = 500
    """So many steps come before it; count them against those of a run."""
    halves: bool = True
    """Estimate the squared gradient without bias, from two halves of a domain's clips."""


class IRM(Penalised):
    """A scale of the logits that is stationary in every source domain."""

    name = "irm"
    Config = IRMConfig
    config: IRMConfig

    def penalty(self, prediction: Prediction, batch: Batch) -> Float[Tensor, ""]:  # noqa: D102
        gradients = multiplier_gradients(lambda logits: self.clip_losses(logits, batch), prediction.logits)
        return squared_gradient(gradients, members_by_domain(batch.domain), halves=self.config.halves)
