"""The index of a feature store: the journal as arrays, so that tens of thousands of clips open at once."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from msadg.extraction.extractor import Loss
from msadg.store.atomic import atomic_path
from msadg.store.journal import FILE_NAME as JOURNAL
from msadg.store.journal import LostClip, Row, read_journal

FILE_NAME = "index.npz"


@dataclass(frozen=True)
class Index:
    """Where each clip's steps lie, by position in ``clip_ids``."""

    clip_ids: tuple[str, ...]
    first: Int[np.ndarray, " clip"]
    steps: Int[np.ndarray, " clip"]
    inputs: tuple[str, ...]
    """Hash of each clip's input."""
    invalid: Int[np.ndarray, "range 3"]
    """Ranges without an observation: position of the clip (rising), first step, step after the last."""
    losses: Mapping[str, LostClip]
    journal_bytes: int
    """Length of the journal that this was made from: a longer one has news."""
    is_saved: bool = False
    """Whether it was read from its own file."""

    def row(self, position: int) -> Row:
        """Return where the clip at ``position`` lies."""
        ranges = self.invalid[slice(*np.searchsorted(self.invalid[:, 0], [position, position + 1]))]
        return Row(
            int(self.first[position]),
            int(self.steps[position]),
            self.inputs[position],
            tuple((int(start), int(stop)) for _, start, stop in ranges),
        )

    @property
    def end(self) -> int:
        """Rows that the values must have at least."""
        return int((self.first + self.steps).max(initial=0))

    @property
    def inputs_sha256(self) -> str:
        """One hash over every clip id and the hash of its input, whatever the order they came in."""
        pairs = sorted(zip(self.clip_ids, self.inputs, strict=True))
        return hashlib.sha256(json.dumps(pairs).encode()).hexdigest()

    def save(self, folder: Path) -> None:
        """Write the index into a store's folder, whole or not at all."""
        losses = {
            clip_id: [lost.loss.stage, lost.loss.reason, lost.input_sha256] for clip_id, lost in self.losses.items()
        }
        with atomic_path(folder / FILE_NAME) as path:
            np.savez(
                path,
                clip_ids=_packed(self.clip_ids),
                first=self.first,
                steps=self.steps,
                inputs=_packed(self.inputs),
                invalid=self.invalid,
                losses=_packed([json.dumps(losses)]),
                journal_bytes=np.int64(self.journal_bytes),
            )


def read_index(folder: Path) -> Index:
    """Return the index of the store in ``folder``: the saved one, or one from the journal where that has news.

    Raises:
        StoreError: the journal is damaged.
    """
    journal = folder / JOURNAL
    journal_bytes = journal.stat().st_size if journal.exists() else 0
    try:
        with np.load(folder / FILE_NAME, allow_pickle=False) as saved:
            if int(saved["journal_bytes"]) == journal_bytes:
                return _from_arrays(saved)
    except (OSError, EOFError, ValueError, LookupError, zipfile.BadZipFile, zlib.error):
        pass  # No index, or not a whole one: the journal has everything that it would say.
    return index_of(*read_journal(folder))


def index_of(entries: Mapping[str, Row | LostClip], journal_bytes: int) -> Index:
    """Return the index of a journal's entries."""
    rows = {clip_id: entry for clip_id, entry in entries.items() if isinstance(entry, Row)}
    ranges = [(at, *span) for at, row in enumerate(rows.values()) for span in row.invalid]
    return Index(
        clip_ids=tuple(rows),
        first=np.array([row.first for row in rows.values()], np.int64),
        steps=np.array([row.steps for row in rows.values()], np.int64),
        inputs=tuple(row.input_sha256 for row in rows.values()),
        invalid=np.array(ranges, np.int64).reshape(-1, 3),
        losses={clip_id: entry for clip_id, entry in entries.items() if isinstance(entry, LostClip)},
        journal_bytes=journal_bytes,
    )


def _from_arrays(saved: Mapping[str, Any]) -> Index:
    losses = json.loads(saved["losses"][0].decode())
    return Index(
        clip_ids=_unpacked(saved["clip_ids"]),
        first=saved["first"],
        steps=saved["steps"],
        inputs=_unpacked(saved["inputs"]),
        invalid=saved["invalid"],
        losses={clip_id: LostClip(Loss(stage, reason), sha) for clip_id, (stage, reason, sha) in losses.items()},
        journal_bytes=int(saved["journal_bytes"]),
        is_saved=True,
    )


def _packed(words: tuple[str, ...] | list[str]) -> np.ndarray:
    return np.array([word.encode() for word in words] or [b""][:0], dtype=None if words else "S1")


def _unpacked(words: np.ndarray) -> tuple[str, ...]:
    return tuple(word.decode() for word in words.tolist())
