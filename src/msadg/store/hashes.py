"""Hashes of the clips' files, remembered in a folder: ``.hashes.json``. It only saves time, and may be deleted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from msadg.errors import MsadgError
from msadg.extraction.file_hashes import known_hashes, learn_hashes
from msadg.store.atomic import write_text
from msadg.types import Clip

FILE_NAME = ".hashes.json"


@contextmanager
def hashes_kept(folder: Path, clips: Sequence[Clip]) -> Iterator[None]:
    """Know the hashes that were computed before, and keep those that are computed in the block."""
    file, paths = folder / FILE_NAME, [clip.clip_path for clip in clips]
    before: dict[str, list[int | str]] = {}
    with suppress(OSError, ValueError, TypeError, AttributeError):  # None, or a damaged one: all are computed.
        before = {str(name): list(entry) for name, entry in json.loads(file.read_bytes()).items()}
    learn_hashes(before, paths)
    try:
        yield
    finally:
        now = before | {name: list(entry) for name, entry in known_hashes(paths).items()}
        if now != before:
            with suppress(MsadgError, OSError):  # A folder that may only be read.
                write_text(file, json.dumps(now, indent=0) + "\n")
