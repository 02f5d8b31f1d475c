"""Processes of this machine, each by itself: one that dies takes its own run with it and no other.

A pool of several cannot say which of them died, and ends with it. So every worker is a pool of one (loky's, which
needs no guard in the script of a user). A run whose process died is worked on once more at the end, with nothing
beside it: memory that ran out for two may be enough for one.
"""

from __future__ import annotations

import os
import signal
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import cache
from threading import Thread
from typing import Any, TypeVar

from msadg.errors import RunError
from msadg.protocols.gpu_places import Places, take_place

T = TypeVar("T")

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
"""Variables that say how many threads the libraries of a worker take."""


def in_processes(
    tasks: Sequence[Callable[[], T]], num_workers: int, threads: int, places: Places | None
) -> Iterator[tuple[int, T | RunError]]:
    """Yield the position of each task and what came of it, as they are finished.

    Args:
        tasks: to do.
        num_workers: at the same time.
        threads: of each worker, where the environment does not say.
        places: of GPUs; None where every worker may see all there are.

    What a task raises stops the others, and is raised here; one whose process died twice yields a RunError.
    """
    # loky restarts a worker that has grown; memory-mapped features look like growth, and nothing is lost.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
    workers = [_Worker(threads, places) for _ in range(min(num_workers, len(tasks)))]
    died: list[int] = []
    try:
        for position, outcome in _shared_out(tasks, range(len(tasks)), workers):
            if isinstance(outcome, _Died):
                died.append(position)
            else:
                yield position, outcome
        while workers[1:]:
            workers.pop().stop()  # what follows has the machine to itself
        for position, outcome in _shared_out(tasks, died, workers):
            if isinstance(outcome, _Died):
                yield (
                    position,
                    RunError(
                        "the process that worked on it died, and so did one that worked with no other run beside it; "
                        "mostly memory that ran out"
                    ),
                )
            else:
                yield position, outcome
    finally:
        for worker in workers:
            worker.stop()


class _Died:
    """In place of what came of a task."""


def _shared_out(
    tasks: Sequence[Callable[[], T]], positions: Iterable[int], workers: Sequence[_Worker]
) -> Iterator[tuple[int, T | _Died]]:
    from concurrent.futures.process import BrokenProcessPool

    todo, idle = deque(positions), list(workers)
    busy: dict[Future[T], tuple[int, _Worker]] = {}
    while todo or busy:
        while todo and idle:
            position, worker = todo.popleft(), idle.pop()
            busy[worker.give(tasks[position])] = position, worker
        done, _ = wait(busy, return_when=FIRST_COMPLETED)
        for future in done:
            position, worker = busy.pop(future)
            idle.append(worker)
            try:
                outcome = future.result()
            except BrokenProcessPool:
                worker.stop()
                yield position, _Died()
            else:
                yield position, outcome


class _Worker:
    """A process that is started with its first task, and anew with the next after it died."""

    def __init__(self, threads: int, places: Places | None) -> None:
        self._threads, self._places = threads, places
        self._pool: Any = None

    def give(self, task: Callable[[], T]) -> Future[T]:
        if self._pool is None:
            from joblib.externals.loky import ProcessPoolExecutor

            named = {name: os.environ.get(name, str(self._threads)) for name in THREADS}
            self._pool = ProcessPoolExecutor(max_workers=1, env=named)
        future: Future[T] = self._pool.submit(_worked, task, os.getpid(), self._places)
        return future

    def stop(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, kill_workers=True)
            self._pool = None


def _worked(task: Callable[[], T], parent: int, places: Places | None) -> T:
    _end_with(parent)
    if places is not None:
        take_place(places)
    return task()


@cache
def _end_with(parent: int) -> None:
    """End this worker once the process that started it is gone, which may not have had the time to say so.

    It would hold the run that it works on, and the next start of the grid would meet another process there.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGKILL)

    Thread(target=watch, daemon=True).start()
