"""Speech recognition: a transcript, with word times where the model gives them, for clips that have none.

Any speech-recognition model of Hugging Face that is a Whisper or a CTC model, through the library's own pipeline; or,
by the name ``faster-whisper:small``, one of the optional package faster-whisper. Decoding does not draw at random. A
recognised transcript is not a human's: whoever asks for one writes the recogniser's ``identity`` down with it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from msadg.errors import FeatureError, UnknownNameError, UsageError
from msadg.extraction.audio.windows import sound_of
from msadg.extraction.extractor import JSON
from msadg.extraction.pretrained import RECOGNITION, identity_of, load_part, load_weights
from msadg.types import Clip, Word

FASTER_WHISPER = "faster-whisper:"
"""How the name of a model for the optional package begins."""

CHUNK_SECONDS = 20.0
"""A CTC model hears a long sound in chunks of this length, of which the library drops a sixth at either side."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said in a clip."""

    text: str
    """Empty where nothing was recognised."""
    words: tuple[Word, ...] = ()
    """With times on the axis of the clip's file; () where the model gives none."""


class Transcriber(ABC):
    """Recognises the speech of clips."""

    @property
    @abstractmethod
    def identity(self) -> Mapping[str, JSON]:
        """Model, its revision or the hash of its weights, and the language: what decides the words."""

    @abstractmethod
    def transcribe(self, clip: Clip) -> Transcript:
        """Return what is said in a clip.

        Raises:
            MediaError: its sound cannot be had.
        """


def make_transcriber(model: str, language: str | None = None, *, revision: str | None = None) -> Transcriber:
    """Return a recogniser; its weights are read when it is first used.

    Args:
        model: a name on the hub (``openai/whisper-small``, ``facebook/wav2vec2-base-960h``), a local folder, or
            ``faster-whisper:`` with a name or folder of that package.
        language: of the speech, as the model calls it (``en``); None lets it find out.
        revision: branch, tag or commit on the hub.

    Raises:
        UsageError: ``faster-whisper:`` is asked for and not installed, or names no model.
    """
    if not model.startswith(FASTER_WHISPER):
        return HubTranscriber(model, language, revision)
    name = model.removeprefix(FASTER_WHISPER)
    if not name:
        raise UsageError(f"{model!r} names no model; write {FASTER_WHISPER}small, for instance")
    from msadg.extraction.transcripts.faster_whisper import FasterWhisperTranscriber

    return FasterWhisperTranscriber(name, language, revision)


