"""The constant classifier: the sources' majority class, whatever the clip; in a regression, one polarity.

Some rows of published tables score exactly this; every table of ours opens with it. Its probabilities are the
sources' class shares, so that its likelihood and calibration mean something too. The polarity is the one that costs
least: the sources' mean under squared error, their median under absolute error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from msadg.methods.method import ClosedForm
from msadg.methods.task import CLASSIFICATION, Task
from msadg.types import Batch, Prediction


@dataclass(frozen=True, kw_only=True)
class ConstantConfig:
    """The constant classifier has no settings."""


class Constant(ClosedForm):
    """Predicts the class shares, or the mean or median polarity, of the sources' training clips."""

    name = "constant"
    Config = ConstantConfig
    log_shares: Tensor
    """Of a classification."""
    polarity: Tensor
    """Of a regression."""

    def __init__(
        self,
        config: ConstantConfig,  # noqa: ARG002
        feature_dims: Mapping[str, int],  # noqa: ARG002
        task: Task = CLASSIFICATION,
    ) -> None:
        super().__init__(task)
        self.encoders = nn.ModuleDict()
        self.register_buffer("polarity" if task.is_regression else "log_shares", torch.zeros(self.num_outputs))

    def fit(  # noqa: D102
        self,
        features: Float[Tensor, "clip feature"],  # noqa: ARG002
        labels: Int[Tensor, " clip"] | Float[Tensor, " clip"],
        score: Callable[[], float],  # noqa: ARG002
    ) -> None:
        if self.task.is_regression:
            values = labels.double().numpy()
            self.polarity.fill_(float(np.median(values) if self.task.regression_loss == "l1" else values.mean()))
            return
        counts = torch.bincount(labels, minlength=self.task.num_classes).double()
        # A class that the sources lack keeps a finite logarithm: half a clip.
        self.log_shares.copy_(torch.log(counts.clamp_min(0.5) / counts.sum()))

    def forward(self, batch: Batch) -> Prediction:  # noqa: D102
        answer = self.polarity if self.task.is_regression else self.log_shares
        return Prediction(answer.expand(len(batch), -1))
