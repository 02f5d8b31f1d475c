"""SHA-256 of files, computed once for as long as a file stays as it is.

Whether it did is judged by its size, its number on the disk and the times that the system keeps of its last change;
one of them (``ctime``) cannot be set by hand. What was computed can be handed on to a later process: a corpus of
hundreds of gigabytes is read once, not before every training.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

NO_FILE, MISSING = "no file", "missing"
"""In the place of a hash, where there is nothing to read."""

Known: TypeAlias = dict[str, tuple[int | str, ...]]
"""Absolute path -> size, number on the disk, times of the last change in ns, and the hash."""

_known: Known = {}


def hash_of_file(path: str | Path | None) -> str:
    """Return the SHA-256 of a file's content; a word saying so where there is none."""
    if path is None:
        return NO_FILE
    name = os.path.abspath(path)  # noqa: PTH100 (no link is followed)
    try:
        before = _stamp(name)
    except (OSError, ValueError):  # ValueError: a path that no file can have
        return MISSING
    if before is None:
        return "not a file"
    known = _known.get(name)
    if known is not None and known[:-1] == before:
        return str(known[-1])
    try:
        with open(name, "rb") as file:  # noqa: PTH123
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if _stamp(name) == before:  # Otherwise someone is writing it.
            _known[name] = (*before, digest)
    except OSError as error:
        return f"unreadable: {error.strerror}"
    return digest


def _stamp(name: str) -> tuple[int, ...] | None:
    """What changes whenever a file's content does; None for what is not a file: a pipe would be read for ever."""
    met = Path(name).stat()
    return (met.st_size, met.st_ino, met.st_mtime_ns, met.st_ctime_ns) if stat.S_ISREG(met.st_mode) else None


def known_hashes(paths: Iterable[str | None]) -> Known:
    """Return what is known of some files, to be learned by a later process."""
    names = {os.path.abspath(path) for path in paths if path is not None}  # noqa: PTH100
    return {name: _known[name] for name in sorted(names & _known.keys())}


def learn_hashes(known: Mapping[str, Iterable[int | str]], paths: Iterable[str | None]) -> None:
    """Take over what an earlier process knew of some files; it is used for those that are as they were."""
    for path in paths:
        name = "" if path is None else os.path.abspath(path)  # noqa: PTH100
        if name in known:
            _known.setdefault(name, tuple(known[name]))
