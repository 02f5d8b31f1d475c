"""A case: one clip, what a run said of it, and why (METHODS 6, Figure 9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from msadg.analysis.case_words import WordShare
from msadg.types import LabelSet

Kind = Literal["right and sure", "right and unsure", "wrong and sure", "wrong and unsure"]
KINDS: tuple[Kind, ...] = ("right and sure", "right and unsure", "wrong and sure", "wrong and unsure")


@dataclass(frozen=True, slots=True)
class StepShare:
    """A step of audio or video, and what it did."""

    modality: str
    step: int
    share: float
    start_seconds: float | None
    """On the time axis of the clip's file, where known."""
    kept: bool | None
    """Whether the method kept the frame; None for a method that keeps all."""


@dataclass(frozen=True, slots=True)
class FeatureShare:
    """A feature that the method learned (of a method that reads its inputs as they are, one of those)."""

    modality: str
    index: int
    num_features: int
    share: float


@dataclass(frozen=True, kw_only=True)
class Case:
    """One clip, what a run said of it, and why."""

    kind: Kind
    row: str
    sources: tuple[str, ...]
    seed: int
    domain: str
    clip_id: str
    label_set: LabelSet
    truth: int
    true_polarity: float | None
    predicted: int
    probabilities: tuple[float, ...] | None
    """By class; None in a regression."""
    predicted_polarity: float | None
    """None in a classification."""
    confidence: float
    """The predicted class's probability; in a regression, the distance of the polarity from where another class
    begins."""
    num_alike: int
    """Clips of the same kind, of which this one was drawn."""
    num_clips: int
    """Clips of the domain that were scored."""
    how: str
    modality_shares: Mapping[str, float]
    """What the steps of each modality add up to with their signs: what speaks for the prediction less what speaks
    against it. The sizes therefore sum to 1 only where no modality speaks both ways."""
    text: str | None
    """None where the corpus may not be shown."""
    words: tuple[WordShare, ...]
    """Of the transcript, in order; none where it may not be shown or the method reads no text."""
    no_word: float
    """What the encoder's special tokens add."""
    steps: tuple[StepShare, ...]
    """The weightiest of audio and video, the weightiest first."""
    features: tuple[FeatureShare, ...]
    """The weightiest of each modality, the weightiest first."""
    kept_steps: tuple[StepShare, ...] = ()
    """The frames that the method kept, in order."""
    simulated: tuple[str, ...] = ()
    """Modalities whose features were drawn from labels: there is nothing of them to see or hear."""
    clip_path: str | None = None
    """Video file, where there is one and it may be shown."""

    @property
    def is_right(self) -> bool:
        """Whether the predicted class is the true one."""
        return self.truth == self.predicted
