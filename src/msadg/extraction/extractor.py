"""What every extractor is: from clips to one sequence of feature vectors each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

from msadg.types import Clip, Features

JSON: TypeAlias = str | int | float | bool | list[Any] | dict[str, Any] | None
"""What a manifest can hold."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Why one clip has no features."""

    stage: str
    """Where it stopped: ``transcript``, ``open``, ``decode``, ``time``, ``face``, ``sound``, ``values``, ``worker``."""
    reason: str
    """A sentence with what was met."""


@runtime_checkable
class Extractor(Protocol):
    """From a batch of clips to their features; settings that change a number are in ``settings``."""

    @property
    def name(self) -> str:
        """Its name, and the folder of its store: ``text-minilm``."""
        ...

    @property
    def modality(self) -> str:
        """One of MODALITIES."""
        ...

    @property
    def version(self) -> str:
        """Changes when the same settings give other numbers."""
        ...

    @property
    def settings(self) -> Mapping[str, JSON]:
        """What decides the numbers, the weights included; stored in the manifest and compared on every fill."""
        ...

    @property
    def dim(self) -> int:
        """Width of a feature vector."""
        ...

    @property
    def dtype(self) -> str:
        """How a store keeps the values: ``float16``, or ``int32`` for token ids."""
        ...

    @property
    def marks(self) -> tuple[str, ...]:
        """Names of what is kept of each step beside its features (``types.FACE_MARKS``); () for nothing."""
        ...

    def extract(self, clips: Sequence[Clip]) -> Iterator[Features | Loss]:
        """Yield the features of each clip, in order; a Loss where a clip has none."""
        ...

    def input_of(self, clip: Clip) -> bytes:
        """What is hashed to notice that a clip's input changed: the transcript, for text; the file, for video.

        b"" where a clip's file is not there.
        """
        ...
