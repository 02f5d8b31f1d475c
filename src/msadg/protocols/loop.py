"""The training loop, once for every method: it reads phases and loss terms, and knows nothing of papers.

Chance enters by seeds derived by name (seed, phase, epoch), so a run that was killed goes on from its last saved
state to weights that are identical to the bit on a CPU with the same number of threads.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from msadg.batches.clips import ClipSet
from msadg.batches.dropout import drop_modalities
from msadg.batches.sampling import balanced_batches, length_grouped_batches, sequential_batches
from msadg.errors import RunError
from msadg.methods.method import ClosedForm, Method, Phase
from msadg.nn.seeds import derive_seed
from msadg.protocols.averaging import RunningMean
from msadg.protocols.checkpoint import (
    SavedState,
    TrainingState,
    load_state,
    load_tensors,
    load_weights,
    restore_optimizer,
    save_state,
    save_tensors,
)
from msadg.protocols.evaluate import predict_logits, selection_score
from msadg.protocols.observer import EpochReport, Observer
from msadg.protocols.training import (
    TrainingConfig,
    learning_rate_factor,
    make_optimizer,
    resolved_device,
    resolved_num_devices,
    set_learning_rate,
)
from msadg.types import Batch

if TYPE_CHECKING:
    from msadg.protocols.crew import Crew


class Trainer:
    """One training run.

    Args:
        method: trained in place; at the end it has the weights of the epoch that selection chose.
        train_clips: the sources' training splits.
        dev_sets: what selection scores; empty keeps the last epoch.
        config: of training.
        seed: of everything that happens here by chance.
        folder: where the state is saved; a state found there is gone on from. None saves nothing.
        observers: told of every step and epoch.
        fixed_epochs: train each phase for exactly this many epochs and keep the last, whatever its score.
        crew: this process is one of several that train the run together; None where it is one device's alone, or has
            yet to start them, as ``training.devices`` says.
    """

    def __init__(
        self,
        method: Method,
        train_clips: ClipSet,
        dev_sets: Sequence[ClipSet],
        config: TrainingConfig,
        *,
        seed: int,
        folder: Path | None = None,
        observers: Sequence[Observer] = (),
        fixed_epochs: Sequence[int] | None = None,
        crew: Crew | None = None,
    ) -> None:
        from lightning_fabric import Fabric

        self.method = method
        self.train_clips = train_clips
        self.dev_sets = dev_sets
        self.config = config
        self.seed = seed
        self.folder = folder
        self.observers = observers
        self.fixed_epochs = fixed_epochs
        self.crew = crew
        self.num_devices = resolved_num_devices(config)
        self.fabric: Fabric = (
            Fabric(accelerator=resolved_device(config.device), devices=1, precision=config.precision)
            if crew is None
            else crew.channel  # type: ignore[assignment]
        )
        self.device = str(self.fabric.device)
        self._started, self._seconds_before = time.monotonic(), 0.0
        self.state = TrainingState()
        self._best: dict[str, Tensor] = {}
        self._mean: RunningMean | None = None
        self._trainable = {name for name, parameter in method.named_parameters() if parameter.requires_grad}

    def run(self) -> TrainingState:
        """Train to the end and return what happened.

        Raises:
            RunError: a loss that is not finite, or a saved state that is damaged or of other settings.
        """
        saved = load_state(self.folder) if self.folder else None
        if self.crew is None and self.num_devices > 1 and not (saved and saved.state.finished):
            return self._run_on_several()
        if saved:
            self._go_on_from(saved)
        if self.crew:
            self.fabric.barrier()  # all have read the state before the first writes another
        self.method.to(self.device)
        if self.state.finished:
            return self.state
        phases = list(self.method.phases())
        current = phases[min(self.state.phase, len(phases) - 1)]  # a kill may have come when all were over
        for observer in self.observers:
            observer.on_start(len(phases), self.config.epochs, len(self._batches(current)))
        with torch.random.fork_rng(devices=[self.fabric.device] if self.fabric.device.type == "cuda" else []):
            for phase in phases[self.state.phase :]:
                self._train_phase(phase, saved)
                saved = None
        self.state.finished = True
        self._save(None)
        for observer in self.observers:
            observer.on_end(self.state.history)
        return self.state

    def _run_on_several(self) -> TrainingState:
        from msadg.protocols.several_devices import train_on_several

        with tempfile.TemporaryDirectory(prefix="msadg-") as temporary:
            folder = self.folder or Path(temporary)
            train_on_several(self, self.num_devices, folder)
            saved = load_state(folder)
        assert saved is not None
        self._go_on_from(saved)
        return self.state

    @property
    def _writes(self) -> bool:
        """Whether the folder is this process's to write."""
        return self.folder is not None and (self.crew is None or self.crew.is_first)

    def _go_on_from(self, saved: SavedState) -> None:
        self.state = saved.state
        self._seconds_before = saved.state.seconds
        load_weights(self.method, saved.weights, where=str(self.folder))
        if self.folder and saved.state.best_epoch >= 0 and not saved.state.finished:
            self._best, _ = load_tensors(self._best_path())

    def _train_phase(self, phase: Phase, saved: SavedState | None) -> None:
        # What an earlier phase left on parameters that are frozen now would count in the norm that clipping goes by.
        self.method.zero_grad(set_to_none=True)
        for name, parameter in self.method.named_parameters():
            parameter.requires_grad_(name in self._trainable and name.startswith(phase.parameters))
        moving = [(name, p) for name, p in self.method.named_parameters() if p.requires_grad]
        optimizer = make_optimizer(moving, self.method.learning_rate_ratios(), self.config)
        if saved and saved.slots:
            restore_optimizer(optimizer, saved.slots)
        wrapped = self.fabric.setup_optimizers(optimizer)
        random_state = saved.random_state if saved else None
        if self.config.averaging == "ema":
            self._mean = RunningMean(self.method, self.config.averaging_decay)
            if saved and saved.mean:
                self._mean.load_state_dict(saved.mean)
        while self.state.epoch < self._num_epochs() and not self._is_out_of_patience():
            self._train_epoch(phase, wrapped, random_state)  # type: ignore[arg-type]
            random_state = None
            self._close_epoch(phase)
            self._save(optimizer)
        self._keep_best()

    def _num_epochs(self) -> int:
        return self.config.epochs if self.fixed_epochs is None else self.fixed_epochs[self.state.phase]

    def _is_out_of_patience(self) -> bool:
        patience, best = self.config.patience, self.state.best_epoch  # -1 until there is a candidate
        return patience is not None and self.fixed_epochs is None and best >= 0 and self.state.epoch - best > patience

    def _batches(self, phase: Phase) -> list[Int[np.ndarray, " clip"]]:
        seed = derive_seed(self.seed, "batches", phase.name, self.state.epoch)
        clips, size = self.train_clips, self.config.batch_size
        if self.config.balanced_domains:
            return balanced_batches(clips.lengths, clips.domain_indices, size, seed)
        return length_grouped_batches(clips.lengths, size, seed)

    def _train_epoch(self, phase: Phase, optimizer: torch.optim.Optimizer, random_state: Tensor | None) -> None:
        state = self.state
        batches = self._batches(phase)
        torch.manual_seed(derive_seed(self.seed, "steps", phase.name, state.epoch))
        if random_state is not None:
            torch.set_rng_state(random_state)
        self.method.train()
        while state.step < len(batches):
            factor = learning_rate_factor(self.config, state.epoch * len(batches) + state.step, len(batches))
            set_learning_rate(optimizer, self.config.learning_rate * factor)
            progress = (state.epoch * len(batches) + state.step) / (self.config.epochs * len(batches))
            self._train_step(phase, optimizer, batches[state.step], progress)
            state.step += 1
            means = {name: total / state.clips for name, total in state.losses.items()}
            for observer in self.observers:
                observer.on_step(phase.name, state.epoch, state.step, means)
            every = self.config.checkpoint_steps
            if every and state.step % every == 0 and state.step < len(batches):
                self._save(optimizer, torch.get_rng_state())

    def _train_step(
        self, phase: Phase, optimizer: torch.optim.Optimizer, indices: Int[np.ndarray, " clip"], progress: float
    ) -> None:
        batch = self._training_batch(phase, indices).to(self.device)
        if self.crew:  # each process drops other features; by name, so that the state of one stands for all
            state = self.state
            torch.manual_seed(derive_seed(self.seed, "steps", phase.name, state.epoch, state.step, self.crew.rank))
        with self.fabric.autocast():
            prediction = self.method(batch) if self.crew is None else self.crew.predict(self.method, batch)
            terms = self.method.loss(prediction, batch)
        if phase.terms is not None:
            terms = {name: term for name, term in terms.items() if name in phase.terms}
        # A term that joins later is logged from the beginning, so that its curve is whole.
        total = torch.stack([term.float() for name, term in terms.items() if phase.has_joined(name, progress)]).sum()
        self._check_finite(phase, terms)
        optimizer.zero_grad(set_to_none=True)
        self.fabric.backward(total)
        if self.crew:
            self.crew.average_gradients(self.method.parameters())
        if self.config.clip_value is not None:
            torch.nn.utils.clip_grad_value_(self.method.parameters(), self.config.clip_value)
        if self.config.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.method.parameters(), self.config.clip_norm)
        optimizer.step()
        self.method.after_step()
        if self._mean:
            self._mean.update(self.method)
        if self.method.starts_optimizer_afresh():
            optimizer.state.clear()
        for name, term in terms.items():
            self.state.losses[name] = self.state.losses.get(name, 0.0) + float(term.detach()) * len(batch)
        self.state.clips += len(batch)

    def _training_batch(self, phase: Phase, indices: Int[np.ndarray, " clip"]) -> Batch:
        batch = self.train_clips.batch(indices)
        if self.config.modality_dropout == 0:
            return batch
        seed = derive_seed(self.seed, "modality dropout", phase.name, self.state.epoch, self.state.step)
        return drop_modalities(batch, self.config.modality_dropout, seed, among=self.method.modalities)

    def _check_finite(self, phase: Phase, terms: Mapping[str, Tensor]) -> None:
        for name, term in terms.items():
            if not torch.isfinite(term):
                raise RunError(
                    f"the loss term {name!r} is {float(term.detach())} in phase {phase.name}, "
                    f"epoch {self.state.epoch}, step {self.state.step}; lower training.learning_rate "
                    f"(now {self.config.learning_rate}) or set training.clip_norm"
                )

    def _close_epoch(self, phase: Phase) -> None:
        state = self.state
        if self.crew:
            self.crew.agree(self.method)
        dev = self._dev_scores(phase) if self.crew is None else self.crew.from_first(lambda: self._dev_scores(phase))
        score = sum(dev.values()) / len(dev) if dev else float(state.epoch)
        keeps_last = self.fixed_epochs is not None or not dev
        is_candidate = phase.is_candidate((state.epoch + 1) / self.config.epochs)
        is_best = keeps_last or (is_candidate and (state.best_score is None or score > state.best_score))
        report = EpochReport(
            phase=phase.name,
            epoch=state.epoch,
            index=len(state.history),
            losses={name: total / state.clips for name, total in state.losses.items()},
            # What training alone measures, the averaged copy does not know of.
            measurements={**self.method.measurements(), **self._scored.measurements()},
            dev=dev,
            score=score,
            is_best=is_best,
        )
        state.history.append(
            {"phase": phase.name, "epoch": state.epoch, "losses": dict(report.losses), "dev": dev, "score": score}
            | {"measurements": dict(report.measurements), "is_best": is_best}
            | ({} if is_candidate else {"is_candidate": False})
        )
        if is_best:
            state.best_score, state.best_epoch = score, state.epoch
            self._best = {name: value.detach().clone() for name, value in self._scored.state_dict().items()}
            if self._writes:
                save_tensors(self._best_path(), self._best, {"epoch": state.epoch, "phase": state.phase})
        state.epoch, state.step, state.losses, state.clips = state.epoch + 1, 0, {}, 0
        for observer in self.observers:
            observer.on_epoch(report)

    def _dev_scores(self, phase: Phase) -> dict[str, float]:
        return {
            clips.domain: selection_score(
                predict_logits(self._scored, clips, device=self.device)[phase.output],
                clips,
                self.config.selection_metric,
            )
            for clips in self.dev_sets
        }

    @property
    def _scored(self) -> Method:
        """The method with the weights that are selected: the mean of those so far, or the latest."""
        return self._mean.method if self._mean else self.method

    def _keep_best(self) -> None:
        state = self.state
        if self._best:
            load_weights(self.method, self._best, where="best epoch")
        state.best_epochs.append(state.best_epoch)
        state.phase, state.epoch, state.best_epoch, state.best_score = state.phase + 1, 0, -1, None
        self._best, self._mean = {}, None
        self._save(None)

    def _best_path(self) -> Path:
        assert self.folder is not None
        return self.folder / f"best-{self.state.phase}-{self.state.best_epoch}.safetensors"

    def _save(self, optimizer: torch.optim.Optimizer | None, random_state: Tensor | None = None) -> None:
        self.state.seconds = self._seconds_before + time.monotonic() - self._started
        if self.folder is None or not self._writes:
            return
        mean = self._mean.state_dict() if self._mean else None
        save_state(self.folder, self.state, self.method, optimizer, random_state, mean)
        # Only now: until the state is replaced, the old one names the older file.
        named = self._best_path() if self.state.best_epoch >= 0 else None
        for path in self.folder.glob("best-*.safetensors"):
            if path != named:
                path.unlink()


def fit_closed_form(method: ClosedForm, train_clips: ClipSet, score: Callable[[], float]) -> None:
    """Fit a method that has no gradient to clips; ``score`` is asked of each candidate, higher is better."""
    batches = map(train_clips.batch, sequential_batches(train_clips.lengths, 256))
    rows = [(method.pooled(batch), method.labels(batch)) for batch in batches]  # the padded batches are not kept
    features, labels = (torch.cat(parts) for parts in zip(*rows, strict=True))
    method.fit(features, labels, score)


def dev_score(method: Method, dev_sets: Sequence[ClipSet], metric: str) -> float:
    """Mean over dev splits of what selection reads; 0 where there is none."""
    scores = [selection_score(predict_logits(method, clips)["logits"], clips, metric) for clips in dev_sets]
    return sum(scores) / len(scores) if scores else 0.0
