"""Clips that were finished before their turn, kept beside a store until those before them are stored.

One file a clip, written whole or not at all, with what it was made of: after a crash the next fill takes from here
what it would otherwise extract again.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np

from msadg.extraction.extractor import Loss
from msadg.store.atomic import atomic_path
from msadg.store.manifest import Manifest
from msadg.types import Features

FOLDER = ".spool"
DAMAGED = (OSError, EOFError, ValueError, LookupError, TypeError, zipfile.BadZipFile, zlib.error)
"""What reading a file raises that is not, or not wholly, what was written."""


class Spool:
    """What waits for its turn in one store; opening it removes what belongs to other inputs or settings.

    Args:
        store: folder of the store.
        manifest: of the store.
        inputs: clip id -> hash of its input, of the clips still to be stored.
        with_losses: whether a clip that was lost counts as finished.
    """

    def __init__(self, store: Path, manifest: Manifest, inputs: Mapping[str, str], *, with_losses: bool = True) -> None:
        self._folder = store / FOLDER
        made_by = json.dumps(asdict(manifest.unfinished()), sort_keys=True)
        self._made_by = hashlib.sha256(made_by.encode()).hexdigest()
        self._inputs = inputs
        self._waiting: set[str] = set()
        expected = {self._path(clip_id): clip_id for clip_id in inputs}
        for path in sorted(self._folder.iterdir()) if self._folder.exists() else []:
            clip_id = expected.get(path)
            found = None if clip_id is None else self._read(clip_id)
            if clip_id is None or found is None or (isinstance(found, Loss) and not with_losses):
                path.unlink()
            else:
                self._waiting.add(clip_id)

    def __contains__(self, clip_id: object) -> bool:
        return clip_id in self._waiting

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, clip_id: str, outcome: Features | Loss) -> None:
        """Write a clip down.

        Raises:
            StoreError: the disk is full.
        """
        made_of = {"clip_id": clip_id, "input": self._inputs[clip_id], "made_by": self._made_by}
        arrays: dict[str, np.ndarray] = {}
        if isinstance(outcome, Loss):
            made_of |= {"stage": outcome.stage, "reason": outcome.reason}
        else:
            arrays = {"values": outcome.values, "valid": outcome.valid}
            if outcome.marks is not None:
                arrays["marks"] = outcome.marks
        with atomic_path(self._path(clip_id), needed_bytes=sum(a.nbytes for a in arrays.values())) as path:
            np.savez(path, allow_pickle=False, made_of=np.frombuffer(json.dumps(made_of).encode(), np.uint8), **arrays)
        self._waiting.add(clip_id)

    def get(self, clip_id: str) -> Features | Loss | None:
        """Return a clip that was put here; None where its file was damaged or deleted since."""
        return self._read(clip_id)

    def drop(self, clip_id: str) -> None:
        """Forget a clip: it is stored, or must be made again."""
        self._path(clip_id).unlink(missing_ok=True)
        self._waiting.discard(clip_id)

    def close(self) -> None:
        """Remove the folder, if nothing is left in it."""
        with suppress(OSError):
            self._folder.rmdir()

    def _path(self, clip_id: str) -> Path:
        return self._folder / f"{hashlib.sha256(clip_id.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.npz"

    def _read(self, clip_id: str) -> Features | Loss | None:
        try:
            with np.load(self._path(clip_id), allow_pickle=False) as saved:
                made_of = json.loads(saved["made_of"].tobytes())
                if (made_of["clip_id"], made_of["input"], made_of["made_by"]) != (
                    clip_id,
                    self._inputs[clip_id],
                    self._made_by,
                ):
                    return None
                if "stage" in made_of:
                    return Loss(made_of["stage"], made_of["reason"])
                return Features(saved["values"], saved["valid"], saved.get("marks"))
        except DAMAGED:
            return None
