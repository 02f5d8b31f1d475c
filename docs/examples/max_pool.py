"""Max pooling: the strongest value of each feature over time, one linear classifier.

Reference: none; an example for the guide "Add a method". Departures: none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from msadg.methods.method import Method, check_modalities
from msadg.methods.task import CLASSIFICATION, Task
from msadg.nn.encoder import StepEncoder
from msadg.settings import require, require_encoder_settings
from msadg.types import MODALITIES, Batch, Prediction, Steps


@dataclass(frozen=True, kw_only=True)
class MaxPoolConfig:
    """Settings of max pooling."""

    dim: int = 128
    """Width of each modality's representation."""
    heads: int = 4
    """Attention heads; must divide ``dim``."""
    layers: int = 1
    """Transformer layers of each modality; 0 leaves them out."""
    dropout: float = 0.1
    """In the Transformer, in [0, 1)."""
    evenness: float = 0.0
    """Weight of the squared mean of the pooled features, 0 or more."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            SettingsError: a value outside its range.
        """
        require_encoder_settings(self)
        require("evenness", self.evenness, at_least=0)


class MaxPool(Method):
    """One encoder a modality, maximum over valid steps, concatenation, one linear layer."""

    name = "max_pool"
    Config = MaxPoolConfig

    def __init__(self, config: MaxPoolConfig, feature_dims: Mapping[str, int], task: Task = CLASSIFICATION) -> None:
        super().__init__(task)
        self.config = config
        self.modalities = tuple(modality for modality in MODALITIES if modality in feature_dims)
        check_modalities(self.name, self.modalities, feature_dims)
        self.encoders = nn.ModuleDict(
            {
                modality: StepEncoder(
                    feature_dims[modality],
                    config.dim,
                    heads=config.heads,
                    layers=config.layers,
                    dropout=config.dropout,
                )
                for modality in self.modalities
            }
        )
        self.head = nn.Linear(config.dim * len(self.modalities), self.num_outputs)

    def forward(self, batch: Batch) -> Prediction:  # noqa: D102
        pooled = torch.cat([self.pool(modality, batch.steps[modality]) for modality in self.modalities], dim=-1)
        return Prediction(self.head(pooled), auxiliary={"features": pooled})

    def pool(self, modality: str, steps: Steps) -> Float[Tensor, "batch feature"]:
        """The largest value of each feature over a clip's valid steps; zeros where it has none."""
        encoded = self.encoders[modality](steps.values, steps.valid)
        highest = encoded.masked_fill(~steps.valid[..., None], -torch.inf).amax(dim=1)
        return torch.where(steps.valid.any(dim=1, keepdim=True), highest, 0.0)

    def loss(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """The task's loss, and what keeps the pooled features around 0."""
        pooled = prediction.auxiliary["features"]
        return super().loss(prediction, batch) | {"evenness": self.config.evenness * pooled.mean(dim=0).square().mean()}
