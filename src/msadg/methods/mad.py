"""MAD: a biased branch with several heads per class takes up what serves single domains, a general one learns the rest.

Reference: Qu, Pan, Chen, Yao, Jiang, Mei. "Modality-Agnostic Debiasing for Single Domain Generalization", CVPR 2023,
arXiv:2303.07123. The authors published no code.
Paper -> here: z -> ``features`` (erm's time means, concatenated); W_b, M -> ``biased.weight``, ``heads_per_class``;
W_g -> ``head.weight``; T -> ``stage_1_share``.

    L_C-CE = CE(c, y),  c_k = logsumexp_m <W_b[k, m], z>      one right head of a class is enough
    L_reg  = mean_k sum_m cos(W_b[k, m], W_g[k])^2            the general branch looks elsewhere
    stage 1: L_C-CE + L_reg;    stage 2: L_C-CE + L_reg + L_CE

All terms weigh 1, and every parameter may move in both stages. The prediction is the general branch's alone. Stage 1 is
the first T = 3 of 50 epochs in the paper; as our runs differ in length, T is a share of ``training.epochs``, down to
parts of an epoch. The general branch has learned nothing of the task before stage 2, so no epoch that ends before it
can be the one that is kept, and patience counts from there (``Phase.starts``).

[I] Both branches have biases, as erm's classifier does; the paper shows weights only. Regression, of which the paper
says nothing: the biased branch classifies the sentiments that the polarities are read as, the general branch predicts
polarity, and its one row of weights takes the place of each W_g[k].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from msadg.errors import SettingsError
from msadg.methods.erm import ERM, ERMConfig
from msadg.methods.method import Phase
from msadg.methods.task import CLASSIFICATION, Task
from msadg.settings import require
from msadg.types import Batch, Prediction


@dataclass(frozen=True, kw_only=True)
class MADConfig(ERMConfig):
    """Settings of MAD, beside those of erm (whose ``heads`` are those of attention)."""

    heads_per_class: int = 7
    """M, of the biased branch; at most dim * modalities // classes - 1. 1 is the paper's *single head*."""
    stage_1_share: float = 0.06
    """T: share of ``training.epochs`` before the general branch learns the task, in [0, 0.9]. 0 is *one stage*."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            SettingsError: a value outside its range.
        """
        super().__post_init__()
        require("heads_per_class", self.heads_per_class, at_least=1)
        require("stage_1_share", self.stage_1_share, at_least=0, at_most=0.9)


def cooperative_logits(by_head: Float[Tensor, "batch feature"], heads_per_class: int) -> Float[Tensor, "batch label"]:
    """c_k = logsumexp over the heads of class k, a smooth maximum; the heads of one class lie side by side."""
    return by_head.view(len(by_head), -1, heads_per_class).logsumexp(dim=2)


def squared_cosines(
    biased: Float[Tensor, "label head feature"], general: Float[Tensor, "output feature"]
) -> Float[Tensor, ""]:
    """L_reg: mean over classes of the sum over heads of squared cosines; a single general row stands for all."""
    # A sum of products instead of a matrix product: mixed precision would round that to 16 bits.
    cosines = (F.normalize(biased, dim=-1) * F.normalize(general, dim=-1).unsqueeze(1)).sum(dim=-1)
    return cosines.square().sum(dim=1).mean()


class MAD(ERM):
    """erm as the general branch, beside a biased one on the same representation."""

    name = "mad"
    Config = MADConfig

    def __init__(self, config: MADConfig, feature_dims: Mapping[str, int], task: Task = CLASSIFICATION) -> None:
        super().__init__(config, feature_dims, task)
        self.config = config
        num_classes, width = task.num_classes, self.head.in_features
        most = width // num_classes - 1
        if config.heads_per_class > most:
            raise SettingsError(
                f"heads_per_class = {config.heads_per_class}; the {width} features that are fused, shared by "
                f"{num_classes} classes, leave room for at most {most} (width // classes - 1): raise dim"
            )
        self.biased = nn.Linear(width, num_classes * config.heads_per_class)

    def forward(self, batch: Batch) -> Prediction:  # noqa: D102
        prediction = super().forward(batch)
        biased = cooperative_logits(self.biased(prediction.auxiliary["features"]), self.config.heads_per_class)
        return replace(prediction, auxiliary={**prediction.auxiliary, "biased": biased})

    def loss(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """L_CE (``task``), L_C-CE (``biased``) and L_reg (``orthogonality``)."""
        by_class = self.biased.weight.view(-1, self.config.heads_per_class, self.head.in_features)
        return super().loss(prediction, batch) | {
            "biased": self.cross_entropy(prediction.auxiliary["biased"], batch),
            "orthogonality": squared_cosines(by_class, self.head.weight),
        }

    def phases(self) -> Sequence[Phase]:
        """One phase, whose ``task`` term joins with stage 2."""
        return [Phase(starts={"task": self.config.stage_1_share})]
