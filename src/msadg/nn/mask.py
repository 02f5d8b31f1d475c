"""Feature masks: the learnable mask of S2LIF (Eq. 6-13), and the controls that a claim about it needs.

Reference: Zhao et al., "Learning in Order!", ACM MM 2024, doi:10.1145/3664647.3681056, Sec. 3; thresholds and the
guard follow Liu et al., "Dynamic Sparse Training", ICLR 2020.
Paper -> here: r, s, p, m -> weight, threshold, kept, mask.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

MaskKind = Literal["learned", "none", "dense", "l1", "random"]


class UnitStep(torch.autograd.Function):
    """Step forward, 1 at 0 (Eq. 7); backward, the long-tailed slope of Eq. 11.

    The slope is 2 - 4|t| for |t| <= 0.4, 0.4 for 0.4 < |t| <= 1, and 0 beyond.
    """

    @staticmethod
    def forward(ctx: Any, margin: Float[Tensor, "*axes"]) -> Float[Tensor, "*axes"]:
        """1 where ``margin`` >= 0, else 0."""
        ctx.save_for_backward(margin)
        return (margin >= 0).to(margin.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Float[Tensor, "*axes"]) -> Float[Tensor, "*axes"]:
        """Gradient times the slope of Eq. 11."""
        distance: Tensor = ctx.saved_tensors[0].abs()
        return gradient * (2 - 4 * distance).clamp_min(0.4) * (distance <= 1)


class FeatureMask(nn.Module, ABC):
    """One factor for each feature, the same for every input: x^c = x * m (Eq. 10)."""

    dim: int

    @property
    @abstractmethod
    def mask(self) -> Float[Tensor, " feature"]:
        """M of Eq. 9: the weight of each kept feature, exactly 0 for each rejected one."""

    @property
    def complement(self) -> Float[Tensor, " feature"]:
        """The factor of the features that were rejected: what *Using DS* (Table 3) reads instead of ``mask``."""
        return torch.zeros_like(self.mask)

    @property
    def kept(self) -> Bool[Tensor, " feature"]:
        """Which features pass."""
        return self.mask.detach() != 0

    def forward(self, features: Float[Tensor, "*batch feature"]) -> Float[Tensor, "*batch feature"]:
        """Features times the mask."""
        return features * self.mask

    def penalty(self) -> Float[Tensor, ""]:
        """What the loss adds, before its weight alpha; 0 where the mask has no penalty."""
        return torch.zeros((), device=self.mask.device)

    def keep_ratio(self) -> float:
        """Share of the features that pass, in [0, 1]."""
        return float(self.kept.float().mean())

    def reset_if_empty(self) -> bool:
        """Open a mask that has closed altogether; True where that happened. Most masks cannot close."""
        return False


class _Thresholded(nn.Module):
    """What a layer with learnable thresholds shares, be it features or weights that they reject."""

    threshold: nn.Parameter
    empty_ratio: float

    def keep_ratio(self) -> float:
        """Share that passes, in [0, 1]."""
        raise NotImplementedError

    def penalty(self) -> Float[Tensor, ""]:
        """L_sparse = sum of exp(-s) (Eq. 12): the higher the thresholds, the smaller."""
        return torch.exp(-self.threshold).sum()

    def reset_if_empty(self) -> bool:
        """Set the thresholds to 0 where the keep ratio is at most ``empty_ratio`` (Liu et al., ICLR 2020)."""
        if self.keep_ratio() > self.empty_ratio:
            return False
        with torch.no_grad():
            self.threshold.zero_()
        return True


class LearnableMask(_Thresholded, FeatureMask):
    """Keep a feature where its weight clears that feature's own threshold (Eq. 8-10).

    p = step(|r| - s),  m = r * p,  x^c = x * m.  r starts at 1 and s at 0, so that a fresh mask is the identity.

    Args:
        dim: number of features.
        empty_ratio: at this keep ratio or below, ``reset_if_empty`` sets the thresholds back to 0.
    """

    def __init__(self, dim: int, empty_ratio: float = 0.01) -> None:
        super().__init__()
        self.dim = dim
        self.empty_ratio = empty_ratio
        self.weight = nn.Parameter(torch.ones(dim))
        self.threshold = nn.Parameter(torch.zeros(dim))

    @property
    def _clears(self) -> Float[Tensor, " feature"]:
        passed: Tensor = UnitStep.apply(self.weight.abs() - self.threshold)  # type: ignore[no-untyped-call]
        return passed

    @property
    def mask(self) -> Float[Tensor, " feature"]:
        """The mask m = r * step(|r| - s)."""
        return self.weight * self._clears

    @property
    def complement(self) -> Float[Tensor, " feature"]:
        """What the mask leaves: r * (1 - step(|r| - s))."""
        return self.weight * (1 - self._clears)

    def keep_ratio(self) -> float:
        """Share of the features that pass, in [0, 1]."""
        return FeatureMask.keep_ratio(self)


class DenseScale(FeatureMask):
    """r without a threshold: the control that says whether rescaling alone explains a gain.

    Args:
        dim: number of features.
        l1: the penalty is sum |r| (the L1 control); otherwise there is none.
    """

    def __init__(self, dim: int, *, l1: bool = False) -> None:
        super().__init__()
        self.dim = dim
        self.l1 = l1
        self.weight = nn.Parameter(torch.ones(dim))

    @property
    def mask(self) -> Float[Tensor, " feature"]:
        """R itself."""
        return self.weight

    def penalty(self) -> Float[Tensor, ""]:
        """Sum of |r| for the L1 control."""
        return self.weight.abs().sum() if self.l1 else super().penalty()


class FixedMask(FeatureMask):
    """A mask without parameters: everything passes, or a random share of the features does.

    Which they are is drawn by torch's random state, like initial weights.

    Args:
        dim: number of features.
        keep_ratio: share that passes, in (0, 1]; rounded to whole features, at least one.
    """

    values: Tensor

    def __init__(self, dim: int, keep_ratio: float = 1.0) -> None:
        super().__init__()
        self.dim = dim
        num_kept = max(1, round(dim * keep_ratio))
        order = torch.randperm(dim) if num_kept < dim else torch.arange(dim)
        values = torch.zeros(dim)
        values[order[:num_kept]] = 1.0
        self.register_buffer("values", values)

    @property
    def mask(self) -> Float[Tensor, " feature"]:
        """1 for each feature that passes, 0 for the others."""
        return self.values

    @property
    def complement(self) -> Float[Tensor, " feature"]:
        """1 - mask."""
        return 1 - self.values


class MaskedLinear(_Thresholded, nn.Linear):
    """A linear layer whose *weights* are masked, each output row by a threshold of its own (Liu et al., ICLR 2020).

    W' = W * step(|W| - s_row);  penalty = sum over rows of exp(-s).  The alternative to masking features.
    """

    def __init__(self, in_features: int, out_features: int, empty_ratio: float = 0.01) -> None:
        super().__init__(in_features, out_features)
        self.empty_ratio = empty_ratio
        self.threshold = nn.Parameter(torch.zeros(out_features))

    def masked_weight(self) -> Float[Tensor, "out_feature feature"]:
        """W with the entries below their row's threshold set to 0."""
        passed: Tensor = UnitStep.apply(self.weight.abs() - self.threshold[:, None])  # type: ignore[no-untyped-call]
        return self.weight * passed

    def forward(self, features: Float[Tensor, "*batch feature"]) -> Float[Tensor, "*batch out_feature"]:  # noqa: D102
        return nn.functional.linear(features, self.masked_weight(), self.bias)

    def keep_ratio(self) -> float:
        """Share of the weights that pass, in [0, 1]."""
        return float((self.weight.detach().abs() >= self.threshold.detach()[:, None]).float().mean())


def make_mask(kind: MaskKind, dim: int, *, keep_ratio: float = 1.0) -> FeatureMask:
    """Return the mask of a kind: ``learned``, or a control (``none``, ``dense``, ``l1``, ``random``).

    Args:
        kind: which one.
        dim: number of features.
        keep_ratio: for ``random``: the share that passes.
    """
    match kind:
        case "learned":
            return LearnableMask(dim)
        case "dense":
            return DenseScale(dim)
        case "l1":
            return DenseScale(dim, l1=True)
        case "random":
            return FixedMask(dim, keep_ratio)
        case "none":
            return FixedMask(dim)
