"""Clips in some processes of this machine, or in this one.

Every worker has a pipe of its own and one clip at a time. Where a worker dies it is therefore known which clip it
had, and nothing that the others do is lost or waited for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from multiprocessing.connection import wait

from msadg.errors import MsadgError
from msadg.extraction.clipwise import ClipExtractor
from msadg.extraction.engines.answer import Answer, extracted
from msadg.extraction.engines.engine import Outcomes
from msadg.extraction.engines.worker import READY, Worker
from msadg.extraction.extractor import Loss
from msadg.types import Clip, Features

MAX_STARTS = 3
"""Workers that may be killed in a row before they were ready."""


class ThisProcess:
    """Nothing is started: for few clips, and for tests. A clip that kills its process kills everything."""

    num_workers = 1

    def run(self, extractor: ClipExtractor, clips: Sequence[Clip]) -> Outcomes:
        """Yield the position and the features of each clip, in order."""
        for position, clip in enumerate(clips):
            yield position, extracted(extractor, clip)


class LocalEngine:
    """Processes on this machine, be it a single one: a clip that kills it must not kill the rest of the batch.

    A clip whose worker dies is worked on once more, with no other beside it: memory that ran out for two may be
    enough for one. Workers stop when this process does, however it ends.
    """

    def __init__(self, workers: int) -> None:
        self.num_workers = workers

    def run(self, extractor: ClipExtractor, clips: Sequence[Clip]) -> Outcomes:
        """Yield the position and the features of each clip, as they are finished.

        Raises:
            MsadgError: a worker cannot be started.
        """
        crew = _Crew(min(self.num_workers, len(clips)), extractor, clips)
        try:
            yield from crew.outcomes()
        finally:
            crew.stop()


class _Crew:
    """The workers of one run and the clips still to be worked on."""

    def __init__(self, size: int, extractor: ClipExtractor, clips: Sequence[Clip]) -> None:
        self._size = size
        self._extractor = extractor
        self._clips = clips
        self._todo = deque(range(len(clips)))
        self._again: deque[int] = deque()
        """Clips whose worker died, for a second and last time."""
        self._workers: list[Worker] = []
        self._retried: int | None = None
        """The clip that is worked on for the second time."""
        self._killed_starts = 0

    def outcomes(self) -> Outcomes:
        self._hand_out()
        while busy := {worker.pipe: worker for worker in self._workers if worker.position is not None}:
            for pipe in wait(list(busy)):
                outcome = self._outcome_of(busy[pipe])  # type: ignore[index]
                self._hand_out()  # First, so that nobody waits while the outcome is stored.
                if outcome is not None:
                    yield outcome

    def stop(self) -> None:
        for worker in self._workers:
            worker.process.kill()  # All at once; then wait for each.
        while self._workers:
            self._workers.pop().stop()

    def _hand_out(self) -> None:
        """Give every idle worker a clip; one that is tried again has all to itself."""
        while True:
            num_busy = sum(worker.position is not None for worker in self._workers)
            queue, allowed = (self._again, 1) if self._again or self._retried is not None else (self._todo, self._size)
            if not queue or num_busy >= allowed:
                return
            idle = next((worker for worker in self._workers if worker.position is None), None)
            if idle is None:
                idle = Worker()
                self._workers.append(idle)
                idle.tell(self._extractor)
            position = queue.popleft()
            self._retried = position if queue is self._again else None
            idle.give(position, self._clips[position])

    def _outcome_of(self, worker: Worker) -> tuple[int, Features | Loss] | None:
        """Return what a worker has to say of its clip; None where it has only started, or died for the first time."""
        said = worker.heard()
        if said is None:
            return self._after_death(worker)
        if said == READY:
            worker.is_ready, self._killed_starts = True, 0
            return None
        assert isinstance(said, Answer), said
        assert worker.position is not None, "only a worker with a clip is listened to"
        outcome = worker.position, said.opened()
        self._release(worker)
        return outcome

    def _after_death(self, worker: Worker) -> tuple[int, Loss] | None:
        position, exit_code, was_retried = worker.position, worker.ended(), self._retried is not None
        assert position is not None, "only a worker with a clip is listened to"
        self._release(worker)
        self._workers.remove(worker)
        if not worker.is_ready:
            self._check_start(exit_code)
            (self._again if was_retried else self._todo).appendleft(position)
        elif was_retried:
            return position, Loss(
                "worker",
                f"the process that worked on it {_told(exit_code)}, and so did one that worked on nothing else "
                "beside it; signal 9 is mostly memory that ran out, signal 11 a file that a decoder cannot take",
            )
        else:
            self._again.append(position)
        return None

    def _release(self, worker: Worker) -> None:
        if worker.position == self._retried:
            self._retried = None
        worker.position = None

    def _check_start(self, exit_code: int) -> None:
        self._killed_starts += 1
        if exit_code >= 0 or self._killed_starts >= MAX_STARTS:
            raise MsadgError(
                f"a worker process {_told(exit_code)} before it could begin. In a script of your own, start the "
                "extraction below `if __name__ == '__main__':`; where memory is short, take fewer workers"
            )


def _told(exit_code: int) -> str:
    return f"died (signal {-exit_code})" if exit_code < 0 else f"died (exit status {exit_code})"
