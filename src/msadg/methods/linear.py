"""Logistic or ridge regression (scikit-learn) on time-mean features: the line that every neural method has to beat.

The strength of regularisation is chosen on the sources' dev splits, like everything else. A clip that lacks a modality
has its features at their means over the sources' clips that have it: no evidence for anything.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from msadg.errors import MsadgWarning, UsageError
from msadg.methods.method import ClosedForm, check_modalities
from msadg.methods.task import CLASSIFICATION, Task
from msadg.nn.steps import mean_over_valid, share_of_mean
from msadg.types import MODALITIES, Batch, Prediction

Solution = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Which outputs were fitted, their weights by output and feature, and their biases."""


@dataclass(frozen=True, kw_only=True)
class LinearConfig:
    """Settings of the linear classifier."""

    modalities: tuple[str, ...] = ()
    """Which are concatenated; none named means all that have features."""
    inverse_regularisation: tuple[float, ...] = (0.01, 0.1, 1.0, 10.0)
    """Values of scikit-learn's C that are tried, as for a thousand clips."""
    ridge: tuple[float, ...] = (0.01, 0.1, 1.0, 10.0)
    """Penalties that are tried for polarity: alpha over the number of clips, features being standardised."""
    max_iterations: int = 2000
    """Of the solver (lbfgs); ridge regression is solved directly."""


class Linear(ClosedForm):
    """Multinomial logistic regression with an L2 penalty; for polarity ridge regression, under either loss."""

    name = "linear"
    Config = LinearConfig
    reads_inputs_directly = True
    mean: Tensor
    """Of each feature over the clips that have it; the weights are of what is above or below it."""
    weight: Tensor
    bias: Tensor

    def __init__(self, config: LinearConfig, feature_dims: Mapping[str, int], task: Task = CLASSIFICATION) -> None:
        super().__init__(task)
        self.config = config
        self.encoders = nn.ModuleDict()
        self.modalities = config.modalities or tuple(m for m in MODALITIES if m in feature_dims)
        check_modalities(self.name, self.modalities, feature_dims)
        ends = np.cumsum([0, *(feature_dims[modality] for modality in self.modalities)]).tolist()
        self._places = {m: slice(*of) for m, of in zip(self.modalities, pairwise(ends), strict=True)}
        width = ends[-1]
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("weight", torch.zeros(self.num_outputs, width))
        self.register_buffer("bias", torch.zeros(self.num_outputs))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        # Weights from before there was a mean are of the features as they are.
        state_dict.setdefault(f"{prefix}mean", torch.zeros_like(self.mean))
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def fit(  # noqa: D102
        self,
        features: Float[Tensor, "clip feature"],
        labels: Int[Tensor, " clip"] | Float[Tensor, " clip"],
        score: Callable[[], float],
    ) -> None:
        if not self.task.is_regression and len(set(labels.tolist())) < 2:
            raise UsageError(
                "linear needs at least two classes among the sources' training clips; they have one: take other "
                "sources or more, or look at how their labels are read (--labels)"
            )
        if self.log_prior.ndim > 1:
            raise UsageError(
                "linear has one bias for the clips of all sources, which knows no shares by domain; use "
                "training.class_prior = 'uniform' instead of 'uniform_by_domain'"
            )
        best: tuple[float, Tensor, Tensor] | None = None
        absent = features.isnan()
        self.mean.copy_(features.nanmean(dim=0).nan_to_num())
        # Standardised for the solver's sake and the penalty's; folded back into the weights below.
        centred = torch.where(absent, 0.0, features - self.mean)
        spread = (centred.square().sum(dim=0) / ((~absent).sum(dim=0) - 1).clamp_min(1)).sqrt()
        scale = torch.where(spread > 0, spread, 1.0).clamp_min(1e-6)
        standardised = (centred / scale).double().numpy()
        solve = self._ridge if self.task.is_regression else self._logistic
        for strength in self.config.ridge if self.task.is_regression else self.config.inverse_regularisation:
            classes, rows, intercepts = solve(standardised, labels.numpy(), strength)
            weight, bias = torch.zeros_like(self.weight), torch.full_like(self.bias, -1e4)
            weight[classes] = torch.from_numpy(rows).float() / scale
            bias[classes] = torch.from_numpy(intercepts).float()
            if not self.task.is_regression:
                bias -= self.log_prior
            self.weight.copy_(weight)
            self.bias.copy_(bias)
            value = score()
            if best is None or value > best[0]:
                best = (value, weight, bias)
        assert best is not None
        self.weight.copy_(best[1])
        self.bias.copy_(best[2])

    def _logistic(self, features: np.ndarray, sentiment: np.ndarray, inverse: float) -> Solution:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        # C of scikit-learn weighs the sum over clips: dividing by their number makes it a setting of the task.
        model = LogisticRegression(C=inverse * 1e3 / len(features), max_iter=self.config.max_iterations)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # told below, in our words
            model.fit(features, sentiment)
        if model.n_iter_.max() >= self.config.max_iterations:
            warnings.warn(
                MsadgWarning(f"linear, C {inverse}: not converged in {self.config.max_iterations} iterations"),
                stacklevel=3,
            )
        rows, intercepts = model.coef_, model.intercept_
        if len(model.classes_) == 2:  # scikit-learn keeps one row then: the log-odds of the second class
            rows, intercepts = (
                np.concatenate([-rows, rows]) / 2,
                np.concatenate([-intercepts, intercepts]) / 2,
            )
        return model.classes_, rows, intercepts

    def _ridge(self, features: np.ndarray, polarity: np.ndarray, strength: float) -> Solution:
        from sklearn.linear_model import Ridge

        model = Ridge(alpha=strength * len(features)).fit(features, polarity.astype(np.float64)[:, None])
        return np.zeros(1, np.int64), model.coef_, model.intercept_

    def pooled(self, batch: Batch) -> Float[Tensor, "batch feature"]:
        """Time means; NaN for a modality that a clip lacks."""
        steps = [batch.steps[modality] for modality in self.modalities]
        means = [
            torch.where(s.valid.any(dim=1, keepdim=True), mean_over_valid(s.values, s.valid), torch.nan) for s in steps
        ]
        return torch.cat(means, dim=-1)

    def forward(self, batch: Batch) -> Prediction:  # noqa: D102
        features = self.pooled(batch)
        centred = torch.where(features.isnan(), 0.0, features - self.mean)
        return Prediction(centred @ self.weight.T + self.bias)

    def neutral_input(self, modality: str) -> Float[Tensor, " feature"]:
        """The sources' mean."""
        return self.mean[self._places[modality]]

    def evidence(
        self,
        batch: Batch,
        output: str = "logits",  # noqa: ARG002
    ) -> Mapping[str, Float[Tensor, "batch time feature sentiment"]]:
        """(x_j - mean) W / number of valid steps, of the features as they are."""
        parts = {}
        for modality, of in self._places.items():
            steps = batch.steps[modality]
            shown = share_of_mean(steps.values - self.mean[of], steps.valid)
            parts[modality] = torch.einsum("btf,sf->btfs", shown, self.weight[:, of])
        return parts
