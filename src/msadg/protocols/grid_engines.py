"""Who works on the runs of a grid: this process, some processes of this machine, or a Ray cluster.

What is recorded does not depend on it, apart from times. On a cluster the results folder, the stores and the corpora
must lie on a disk that all machines share, at the same paths, and msadg must be installed on each.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

from msadg.errors import RunError, UnknownNameError, UsageError
from msadg.extraction.engines.engine import num_cores
from msadg.protocols.gpu_places import places_for_workers

T = TypeVar("T")

EngineName = Literal["local", "ray"]
GRID_ENGINES: tuple[EngineName, ...] = ("local", "ray")


@runtime_checkable
class GridEngine(Protocol):
    """Shares tasks out among workers."""

    def run(self, tasks: Sequence[Callable[[], T]]) -> Iterator[tuple[int, T | RunError]]:
        """Yield the position of each task and what came of it, as they are finished.

        An error in its place says that the worker died. What a task raises stops the others, and is raised here.
        """
        ...


def make_grid_engine(
    name: str = "local",
    *,
    num_jobs: int | None = None,
    address: str | None = None,
    gpus_per_run: float | None = None,
) -> GridEngine:
    """Return an engine; nothing is started before its first task.

    Args:
        name: one of GRID_ENGINES.
        num_jobs: runs at the same time; None is one for each core, of this machine or of the cluster.
        address: of the Ray cluster to join, ``auto`` or ``ray://host:10001``; None starts one on this machine.
        gpus_per_run: share of a GPU that Ray gives each run (.25: four runs on each); None leaves GPUs alone. The
            local engine's processes see so many whole ones each, in turn; None is 1.

    Raises:
        UnknownNameError: no such engine.
        UsageError: fewer than one run at a time, settings of Ray for the local engine, or Ray is not installed.
    """
    if name not in GRID_ENGINES:
        raise UnknownNameError("engine", name, GRID_ENGINES)
    if num_jobs is not None and num_jobs < 1:
        raise UsageError(f"{num_jobs} runs at a time finish none; take 1 or more, or leave it out for one a core")
    if name == "local":
        if address is not None:
            raise UsageError("an address is for a Ray cluster; take the engine 'ray' for it")
        if gpus_per_run is not None and (gpus_per_run < 1 or gpus_per_run != int(gpus_per_run)):
            raise UsageError(
                f"{gpus_per_run} of a GPU is a share that Ray gives; here a process sees 1 or more whole ones, and "
                "more processes than GPUs (--jobs) share them: take a whole number, or the engine 'ray'"
            )
        return LocalProcesses(num_jobs, int(gpus_per_run or 1))
    if gpus_per_run is not None and not gpus_per_run > 0:
        raise UsageError(f"{gpus_per_run} of a GPU is none; take more than 0, or leave it out")
    if importlib.util.find_spec("ray") is None:
        raise UsageError("the engine 'ray' needs Ray, which is not installed: pip install 'msadg[ray]'")
    return RayCluster(num_jobs, address, gpus_per_run)


class LocalProcesses:
    """Processes of this machine; a single one is this process itself, and sees every GPU.

    Args:
        num_jobs: how many; None is one for each core.
        gpus_per_run: that each of several processes sees, in turn.
    """

    def __init__(self, num_jobs: int | None = None, gpus_per_run: int = 1) -> None:
        self.num_jobs = num_jobs
        self.gpus_per_run = gpus_per_run

    def run(self, tasks: Sequence[Callable[[], T]]) -> Iterator[tuple[int, T | RunError]]:
        """See ``GridEngine``; what kills this process, where it is the only one, ends the grid.

        Raises:
            UsageError: a run is to have more GPUs than there are.
        """
        from msadg.protocols.processes import in_processes

        num_jobs = self.num_jobs or num_cores()
        workers = max(1, min(num_jobs, len(tasks)))
        # A grid's last run sees as many GPUs as the others did.
        places = places_for_workers(self.gpus_per_run) if num_jobs > 1 else None
        if workers == 1 and places is None:
            yield from ((position, task()) for position, task in enumerate(tasks))
        else:
            yield from in_processes(tasks, workers, max(num_cores() // workers, 1), places)


class RayCluster:
    """Workers of a Ray cluster, a core each; what was started here is stopped at the end."""

    def __init__(self, num_jobs: int | None, address: str | None, gpus_per_run: float | None) -> None:
        self.num_jobs = num_jobs
        self.address = address
        self.gpus_per_run = gpus_per_run

    def run(self, tasks: Sequence[Callable[[], T]]) -> Iterator[tuple[int, T | RunError]]:
        """See ``GridEngine``.

        Raises:
            UsageError: there is no cluster at the address.
        """
        if not tasks:
            return
        from msadg.extraction.engines.ray_cluster import joined_cluster, told_death, worker_deaths

        with joined_cluster(self.num_jobs or num_cores(), self.address) as ray:
            options = {"num_cpus": 1, "max_retries": 1} | ({"num_gpus": self.gpus_per_run} if self.gpus_per_run else {})
            work = ray.remote(_in_place).options(**options)
            place = str(Path.cwd()), {k: v for k, v in os.environ.items() if k.startswith("MSADG_")}
            todo = list(enumerate(tasks))[::-1]
            working: dict[Any, int] = {}
            try:
                while todo or working:
                    # Ray queues what the cluster has no room for; a limit of ours is kept here.
                    while todo and len(working) < (self.num_jobs or len(tasks)):
                        position, task = todo.pop()
                        working[work.remote(*place, task)] = position
                    (done, *_), _ = ray.wait(list(working), num_returns=1)
                    position = working.pop(done)
                    try:
                        yield position, ray.get(done)
                    except worker_deaths() as error:
                        yield position, RunError(told_death(error))
            finally:
                for reference in working:
                    ray.cancel(reference, force=True)


def _in_place(folder: str, variables: Mapping[str, str], task: Callable[[], T]) -> T:
    """Do a task as if in the process that asked for it: relative paths mean the same, and so does MSADG_DATA."""
    os.chdir(folder)
    os.environ.update(variables)
    return task()
