"""What a method is asked for, and what a wrong answer costs: the sentiment's class, or the polarity itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from msadg.types import SENTIMENTS

TaskKind = Literal["classification", "regression"]
RegressionLoss = Literal["mse", "l1"]

NUM_CLASSES = len(SENTIMENTS)


@dataclass(frozen=True, kw_only=True)
class Task:
    """The task of one run; every method works for either."""

    kind: TaskKind = "classification"
    """``classification``: logits of each sentiment; ``regression``: one number, the polarity on [-3, 3]."""
    regression_loss: RegressionLoss = "mse"
    """Of a regression: mean squared or mean absolute error."""

    @property
    def is_regression(self) -> bool:
        """Whether polarity is predicted."""
        return self.kind == "regression"

    @property
    def num_outputs(self) -> int:
        """Width of a method's last layer."""
        return 1 if self.is_regression else NUM_CLASSES


CLASSIFICATION = Task()
"""The task of every run that names no other."""
