"""`mllm`: what a multimodal language model says of each clip, untrained, as features that the method `mllm` reads.

A clip's features are one step with the log-likelihoods of the class words after its prompt, then those of the same
words after a prompt without content. They are stored like any features: an answer is asked for once, and an interrupted
run goes on where it stopped. Of modality text, the prompt holds the transcript alone; of modality video, also pictures
of the speaker's face.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
from jaxtyping import Float

from msadg.errors import MsadgWarning
from msadg.extraction.clipwise import ClipExtractor
from msadg.extraction.engines.engine import Engine, make_engine
from msadg.extraction.extractor import JSON, Loss
from msadg.extraction.zero_shot.language_model import Asked, LanguageModel, Precision
from msadg.extraction.zero_shot.pictures import PictureConfig, SpeakerPictures, pictures_in
from msadg.extraction.zero_shot.prompt import NO_CONTENT, WORDS
from msadg.settings import require
from msadg.types import FACE_MARKS, TIME_MARKS, Clip, Features

FEATURES = (*WORDS, *(f"{word}, without content" for word in WORDS))
"""Names of the features, in order."""

GREY = 128
"""Of the pictures that show nothing."""


@dataclass(frozen=True, kw_only=True)
class TranscriptConfig:
    """Which model is asked, and how."""

    model: str = "llava-1.5-7b"
    """A short name (``zero_shot.models.MODELS``), a name on the hub, or a local folder."""
    revision: str | None = None
    """Branch, tag or commit on the hub."""
    precision: Precision = "bfloat16"
    """Of weights and arithmetic; ``float32`` on a CPU without bfloat16 of its own."""
    max_words: int = 256
    """Longer transcripts are cut, with a warning that counts them."""
    lower_capitals: bool = True
    """Lower a transcript without a single small letter, as MOSI's are: capitals would be read as shouting."""
    batch_size: int = 8
    """Clips asked about at once; decides memory and speed, and the last bits at most."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the model runs; ``auto`` is a CUDA device where there is one."""

    def __post_init__(self) -> None:
        require("max_words", self.max_words, at_least=1)
        require("batch_size", self.batch_size, at_least=1)


@dataclass(frozen=True, slots=True)
class Question:
    """What the model is asked about one clip, and the marks of its answer."""

    asked: Asked
    marks: Float[np.ndarray, "1 mark"] | None = None


UNRECORDED = ("model", "revision", "precision", "batch_size", "device")
"""Of the config: what is said by the model's own settings, or decides no number."""


class TranscriptAnswers(ClipExtractor):
    """Asked with the transcript alone.

    Args:
        config: an instance of the class's ``Config``.
        name: of its store.
        engine: who finds the pictures of clips; None is that of ``fill_store``, else one process a core.

    Raises:
        UsageError, FeatureError: see LanguageModel.
    """

    modality: ClassVar[str] = "text"
    kind = "mllm"
    version = "1"
    Config: ClassVar[type] = TranscriptConfig
    config: TranscriptConfig
    dtype = "float32"
    marks: tuple[str, ...] = ()
    is_batched: ClassVar[bool] = True

    def __init__(self, config: Any = None, *, name: str | None = None, engine: Engine | None = None) -> None:
        super().__init__(config, name=name)
        self.engine = engine
        c = self.config
        self.model = LanguageModel(c.model, revision=c.revision, precision=c.precision, device=c.device)

    @property
    def settings(self) -> Mapping[str, JSON]:
        """What decides the answers: the model, its prompt, and what goes into it."""
        own = {name: value for name, value in super().settings.items() if name not in UNRECORDED}
        return {**own, **self.model.settings(Asked("...", self._empty_pictures)), "row_note": "transcript only"}

    @property
    def dim(self) -> int:
        """Width of a feature vector."""
        return len(FEATURES)

    def input_of(self, clip: Clip) -> bytes:
        """The transcript; of an empty one not b"", which would say that a file is not there."""
        return clip.text.encode("utf-8") or b"\0"

    def extract_one(self, clip: Clip) -> Features | Loss:
        """Return what the model says of one clip, or why it was not asked."""
        (answer,) = self.extract([clip])
        return answer

    def features_of(self, clip: Clip) -> Features:
        """Not used: a clip's answer is made by ``extract``, with those of others."""
        raise NotImplementedError

    def extract(self, clips: Sequence[Clip]) -> Iterator[Features | Loss]:
        """Yield what the model says of each clip, in order; a Loss where it cannot be asked."""
        questions = self._questions(clips)
        answers: dict[int, Features | Loss] = {at: one for at, one in enumerate(questions) if isinstance(one, Loss)}
        todo = [(at, one) for at, one in enumerate(questions) if isinstance(one, Question)]
        todo.sort(key=lambda item: (len(item[1].asked.pictures), len(item[1].asked.transcript)))  # little padding
        for start in range(0, len(todo), self.config.batch_size):
            batch = todo[start : start + self.config.batch_size]
            said = self.model.likelihoods([one.asked for _, one in batch]).numpy()
            for (at, one), row in zip(batch, said, strict=True):
                values = np.concatenate([row, self._without_content])[None].astype(np.float32)
                answers[at] = Features(values, np.ones(1, bool), one.marks)
        yield from (answers[at] for at in range(len(clips)))

    @cached_property
    def _without_content(self) -> Float[np.ndarray, " word"]:
        """The log-likelihood of each word where a clip says nothing."""
        return np.asarray(self.model.likelihoods([Asked(NO_CONTENT, self._empty_pictures)])[0].numpy())

    @property
    def _empty_pictures(self) -> tuple[np.ndarray, ...]:
        return ()

    def _questions(self, clips: Sequence[Clip]) -> list[Question | Loss]:
        """What the model is asked about each clip, or why it cannot be."""
        empty = Loss("transcript", "the transcript is empty")
        transcripts = self._transcripts(clips)
        return [text if isinstance(text, Loss) else Question(Asked(text)) if text else empty for text in transcripts]

    def _transcripts(self, clips: Sequence[Clip]) -> list[str | Loss]:
        """The transcripts as they go into prompts; "" where there is none."""
        most = self.config.max_words
        cut = [clip.clip_id for clip in clips if len(clip.text.split()) > most]
        if cut:
            message = f"{len(cut)} of {len(clips)} transcripts were cut to {most} words (first: {cut[0]})"
            warnings.warn(MsadgWarning(message), stacklevel=4)
        return [self._transcript(" ".join(clip.text.split()[:most])) for clip in clips]

    def _transcript(self, text: str) -> str | Loss:
        if self.config.lower_capitals and text.upper() == text:
            text = text.lower()
        sign = self.model.foreign_word(text)
        if sign is not None:
            return Loss("transcript", f"the transcript holds {sign!r}, which is a sign to the model and no word")
        return text


