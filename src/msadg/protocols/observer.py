"""Who watches a training run: the progress bar, TensorBoard, a test. Observers never change what is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class EpochReport:
    """One epoch, as it is logged."""

    phase: str
    epoch: int
    """Of the phase, from 0."""
    index: int
    """Of the run, over all phases, from 0."""
    losses: Mapping[str, float]
    """Mean over the epoch's clips, by term."""
    measurements: Mapping[str, float] = field(default_factory=dict)
    """Keep ratios and what else the method measures."""
    dev: Mapping[str, float] = field(default_factory=dict)
    """Selection metric on each dev split that was read."""
    score: float
    """Mean of ``dev``; higher is better (the negative of ``nll``)."""
    is_best: bool


class Observer:
    """Does nothing; override what is of interest."""

    def on_start(self, phases: int, epochs: int, steps_per_epoch: int) -> None:
        """Training begins or goes on."""

    def on_step(self, phase: str, epoch: int, step: int, losses: Mapping[str, float]) -> None:
        """A step was made; ``losses`` are the epoch's means so far."""

    def on_epoch(self, report: EpochReport) -> None:
        """An epoch is done."""

    def on_end(self, history: list[dict[str, Any]]) -> None:
        """Training is done."""


class TensorBoard(Observer):
    """Writes scalars by term, measurement and domain: ``tensorboard --logdir FOLDER``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: Any = None

    def on_epoch(self, report: EpochReport) -> None:
        """Write the epoch's scalars; epochs that an earlier, killed process wrote twice are purged by the reader."""
        if self._writer is None:
            from tensorboardX import SummaryWriter

            self._writer = SummaryWriter(str(self._folder), purge_step=report.index)
        for kind, values in (("loss", report.losses), ("measure", report.measurements), ("dev", report.dev)):
            for name, value in values.items():
                self._writer.add_scalar(f"{report.phase}/{kind}/{name}", value, report.index)
        self._writer.add_scalar(f"{report.phase}/score", report.score, report.index)
        self._writer.flush()

    def on_end(self, history: list[dict[str, Any]]) -> None:  # noqa: ARG002
        """Close the file."""
        if self._writer is not None:
            self._writer.close()
