"""A worker process: both ends of its pipe."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, SpawnContext
from typing import Any

from msadg.extraction.clipwise import ClipExtractor
from msadg.extraction.engines.answer import THREADS, Answer, answer_to, environment, sendable
from msadg.types import Clip

PRELOADED = ("msadg.extraction.engines.worker", "cv2", "torch", "threadpoolctl")
"""What takes seconds to import is imported once, in a process without threads of which the workers are copies."""

READY = "ready"
"""A worker's first word, once it has the extractor."""


class Worker:
    """A process that works on one clip at a time, seen from the one that started it."""

    def __init__(self) -> None:
        self.pipe, theirs = multiprocessing.Pipe()
        with environment(THREADS), _interrupts_held():
            # What is copied has the environment of the first worker's time.
            told = theirs, dict(os.environ)
            self.process = _context().Process(target=_work, args=told, name="msadg-worker", daemon=True)
            self.process.start()
        theirs.close()
        self.is_ready = False
        self.position: int | None = None
        """Of the clip it works on."""

    def tell(self, what: ClipExtractor | Clip) -> None:
        """Send it something."""
        with suppress(OSError):  # It died: noticed when it is listened to.
            self.pipe.send(what)

    def give(self, position: int, clip: Clip) -> None:
        """Send it a clip to work on."""
        self.position = position
        self.tell(clip)

    def heard(self) -> Any:
        """Return what it says; None where it died."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):  # Nothing, or half a message.
            return None

    def stop(self) -> int:
        """Kill it, if it still lives, and return how it ended."""
        self.pipe.close()
        self.process.kill()
        self.process.join()
        return self.process.exitcode or 0

    def ended(self) -> int:
        """Return how it ended by itself; one that closed its pipe without ending is killed."""
        self.process.join(timeout=5)
        return self.stop()


@cache
def _context() -> ForkServerContext | SpawnContext:
    """How workers are started: as copies; each from nothing where that cannot be."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    try:
        forkserver.ensure_running()
    except OSError:  # The path of the folder for temporary files is too long for a socket in it.
        return multiprocessing.get_context("spawn")
    return context


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Keep Ctrl-C from a process that is being started: it stops when this one does, and has nothing to say."""
    resource_tracker.ensure_running()  # Its own start would let them through.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(pipe: Connection, variables: dict[str, str]) -> None:
    """What a worker process does: load the extractor, then answer clip after clip until the pipe is closed."""
    os.environ.clear()
    os.environ.update(variables)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, OSError):
        try:
            extractor: ClipExtractor = pipe.recv()
        except Exception as error:
            pipe.send(Answer(sendable(error)))
            return
        pipe.send(READY)
        while True:
            answer = answer_to(extractor, pipe.recv())
            try:
                pipe.send(answer)
            except OSError:
                raise
            except Exception as error:  # Of a class that is nowhere by name, for instance.
                pipe.send(Answer(RuntimeError(f"{answer.outcome!r} of a worker cannot be sent: {error}")))


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, even if it was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "a worker is always started by another process"
    wait([parent.sentinel])
    os._exit(1)
