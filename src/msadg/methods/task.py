"""What a method is asked for, and what a wrong answer costs: the class, or the polarity that it is read from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from msadg.errors import UsageError
from msadg.types import SENTIMENT, LabelSet

TaskKind = Literal["classification", "regression"]
RegressionLoss = Literal["mse", "l1"]


@dataclass(frozen=True, kw_only=True)
class Task:
    """The task of one run; every method works for either."""

    kind: TaskKind = "classification"
    """``classification``: logits of each class; ``regression``: one number, the polarity on [-3, 3]."""
    regression_loss: RegressionLoss = "mse"
    """Of a regression: mean squared or mean absolute error."""
    label_set: LabelSet = SENTIMENT
    """What the classes are; that of the corpora, which all have one."""

    def __post_init__(self) -> None:
        """Check that there is a polarity where one is to be predicted.

        Raises:
            UsageError: the label set has none.
        """
        if self.is_regression and not self.label_set.has_polarity:
            raise UsageError(
                f"a regression predicts polarity, and {self.label_set.name} has none, but the classes "
                f"{', '.join(self.label_set.classes)}; use task = 'classification'"
            )

    @property
    def is_regression(self) -> bool:
        """Whether polarity is predicted."""
        return self.kind == "regression"

    @property
    def num_classes(self) -> int:
        """Of the label set, whatever is predicted."""
        return self.label_set.num_classes

    @property
    def num_outputs(self) -> int:
        """Width of a method's last layer."""
        return 1 if self.is_regression else self.num_classes


CLASSIFICATION = Task()
"""The task of every run that names no other: the three sentiments."""
