"""What CORAL, V-REx and IRM share: the mean of the domains' risks, and a penalty that sees which clip is of which.

    L = (1/D) sum_d R_d + lambda_t * penalty,   R_d: mean loss of the batch's clips of domain d

over the D source domains that the batch has. lambda_t is ``early_weight`` for the first ``anneal_steps`` steps and
``penalty_weight`` after them (Gulrajani and Lopez-Paz, "In Search of Lost Domain Generalization", ICLR 2021: DomainBed,
facebookresearch/DomainBed [D], whose defaults these methods take). There, Adam starts afresh where the weight changes;
so it does here. How many steps are done is saved with the weights, so a resumed run changes it at the same step.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from msadg.methods.erm import ERM, ERMConfig
from msadg.methods.task import CLASSIFICATION, Task
from msadg.nn.domains import mean_over_members, members_by_domain
from msadg.settings import require
from msadg.types import Batch, Prediction


@dataclass(frozen=True, kw_only=True)
class PenalisedConfig(ERMConfig):
    """Settings of ERM, and of a penalty on how the source domains differ."""

    penalty_weight: float = 1.0
    """lambda."""
    anneal_steps: int = 0
    """So many steps come before it."""
    early_weight: float = 1.0
    """Of the penalty until then [D]."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            SettingsError: a value outside its range.
        """
        super().__post_init__()
        for name in ("penalty_weight", "anneal_steps", "early_weight"):
            require(name, getattr(self, name), at_least=0)


class Penalised(ERM):
    """ERM's encoders and classifier, trained to treat all source domains alike."""

    config: PenalisedConfig
    min_source_domains = 2
    counts_domains_alike = True
    num_steps: Tensor
    """Optimiser steps that are done."""

    def __init__(self, config: PenalisedConfig, feature_dims: Mapping[str, int], task: Task = CLASSIFICATION) -> None:
        super().__init__(config, feature_dims, task)
        self.config = config
        self.register_buffer("num_steps", torch.zeros((), dtype=torch.int64))

    @abstractmethod
    def penalty(self, prediction: Prediction, batch: Batch) -> Float[Tensor, ""]:
        """How the domains of the batch differ; 0 where nothing can be compared."""

    def domain_risks(self, prediction: Prediction, batch: Batch) -> Float[Tensor, " domain"]:
        """R_d of each domain that the batch has."""
        return mean_over_members(self.clip_losses(prediction.logits, batch), members_by_domain(batch.domain))

    def loss(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:  # noqa: D102
        return {
            "task": self.domain_risks(prediction, batch).mean(),
            "penalty": self.current_weight() * self.penalty(prediction, batch),
        }

    def current_weight(self) -> float:
        """lambda_t."""
        is_early = int(self.num_steps) < self.config.anneal_steps
        return float(self.config.early_weight if is_early else self.config.penalty_weight)

    def after_step(self) -> None:  # noqa: D102
        self.num_steps += 1

    def starts_optimizer_afresh(self) -> bool:
        """Where the weight has just changed."""
        changes = self.config.early_weight != self.config.penalty_weight
        return changes and int(self.num_steps) == self.config.anneal_steps

    def warnings(self, history: Sequence[Mapping[str, float]]) -> list[str]:
        """A run, or the part of it up to the epoch that was chosen, that was over before its penalty began."""
        before, asked, annealed = self.config.early_weight, self.config.penalty_weight, self.config.anneal_steps
        if before == asked or not annealed or int(self.num_steps) > annealed:
            return []
        ended = all(epoch.get("penalty_weight") == before for epoch in history)
        what = "the run was over" if ended else "the epoch that the dev splits chose was over"
        return [
            f"{what} before the penalty_weight of {self.name} ({asked:g}) began, after anneal_steps = {annealed}: the "
            f"weights know of early_weight = {before:g} alone; take fewer anneal_steps, or more epochs"
        ]

    def measurements(self) -> dict[str, float]:  # noqa: D102
        return {"penalty_weight": self.current_weight()}
