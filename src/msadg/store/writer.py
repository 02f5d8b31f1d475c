"""Write a feature store so that a crash at any moment loses no finished clip.

Values are appended and flushed to the disk before the journal says that their clips are finished. What a crash leaves
(rows without a line, half a line) is cut off when the store is opened for writing again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from msadg.errors import StoreError
from msadg.extraction.extractor import Loss
from msadg.store.atomic import flush_to_disk, full_disk_told, remove_leftovers
from msadg.store.index import FILE_NAME as INDEX
from msadg.store.index import index_of, read_index
from msadg.store.journal import FILE_NAME as JOURNAL
from msadg.store.journal import LostClip, Row, line_of, read_journal
from msadg.store.manifest import FILE_NAME as MANIFEST
from msadg.store.manifest import Manifest, check_same_extractor, read_manifest
from msadg.store.values import stored_marks, stored_values
from msadg.types import Features

VALUES = "values.bin"
MARKS = "marks.bin"
"""float32, a row for each of the values; only in a store whose extractor marks its steps."""
LOCK = ".lock"


def hash_input(content: bytes) -> str:
    """Return the SHA-256 by which a store notices that a clip's input changed."""
    return hashlib.sha256(content).hexdigest()


class StoreWriter:
    """The one writer of a store; a context that completes the store when it is left without an error.

    Finished clips are those up to the last ``sync``, which happens by itself every ``sync_seconds`` and at the end.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp()) / "text-made-up"
        >>> made_by = Manifest(extractor="text-made-up", modality="text", version="1", settings={}, dim=2)
        >>> with StoreWriter(folder, made_by) as writer:
        ...     writer.add("mine/train/a", Features(np.ones((3, 2), np.float32), np.ones(3, bool)))
        >>> read_manifest(folder).steps
        3

    Raises:
        StoreError: another extractor wrote the store, someone else is writing it, it is damaged, or the disk is full.
    """

    def __init__(self, path: Path, manifest: Manifest, *, overwrite: bool = False, sync_seconds: float = 2.0) -> None:
        self.path = path
        self.manifest = manifest.unfinished()
        self.overwrite = overwrite
        """Whether a clip whose input changed is stored anew instead of refused."""
        self._sync_seconds = sync_seconds
        self._row_bytes = row_bytes(manifest)
        self._pending: dict[str, Row | LostClip] = {}
        self._is_complete = False
        """Whether the manifest on the disk has the counts of a complete store."""
        with full_disk_told(path):
            path.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(path)
        self._descriptors = [self._lock]
        try:
            self._open()
        except BaseException:
            self._close()
            raise

    def finished(self, clip_id: str, input_sha256: str = "") -> bool:
        """Whether a clip is done: stored, or lost, from the same input.

        Raises:
            StoreError: it was stored from another input, and ``overwrite`` is off.
        """
        if self.is_changed(clip_id, input_sha256) and not self.overwrite:
            raise StoreError(
                f"{self.path}: {clip_id} was stored from another input: its transcript or clip changed. Extract again "
                "with overwrite, or into another folder"
            )
        entry = self._entry(clip_id)
        return entry is not None and entry.input_sha256 == input_sha256

    def is_changed(self, clip_id: str, input_sha256: str) -> bool:
        """Whether a clip has features, made from another input."""
        entry = self._entry(clip_id)
        return isinstance(entry, Row) and entry.input_sha256 != input_sha256

    def _entry(self, clip_id: str) -> Row | LostClip | None:
        return self._pending.get(clip_id) or self._entries.get(clip_id)

    def is_lost(self, clip_id: str) -> bool:
        """Whether a clip is written down as one without features."""
        return isinstance(self._pending.get(clip_id) or self._entries.get(clip_id), LostClip)

    def add(self, clip_id: str, features: Features, *, input_sha256: str = "") -> None:
        """Append the features of a clip.

        Raises:
            FeatureError: wrong width, or not the marks that the manifest names.
            UnusableValuesError: (a FeatureError) NaN, inf, or too large for the store's type.
            StoreError: the clip is stored already, or the disk is full.
        """
        before = self._pending.get(clip_id) or self._entries.get(clip_id)
        if isinstance(before, Row) and (not self.overwrite or before.input_sha256 == input_sha256):
            raise StoreError(f"{self.path}: {clip_id} is stored already; a clip id stands for one clip")
        where = f"{self.path}: {clip_id}"
        values, invalid = stored_values(features, self.manifest, where=where)
        content = {VALUES: values.tobytes(), MARKS: stored_marks(features, self.manifest, where=where).tobytes()}
        for name, descriptor in self._rows.items():
            with self._written_at(descriptor, self._end * self._row_bytes[name], name, len(content[name])):
                _write_all(descriptor, content[name])
        self._pending[clip_id] = Row(self._end, len(values), input_sha256, invalid)
        self._end += len(values)
        self._sync_if_due()

    def lose(self, clip_id: str, stage: str, reason: str, *, input_sha256: str = "") -> None:
        """Write down that a clip has no features, and why."""
        if isinstance(self._entries.get(clip_id), Row) and not self.overwrite:
            raise StoreError(f"{self.path}: {clip_id} is stored already; a clip id stands for one clip")
        self._pending[clip_id] = LostClip(Loss(stage, reason), input_sha256)
        self._sync_if_due()

    def sync(self) -> None:
        """Bring everything added so far to the disk: from here on it survives a crash.

        Raises:
            StoreError: the disk is full.
        """
        if self._pending:
            if self._is_complete:  # Its counts hold no longer.
                self.manifest.write(self.path)
                self._is_complete = False
            lines = b"".join(line_of(clip_id, entry) for clip_id, entry in self._pending.items())
            with self._written_at(self._journal, self._journal_bytes, JOURNAL, len(lines)):
                for descriptor in self._rows.values():
                    os.fsync(descriptor)
                _write_all(self._journal, lines)
                os.fsync(self._journal)
            self._journal_bytes += len(lines)
            for clip_id, entry in self._pending.items():
                self._entries.pop(clip_id, None)
                self._entries[clip_id] = entry
            self._pending.clear()
        self._synced_at = time.monotonic()

    def __enter__(self) -> StoreWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            try:
                self.sync()
            except StoreError:
                if error is None:
                    raise  # Otherwise the first error, mostly the same full disk, is the one to tell.
            if error is None:
                self._complete()
        finally:
            self._close()

    def _open(self) -> None:
        for name in (MANIFEST, INDEX):
            remove_leftovers(self.path / name)
        if (self.path / MANIFEST).exists():
            stored = read_manifest(self.path)
            check_same_extractor(self.path, stored, self.manifest)
            self._is_complete = stored.clips is not None
        elif (self.path / JOURNAL).exists():
            raise StoreError(f"{self.path} has a journal but no {MANIFEST}; delete it and extract again")
        else:
            self.manifest.write(self.path)
        self._entries, self._journal_bytes = read_journal(self.path)
        self._end = max((e.first + e.steps for e in self._entries.values() if isinstance(e, Row)), default=0)
        self._rows = {name: self._opened(name) for name in self._row_bytes}
        self._journal = self._opened(JOURNAL)
        with full_disk_told(self.path):
            flush_to_disk(self.path)
        check_rows_are_whole(self.path, self._end, self.manifest)
        for name, descriptor in self._rows.items():
            os.ftruncate(descriptor, self._end * self._row_bytes[name])
        os.ftruncate(self._journal, self._journal_bytes)
        self._synced_at = time.monotonic()

    def _opened(self, name: str) -> int:
        with full_disk_told(self.path / name):
            self._descriptors.append(os.open(self.path / name, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666))
        return self._descriptors[-1]

    def _close(self) -> None:
        while self._descriptors:
            os.close(self._descriptors.pop())

    def _complete(self) -> None:
        index = read_index(self.path)
        if index.is_saved and read_manifest(self.path).clips is not None:
            return  # Nothing was added to a complete store.
        index = index_of(self._entries, self._journal_bytes)
        index.save(self.path)
        self.manifest.completed(
            clips=len(index.clip_ids),
            steps=int(index.steps.sum()),
            lost=len(index.losses),
            inputs_sha256=index.inputs_sha256,
        ).write(self.path)

    def _sync_if_due(self) -> None:
        if time.monotonic() - self._synced_at >= self._sync_seconds:
            self.sync()

    @contextmanager
    def _written_at(self, descriptor: int, good_bytes: int, name: str, needed_bytes: int) -> Iterator[None]:
        """Append in the block to what is good of a file, even where an earlier attempt was interrupted."""
        with full_disk_told(self.path / name, needed_bytes):
            os.ftruncate(descriptor, good_bytes)
            try:
                yield
            except OSError:
                os.ftruncate(descriptor, good_bytes)
                raise


def row_bytes(manifest: Manifest) -> dict[str, int]:
    """Return the files that have a row for each step of a store, and the length of their rows in bytes."""
    marks = {MARKS: len(manifest.marks) * np.dtype(np.float32).itemsize} if manifest.marks else {}
    return {VALUES: manifest.dim * np.dtype(manifest.dtype).itemsize, **marks}


def check_rows_are_whole(folder: Path, rows: int, manifest: Manifest) -> None:
    """Stop where the values or marks of a store are shorter than its journal says.

    Raises:
        StoreError: a copy was cut, or the file was tampered with.
    """
    for name, length in row_bytes(manifest).items():
        path = folder / name
        size = path.stat().st_size if path.exists() else 0
        if size < rows * length:
            raise StoreError(
                f"{path} holds {size // length:,} whole steps, its journal speaks of {rows:,}: "
                f"it was cut; copy it again, or delete {folder} and extract again"
            )


def _locked(folder: Path) -> int:
    with full_disk_told(folder / LOCK):
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StoreError(f"{folder} is being written by another process; wait for it, or stop it") from None
    return descriptor


def _write_all(descriptor: int, content: bytes) -> None:
    rest: Any = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
