"""What extractors of video and sound share: each clip is worked on by itself, so clips can go to other processes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar

from msadg.errors import MediaError
from msadg.extraction.extractor import JSON, Loss
from msadg.extraction.file_hashes import MISSING, NO_FILE, hash_of_file
from msadg.types import TIME_MARKS, Clip, Features

if TYPE_CHECKING:
    from msadg.extraction.engines.engine import Engine


class ClipExtractor(ABC):
    """An extractor whose features of a clip depend on nothing but that clip and the settings.

    Sent to another process, it takes its settings along and loads what it needs there.

    Args:
        config: an instance of the class's ``Config``.
        name: of its store, ``video-hog``, where options are part of it; None for the class's own.
    """

    modality: ClassVar[str]
    kind: ClassVar[str]
    """Its name in the catalogue: ``hog``."""
    version: ClassVar[str]
    Config: ClassVar[type]
    dtype = "float16"
    marks: tuple[str, ...] = TIME_MARKS
    is_batched: ClassVar[bool] = False
    """Whether clips are worked on together by ``extract`` in this process (a large model that is loaded once), and not
    one by one in others."""
    engine: Engine | None = None
    """Who does what a batched extractor does clip by clip, such as decoding; None leaves it to the extractor."""

    def __init__(self, config: Any = None, *, name: str | None = None) -> None:
        self.config = config if config is not None else self.Config()
        self.name = name or f"{self.modality}-{self.kind}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self.config, self.name)

    @property
    def settings(self) -> Mapping[str, JSON]:
        """Every setting of the config; a subclass adds the identity of its weights."""
        return asdict(self.config)

    @property
    @abstractmethod
    def dim(self) -> int:
        """Width of a feature vector."""

    @abstractmethod
    def features_of(self, clip: Clip) -> Features:
        """Return the features of one clip, with a row of marks for each step.

        Raises:
            MediaError: the clip has none; its stage and reason become the clip's Loss.
        """

    def extract(self, clips: Sequence[Clip]) -> Iterator[Features | Loss]:
        """Yield the features of each clip, in order; a Loss where a clip has none."""
        for clip in clips:
            yield self.extract_one(clip)

    def extract_one(self, clip: Clip) -> Features | Loss:
        """Return the features of a clip, or why it has none."""
        if clip.clip_path is None:
            return Loss("open", "the corpus names no file for this clip")
        try:
            return self.features_of(clip)
        except MediaError as error:
            return Loss(error.stage, error.reason)

    def input_of(self, clip: Clip) -> bytes:
        """The content of the clip's file and its times in it; b"" where the file is not there."""
        content = hash_of_file(clip.clip_path)
        if content in (NO_FILE, MISSING):
            return b""
        return repr((content, clip.start_seconds, clip.end_seconds)).encode()


def _rebuilt(kind: type[ClipExtractor], config: Any, name: str) -> ClipExtractor:
    return kind(config, name=name)
