"""Empirical risk minimisation: the encoders of S2LIF, mean over valid steps, one linear classifier.

The plain control: what S2LIF's encoders do without masks, order or keyframes. Any subset of the modalities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from msadg.methods.method import Method, check_modalities
from msadg.methods.task import CLASSIFICATION, Task
from msadg.nn.encoder import Projection, StepEncoder
from msadg.nn.steps import mean_over_valid, share_of_mean
from msadg.settings import require_encoder_settings
from msadg.types import MODALITIES, Batch, Prediction


@dataclass(frozen=True, kw_only=True)
class ERMConfig:
    """Settings of empirical risk minimisation."""

    modalities: tuple[str, ...] = ()
    """Which are used; none named means all that have features."""
    dim: int = 128
    """Width of each modality's representation."""
    heads: int = 4
    """Attention heads; must divide ``dim``."""
    layers: int = 1
    """Transformer layers of each modality; 0 leaves them out."""
    dropout: float = 0.1
    """In the Transformer, in [0, 1)."""
    projection: Projection = "mlp"
    """Features to the common width: ``mlp``, ``linear`` or ``identity`` (needs features of width ``dim``)."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            SettingsError: a value outside its range.
        """
        require_encoder_settings(self)


class ERM(Method):
    """One encoder a modality, mean over time, concatenation, one linear layer."""

    name = "erm"
    Config = ERMConfig

    def __init__(self, config: ERMConfig, feature_dims: Mapping[str, int], task: Task = CLASSIFICATION) -> None:
        super().__init__(task)
        self.modalities = config.modalities or tuple(m for m in MODALITIES if m in feature_dims)
        check_modalities(self.name, self.modalities, feature_dims)
        self.encoders = nn.ModuleDict(
            {
                modality: StepEncoder(
                    feature_dims[modality],
                    config.dim,
                    heads=config.heads,
                    layers=config.layers,
                    dropout=config.dropout,
                    projection=config.projection,
                )
                for modality in self.modalities
            }
        )
        self.head = nn.Linear(config.dim * len(self.modalities), self.num_outputs)

    def forward(self, batch: Batch) -> Prediction:  # noqa: D102
        pooled, auxiliary = [], {}
        for modality in self.modalities:
            steps = batch.steps[modality]
            encoded = self.encoders[modality](steps.values, steps.valid)
            pooled.append(mean_over_valid(encoded, steps.valid))
            auxiliary[f"sequence_{modality}"] = encoded
            auxiliary[f"sequence_valid_{modality}"] = steps.valid
        auxiliary["features"] = torch.cat(pooled, dim=-1)
        return Prediction(self.head(auxiliary["features"]), auxiliary)

    def evidence(
        self,
        batch: Batch,
        output: str = "logits",  # noqa: ARG002
    ) -> Mapping[str, Float[Tensor, "batch time feature sentiment"]]:
        """x_j W / number of valid steps."""
        rows = self.head.weight.split(self.head.in_features // len(self.modalities), dim=1)  # type: ignore[no-untyped-call]
        parts = {}
        for modality, weight in zip(self.modalities, rows, strict=True):
            steps = batch.steps[modality]
            encoded = self.encoders[modality](steps.values, steps.valid)
            parts[modality] = torch.einsum("btf,sf->btfs", share_of_mean(encoded, steps.valid), weight)
        return parts
