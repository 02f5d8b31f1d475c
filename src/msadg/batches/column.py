"""One modality of some clips: where each clip's steps lie, in one or several stores, and padded batches of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from msadg.errors import FeatureError
from msadg.store.reader import Store
from msadg.types import Steps

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Column:
    """The stored features of one modality, clip by clip."""

    modality: str
    stores: tuple[Store, ...]
    store_of: Int[np.ndarray, " clip"]
    """Index into ``stores``."""
    first: Int[np.ndarray, " clip"]
    """Row of the clip's first step."""
    stored: Int[np.ndarray, " clip"]
    """Steps in the store; 0 for a clip that is not in it."""
    max_steps: int | None
    """Longer clips are shortened to this; see ``chosen_steps``."""
    invalid: Mapping[int, Ranges]
    """By clip: ranges of steps without an observation."""

    @classmethod
    def of(cls, modality: str, store: Store, clip_ids: Sequence[str], max_steps: int | None) -> Column:
        """Return the column of these clips in one store."""
        first, stored = store.rows(clip_ids)
        ranges = store.invalid_ranges()
        invalid = {at: ranges[clip_id] for at, clip_id in enumerate(clip_ids) if clip_id in ranges}
        return cls(modality, (store,), np.zeros(len(clip_ids), np.int64), first, stored, max_steps, invalid)

    @property
    def dim(self) -> int:
        """Features a step."""
        return self.stores[0].dim

    @property
    def lengths(self) -> Int[np.ndarray, " clip"]:
        """Steps of each clip in a batch, before padding."""
        return self.stored if self.max_steps is None else np.minimum(self.stored, self.max_steps)

    @property
    def num_valid(self) -> Int[np.ndarray, " clip"]:
        """Stored steps of each clip with an observation."""
        observed = self.stored.copy()
        for at, ranges in self.invalid.items():
            observed[at] -= sum(stop - start for start, stop in ranges)
        return observed

    def chosen(self, clips: Int[np.ndarray, " chosen"]) -> Column:
        """Return the column of some of the clips."""
        invalid = {new: self.invalid[old] for new, old in enumerate(clips.tolist()) if old in self.invalid}
        return Column(
            self.modality,
            self.stores,
            self.store_of[clips],
            self.first[clips],
            self.stored[clips],
            self.max_steps,
            invalid,
        )

    def gather(self, clips: Int[np.ndarray, " batch"]) -> Steps:
        """Return the steps of some clips, padded to the longest; float32, or int64 for token ids."""
        lengths = self.lengths[clips]
        # One step of padding where no clip of the batch has any: nothing downstream has to expect an empty sequence.
        longest = max(int(lengths.max(initial=0)), 1)
        # Gathered as stored and converted once: twice as fast as converting clip by clip.
        values = np.zeros((len(clips), longest, self.dim), self.stores[0].dtype)
        valid = np.arange(longest) < lengths[:, None]
        for at, (clip, length) in enumerate(zip(clips.tolist(), lengths.tolist(), strict=True)):
            first = self.first[clip]
            rows = self.stores[self.store_of[clip]].values
            if length == self.stored[clip]:
                values[at, :length] = rows[first : first + length]
            else:
                values[at, :length] = rows[first + self._steps_of(clip)]
            if clip in self.invalid:
                valid[at, :length] = self._is_observed(clip)
        return Steps(_as_tensor(values), torch.from_numpy(valid))

    def _steps_of(self, clip: int) -> Int[np.ndarray, " time"]:
        return chosen_steps(int(self.stored[clip]), self.max_steps, from_head=self.modality == "text")

    def _is_observed(self, clip: int) -> Bool[np.ndarray, " time"]:
        observed: Bool[np.ndarray, " time"] = np.ones(self.stored[clip], bool)
        for start, stop in self.invalid[clip]:
            observed[start:stop] = False
        kept: Bool[np.ndarray, " time"] = observed[self._steps_of(clip)]
        return kept


def chosen_steps(num_steps: int, max_steps: int | None, *, from_head: bool) -> Int[np.ndarray, " time"]:
    """Return which steps stay when a sequence is shortened to ``max_steps``.

    From the head (text: a transcript loses its end), or evenly spaced from the first to the last (audio, video).

    Example:
        >>> chosen_steps(9, 3, from_head=True).tolist(), chosen_steps(9, 3, from_head=False).tolist()
        ([0, 1, 2], [0, 4, 8])
    """
    if max_steps is None or num_steps <= max_steps:
        return np.arange(num_steps)
    if from_head:
        return np.arange(max_steps)
    if max_steps == 1:
        return np.array([num_steps // 2])
    return np.linspace(0, num_steps - 1, max_steps).round().astype(np.int64)


def joined_columns(columns: Sequence[Column]) -> Column:
    """Return one column of the clips of several, in order.

    Raises:
        FeatureError: their stores were not written by the same extractor, or are not equally wide.
    """
    head = columns[0].stores[0]
    for store in (store for column in columns for store in column.stores):
        if _kind_of(store) != _kind_of(head):
            raise FeatureError(
                f"{columns[0].modality} features of different kinds cannot train one model: {head.path} has "
                f"{_told(head)}, {store.path} has {_told(store)}; extract both with the same extractor"
            )
    stores = np.cumsum([0, *(len(column.stores) for column in columns)])
    clips = np.cumsum([0, *(len(column.first) for column in columns)])
    return Column(
        columns[0].modality,
        tuple(store for column in columns for store in column.stores),
        np.concatenate([column.store_of + offset for column, offset in zip(columns, stores, strict=False)]),
        np.concatenate([column.first for column in columns]),
        np.concatenate([column.stored for column in columns]),
        columns[0].max_steps,
        {
            int(at + offset): ranges
            for column, offset in zip(columns, clips, strict=False)
            for at, ranges in column.invalid.items()
        },
    )


def _kind_of(store: Store) -> tuple[str, str, int, str, str]:
    manifest = store.manifest
    return manifest.extractor, manifest.version, manifest.dim, manifest.dtype, manifest.digest


def _told(store: Store) -> str:
    extractor, version, dim, dtype, digest = _kind_of(store)
    return f"{dim} {dtype} features of {extractor} (version {version}, settings {digest[:8]})"


def _as_tensor(values: np.ndarray) -> Tensor:
    tensor = torch.from_numpy(values)
    return tensor.float() if tensor.is_floating_point() else tensor.long()
