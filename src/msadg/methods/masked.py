"""``+Mask``: S2LIF's learnable mask on another method's representations, or on any module's output (METHODS 2.7).

The papers' rows "MulT + Mask" and "ALMT + Mask" are this wrapper around MulT and ALMT.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from msadg.errors import UsageError
from msadg.methods.method import Method, Phase
from msadg.methods.wrapped import Wrapped
from msadg.nn.mask import FeatureMask, MaskKind, make_mask
from msadg.settings import require
from msadg.types import Batch, Prediction


@dataclass(frozen=True, kw_only=True)
class MaskedConfig:
    """Settings of ``+Mask``."""

    kind: MaskKind = "learned"
    """The learnable mask, or a control: ``none``, ``dense``, ``l1``, ``random``."""
    sparsity_weight: float = 1e-3
    """alpha: weight of each modality's penalty."""
    learning_rate_ratio: float = 10.0
    """Learning rate of the mask's parameters over that of the rest."""
    keep_ratio: float = 1.0
    """For ``random``: share of the features that passes."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            SettingsError: a value outside its range.
        """
        require("keep_ratio", self.keep_ratio, above=0, at_most=1)
        require("sparsity_weight", self.sparsity_weight, at_least=0)
        require("learning_rate_ratio", self.learning_rate_ratio, at_least=0)


def idle_masks(keep_ratios: Mapping[str, float], history: Sequence[Mapping[str, float]]) -> list[str]:
    """Sentences on masks that rejected nothing: in no epoch, or not in the one that was kept.

    Args:
        keep_ratios: of the weights that were kept, by modality.
        history: each epoch's measurements.
    """
    advice = "raise the masks' learning_rate_ratio, sparsity_weight or the number of epochs"
    sentences = []
    for modality, ratio in keep_ratios.items():
        if history and all(epoch.get(f"keep_{modality}") == 1.0 for epoch in history):
            sentences.append(
                f"the {modality} mask never rejected a feature: it scales them, and selects nothing; {advice}"
            )
        elif ratio == 1.0:
            sentences.append(f"the {modality} mask rejects nothing at the epoch that was kept, only later; {advice}")
    return sentences


class MaskedModule(nn.Module):
    """A module followed by a feature mask on its output's last axis."""

    def __init__(self, inner: nn.Module, mask: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.mask = mask

    def forward(self, *inputs: Any) -> Tensor:
        """The inner module's output times the mask."""
        masked: Tensor = self.mask(self.inner(*inputs))
        return masked


class Masked(Wrapped):
    """Another method with a feature mask behind each modality's encoder.

    Args:
        inner: the method; its ``encoders`` are wrapped in place.
        config: of the masks.
        dim: width of each encoder's output.

    Raises:
        UsageError: the method has no encoders to put masks behind, or masks of its own.
    """

    num_mask_resets: Tensor

    def __init__(self, inner: Method, config: MaskedConfig, dim: int) -> None:
        super().__init__(inner)
        if not len(inner.encoders):
            raise UsageError(f"{inner.name} has no learned representations, so +mask has nothing to mask")
        if inner.has_masks:
            raise UsageError(f"{inner.name} has masks of its own; +mask would mask its features twice")
        self.config = config
        self.register_buffer("num_mask_resets", torch.zeros((), dtype=torch.int64))
        for modality, encoder in list(inner.encoders.items()):
            mask = make_mask(config.kind, dim, keep_ratio=config.keep_ratio)
            inner.encoders[modality] = MaskedModule(encoder, mask)

    @property
    def masks(self) -> dict[str, FeatureMask]:
        """By modality."""
        return {modality: module.mask for modality, module in self.inner.encoders.items()}  # type: ignore[misc]

    @property
    def name(self) -> str:  # type: ignore[override]
        """The inner method's name and what was added."""
        return f"{self.inner.name}+mask"

    def loss(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:  # noqa: D102
        terms = self.inner.loss(prediction, batch)
        for modality, mask in self.masks.items():
            terms[f"sparsity_{modality}"] = self.config.sparsity_weight * mask.penalty()
        return terms

    def phases(self) -> Sequence[Phase]:  # noqa: D102
        return [
            replace(
                phase,
                parameters=(*phase.parameters, *self._mask_prefixes()),
                terms=None if phase.terms is None else (*phase.terms, *(f"sparsity_{m}" for m in self.masks)),
            )
            for phase in super().phases()
        ]

    def learning_rate_ratios(self) -> dict[str, float]:  # noqa: D102
        return super().learning_rate_ratios() | dict.fromkeys(self._mask_prefixes(), self.config.learning_rate_ratio)

    def _mask_prefixes(self) -> list[str]:
        return [f"inner.encoders.{modality}.mask." for modality in self.masks]

    def measurements(self) -> dict[str, float]:  # noqa: D102
        keep = {f"keep_{modality}": mask.keep_ratio() for modality, mask in self.masks.items()}
        return self.inner.measurements() | keep | {"mask_resets": float(self.num_mask_resets.item())}

    def after_step(self) -> None:  # noqa: D102
        self.inner.after_step()
        for mask in self.masks.values():
            self.num_mask_resets += int(mask.reset_if_empty())

    def warnings(self, history: Sequence[Mapping[str, float]]) -> list[str]:  # noqa: D102
        is_asked = self.config.kind == "learned" and self.config.sparsity_weight > 0
        ratios = {modality: mask.keep_ratio() for modality, mask in self.masks.items()} if is_asked else {}
        return [*self.inner.warnings(history), *idle_masks(ratios, history)]
