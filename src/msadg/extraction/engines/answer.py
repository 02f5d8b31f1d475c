"""What a worker says of one clip, and how it works on it: the same wherever it runs."""

from __future__ import annotations

import copy
import os
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from msadg.errors import MsadgError, MsadgWarning
from msadg.extraction.clipwise import ClipExtractor
from msadg.extraction.extractor import Loss
from msadg.types import Clip, Features

THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Read by the libraries of numbers when they are loaded."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of one clip, on its way from a worker."""

    outcome: Features | Loss | Exception
    """An exception is a fault of the extractor or its settings, which no other clip would be spared."""
    warnings: tuple[str, ...] = ()

    def opened(self) -> Features | Loss:
        """Return the outcome, after the worker's warnings were given again here.

        Raises:
            Exception: what the extractor raised.
        """
        for message in self.warnings:
            warnings.warn(MsadgWarning(message), stacklevel=3)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def answer_to(extractor: ClipExtractor, clip: Clip) -> Answer:
    """Work on a clip in a worker process; nothing is raised, so that all of it can be sent."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", MsadgWarning)
        try:
            outcome: Features | Loss | Exception = extracted(extractor, clip)
        except Exception as error:
            outcome = sendable(error)
    return Answer(outcome, tuple(str(w.message) for w in told if issubclass(w.category, MsadgWarning)))


def extracted(extractor: ClipExtractor, clip: Clip) -> Features | Loss:
    """Return the features of a clip, computed on one thread: the last bits can depend on how many there are.

    A clip for which memory does not suffice is lost, as it would be if the system had ended the process.
    """
    with one_thread():
        try:
            return extractor.extract_one(clip)
        except MemoryError as error:
            return Loss("worker", f"memory ran out while it was worked on ({error or 'no more is said'})")


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch, OpenCV and the libraries under NumPy and SciPy use one thread inside the block."""
    import cv2
    import torch
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    torch_threads, cv2_threads = torch.get_num_threads(), cv2.getNumThreads()
    with environment(THREADS), threadpool_limits(1):  # The environment is for those that are loaded in the block.
        torch.set_num_threads(1)
        cv2.setNumThreads(1)
        try:
            yield
        finally:
            torch.set_num_threads(torch_threads)
            cv2.setNumThreads(cv2_threads)


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Set variables of the environment inside the block, for it and the processes that it starts."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def sendable(error: Exception) -> Exception:
    """Return an exception that another process can make again: the same, or one of its bases with the same message."""
    where = f"raised in a worker process:\n{''.join(traceback.format_exception(error))}"
    message = str(error) if isinstance(error, MsadgError) else f"{type(error).__name__}: {error}"
    for kind in type(error).__mro__:
        try:
            # Made again as it will be over there: from its arguments, which may not be those of its __init__.
            made_again = copy.deepcopy(error if kind is type(error) else kind(message))
        except Exception:  # noqa: S112 - it cannot be: its base may
            continue
        if isinstance(made_again, Exception):
            made_again.add_note(where)
            return made_again
    return RuntimeError(f"{message}\n{where}")
