"""``+sv``: sequential variation regularisation (METHODS 3) on the sequences of any method.

A method that can take it puts each modality's sequence into ``Prediction.auxiliary`` as ``sequence_<modality>``, and
which of its steps are there as ``sequence_valid_<modality>``; they are read where they lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from msadg.errors import SettingsError, UsageError
from msadg.methods.method import Method, Phase
from msadg.methods.wrapped import Wrapped
from msadg.nn.variation import VariationKind, sequential_variation
from msadg.settings import require
from msadg.types import MODALITIES, Batch, Prediction

DEFAULT_MODALITIES = ("audio", "video")
"""What varies over time by accident; the words of a text are no movement."""


@dataclass(frozen=True, kw_only=True)
class VariedConfig:
    """Settings of ``+sv``."""

    kind: VariationKind = "tv_l1"
    """How neighbours are compared: ``tv_l1``, ``tv_l2`` or ``jsd``; ``none`` adds nothing."""
    weight: float = 1.0
    """Of each modality's term."""
    modalities: tuple[str, ...] = ()
    """Whose sequences; none named means audio and video, as far as the method reads them."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            SettingsError: a negative weight, or a modality that does not exist.
        """
        require("weight", self.weight, at_least=0)
        require_modalities("modalities", self.modalities)


def require_modalities(setting: str, modalities: Sequence[str]) -> None:
    """Check that a setting names modalities, each once.

    Raises:
        SettingsError: it does not.
    """
    for modality in modalities:
        if modality not in MODALITIES:
            raise SettingsError(f"{setting} names {modality!r}; known modalities: {', '.join(MODALITIES)}")
    if len(set(modalities)) != len(modalities):
        raise SettingsError(f"{setting} names a modality twice: {', '.join(modalities)}")


def variation_terms(
    prediction: Prediction, modalities: Sequence[str], kind: VariationKind, weight: int | float
) -> dict[str, Tensor]:
    """weight * L_sv of each of these modalities, by the names that the terms have in a loss."""
    found = prediction.auxiliary
    return {
        f"variation_{m}": weight * sequential_variation(found[f"sequence_{m}"], found[f"sequence_valid_{m}"], kind)
        for m in modalities
    }


class Varied(Wrapped):
    """Another method whose sequences are asked to vary little.

    Args:
        inner: the method.
        config: of the regulariser.

    Raises:
        UsageError: the method has no sequences of its own, reads none of the modalities asked for, or regularises
            their variation itself.
    """

    def __init__(self, inner: Method, config: VariedConfig) -> None:
        super().__init__(inner)
        self.config = config
        if not len(inner.encoders):
            raise UsageError(f"{inner.name} has no learned sequences, so +sv has nothing to regularise")
        if inner.has_variation:
            raise UsageError(f"{inner.name} regularises its variation itself; set its variation to 'none' to use +sv")
        wanted = config.modalities or DEFAULT_MODALITIES
        self.varied = tuple(modality for modality in wanted if modality in inner.modalities)
        if not self.varied or (config.modalities and self.varied != config.modalities):
            raise UsageError(
                f"+sv acts on {' and '.join(wanted)}, but {inner.name} reads {', '.join(inner.modalities)}; "
                "name others in its modalities"
            )

    @property
    def name(self) -> str:  # type: ignore[override]
        """The inner method's name and what was added."""
        return f"{self.inner.name}+sv"

    def forward(self, batch: Batch) -> Prediction:
        """The inner method's.

        Raises:
            UsageError: it does not show its sequences.
        """
        prediction = super().forward(batch)
        for modality in self.varied:
            if f"sequence_{modality}" not in prediction.auxiliary:
                raise UsageError(f"{self.inner.name} does not show its sequence of {modality}, so +sv cannot be added")
        return prediction

    def loss(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """The inner method's terms, and one for each regularised modality."""
        if self.config.kind == "none":
            return self.inner.loss(prediction, batch)
        varied = variation_terms(prediction, self.varied, self.config.kind, self.config.weight)
        return self.inner.loss(prediction, batch) | varied

    def phases(self) -> Sequence[Phase]:
        """The inner method's; a sequence is regularised in the phases in which its encoder moves."""
        if self.config.kind == "none":
            return super().phases()
        phases = []
        for phase in super().phases():
            moving = [name for name, _ in self.named_parameters() if name.startswith(phase.parameters)]
            added = [f"variation_{m}" for m in self.varied if any(f"encoders.{m}." in name for name in moving)]
            phases.append(phase if phase.terms is None else replace(phase, terms=(*phase.terms, *added)))
        return phases
