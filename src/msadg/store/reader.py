"""Read a feature store: clips by id, values straight from the disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from msadg.errors import StoreError
from msadg.extraction.extractor import Loss
from msadg.store.index import read_index
from msadg.store.journal import Row
from msadg.store.manifest import read_manifest
from msadg.store.writer import MARKS, VALUES, check_rows_are_whole
from msadg.types import Features


class Store:
    """The stored features of a domain's clips in one modality; what lies on the disk is read when asked for.

    A store that is still being written can be read too: it has the clips finished so far. Sent to another process,
    it is opened again there.

    Raises:
        StoreError: there is no store in the folder, or it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest = read_manifest(path)
        self.dim = self.manifest.dim
        self.dtype = np.dtype(self.manifest.dtype)
        self._index = read_index(path)
        self._position = {clip_id: at for at, clip_id in enumerate(self._index.clip_ids)}
        check_rows_are_whole(path, self._index.end, self.manifest)

    def __reduce__(self) -> tuple[type[Store], tuple[Path]]:
        return Store, (self.path,)

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r}: {len(self)} clips, {len(self.losses)} lost)"

    def __len__(self) -> int:
        return len(self._index.clip_ids)

    def __contains__(self, clip_id: object) -> bool:
        return clip_id in self._position

    @property
    def clip_ids(self) -> tuple[str, ...]:
        """The clips with features, in the order they were stored."""
        return self._index.clip_ids

    @cached_property
    def losses(self) -> Mapping[str, Loss]:
        """The clips without features, and why."""
        return {clip_id: lost.loss for clip_id, lost in self._index.losses.items()}

    def input_sha256(self, clip_id: str) -> str | None:
        """Return the hash of what a clip was extracted from, or lost at; None for a clip that is not known."""
        at = self._position.get(clip_id)
        if at is not None:
            return self._index.inputs[at]
        lost = self._index.losses.get(clip_id)
        return lost.input_sha256 if lost else None

    @cached_property
    def inputs_sha256(self) -> str:
        """One hash over every clip and its input: two stores of the same clips share it."""
        return self._index.inputs_sha256

    @property
    def is_complete(self) -> bool:
        """Whether the last writer finished; False after a crash, or while one is at work."""
        return self._index.is_saved and self.manifest.clips is not None

    @cached_property
    def values(self) -> Float[np.ndarray, "row feature"] | Int[np.ndarray, "row feature"]:
        """All steps of all clips, one after the other, as they lie on the disk; reading only."""
        return self._mapped(VALUES, self.dtype, self.dim)

    @cached_property
    def _marks(self) -> Float[np.ndarray, "row mark"]:
        return self._mapped(MARKS, np.dtype(np.float32), len(self.manifest.marks))

    def _mapped(self, name: str, dtype: np.dtype, width: int) -> np.ndarray:
        shape = (self._index.end, width)
        if 0 in shape:
            return np.zeros(shape, dtype)  # An empty file cannot be mapped.
        return np.asarray(np.memmap(self.path / name, dtype, mode="r", shape=shape))

    def row(self, clip_id: str) -> Row:
        """Return where a clip's steps lie.

        Raises:
            StoreError: the store has no such clip; says why where it was lost.
        """
        return self._index.row(self._position_of(clip_id))

    def rows(self, clip_ids: Sequence[str]) -> tuple[Int[np.ndarray, " clip"], Int[np.ndarray, " clip"]]:
        """Return first row and number of steps of each clip; 0 and 0 for one that is not in the store."""
        at = np.array([self._position.get(clip_id, -1) for clip_id in clip_ids], np.int64)
        if not len(self):
            return np.zeros_like(at), np.zeros_like(at)
        return np.where(at < 0, 0, self._index.first[at]), np.where(at < 0, 0, self._index.steps[at])

    def invalid_ranges(self) -> Mapping[str, tuple[tuple[int, int], ...]]:
        """Return, for the clips that have any, the ranges of steps without an observation."""
        positions = np.unique(self._index.invalid[:, 0]).tolist()
        return {self.clip_ids[at]: self._index.row(at).invalid for at in positions}

    def lengths(self, clip_ids: Sequence[str]) -> Int[np.ndarray, " clip"]:
        """Return the number of steps of each clip.

        Raises:
            StoreError: the store has no such clip.
        """
        return self._index.steps[[self._position_of(clip_id) for clip_id in clip_ids]]

    def features(self, clip_id: str) -> Features:
        """Return the features of a clip, straight from the disk in the stored type.

        Token ids come as float32, which holds them exactly; ``values`` has them as integers.

        Raises:
            StoreError: the store has no such clip.
        """
        row = self.row(clip_id)
        values = self.values[row.first : row.first + row.steps]
        valid = np.ones(row.steps, bool)
        for start, stop in row.invalid:
            valid[start:stop] = False
        return Features(values.astype(np.float32) if self.dtype.kind == "i" else values, valid, self.marks(clip_id))

    def marks(self, clip_id: str) -> Float[np.ndarray, "time mark"] | None:
        """Return what is known of each step of a clip, in the columns that ``manifest.marks`` names; None for nothing.

        Raises:
            StoreError: the store has no such clip.
        """
        row = self.row(clip_id)
        return self._marks[row.first : row.first + row.steps] if self.manifest.marks else None

    def _position_of(self, clip_id: str) -> int:
        at = self._position.get(clip_id)
        if at is not None:
            return at
        lost = self._index.losses.get(clip_id)
        why = f"it was lost at {lost.loss.stage!r}: {lost.loss.reason}" if lost else "extract it first"
        raise StoreError(f"{self.path} has no features of {clip_id!r}; {why}")
