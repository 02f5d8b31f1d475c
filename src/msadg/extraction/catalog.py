"""The extractors by name, and how a name with options is written.

``hog`` is an extractor; ``hog:rate=10,detector=yunet`` the same with options, its fields of ``Config``. The same words
go into ``msadg extract --video``, a recipe's ``data.features.video`` and a run's settings, so that whoever has a run
can make its features again. Any other name of text is that of an encoder, and has no options.
"""

from __future__ import annotations

import hashlib
import importlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msadg.errors import UnknownNameError, UsageError
from msadg.extraction.clipwise import ClipExtractor
from msadg.settings import settings_from
from msadg.types import MODALITIES

EXTRACTORS: dict[str, dict[str, str]] = {
    "text": {
        "mllm": "msadg.extraction.zero_shot.answers:TranscriptAnswers",
    },
    "audio": {
        "logmel": "msadg.extraction.audio.logmel:LogMel",
        "acoustic": "msadg.extraction.audio.acoustic:Acoustic",
        "speech": "msadg.extraction.audio.speech:SpeechEncoder",
    },
    "video": {
        "hog": "msadg.extraction.video.hog:Hog",
        "vggface2": "msadg.extraction.video.vggface2:VGGFace2",
        "openface": "msadg.extraction.video.imported:OpenFace",
        "facet": "msadg.extraction.video.imported:Facet",
        "mllm": "msadg.extraction.zero_shot.answers:Answers",
    },
}
"""Modality -> name -> module:class, a ClipExtractor."""

AUTO = "auto"
"""On the command line, the best extractor of video that needs no network now; see ``chosen_video``."""

LONGEST_NAME = 120
"""Of a store's folder, in bytes; file systems take 255, and a domain's name may come before it."""


@dataclass(frozen=True)
class ExtractorSpec:
    """An extractor's name and options, as written.

    Example:
        >>> spec = ExtractorSpec.parse("video", "hog:rate=10,detector=yunet")
        >>> spec.name, spec.options, spec.folder
        ('hog', (('rate', '10'), ('detector', 'yunet')), 'video-hog-detector=yunet-rate=10')
    """

    modality: str
    name: str
    options: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, modality: str, text: str) -> ExtractorSpec:
        """Read ``name`` or ``name:option=value,option=value``.

        Raises:
            UsageError: an option without a value, or with two.
        """
        name, _, rest = text.partition(":")
        options: list[tuple[str, str]] = []
        for part in filter(None, (piece.strip() for piece in rest.split(","))):
            key, equals, value = part.partition("=")
            if not equals or not value:
                raise UsageError(
                    f"{modality} extractor {text!r}: option {part!r} has no value; write {name}:option=value"
                )
            if key.strip() in dict(options):
                raise UsageError(f"{modality} extractor {text!r}: option {key.strip()!r} is given twice; give it once")
            options.append((key.strip(), value.strip()))
        return cls(modality, name.strip(), tuple(options))

    @property
    def folder(self) -> str:
        """Name of its store's folder; a file among the options goes in by its name, and a long name by its hash."""
        parts = [f"{key}={Path(value).name if '/' in value else value}" for key, value in sorted(self.options)]
        name = re.sub(r"[^\w.=+-]", "_", "-".join([self.modality, self.name, *parts]))
        if len(name.encode()) <= LONGEST_NAME:
            return name
        return f"{self.modality}-{self.name}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def chosen_video(text: str) -> str:
    """Return ``text`` with an extractor's name in the place of ``auto``: options and results go by the name.

    It is ``vggface2`` where its weights were downloaded before, or are an option, and else ``hog``.

    Example:
        >>> chosen_video("auto:weights=w.pt,rate=10"), chosen_video("hog")
        ('vggface2:weights=w.pt,rate=10', 'hog')
    """
    spec = ExtractorSpec.parse("video", text)
    if spec.name != AUTO:
        return text
    from msadg.extraction.video.vggface2 import has_weights

    name = "vggface2" if "weights" in dict(spec.options) or has_weights() else "hog"
    return ":".join([name, *filter(None, [",".join(f"{key}={value}" for key, value in spec.options)])])


def is_in_catalogue(modality: str, text: str) -> bool:
    """Whether a name, with or without options, is that of an extractor here; a text encoder is not.

    Example:
        >>> is_in_catalogue("text", "mllm:model=llava-1.5-7b"), is_in_catalogue("text", "minilm")
        (True, False)
    """
    return text.partition(":")[0].strip() in EXTRACTORS.get(modality, {})


def make_extractor(modality: str, text: str) -> ClipExtractor:
    """Return the extractor that ``text`` names; nothing heavy is loaded yet.

    Raises:
        UnknownNameError: no such modality or extractor.
        SettingsError: an option that it does not have or cannot take.
    """
    if modality not in EXTRACTORS:
        raise UnknownNameError("modality with extractors", modality, [m for m in MODALITIES if m in EXTRACTORS])
    spec = ExtractorSpec.parse(modality, text)
    if spec.name not in EXTRACTORS[modality]:
        raise UnknownNameError(f"{modality} extractor", spec.name, [*EXTRACTORS[modality], "simulated"])
    module, _, attribute = EXTRACTORS[modality][spec.name].partition(":")
    kind: type[ClipExtractor] = getattr(importlib.import_module(module), attribute)
    config: Any = settings_from(kind.Config, dict(spec.options), where=f"{modality} extractor {text!r}")
    return kind(config, name=spec.folder)
