"""Group DRO: the source domain that is served worst counts most.

Reference: Sagawa, Koh, Hashimoto, Liang. "Distributionally Robust Neural Networks for Group Shifts: On the Importance
of Regularization for Worst-Case Generalization", ICLR 2020 (arXiv 1911.08731), Algorithm 1; the domains are the groups,
and each step reads all that the batch has, as in DomainBed (facebookresearch/DomainBed).

    log q_d <- log q_d + eta R_d,   L = sum_d q_d R_d,   q = softmax(log q),   R_d: mean loss of domain d's clips

Kept as logarithms, q needs no normalising step and cannot overflow; as in the algorithm, the loss has the weights that
its own risks have moved. A domain that a batch lacks is left out of the sum, its log q stays, and the others' q are not
made larger for it. A domain enters, with log q = 0, at the first batch that shows it; until then q = 0, also where
others of a higher index are met, as when a source is left out.
Departure from the paper: no adjustment for the sizes of groups; strong regularisation, its other advice, is the
recipe's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from msadg.methods.erm import ERM, ERMConfig
from msadg.methods.task import CLASSIFICATION, Task
from msadg.nn.domains import domains_present, mean_over_members, members_by_domain
from msadg.settings import require
from msadg.types import Batch, Prediction


def moved_log_weights(
    log_weights: Float[Tensor, " known"],
    risks: Float[Tensor, " present"],
    present: Int[Tensor, " present"],
    step_size: int | float,
) -> Float[Tensor, " domain"]:
    """log q after a step; as long as the highest domain that was ever present needs, -inf where one never was."""
    num_domains = max(len(log_weights), int(present.max()) + 1)
    padded = F.pad(log_weights, (0, num_domains - len(log_weights)), value=-torch.inf)
    before = padded[present]
    entered = torch.where(before.isinf(), 0.0, before)
    return padded.index_copy(0, present, entered + step_size * risks.to(padded.dtype))


@dataclass(frozen=True, kw_only=True)
class GroupDROConfig(ERMConfig):
    """Settings of Group DRO."""

    step_size: float = 1e-2
    """eta of the domains' weights; 0 leaves them equal. The default is DomainBed's."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            SettingsError: a value outside its range.
        """
        super().__post_init__()
        require("step_size", self.step_size, at_least=0)


class GroupDRO(ERM):
    """ERM's encoders and classifier, trained for the worst mixture of the source domains."""

    name = "groupdro"
    Config = GroupDROConfig
    min_source_domains = 2
    log_weights: Tensor
    """log q by domain index, up to a constant; -inf where none was met. float64: it adds up every step's risks."""

    def __init__(self, config: GroupDROConfig, feature_dims: Mapping[str, int], task: Task = CLASSIFICATION) -> None:
        super().__init__(config, feature_dims, task)
        self.config = config
        self.register_buffer("log_weights", torch.zeros(0, dtype=torch.float64))
        self._moved: Tensor | None = None

    def loss(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """sum_d q_d R_d; q is moved for good only after the step, so that asking twice moves it once."""
        risks = mean_over_members(self.clip_losses(prediction.logits, batch), members_by_domain(batch.domain))
        present = domains_present(batch.domain)
        self._moved = moved_log_weights(self.log_weights, risks.detach(), present, self.config.step_size)
        weights = torch.softmax(self._moved, dim=0)[present]
        return {"task": (weights.to(risks.dtype) * risks).sum()}

    def after_step(self) -> None:  # noqa: D102
        if self._moved is not None:
            self.log_weights, self._moved = self._moved, None

    def measurements(self) -> dict[str, float]:
        """q by domain, of those that have been met."""
        weights = torch.softmax(self.log_weights, dim=0).tolist()
        met = self.log_weights.isfinite().tolist()
        return {f"domain_weight_{index}": weights[index] for index in range(len(weights)) if met[index]}

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        # How many domains there are is known once they have been met.
        saved = state_dict.get(f"{prefix}log_weights")
        if saved is not None and saved.ndim == 1:
            self.log_weights = self.log_weights.new_zeros(len(saved))
        super()._load_from_state_dict(state_dict, prefix, *rest)
