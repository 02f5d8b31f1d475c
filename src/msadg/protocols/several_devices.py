"""One training run on several devices: a process for each, started by Lightning Fabric's DDP strategy.

The process that asked for the run starts them, waits, passes on to its observers what the first reports, and reads the
result from the folder. An observer cannot stop such a run.
"""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from lightning_fabric.strategies.ddp import DDPStrategy

from msadg.errors import MsadgError, RunError
from msadg.protocols.crew import Crew
from msadg.protocols.observer import EpochReport, Observer
from msadg.protocols.training import num_threads, resolved_device

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from lightning_fabric import Fabric

    from msadg.protocols.loop import Trainer


class _Teller(Observer):
    """Sends what happens to the process that asked for the run."""

    def __init__(self, wire: Connection) -> None:
        self._wire = wire

    def on_start(self, phases: int, epochs: int, steps_per_epoch: int) -> None:
        self._wire.send(("on_start", (phases, epochs, steps_per_epoch)))

    def on_step(self, phase: str, epoch: int, step: int, losses: Mapping[str, float]) -> None:
        self._wire.send(("on_step", (phase, epoch, step, dict(losses))))

    def on_epoch(self, report: EpochReport) -> None:
        self._wire.send(("on_epoch", (report,)))

    def on_end(self, history: list[dict[str, Any]]) -> None:
        self._wire.send(("on_end", (history,)))


def train_on_several(trainer: Trainer, number: int, folder: Path) -> None:
    """Train to the end in so many processes; what comes of it is the saved state of the folder.

    Raises:
        RunError: a process died; and what ``Trainer.run`` raises.
    """
    import torch.multiprocessing as mp
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment

    config = trainer.config
    fabric = Fabric(
        accelerator=resolved_device(config.device),
        devices=number,
        # Whatever started this process (Slurm, torchrun), the run's processes are started here.
        strategy=_Quietly(start_method="spawn", cluster_environment=LightningEnvironment()),
        precision=config.precision,
    )
    receiver, sender = mp.get_context("spawn").Pipe(duplex=False)
    died: RunError | None = None
    with _heard(receiver, trainer.observers) as errors, _own_port(), _none_left():
        try:
            fabric.launch(_take_part, _Task(trainer, folder), sender)  # type: ignore[arg-type]
        except (mp.ProcessRaisedException, mp.ProcessExitedException) as death:  # type: ignore[attr-defined]
            died = RunError(
                f"one of the {number} processes of a run died: {str(death).strip().splitlines()[-1]}; what was saved "
                "stays, and the same command goes on with it (--resume); take fewer devices if memory was short"
            )
            died.__cause__ = death
    if errors:
        raise errors[0]
    if died:
        raise died


@contextmanager
def _none_left() -> Iterator[None]:
    """End what was started here where this process is interrupted: it would train on in a folder that is given up."""
    import torch.multiprocessing as mp

    before = set(mp.active_children())
    try:
        yield
    except BaseException:
        left = set(mp.active_children()) - before
        for process in left:
            process.kill()
        for process in left:
            process.join()
        raise


class _Quietly(DDPStrategy):
    """DDP without telling how many processes have met."""

    def setup_environment(self) -> None:
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        super().setup_environment()


class _Task:
    """What a process has to know; stores are opened again where they arrive."""

    def __init__(self, trainer: Trainer, folder: Path) -> None:
        self.method = trainer.method
        self.clips = (trainer.train_clips, tuple(trainer.dev_sets))
        self.config, self.seed, self.fixed_epochs = trainer.config, trainer.seed, trainer.fixed_epochs
        self.folder = folder


def _take_part(fabric: Fabric, task: _Task, wire: Connection) -> None:
    """Be one of the processes of a run."""
    from msadg.protocols.loop import Trainer

    crew = Crew(fabric)
    train_clips, dev_sets = task.clips
    try:
        with num_threads(task.config.threads):
            Trainer(
                copy.deepcopy(task.method),  # on a CPU it came in memory that all processes share
                train_clips,
                dev_sets,
                task.config,
                seed=task.seed,
                folder=task.folder,
                observers=[_Teller(wire)] if crew.is_first else [],
                fixed_epochs=task.fixed_epochs,
                crew=crew,
            ).run()
    except MsadgError as error:
        if crew.is_first:
            wire.send(("error", (error.exit_status, type(error).__name__, str(error))))
        raise


@contextmanager
def _heard(wire: Connection, observers: Sequence[Observer]) -> Iterator[list[BaseException]]:
    """Pass on what is sent to observers; the list holds the errors that were sent or that they raised."""
    errors: list[BaseException] = []
    is_over = Event()

    def listen() -> None:
        while wire.poll(0 if is_over.is_set() else 0.1) or not is_over.is_set():
            if wire.poll():
                what, told = wire.recv()
                _pass_on(what, told, observers, errors)

    listener = Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield errors
    finally:
        is_over.set()
        listener.join(timeout=10)


def _pass_on(what: str, told: tuple[Any, ...], observers: Sequence[Observer], errors: list[BaseException]) -> None:
    if what == "error":
        errors.append(_error_of(*told))
        return
    for observer in observers:
        try:
            tell: Callable[..., None] = getattr(observer, what)
            tell(*told)
        except BaseException as error:  # raised where the run was asked for, once it is over
            errors.append(error)


def _error_of(exit_status: int, kind: str, message: str) -> MsadgError:
    """The error that another process stopped at; of its kind where that takes a message alone."""
    from msadg import errors

    known = getattr(errors, kind, MsadgError)
    try:
        error: MsadgError = known(message)
    except TypeError:
        error = MsadgError(message)
        error.exit_status = exit_status
    return error


@contextmanager
def _own_port() -> Iterator[None]:
    """A free port for these processes, whatever others on this machine use or used."""
    names = ("MASTER_PORT", "MASTER_ADDR", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK")
    before = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        for name in names:
            os.environ.pop(name, None)
        os.environ.update(before)
