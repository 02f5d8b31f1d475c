"""Who works on the clips: this process, some processes of this machine, or a Ray cluster."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Generator, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

from msadg.errors import UnknownNameError, UsageError
from msadg.extraction.clipwise import ClipExtractor
from msadg.extraction.extractor import Loss
from msadg.types import Clip, Features

ENGINES = ("local", "ray")

Outcomes: TypeAlias = Generator[tuple[int, Features | Loss], None, None]
"""Position and features of clip after clip; closing it stops the workers."""


@runtime_checkable
class Engine(Protocol):
    """Shares clips out among workers; what comes back does not depend on how many there are."""

    @property
    def num_workers(self) -> int:
        """Clips worked on at the same time."""
        ...

    def run(self, extractor: ClipExtractor, clips: Sequence[Clip]) -> Outcomes:
        """Yield the position and the features of each clip, as they are finished.

        A worker that dies costs its own clip (a Loss of stage ``worker``) and no other. Whatever else the extractor
        raises stops the workers and is raised here.
        """
        ...


def make_engine(name: str = "local", *, workers: int | None = None, address: str | None = None) -> Engine:
    """Return an engine; nothing is started before its first clip.

    Args:
        name: one of ENGINES.
        workers: at the same time; None is one for each core (``local``) or what the cluster has (``ray``).
        address: of the Ray cluster to join, ``auto`` or ``ray://host:10001``; None starts one on this machine.

    Raises:
        UnknownNameError: no such engine.
        UsageError: fewer than one worker, an address for the local engine, or Ray is not installed.
    """
    if name not in ENGINES:
        raise UnknownNameError("engine", name, ENGINES)
    if workers is not None and workers < 1:
        raise UsageError(f"{workers} workers cannot extract anything; take 1 or more, or leave it out for one a core")
    if name == "ray":
        if importlib.util.find_spec("ray") is None:
            raise UsageError("the engine 'ray' needs Ray, which is not installed: pip install 'msadg[ray]'")
        from msadg.extraction.engines.ray_cluster import RayEngine

        return RayEngine(workers, address)
    if address is not None:
        raise UsageError(f"the local engine joins no cluster; for the one at {address!r} take the engine 'ray'")
    from msadg.extraction.engines.local import LocalEngine

    return LocalEngine(workers if workers is not None else num_cores())


def num_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux: a container or a queue may grant fewer than the machine has.
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
