"""Speech recognition by the optional package faster-whisper (Whisper models for CTranslate2)."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from msadg.errors import FeatureError, UsageError
from msadg.extraction.audio.windows import sound_of
from msadg.extraction.extractor import JSON
from msadg.extraction.file_hashes import hash_of_file
from msadg.extraction.hub import asking_the_hub
from msadg.extraction.media.sound import SAMPLE_RATE_HZ
from msadg.extraction.transcripts.transcribe import FASTER_WHISPER, Transcriber, Transcript
from msadg.types import Clip, Word


@dataclass(frozen=True)
class FasterWhisperTranscriber(Transcriber):
    """A Whisper model run by faster-whisper, on the CPU; beam search without its random second tries.

    Args:
        model: ``small``, ``large-v3`` ..., a name on the hub, or a local folder.
        language: code of the speech's language; None lets the model find out.
        revision: branch, tag or commit on the hub.

    Raises:
        UsageError: the package is not installed.
        FeatureError: the model cannot be had; raised when first needed.
    """

    model: str
    language: str | None = None
    revision: str | None = None

    def __post_init__(self) -> None:
        if not _is_installed():
            raise UsageError(
                f"{FASTER_WHISPER}{self.model} needs a package that is not installed: "
                "pip install 'msadg[faster-whisper]'"
            )

    @property
    def identity(self) -> Mapping[str, JSON]:
        """Package, model, the hash of its weights, and the language."""
        import faster_whisper  # type: ignore[import-not-found]

        name = Path(self.model).resolve().name if Path(self.model).is_dir() else self.model
        return {
            "model": f"{FASTER_WHISPER}{name}",
            "package_version": str(faster_whisper.__version__),
            "weights_sha256": hash_of_file(self._folder / "model.bin"),
            "language": self.language,
        }

    def transcribe(self, clip: Clip) -> Transcript:
        """Return what is said in a clip."""
        sound = sound_of(clip, SAMPLE_RATE_HZ)
        heard, _ = self._recogniser.transcribe(
            sound.samples, language=self.language, word_timestamps=True, temperature=0.0
        )
        segments = list(heard)  # the package recognises as one asks for the next
        words = tuple(
            Word(word.word.strip(), sound.start_seconds + float(word.start), sound.start_seconds + float(word.end))
            for segment in segments
            for word in segment.words or ()
            if word.word.strip()
        )
        return Transcript("".join(segment.text for segment in segments).strip(), words)

    @cached_property
    def _folder(self) -> Path:
        """Where the model's files lie; fetched once."""
        if Path(self.model).is_dir():
            return Path(self.model)
        from faster_whisper import download_model

        with suppress(OSError, ValueError):  # the files at hand, before the hub's; a download may have been stopped
            folder = Path(download_model(self.model, revision=self.revision, local_files_only=True))
            if (folder / "model.bin").is_file():
                return folder
        try:
            with asking_the_hub():
                return Path(download_model(self.model, revision=self.revision))
        except (OSError, ValueError) as error:
            raise FeatureError(
                f"{FASTER_WHISPER}{self.model} cannot be had: {str(error).splitlines()[0]} "
                "Give a model's name (small, large-v3) or a local folder with its files"
            ) from error

    @cached_property
    def _recogniser(self) -> Any:
        from faster_whisper import WhisperModel

        return WhisperModel(str(self._folder), device="cpu", compute_type="float32")


def _is_installed() -> bool:
    try:
        return importlib.util.find_spec("faster_whisper") is not None
    except ValueError:  # blocked in sys.modules
        return False
