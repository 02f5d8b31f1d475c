"""Which GPUs each worker of a grid sees: one, in turn, so that several runs share several GPUs evenly.

A worker holds a numbered place from its first task until it ends, by a lock on a file, which the system releases
however the worker ends; the one that follows it takes the lowest free place. CUDA reads the variable that hides the
other GPUs once, when it is first used, so it is set before any task, and stays.
"""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

from msadg.errors import UsageError

VARIABLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Places:
    """What workers need to know to take a place."""

    folder: Path
    """Of the locks."""
    gpus: tuple[str, ...]
    """As CUDA_VISIBLE_DEVICES names them."""
    gpus_per_run: int

    def gpus_of(self, number: int) -> list[str]:
        """What the worker at a place sees.

        Example:
            >>> [Places(Path(), ("0", "1", "2"), 2).gpus_of(number) for number in range(3)]
            [['0', '1'], ['2', '0'], ['1', '2']]
        """
        first = number * self.gpus_per_run
        return [self.gpus[at % len(self.gpus)] for at in range(first, first + self.gpus_per_run)]


def places_for_workers(gpus_per_run: int = 1) -> Places | None:
    """The places of workers that this process starts; None where every worker may see all GPUs there are.

    Raises:
        UsageError: a run is to have more GPUs than there are.
    """
    gpus = visible_gpus()
    if gpus_per_run > max(len(gpus), 1):
        raise UsageError(f"{gpus_per_run} GPUs a run were asked for, and torch sees {len(gpus)} here; take fewer")
    return Places(_folder(), tuple(gpus), gpus_per_run) if len(gpus) > gpus_per_run else None


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, by the names that CUDA_VISIBLE_DEVICES takes; none of them is started."""
    import torch

    count = torch.cuda.device_count()
    named = [name.strip() for name in os.environ.get(VARIABLE, "").split(",") if name.strip()]
    return named[:count] or [str(number) for number in range(count)]


@cache
def _folder() -> Path:
    """One for all grids of a process: the workers of each take the places that those of the last gave up by ending."""
    import atexit
    import shutil

    folder = Path(tempfile.mkdtemp(prefix="msadg-gpus-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


_held: list[IO[str]] = []
"""The lock of this worker's place."""


def take_place(places: Places) -> Sequence[str]:
    """Hold a place for as long as this process lives, and see its GPUs alone; return which."""
    import fcntl

    if not _held:
        for number in itertools.count():
            file = (places.folder / str(number)).open("w")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.close()
                continue
            _held.append(file)
            os.environ[VARIABLE] = ",".join(places.gpus_of(number))
            break
    return os.environ[VARIABLE].split(",")
