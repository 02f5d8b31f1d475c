"""Clips on a Ray cluster: one started on this machine for the run, or one that is there already.

On other machines msadg must be installed, and the clips must lie at the same paths.
"""

from __future__ import annotations

import importlib
import os
import socket
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import islice
from typing import Any

from msadg.errors import UsageError
from msadg.extraction.clipwise import ClipExtractor
from msadg.extraction.engines.answer import Answer, answer_to, sendable
from msadg.extraction.engines.engine import Outcomes, num_cores
from msadg.extraction.extractor import Loss
from msadg.types import Clip, Features

QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
"""No report of its use is sent, and no notice printed."""
ANSWER_SECONDS = 10.0
"""How long a cluster may take to answer at its address."""


def _ray() -> Any:
    """The package, which takes a second to import and need not be installed."""
    ray = importlib.import_module("ray")
    importlib.import_module("ray.exceptions")
    return ray


@contextmanager
def joined_cluster(num_cpus: int, address: str | None) -> Iterator[Any]:
    """Yield Ray with a cluster: the one that this process has joined already, else one that is left at the end.

    Args:
        num_cpus: of a cluster that is started here.
        address: of the cluster to join; None starts one on this machine.

    Raises:
        UsageError: there is no cluster at the address.
    """
    ray = _ray()
    is_ours = not ray.is_initialized()
    if is_ours:
        _start(ray, num_cpus, address)
    try:
        yield ray
    finally:
        if is_ours:
            ray.shutdown()


def _start(ray: Any, num_cpus: int, address: str | None) -> None:
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    quiet = {"log_to_driver": False, "logging_level": "ERROR", "ignore_reinit_error": True}
    if address is None:
        ray.init("local", num_cpus=num_cpus, include_dashboard=False, **quiet)
        return
    try:
        _knock(address)
        ray.init(address, **quiet)
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(
            f"there is no Ray cluster at {address!r} ({error}); start one with `ray start --head`, "
            "or leave the address out to start one on this machine for this run"
        ) from error


def _knock(address: str) -> None:
    """Whether anybody answers at a host and port, which Ray would find out in a quarter of an hour.

    Raises:
        OSError: nobody does.
    """
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS).close()


class RayEngine:
    """Workers of a Ray cluster; what was started here is stopped when the run ends.

    Args:
        workers: clips at the same time; None is one a core of the cluster.
        address: of the cluster; None starts one on this machine.
    """

    def __init__(self, workers: int | None, address: str | None) -> None:
        self.address = address
        self._workers = workers

    @property
    def num_workers(self) -> int:
        """Clips worked on at the same time; of a cluster that is not joined yet, as many as this machine has cores."""
        if self._workers is not None:
            return self._workers
        ray = _ray()
        return max(int(ray.cluster_resources().get("CPU", 1)), 1) if ray.is_initialized() else num_cores()

    def run(self, extractor: ClipExtractor, clips: Sequence[Clip]) -> Outcomes:
        """Yield the position and the features of each clip, as they are finished.

        Raises:
            UsageError: there is no cluster at the address.
        """
        with joined_cluster(self.num_workers, self.address):
            yield from self._outcomes(extractor, clips)

    def _outcomes(self, extractor: ClipExtractor, clips: Sequence[Clip]) -> Outcomes:
        ray = _ray()
        answer = ray.remote(_answer).options(num_cpus=1, max_retries=1)
        run, shared = uuid.uuid4().hex, [ray.put(extractor)]
        working: dict[Any, int] = {}
        todo = iter(enumerate(clips))
        try:
            finished: tuple[int, Features | Loss] | None = None
            while True:
                # The cluster may have shrunk.
                for position, clip in islice(todo, max(self.num_workers - len(working), 0)):
                    working[answer.remote(run, shared, clip)] = position
                if finished is not None:
                    yield finished  # Stored while the others work.
                if not working:
                    return
                (done, *_), _ = ray.wait(list(working), num_returns=1)
                finished = working.pop(done), _outcome_of(done)
        finally:
            for reference in working:
                ray.cancel(reference, force=True)


def worker_deaths() -> tuple[type[Exception], ...]:
    """What Ray raises where the process that worked on something died."""
    exceptions = _ray().exceptions
    return exceptions.WorkerCrashedError, exceptions.OutOfMemoryError, exceptions.NodeDiedError


def told_death(error: Exception) -> str:
    """One of ``worker_deaths`` in words."""
    died = "the process that worked on it died, and so did the one after it"
    return f"{died} ({type(error).__name__} of Ray); mostly memory that ran out"


def _outcome_of(reference: Any) -> Features | Loss:
    try:
        answer: Answer = _ray().get(reference)
    except worker_deaths() as error:
        return Loss("worker", f"{told_death(error)}, or a file that a decoder cannot take")
    return answer.opened()


def _answer(run: str, shared: Sequence[Any], clip: Clip) -> Answer:
    try:
        extractor = _loaded(run, *shared)
    except Exception as error:
        return Answer(sendable(error))
    return answer_to(extractor, clip)


@lru_cache(maxsize=1)
def _loaded(_run: str, reference: Any) -> ClipExtractor:
    """The extractor of a run, loaded once in each worker process."""
    extractor: ClipExtractor = _ray().get(reference)
    return extractor