@dataclass(frozen=True)
class HubTranscriber(Transcriber):
    """A Whisper or CTC model of Hugging Face; on the CPU, in float32.

    Words have times from any CTC model, and from a Whisper model whose generation config names the attention heads
    that follow the sound. A Whisper model hears a long sound in its own windows of 30 s, a CTC model in chunks.

    Args:
        model: a name on the hub, or a local folder.
        language: of the speech; only a Whisper model of many languages can be told.
        revision: branch, tag or commit on the hub.

    Raises:
        FeatureError: the model cannot be had, or is neither kind; raised when first needed, as are the others.
        UsageError: a language for a model that cannot be told one.
        UnknownNameError: a language that Whisper does not know.
    """

    model: str
    language: str | None = None
    revision: str | None = None

    @property
    def identity(self) -> Mapping[str, JSON]:
        """Model, its revision on the hub or the hash of its weights, and the language."""
        return {**identity_of(self.model, self.revision, RECOGNITION), "language": self.language}

    def transcribe(self, clip: Clip) -> Transcript:
        """Return what is said in a clip."""
        recognise = self._pipeline
        rate_hz = int(recognise.feature_extractor.sampling_rate)
        sound = sound_of(clip, rate_hz)
        options = self._whisper_options(len(sound.samples)) if self._is_whisper else CTC_OPTIONS
        heard = recognise({"raw": sound.samples.astype(np.float32), "sampling_rate": rate_hz}, **options)
        chunks = heard.get("chunks", ()) if options.get("return_timestamps") == "word" else ()
        return Transcript(heard["text"].strip(), _words_of(chunks, sound.start_seconds, sound.end_seconds))

    def _whisper_options(self, num_samples: int) -> dict[str, Any]:
        generation, is_long = self._pipeline.model.generation_config, num_samples > self._num_samples_at_once
        has_word_times = bool(getattr(generation, "alignment_heads", None))
        if is_long and not hasattr(generation, "no_timestamps_token_id"):
            raise FeatureError(
                f"{self.model} lacks `no_timestamps_token_id` in its generation_config.json, without which a Whisper "
                "model cannot hear a clip of more than 30 s; choose another, or cut the clips"
            )
        options: dict[str, Any] = {"return_timestamps": "word" if has_word_times else True if is_long else None}
        if getattr(generation, "is_multilingual", False):
            options["generate_kwargs"] = {"task": "transcribe", "language": self.language}
        return options

    @property
    def _num_samples_at_once(self) -> int:
        return int(self._pipeline.feature_extractor.n_samples)

    @cached_property
    def _is_whisper(self) -> bool:
        return bool(self._pipeline.type == "seq2seq_whisper")

    @cached_property
    def _pipeline(self) -> Any:
        from transformers import AutoFeatureExtractor, AutoTokenizer, pipeline

        model = self._load_model()
        tokenizer, preprocessor = (
            load_part(kind.from_pretrained, self.model, self.revision, RECOGNITION)
            for kind in (AutoTokenizer, AutoFeatureExtractor)
        )
        return pipeline(
            "automatic-speech-recognition",
            model=model,
            tokenizer=tokenizer,
            feature_extractor=preprocessor,
            device="cpu",
        )

    def _load_model(self) -> Any:
        from transformers import AutoConfig, AutoModelForCTC, AutoModelForSpeechSeq2Seq
        from transformers.models.auto.modeling_auto import MODEL_FOR_CTC_MAPPING

        config = load_part(AutoConfig.from_pretrained, self.model, self.revision, RECOGNITION)
        if config.model_type == "whisper":
            kind: Any = AutoModelForSpeechSeq2Seq
        elif type(config) in MODEL_FOR_CTC_MAPPING:
            kind = AutoModelForCTC
        else:
            raise FeatureError(f"{self.model} ({config.model_type}) is no recogniser of the Whisper or the CTC kind")
        model = load_weights(kind.from_pretrained, self.model, self.revision, RECOGNITION)
        self._check_language(
            is_whisper=config.model_type == "whisper", generation=getattr(model, "generation_config", None)
        )
        return model

    def _check_language(self, *, is_whisper: bool, generation: Any) -> None:
        if self.language is None:
            return
        if not is_whisper or not getattr(generation, "is_multilingual", False):
            raise UsageError(f"{self.model} knows the language that it was trained on; leave the language out")
        from transformers.models.whisper.tokenization_whisper import LANGUAGES, TO_LANGUAGE_CODE

        known = {*LANGUAGES, *TO_LANGUAGE_CODE}
        if self.language.lower() not in known:
            raise UnknownNameError("language of Whisper", self.language, known)


CTC_OPTIONS: Mapping[str, Any] = {"return_timestamps": "word", "chunk_length_s": CHUNK_SECONDS}


def _words_of(
    chunks: Sequence[Mapping[str, Any]], begin_seconds: int | float, end_seconds: int | float
) -> tuple[Word, ...]:
    """Return the words of the library's chunks on the time axis of the file.

    A word that was still going on when the sound ended has no end there; it ends with the sound.
    """
    words = []
    for chunk in chunks:
        start, end = chunk["timestamp"]
        if chunk["text"].strip():
            stop = float(end_seconds) if end is None else begin_seconds + float(end)
            words.append(Word(chunk["text"].strip(), begin_seconds + float(start), stop))
    return tuple(words)
