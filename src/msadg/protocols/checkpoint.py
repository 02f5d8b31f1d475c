"""The state of a training run on disk: safetensors with a JSON header, replaced in one step, never unpickled."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from msadg.errors import RunError
from msadg.store.atomic import atomic_path

STATE_FILE = "state.safetensors"


@dataclass(kw_only=True)
class TrainingState:
    """Where a run stands; with the seed, all that is needed to go on to the same bits."""

    phase: int = 0
    epoch: int = 0
    """Epochs of the phase that are done."""
    step: int = 0
    """Steps of the running epoch that are done."""
    best_score: float | None = None
    best_epoch: int = -1
    """Epoch of this phase whose weights are kept."""
    best_epochs: list[int] = field(default_factory=list)
    """Of the phases that are done."""
    losses: dict[str, float] = field(default_factory=dict)
    """Sums over the running epoch's clips, by term."""
    clips: int = 0
    """Clips that the running epoch has seen."""
    history: list[dict[str, Any]] = field(default_factory=list)
    """One entry an epoch."""
    seconds: float = 0.0
    """Spent so far, over all stretches."""
    finished: bool = False
    left_out: dict[str, float] = field(default_factory=dict)
    """Under ``leave_one_source_out``, source -> what a training without it scored on it, by the choice that was made;
    higher is better."""


def save_tensors(path: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write tensors and a JSON header, whole or not at all.

    Raises:
        StoreError: the disk is full.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    with atomic_path(path) as partial:
        try:
            plain = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
            save_file(plain, partial, {"msadg": json.dumps(meta)})
        except SafetensorError as error:
            number = re.search(r"os error (\d+)", str(error))  # safetensors hides the system's error in its text
            if number is None:
                raise
            raise OSError(int(number[1]), os.strerror(int(number[1]))) from error


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what ``save_tensors`` wrote.

    Raises:
        RunError: no such file, truncated, or written by something else.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            meta = json.loads((file.metadata() or {})["msadg"])
            return {name: file.get_tensor(name) for name in file.keys()}, meta  # noqa: SIM118
    except FileNotFoundError:
        raise RunError(f"{path}: there is no such file; expected what `msadg train` writes") from None
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise RunError(f"{path}: damaged or not written by msadg ({error}); train again in a new folder") from None


def load_weights(module: nn.Module, tensors: Mapping[str, Tensor], where: str) -> None:
    """Put tensors into a module.

    Raises:
        RunError: other names or shapes than the module has.
    """
    try:
        module.load_state_dict(dict(tensors))
    except RuntimeError as error:
        raise RunError(f"{where}: its weights do not fit the settings beside it: {error}") from None


def save_state(
    folder: Path,
    state: TrainingState,
    module: nn.Module,
    optimizer: torch.optim.Optimizer | None,
    random_state: Tensor | None,
    mean: Mapping[str, Tensor] | None = None,
) -> None:
    """Write the training state into a run folder.

    Args:
        folder: of the run.
        state: counters and history.
        module: its weights are saved.
        optimizer: its state is saved; None between phases.
        random_state: torch's, in the middle of an epoch; None at its end, where the next seed is derived by name.
        mean: of the weights, where they are averaged.
    """
    tensors = {f"model.{name}": value for name, value in module.state_dict().items()}
    if optimizer is not None:
        for index, slots in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{slot}": value for slot, value in slots.items()}
    if random_state is not None:
        tensors["random_state"] = random_state
    tensors |= {f"mean.{name}": value for name, value in (mean or {}).items()}
    save_tensors(folder / STATE_FILE, tensors, asdict(state))


@dataclass(frozen=True)
class SavedState:
    """What ``save_state`` wrote, taken apart."""

    state: TrainingState
    weights: dict[str, Tensor]
    slots: dict[int, dict[str, Tensor]]
    """Of the optimiser, by index of the parameter."""
    random_state: Tensor | None
    mean: dict[str, Tensor]
    """Of the weights; empty where they are not averaged."""


def load_state(folder: Path) -> SavedState | None:
    """Read the training state of a run folder; None where training has not got as far as saving one.

    Raises:
        RunError: the file is damaged.
    """
    if not (folder / STATE_FILE).exists():
        return None
    tensors, meta = load_tensors(folder / STATE_FILE)
    weights, mean = (
        {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
        for prefix in ("model.", "mean.")
    )
    slots: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, slot = name.split(".", 2)
            slots.setdefault(int(index), {})[slot] = tensor
    return SavedState(TrainingState(**meta), weights, slots, tensors.get("random_state"), mean)


def restore_optimizer(optimizer: torch.optim.Optimizer, slots: Mapping[int, Mapping[str, Tensor]]) -> None:
    """Give an optimiser of the same groups its saved state back."""
    content = optimizer.state_dict()
    content["state"] = {index: dict(values) for index, values in slots.items()}
    optimizer.load_state_dict(content)