@dataclass(frozen=True, kw_only=True)
class AnswersConfig(TranscriptConfig, PictureConfig):
    """Which model is asked, how, and which pictures it is shown."""

    def __post_init__(self) -> None:
        TranscriptConfig.__post_init__(self)
        PictureConfig.__post_init__(self)


class Answers(TranscriptAnswers):
    """Asked with pictures of the speaker's face and the transcript; without a transcript, with the pictures alone."""

    modality: ClassVar[str] = "video"
    version = "1"
    Config: ClassVar[type] = AnswersConfig
    config: AnswersConfig
    marks: tuple[str, ...] = (*TIME_MARKS, "num_pictures", "num_faces")
    """From when to when the pictures are, how many there are, and in how many of them the speaker's face was found: 0
    where whole frames were shown."""

    @property
    def settings(self) -> Mapping[str, JSON]:
        """What decides the answers: the model, its prompt, the pictures."""
        settings = {**super().settings, **self.pictures.settings}
        del settings["row_note"], settings["batch_frames"]
        return settings

    @cached_property
    def pictures(self) -> SpeakerPictures:
        """Finds the pictures of a clip."""
        fields = PictureConfig.__dataclass_fields__
        return SpeakerPictures(PictureConfig(**{name: getattr(self.config, name) for name in fields}))

    def input_of(self, clip: Clip) -> bytes:
        """The content of the clip's file, its times in it and its transcript; b"" where the file is not there."""
        content = self.pictures.input_of(clip)
        return content and content + clip.text.encode("utf-8")

    @property
    def _empty_pictures(self) -> tuple[np.ndarray, ...]:
        side = self.config.side
        return (np.full((side, side, 3), GREY, np.uint8),) * self.config.frames

    def _questions(self, clips: Sequence[Clip]) -> list[Question | Loss]:
        made: list[Question | Loss] = []
        faceless: list[str] = []
        for clip, text, found in zip(clips, self._transcripts(clips), self._shown(clips), strict=True):
            if isinstance(text, Loss):
                made.append(text)
            elif isinstance(found, Loss):
                made.append(found)
            else:
                marks = _summary_of(found)
                faceless += [] if marks[0, -1] else [clip.clip_id]
                made.append(Question(Asked(text, tuple(pictures_in(found, self.config.side))), marks))
        if faceless:
            message = f"{len(faceless)} of {len(clips)} clips show no face; the model was shown whole frames of them"
            warnings.warn(MsadgWarning(f"{message} (first: {faceless[0]})"), stacklevel=3)
        return made

    def _shown(self, clips: Sequence[Clip]) -> list[Features | Loss]:
        """The pictures of each clip, found by as many workers as there are."""
        shown: list[Features | Loss] = [Loss("open", "the corpus names no file for this clip")] * len(clips)
        with_file = [at for at, clip in enumerate(clips) if clip.clip_path is not None]
        if with_file:
            engine = self.engine or make_engine()
            for position, found in engine.run(self.pictures, [clips[at] for at in with_file]):
                shown[with_file[position]] = found
        return shown


def _summary_of(shown: Features) -> Float[np.ndarray, "1 mark"]:
    """The marks of an answer: begin and end of its pictures, how many they are, and how many show a face."""
    assert shown.marks is not None, "pictures have marks"
    num_faces = int(np.isfinite(shown.marks[:, FACE_MARKS.index("width")]).sum())
    return np.array([[shown.marks[0, 0], shown.marks[-1, 1], len(shown.marks), num_faces]])
