"""The nouns that every room shares: a labelled utterance, its features, a batch of them, a prediction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Split = Literal["train", "dev", "test"]
LabelReading = Literal["round", "sign"]

MODALITIES = ("text", "audio", "video")
"""The modalities, always in this order."""

SENTIMENTS = ("negative", "neutral", "positive")
"""The three classes; a sentiment is stored as its index here."""


@dataclass(frozen=True, slots=True)
class LabelSet:
    """What the classes of a corpus are."""

    name: str
    """What is labelled: ``sentiment``, ``humour``."""
    classes: tuple[str, ...]
    """Names of the classes; a label is stored as its index here."""
    has_polarity: bool = False
    """Whether the classes are ranges of a polarity in [-3, 3], so that a regression can predict that instead."""

    @property
    def num_classes(self) -> int:
        """How many there are."""
        return len(self.classes)

    @property
    def ids(self) -> tuple[str, ...]:
        """The classes as parts of other names (``recall_not_humorous``): blanks are underscores."""
        return tuple(name.replace(" ", "_") for name in self.classes)


SENTIMENT = LabelSet("sentiment", SENTIMENTS, has_polarity=True)
"""The label set of every corpus that declares no other."""

SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True, slots=True)
class Word:
    """A spoken word and when it was said."""

    text: str
    start_seconds: float
    """On the time axis of the clip's file, like ``Clip.start_seconds``."""
    end_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Clip:
    """What there is to read, hear and see of one clip, labelled or not."""

    clip_id: str
    """Never changes and is unique over all corpora: ``mosei/train/3aIQUQgawaI[4]``, ``meld/test/dia0_utt0``."""
    text: str = ""
    """The transcript; empty where there is none."""
    words: tuple[Word, ...] = ()
    """The transcript's words with their times, where they are known."""
    start_seconds: float | None = None
    """Where the clip starts in its file; None where the clip is a file of its own."""
    end_seconds: float | None = None
    clip_path: str | None = None
    """Video or sound file, where there is one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Utterance(Clip):
    """A labelled clip: what one speaker says."""

    video_id: str
    """What the clip was cut from, a video or a dialogue: clips of one are not independent."""
    split: Split
    sentiment: int
    """Index into SENTIMENTS; where the corpus has another label set, into its classes."""
    polarity: float | None = None
    """In [-3, 3]; None where the corpus has classes only."""
    speaker: str | None = None
    label_set: LabelSet = SENTIMENT
    """Of the corpus."""

    @property
    def class_name(self) -> str:
        """The name of the clip's class."""
        return self.label_set.classes[self.sentiment]


TIME_MARKS = ("start_seconds", "end_seconds")
"""Marks of every modality that knows when a step was: on the time axis of the clip's file; NaN where unknown."""

FACE_MARKS = (*TIME_MARKS, "left", "top", "width", "height", "confidence", "track")
"""Marks of a video step: the speaker's face box as shares of the upright frame's width and height, the detector's
confidence in [0, 1], and the number of the track; NaN (track -1) where the speaker was not seen."""


@dataclass(frozen=True, slots=True)
class Features:
    """What an extractor makes of one clip in one modality: a sequence of feature vectors."""

    values: Float[np.ndarray, "time feature"]
    valid: Bool[np.ndarray, " time"]
    """False at steps without an observation (a frame without a face); their values are 0 and mean nothing."""
    marks: Float[np.ndarray, "time mark"] | None = None
    """What is known of each step beside its features: when it was, where the face was. Named by the extractor."""


@dataclass(frozen=True, slots=True)
class Steps:
    """One modality of a batch, padded to its longest sequence."""

    values: Float[Tensor, "batch time feature"] | Int[Tensor, "batch time feature"]
    """Features; or, for an encoder that is fine-tuned, token ids as integers with a single feature."""
    valid: Bool[Tensor, "batch time"]
    """True = a real time step. Padding and unobserved steps are False and never change a number."""

    def to(self, device: torch.device | str) -> Steps:
        """The same steps on a device."""
        return replace(self, values=self.values.to(device), valid=self.valid.to(device))


@dataclass(frozen=True, slots=True)
class Batch:
    """Some clips, ready for a method."""

    clip_ids: tuple[str, ...]
    steps: Mapping[str, Steps]
    """By modality."""
    sentiment: Int[Tensor, " batch"]
    """Index into SENTIMENTS; where the corpora have another label set, into its classes."""
    polarity: Float[Tensor, " batch"]
    """In [-3, 3]; NaN where the corpus has classes only."""
    domain: Int[Tensor, " batch"]
    """Index of the clip's domain among the source domains of the run; -1 for a target."""

    def __len__(self) -> int:
        return len(self.clip_ids)

    def to(self, device: torch.device | str) -> Batch:
        """The same clips on a device."""
        return replace(
            self,
            steps={modality: steps.to(device) for modality, steps in self.steps.items()},
            sentiment=self.sentiment.to(device),
            polarity=self.polarity.to(device),
            domain=self.domain.to(device),
        )


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a method says of a batch."""

    logits: Float[Tensor, "batch output"]
    auxiliary: Mapping[str, Tensor] = field(default_factory=dict)
    """Named tensors that the method's own loss or a measurement reads (``logits_text``, ``kept_video`` ...)."""
