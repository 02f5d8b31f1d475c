"""Whole files or none: written beside their place, flushed to the disk, then moved there in one step."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from msadg.errors import StoreError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the system says of a full disk, a spent quota, a file past its allowed size."""


@contextmanager
def atomic_path(path: Path, *, needed_bytes: int | None = None) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to; what lies there at the end replaces ``path`` whole.

    An error inside the block leaves ``path`` as it was and nothing beside it. ``needed_bytes``, where known,
    is for the message of a full disk.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with atomic_path(Path(folder) / "table.csv") as path:
        ...         _ = path.write_text("acc3,0.5")
        ...     (Path(folder) / "table.csv").read_text()
        'acc3,0.5'

    Raises:
        StoreError: the disk is full, or the block wrote nothing.
    """
    # The suffix stays last: numpy and pyarrow choose a format by it.
    beside = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:12]}{path.suffix}")
    with full_disk_told(path, needed_bytes):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with full_disk_told(path, needed_bytes):
            yield beside
            if not beside.exists():
                raise StoreError(f"{path}: nothing was written to {beside.name}, so it was left as it was")
            flush_to_disk(beside)
            beside.replace(path)
            flush_to_disk(path.parent)
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def remove_leftovers(path: Path) -> None:
    """Remove what a process that was killed amid ``atomic_path`` left beside ``path``; nobody may be writing it."""
    for beside in path.parent.glob(f".{path.stem}.{'[0-9a-f]' * 12}{path.suffix}"):
        beside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8 to ``path``, whole or not at all.

    Raises:
        StoreError: the disk is full.
    """
    encoded = text.encode("utf-8")
    with atomic_path(path, needed_bytes=len(encoded)) as beside:
        beside.write_bytes(encoded)


@contextmanager
def full_disk_told(path: Path, needed_bytes: int | None = None) -> Iterator[None]:
    """Turn "no space left" into a StoreError with the place, the bytes needed (if known) and left.

    Raises:
        StoreError: the disk is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        needed = f" {needed_bytes:,} bytes were needed," if needed_bytes is not None else ""
        raise StoreError(
            f"{path}: the disk is full ({error.strerror}):{needed} {_free(path)} are free. "
            "Nothing that was finished is lost; make room and run the same command again"
        ) from error


def _free(path: Path) -> str:
    try:
        return f"{shutil.disk_usage(path if path.is_dir() else path.parent).free:,} bytes"
    except OSError:
        return "an unknown number of bytes"


def flush_to_disk(path: Path) -> None:
    """Return once a file's content, or a folder's list of files, is on the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
