"""Published files with the sequences of all clips of a corpus: one clip's rows at a time, by the safe readers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Shaped

from msadg.corpora.csd import open_sequence, read_steps
from msadg.corpora.mmsa import pickle_features
from msadg.errors import CorpusError, MediaError
from msadg.types import Clip

Found: TypeAlias = tuple[Shaped[np.ndarray, "row feature"], Float[np.ndarray, " row"] | None]
"""A clip's rows, and when each began, where the file says so."""


@dataclass(frozen=True)
class CsdFile:
    """A computational sequence of the CMU-MultimodalSDK: whole videos, on their own time axis."""

    path: Path

    @cached_property
    def width(self) -> int:
        """Columns of the first video.

        Raises:
            CorpusError: the file cannot be read, or holds no video.
        """
        with open_sequence(self.path) as data:
            for video_id in data:
                return int(read_steps(data, self.path, video_id)[1].shape[1])
        raise CorpusError(f"{self.path} holds no video; fetch it again")

    def rows(self, clip: Clip) -> Found | None:
        """Return the rows that start inside the clip's times; None where the file does not have its video.

        Raises:
            MediaError: the video is damaged or of another width, or nothing starts inside the times.
        """
        try:
            with open_sequence(self.path) as data:
                video_id = next((name for name in video_ids(clip) if name in data), None)
                if video_id is None:
                    return None
                intervals, features = read_steps(data, self.path, video_id)
        except CorpusError as error:
            raise MediaError("import", str(error)) from None
        if features.shape[1] != self.width or features.dtype.kind not in "fiu":
            raise MediaError(
                "import",
                f"{self.path}, {video_id}: {features.shape[1]} columns of {features.dtype}; expected {self.width} "
                "numbers as in the rest of the file",
            )
        inside = np.isfinite(intervals[:, 0])
        if clip.start_seconds is not None and clip.end_seconds is not None:
            inside &= (intervals[:, 0] >= clip.start_seconds) & (intervals[:, 0] < clip.end_seconds)
        if not inside.any():
            raise MediaError(
                "time", f"{self.path}, {video_id}: no step starts inside {clip.start_seconds} to {clip.end_seconds} s"
            )
        return features[inside], intervals[inside, 0].astype(np.float64)


@dataclass(frozen=True)
class PickleFile:
    """One of MMSA's feature files: a clip's own steps, without times. Read whole, once a process."""

    path: Path

    @cached_property
    def _by_clip(self) -> Mapping[tuple[str, str], Shaped[np.ndarray, "row feature"]]:
        found = pickle_features(self.path, None, "any", "video")
        return {parts_of_id(clip_id)[1:]: features.values for clip_id, features in found}

    @cached_property
    def width(self) -> int:
        """Columns of the first clip.

        Raises:
            CorpusError: the file cannot be read, or holds no clip.
        """
        for values in self._by_clip.values():
            return int(values.shape[1])
        raise CorpusError(f"{self.path} holds no clip; fetch it again")

    def rows(self, clip: Clip) -> Found | None:
        """Return the clip's steps, up to its stated length; None where the file does not have it."""
        values = self._by_clip.get(parts_of(clip)[1:])
        return None if values is None else (values, None)


SequenceFile: TypeAlias = CsdFile | PickleFile


def open_sequence_file(path: Path) -> SequenceFile:
    """Return the reader of a .csd or .pkl; one and the same until the file changes."""
    found = path.stat()
    return _opened(path, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=4)
def _opened(path: Path, _size: int, _changed: int) -> SequenceFile:
    return CsdFile(path) if path.suffix == ".csd" else PickleFile(path)


def parts_of(clip: Clip) -> tuple[str, str, str]:
    """Domain, split and local id of a clip; "" for what its id lacks."""
    return parts_of_id(clip.clip_id)


def parts_of_id(clip_id: str) -> tuple[str, str, str]:
    """Domain, split and local id of a clip id.

    Example:
        >>> parts_of_id("mosei/train/3aIQUQgawaI[4]"), parts_of_id("mine")
        (('mosei', 'train', '3aIQUQgawaI[4]'), ('', '', 'mine'))
    """
    parts = clip_id.split("/", 2)
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else ("", "", clip_id)


def video_ids(clip: Clip) -> list[str]:
    """What the video may be called that a clip was cut from; without the clip's times, only the clip itself is it."""
    local = parts_of(clip)[2]
    video = re.sub(r"\[\w+\]$", "", local)
    if clip.start_seconds is None or clip.end_seconds is None:
        return [local] if video == local else []
    names = [Path(clip.clip_path).stem if clip.clip_path else "", getattr(clip, "video_id", ""), video]
    return list(dict.fromkeys(filter(None, names)))
