"""RIDG: clips of one class should be decided for the same reasons, whatever domain they are from.

Reference: Chen, Zhang, Song, van den Hengel, Liu. "Domain Generalization via Rationale Invariance", ICCV 2023,
arXiv:2308.11158; the authors' code is class RIDG of liangchen527/RIDG.
Paper -> here: z -> ``features`` (erm's time means, concatenated); W -> ``head.weight``; R -> ``rationales``;
Rbar -> ``bank.means``; alpha -> ``weight``.

    R_n = W * z_n,    L = CE + alpha (1/N) sum_k sum_{n: y_n = k} ||R_n - Rbar_k||^2

R_n has one row for each logit: the row's sum, with the bias, is the logit. Rbar_k is a running mean over the steps that
held class k of its mean R. No gradient passes through it, and scoring never reads it.

Ours: a step is compared with the means of the steps before it, so the loss reads nothing that it writes itself. Clips
of a class that no step has held yet add nothing. ``published=True`` is the authors' code: the batch goes into the means
first, so that a class's first batch is compared with its own mean, and the term is the mean over a class's clips and
over R's rows, summed over the classes at hand. With equally many clips of each of the K classes both weigh alike;
otherwise ours counts every clip the same, theirs every class. Not taken over: their means keep the graph of every step
that went into them, and their encoder runs twice a step.

Regression [I]: R is a single row, and the classes are the sentiments that the polarities are read as.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from msadg.methods.erm import ERM, ERMConfig
from msadg.methods.task import CLASSIFICATION, Task
from msadg.settings import require
from msadg.types import Batch, Prediction


@dataclass(frozen=True, kw_only=True)
class RIDGConfig(ERMConfig):
    """Settings of RIDG, beside those of erm."""

    weight: float = 0.01
    """alpha: of the rationale term; the paper searches from 0.001 to 0.1, its code from 0.01."""
    momentum: float = 0.001
    """Share of a running mean that a step replaces; the authors search from 1e-4 to 0.1."""
    published: bool = False
    """Average as the authors' code does, instead of as the equation says."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            SettingsError: a value outside its range.
        """
        super().__post_init__()
        require("weight", self.weight, at_least=0)
        require("momentum", self.momentum, above=0, at_most=1)


def rationales(
    fused: Float[Tensor, "batch feature"], weight: Float[Tensor, "output feature"]
) -> Float[Tensor, "batch output feature"]:
    """R: what each feature of each clip adds to each logit."""
    return weight * fused.unsqueeze(1)


def rationale_loss(
    rationale: Float[Tensor, "batch output feature"],
    labels: Int[Tensor, " batch"],
    means: Float[Tensor, "label output feature"],
    met: Bool[Tensor, " label"],
    *,
    published: bool = False,
) -> Float[Tensor, ""]:
    """(1/N) sum_n ||R_n - Rbar_{y_n}||^2 over clips of the classes ``met``; ``published`` averages class by class."""
    distances = (rationale - means[labels]).square().sum(dim=(1, 2)) * met[labels]
    if not published:
        return distances.mean()
    class_sizes = torch.bincount(labels, minlength=len(met))[labels]
    return (distances / class_sizes).sum() / rationale.shape[1]


class RationaleBank(nn.Module):
    """A running mean rationale of each class; saved with the weights, as resumed training needs it.

    Args:
        num_classes: of the labels.
        shape: rows and features of a rationale.
        momentum: share that a step replaces.
    """

    means: Float[Tensor, "label output feature"]
    met: Bool[Tensor, " label"]
    """Which classes any step has held."""

    def __init__(self, num_classes: int, shape: tuple[int, int], momentum: int | float) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("means", torch.zeros(num_classes, *shape))
        self.register_buffer("met", torch.zeros(num_classes, dtype=torch.bool))

    def with_step(
        self, rationale: Float[Tensor, "batch output feature"], labels: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "label output feature"], Bool[Tensor, " label"]]:
        """Means and known classes once a step's clips are in; changes nothing itself."""
        belongs = F.one_hot(labels, len(self.met)).to(self.means.dtype)
        counts = belongs.sum(dim=0)
        held = counts > 0
        # A sum of products instead of a matrix product: mixed precision would round that to 16 bits.
        totals = (belongs[:, :, None, None] * rationale.detach().unsqueeze(1)).sum(dim=0)
        fresh = totals / counts.clamp_min(1)[:, None, None]
        share = torch.where(self.met, self.momentum, 1.0).to(self.means.dtype) * held
        return torch.lerp(self.means, fresh, share[:, None, None].expand_as(fresh)), self.met | held

    def take(self, means: Float[Tensor, "label output feature"], met: Bool[Tensor, " label"]) -> None:
        """Go on with these."""
        self.means.copy_(means)
        self.met.copy_(met)


class RIDG(ERM):
    """erm whose clips of one class are asked for similar rationales."""

    name = "ridg"
    Config = RIDGConfig

    def __init__(self, config: RIDGConfig, feature_dims: Mapping[str, int], task: Task = CLASSIFICATION) -> None:
        super().__init__(config, feature_dims, task)
        self.config = config
        self.bank = RationaleBank(task.num_classes, (self.num_outputs, self.head.in_features), config.momentum)
        self._pending: tuple[Tensor, Tensor] | None = None

    def loss(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """The task's term and ``rationale``; in training, ``after_step`` then brings the running means up to date."""
        rationale = rationales(prediction.auxiliary["features"], self.head.weight)
        labels = batch.sentiment
        means, met = self.bank.means, self.bank.met
        if self.training:
            self._pending = self.bank.with_step(rationale, labels)
            if self.config.published:
                means, met = self._pending
        term = rationale_loss(rationale, labels, means, met, published=self.config.published)
        return super().loss(prediction, batch) | {"rationale": self.config.weight * term}

    def after_step(self) -> None:
        """Put the step's clips into the running means; once, however often its loss was asked for."""
        if self._pending is not None:
            self.bank.take(*self._pending)
            self._pending = None
