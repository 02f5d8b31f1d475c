"""The constant classifier: the sources' majority class, whatever the clip.

Some rows of published tables score exactly this; every table of ours opens with it. Its probabilities are the
sources' class shares, so that its likelihood and calibration mean something too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from msadg.methods.method import NUM_CLASSES, ClosedForm
from msadg.types import Batch, Prediction


@dataclass(frozen=True, kw_only=True)
class ConstantConfig:
    """The constant classifier has no settings."""


class Constant(ClosedForm):
    """Predicts the class shares of the sources' training clips."""

    name = "constant"
    Config = ConstantConfig
    log_shares: Tensor

    def __init__(self, config: ConstantConfig, feature_dims: Mapping[str, int]) -> None:  # noqa: ARG002
        super().__init__()
        self.encoders = nn.ModuleDict()
        self.register_buffer("log_shares", torch.zeros(NUM_CLASSES))

    def fit(  # noqa: D102
        self,
        features: Float[Tensor, "clip feature"],  # noqa: ARG002
        sentiment: Int[Tensor, " clip"],
        score: Callable[[], float],  # noqa: ARG002
    ) -> None:
        counts = torch.bincount(sentiment, minlength=NUM_CLASSES).double()
        # A class that the sources lack keeps a finite logarithm: half a clip.
        self.log_shares.copy_(torch.log(counts.clamp_min(0.5) / counts.sum()))

    def forward(self, batch: Batch) -> Prediction:  # noqa: D102
        return Prediction(self.log_shares.expand(len(batch), -1))
