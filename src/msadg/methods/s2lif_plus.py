"""S2LIF+: S2LIF that also learns how strong a sentiment is, and may be held to treat its source domains alike.

Ours; what each part is worth is in docs/results. To the loss of S2LIF (see ``methods.s2lif``) it adds, for each stage,

    w_p / |P| sum_{n in P} (g'(x_n) - y_n)^2,   P: clips of the batch that have a polarity y_n in [-3, 3]

g' linear, on what the stage's classifier reads. Classes are ranges of the polarity, which says what they leave out: a
clip just above a limit is closer to one just below it than to one at the end of the scale. MELD has classes alone and
learns from the polarities of other sources through the shared encoder. Two penalties of other methods can be put on
top, on the last stage: V-REx's variance of the domains' risks, and CORAL's distance of their features' moments.

The rest of the recipe is no part of the model: which layer of the text encoder is read (``minilm:layer=3``), class
shares kept out of the logits (``training.class_prior``), the mean of the weights (``training.averaging``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from msadg.methods.coral import moment_distance
from msadg.methods.s2lif import S2LIF, S2LIFConfig
from msadg.methods.task import CLASSIFICATION, Task
from msadg.methods.vrex import variance_of_risks
from msadg.nn.domains import mean_over_members, members_by_domain
from msadg.settings import require
from msadg.types import Batch, Prediction


@dataclass(frozen=True, kw_only=True)
class S2LIFPlusConfig(S2LIFConfig):
    """Settings of S2LIF+: those of S2LIF, and of what is added."""

    polarity_weight: float = 1.0
    """w_p; 0 leaves the polarity heads out. A regression predicts the polarity anyway and has none."""
    risk_variance_weight: float = 0.0
    """Of V-REx's penalty: the variance of the source domains' risks in a batch. Needs two sources."""
    moment_weight: float = 0.0
    """Of CORAL's penalty: how far the source domains' means and covariances of what the last classifier reads are
    apart. Needs two sources."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            SettingsError: a value outside its range.
        """
        super().__post_init__()
        for name in ("polarity_weight", "risk_variance_weight", "moment_weight"):
            require(name, getattr(self, name), at_least=0)


class S2LIFPlus(S2LIF):
    """S2LIF with a second head a stage for the polarity, and penalties that compare source domains."""

    name = "s2lif_plus"
    Config = S2LIFPlusConfig
    config: S2LIFPlusConfig

    def __init__(self, config: S2LIFPlusConfig, feature_dims: Mapping[str, int], task: Task = CLASSIFICATION) -> None:
        super().__init__(config, feature_dims, task)
        self.config = config
        has_heads = config.polarity_weight > 0 and task.label_set.has_polarity and not task.is_regression
        self.polarity_heads = nn.ModuleDict(
            {name: nn.Linear(head.in_features, 1) for name, head in self.heads.items()} if has_heads else {}  # type: ignore[arg-type]
        )

    @classmethod
    def sources_needed(cls, settings: Mapping[str, Any]) -> int:
        """Two where a penalty compares them."""
        return 2 if settings.get("risk_variance_weight") or settings.get("moment_weight") else cls.min_source_domains

    def loss(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """Terms of S2LIF's loss, of each stage's polarity and of the penalties, by name."""
        terms = super().loss(prediction, batch)
        for stage, head in self.polarity_heads.items():
            predicted = head(prediction.auxiliary[f"features_{stage}"])[:, 0]
            terms[f"polarity_{stage}"] = self.config.polarity_weight * known_square_error(predicted, batch.polarity)
        members = members_by_domain(batch.domain)
        if self.config.risk_variance_weight:
            risks = mean_over_members(self.clip_losses(prediction.logits, batch), members)
            terms["risk_variance"] = self.config.risk_variance_weight * variance_of_risks(risks)
        if self.config.moment_weight:
            features = prediction.auxiliary["features_" + "&".join(self.stages[-1])]
            terms["moments"] = self.config.moment_weight * moment_distance(features, members)
        return terms

    def _of_stage(self, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        parameters, terms = super()._of_stage(name)
        if name in self.polarity_heads:
            parameters, terms = (*parameters, f"polarity_heads.{name}."), (*terms, f"polarity_{name}")
        if name == "&".join(self.stages[-1]):
            terms = (*terms, "risk_variance", "moments")
        return parameters, terms


def known_square_error(predicted: Float[Tensor, " batch"], polarity: Float[Tensor, " batch"]) -> Float[Tensor, ""]:
    """Mean squared error over the clips whose polarity is known (not NaN); 0 where none is."""
    is_known = ~polarity.isnan()
    error = torch.where(
        is_known, predicted.to(torch.promote_types(predicted.dtype, torch.float32)) - polarity.nan_to_num(), 0.0
    )
    return error.square().sum() / is_known.sum().clamp_min(1)
