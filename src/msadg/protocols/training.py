"""Settings of training, and what they mean in numbers: the learning rate of a step, the groups of parameters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from msadg.errors import SettingsError, UsageError
from msadg.methods.task import RegressionLoss
from msadg.settings import require

Metric = Literal["f1_macro", "accuracy", "balanced_accuracy", "nll", "mae", "corr"]
Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["32-true", "bf16-mixed"]


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How a method is trained; the defaults are the first paper's recipe [P]."""

    learning_rate: float = 7e-5
    """Peak learning rate of Adam."""
    batch_size: int = 16
    """Clips a step."""
    epochs: int = 200
    """At most, for each phase."""
    warmup_epochs: float = 3.0
    """Linear warm-up from 0 over this many epochs; may be a fraction."""
    decay: Literal["none", "cosine"] = "none"
    """What the learning rate does after warm-up; ``cosine`` reaches 0 at the end of the last epoch."""
    weight_decay: float = 0.0
    """Decoupled (AdamW), on weight matrices only; 0 is plain Adam."""
    clip_norm: float | None = None
    """Largest norm of the whole gradient; None does not clip."""
    clip_value: float | None = None
    """Largest absolute value of a gradient's entry; None does not clip."""
    patience: int | None = None
    """Stop a phase after this many epochs without a better selection score; None never stops early."""
    selection_metric: Metric = "f1_macro"
    """What is averaged over the sources' dev splits to choose the epoch. Only a classification has ``nll``, only a
    regression ``mae`` and ``corr`` (Pearson's r); there, the others are of the sentiments that polarities mean."""
    regression_loss: RegressionLoss = "mse"
    """What a regression minimises: mean squared (``mse``) or mean absolute (``l1``) error. ``linear`` is ridge
    regression under either."""
    precision: Precision = "32-true"
    """Of the arithmetic; on a processor without AMX or AVX512-BF16, bf16 is slower than 32 bits. To round a trained
    text encoder alone, see ``finetune.bfloat16``."""
    device: Device = "auto"
    """``auto`` (a CUDA device where there is one), ``cpu`` or ``cuda``."""
    devices: int | Literal["auto"] = 1
    """So many GPUs (``auto``: all) train the run together: each predicts its share of every batch, and the loss is of
    the whole batch as on one. On a CPU so many processes do; ``auto`` is one."""
    class_prior: Literal["source", "uniform", "uniform_by_domain"] = "source"
    """Which class shares the logits assume: the sources', as any plain classifier's do, or equal ones, for which the
    shares are added to the logits in training only: those that the loss meets (``uniform``: of all clips together, or,
    where batches or the method count the domains alike, the mean of the domains'; not for ``groupdro``), or of each
    clip's own domain (``uniform_by_domain``; not for ``linear``). Reads source labels alone; the constant classifier
    ignores it."""
    balanced_domains: bool = False
    """Batches with equally many clips of each source domain. An epoch lasts until the largest domain has come once;
    the clips of the others are repeated meanwhile, all of them before any comes again. Methods that compare domains
    (``coral``, ``groupdro``, ``vrex``, ``irm``) are meant for it: without, a batch may lack a domain."""
    averaging: Literal["none", "ema"] = "none"
    """Which weights are scored, selected and kept: the latest, or their exponential mean over the steps (``ema``)."""
    averaging_decay: float = 0.999
    """Of the exponential mean, in [0, 1): it looks back about 1 / (1 - decay) steps, over fewer in the first ones."""
    modality_dropout: float = 0.0
    """Probability that a training clip loses one of the modalities that the method reads, so that it learns to go
    without; a clip's last is never lost. A method that is not trained by gradient ignores it."""
    threads: int = 1
    """Of the arithmetic on a CPU: the same number gives the same bits. One is as fast for a small method, and lets a
    grid use every core for a run of its own; give a fine-tuned encoder more."""
    checkpoint_steps: int | None = None
    """Also save the training state every this many steps; None saves it at the end of each epoch only."""

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            SettingsError: a value outside its range.
        """
        for name in ("learning_rate", "batch_size", "epochs", "threads", "devices"):
            if getattr(self, name) == "auto":
                continue
            if getattr(self, name) <= 0:
                raise SettingsError(f"training.{name} = {getattr(self, name)}; expected more than 0")
        for name in ("warmup_epochs", "weight_decay"):
            if getattr(self, name) < 0:
                raise SettingsError(f"training.{name} = {getattr(self, name)}; expected 0 or more")
        if not 0 <= self.averaging_decay < 1:
            raise SettingsError(
                f"training.averaging_decay = {self.averaging_decay}; expected 0 or more and less than 1, such as 0.999"
            )
        require("training.modality_dropout", self.modality_dropout, at_least=0, at_most=1)
        for name in ("clip_norm", "clip_value", "patience", "checkpoint_steps"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise SettingsError(f"training.{name} = {value}; expected more than 0, or leave it out")


def resolved_device(device: Device) -> Literal["cpu", "cuda"]:
    """The device that a name stands for on this machine.

    Raises:
        UsageError: CUDA was asked for, and there is none.
    """
    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        raise UsageError("training.device = cuda, but torch sees no CUDA device here; use cpu, or auto")
    return "cuda" if has_cuda and device != "cpu" else "cpu"


def resolved_num_devices(config: TrainingConfig) -> int:
    """How many devices train a run on this machine.

    Raises:
        UsageError: more were asked for than there are.
    """
    is_cuda = resolved_device(config.device) == "cuda"
    if config.devices == "auto":
        return torch.cuda.device_count() if is_cuda else 1
    if is_cuda and config.devices > torch.cuda.device_count():
        raise UsageError(
            f"training.devices = {config.devices}, but torch sees {torch.cuda.device_count()} CUDA devices here; take "
            "fewer, or auto (in a grid of several processes each sees one: --gpus-per-run gives it more)"
        )
    return config.devices


@contextmanager
def num_threads(number: int) -> Iterator[None]:
    """Compute with so many threads inside, and with as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def learning_rate_factor(config: TrainingConfig, step: int, steps_per_epoch: int) -> float:
    """Factor on the peak learning rate at a step of a phase, in (0, 1]; the first step already moves.

    Example:
        >>> [learning_rate_factor(TrainingConfig(warmup_epochs=1.0), step, 4) for step in range(5)]
        [0.25, 0.5, 0.75, 1.0, 1.0]
    """
    warmup = config.warmup_epochs * steps_per_epoch
    if step + 1 < warmup:
        return (step + 1) / warmup
    if config.decay == "none":
        return 1.0
    total = max(config.epochs * steps_per_epoch, 1)
    done = (step - warmup) / max(total - warmup, 1)
    return 0.5 * (1 + math.cos(math.pi * min(max(done, 0.0), 1.0)))


def parameter_groups(
    named: Iterable[tuple[str, nn.Parameter]], ratios: Mapping[str, float], config: TrainingConfig
) -> list[dict[str, Any]]:
    """Optimiser groups, one for each pair of learning-rate ratio and decay; biases, norms and masks do not decay."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in named:
        prefixes = [prefix for prefix in ratios if name.startswith(prefix)]
        ratio = ratios[max(prefixes, key=len)] if prefixes else 1.0
        decay = config.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((ratio, decay), []).append(parameter)
    return [
        {"params": parameters, "lr": 0.0, "ratio": ratio, "weight_decay": decay}
        for (ratio, decay), parameters in groups.items()
    ]


def make_optimizer(
    named: Iterable[tuple[str, nn.Parameter]], ratios: Mapping[str, float], config: TrainingConfig
) -> torch.optim.Optimizer:
    """Adam [P], with each group's ``ratio`` on the learning rate."""
    return torch.optim.AdamW(parameter_groups(named, ratios, config), fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Give each group its ratio of a learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group["ratio"]
