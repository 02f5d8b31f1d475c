"""What a prediction says of one clip, and why: plain values, for a person or as JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Fallback = Literal["stage", "dropout", "average"]
"""How a missing modality is done without. ``stage``: the method's own earlier stage, which never reads it;
``dropout``: as in training, where clips lost modalities; ``average``: over what the sources' clips showed there."""


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """A frame that the method kept."""

    step: int
    seconds: float | None
    """On the time axis of the clip's file; None where the extractor does not know."""
    weight: float
    """Of the frame among the kept ones; they sum to 1, save for a similarity that is not a share."""


@dataclass(frozen=True, slots=True)
class DecidingStep:
    """A step of a modality, and what it did."""

    modality: str
    step: int
    share: float
    """Of all that speaks for or against the verdict; above 0 it speaks for it (of a polarity: raises it). Over all
    steps of all modalities, the sizes sum to 1."""
    token: str | None = None
    """Text: the token as the encoder's vocabulary writes it."""
    start_seconds: float | None = None
    """On the time axis of the clip's file, where known."""
    end_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class DecidingFeature:
    """A feature of a modality, over all its steps, and what it did."""

    modality: str
    kind: Literal["input", "representation"]
    """``input``: the extractor's, held against its mean over the sources; ``representation``: one that the method
    learned, for which there is no name."""
    index: int
    """Of the feature, or the first of a named block."""
    share: float
    """As for steps, among the features of its kind."""
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Shift:
    """How far one modality of the clip lies from the sources."""

    distance: float
    """Mahalanobis distance of the clip's mean features from the sources' training clips."""
    quantiles: Mapping[str, float]
    """Of the same distance over the sources' dev clips: share of them that lies nearer -> distance."""
    beyond: float | None
    """The largest of those shares that the clip lies beyond; 1.0 where it lies further than each dev clip and these are
    too few for more to be said; None where it lies among the nearer half."""
    num_dev_clips: int | None = None
    """That the quantiles are of; None for a run from before that was kept."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a run says of one clip."""

    sentiment: str
    """The likeliest class; of a run that predicts polarity, what that is read as."""
    label_set: str = "sentiment"
    """What the classes are; of a run on other classes than the sentiments ``sentiment`` is one of those."""
    probabilities: Mapping[str, float] | None
    """By class; the verdict. None for a run that predicts polarity."""
    text_only: Mapping[str, float] | None
    """What the run says of the text alone; None without text, or for a run that does not read it."""
    multimodal: Mapping[str, float] | None
    """What it says of more than one modality; None where only one was read."""
    modalities: tuple[str, ...]
    """Those that were read."""
    missing: Mapping[str, str]
    """Modality that the run reads and this clip lacks -> why."""
    fallback: Fallback | None
    """How what is missing was done without; None where nothing is."""
    how: str = ""
    """The same in a sentence."""
    modality_shares: Mapping[str, float]
    """Of each modality read in all that speaks for or against the verdict; above 0 it speaks for it on the whole (of a
    polarity: raises it). The sizes sum to 1."""
    num_frames: int
    """Frames in which the speaker was seen."""
    key_frames: tuple[KeyFrame, ...]
    """Those that the method kept, in order; none for a method that keeps all."""
    steps: tuple[DecidingStep, ...]
    """The weightiest of each modality, the weightiest first."""
    features: tuple[DecidingFeature, ...]
    """The weightiest of each kind and modality, the weightiest first."""
    shift: Mapping[str, Shift]
    """By modality, where the run knows what its sources looked like."""
    warnings: tuple[str, ...]
    """Sentences on why the verdict may be worth less than it seems."""
    not_read: tuple[str, ...] = ()
    """Those of the warnings that tell of something that was given and could not be read."""
    text: str
    """The transcript that was read; empty where there is none."""
    sources: tuple[str, ...]
    """The domains that the run was trained on."""
    method: str

    polarity: float | None = None
    """The verdict of a run that predicts polarity: in [-3, 3], or a little beyond."""
    text_only_polarity: float | None = None
    """What such a run says of the text alone."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; what is not a number is None. The class stands under the name of its label set."""
        plain: dict[str, Any] = _plain(dataclasses.asdict(self))
        return {self.label_set: plain.pop("sentiment")} | plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
