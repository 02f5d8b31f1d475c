"""A batch as a worse recording would have given it: steps dropped, frozen, swapped or noised, or a modality gone.

Pure functions on a batch, so that any method and any store can be put under stress. Padding and unobserved steps are
neither read nor changed. What is drawn for a clip depends on the seed, the kind, the modality and the clip's id alone:
not on its neighbours, its padding or the device. A higher rate disturbs the steps of a lower one, and more (jitter
draws its pairs anew).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from msadg.errors import UnknownNameError, UsageError
from msadg.nn.seeds import derive_seed
from msadg.settings import require
from msadg.types import MODALITIES, Batch, Prediction, Steps

Kind = Literal["drop", "repeat", "jitter", "noise", "missing"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""What can happen to the steps of a modality:

    drop      a step is not observed: invalid, its value 0, its place in time kept; a clip's last step always stays
    repeat    a step shows once more what the valid step before it showed (a frozen picture); the first never does
    jitter    neighbouring valid steps change places, in pairs that share no step
    noise     Gaussian noise is added to a step, its deviation in units of each feature's spread in the sources
    missing   every step is gone: a clip looks as one without this modality does
"""

TEXT_KINDS: tuple[Kind, ...] = ("drop", "noise", "missing")
"""A transcript has no frames that freeze or come in another order."""


@dataclass(frozen=True, kw_only=True)
class Perturbation:
    """What happens to one modality.

    Raises:
        UnknownNameError: a kind or modality that there is not.
        UsageError: a kind that makes no sense of text.
        SettingsError: a number outside its range.
    """

    kind: Kind
    modality: str
    rate: int | float = 1.0
    """Share of a clip's valid steps that it happens to, in [0, 1], rounded down to whole steps; not for ``missing``."""
    seed: int = 0
    spreads: int | float = 1.0
    """Standard deviation of the noise, in spreads of each feature."""

    def __post_init__(self) -> None:
        """Check the fields."""
        check_kind(self.kind, self.modality)
        require("rate", self.rate, at_least=0, at_most=1)
        require("spreads", self.spreads, at_least=0)

    def num_steps(self, num_valid: int) -> int:
        """How many of so many valid steps it happens to.

        Example:
            >>> [Perturbation(kind="noise", modality="video", rate=rate).num_steps(10) for rate in (0.05, 0.29, 0.3)]
            [0, 2, 3]
        """
        return math.floor(self.rate * num_valid + 1e-9)  # .29 * 100 is 28.999999999999996


def check_kind(kind: str, modality: str) -> None:
    """Stop at a kind that there is not, or not for this modality; ``Perturbation`` says what is raised."""
    if kind not in KINDS:
        raise UnknownNameError("kind of perturbation", kind, KINDS)
    if modality not in MODALITIES:
        raise UnknownNameError("modality", modality, MODALITIES)
    if modality == "text" and kind not in TEXT_KINDS:
        raise UsageError(f"{kind} is for audio and video; of text there are {', '.join(TEXT_KINDS)}")


def perturbed(batch: Batch, perturbation: Perturbation, spread: Float[Tensor, " feature"] | None = None) -> Batch:
    """Return the batch under a perturbation; the batch given is left as it was.

    A batch without the modality, or with a rate of 0, comes back itself.

    Args:
        batch: of any clips.
        perturbation: what happens.
        spread: of each feature in the sources; read by ``noise`` alone.

    Raises:
        UsageError: noise on token ids, or without a spread.
    """
    steps = batch.steps.get(perturbation.modality)
    if steps is None or (perturbation.rate == 0 and perturbation.kind != "missing"):
        return batch
    match perturbation.kind:
        case "drop":
            changed = _dropped(batch, steps, perturbation)
        case "repeat" | "jitter":
            changed = _moved(batch, steps, perturbation)
        case "noise":
            changed = _noised(batch, steps, perturbation, spread)
        case "missing":
            changed = Steps(torch.zeros_like(steps.values), torch.zeros_like(steps.valid))
    return replace(batch, steps={**batch.steps, perturbation.modality: changed})


class Perturbed(nn.Module):
    """A method that meets every batch under a perturbation.

    Args:
        method: left as it is.
        perturbation: what happens to its batches.
        spread: see ``perturbed``.
    """

    def __init__(
        self, method: nn.Module, perturbation: Perturbation, spread: Float[Tensor, " feature"] | None = None
    ) -> None:
        super().__init__()
        self.method = method
        self.perturbation = perturbation
        self.spread = spread
        self.train(method.training)

    def forward(self, batch: Batch) -> Prediction:
        """What the method says of the perturbed batch."""
        prediction: Prediction = self.method(perturbed(batch, self.perturbation, self.spread))
        return prediction


def _dropped(batch: Batch, steps: Steps, perturbation: Perturbation) -> Steps:
    is_gone = np.zeros(tuple(steps.valid.shape), bool)
    for row, places, chance in _clips(batch, steps, perturbation):
        number = min(perturbation.num_steps(len(places)), len(places) - 1)
        is_gone[row, chance.permutation(places)[:number]] = True
    gone = torch.from_numpy(is_gone).to(steps.valid.device)
    return Steps(steps.values.masked_fill(gone.unsqueeze(-1), 0), steps.valid & ~gone)


def _moved(batch: Batch, steps: Steps, perturbation: Perturbation) -> Steps:
    size, time = steps.valid.shape
    shown_from = np.tile(np.arange(time), (size, 1))
    rearrange = _frozen if perturbation.kind == "repeat" else _swapped
    for row, places, chance in _clips(batch, steps, perturbation):
        shown_from[row, places] = places[rearrange(len(places), perturbation.num_steps(len(places)), chance)]
    index = torch.from_numpy(shown_from).to(steps.values.device).unsqueeze(-1)
    return Steps(steps.values.gather(1, index.expand_as(steps.values)), steps.valid)


def _frozen(num_valid: int, number: int, chance: np.random.Generator) -> Int[np.ndarray, " time"]:
    """Which step each step shows where ``number`` of them, never the first, show what was there before."""
    is_frozen = np.zeros(num_valid, bool)
    is_frozen[1 + chance.permutation(num_valid - 1)[:number]] = True
    last_seen: Int[np.ndarray, " time"] = np.maximum.accumulate(np.where(is_frozen, 0, np.arange(num_valid)))
    return last_seen


def _swapped(num_valid: int, number: int, chance: np.random.Generator) -> Int[np.ndarray, " time"]:
    """Which step each step shows where ``number`` of them (an odd one stays) change places with a neighbour.

    Every choice of so many disjoint pairs is as likely as another: of n steps and k pairs, k of n - k places.
    """
    pairs = number // 2
    first = np.sort(chance.choice(num_valid - pairs, pairs, replace=False)) + np.arange(pairs)
    order = np.arange(num_valid)
    order[first], order[first + 1] = first + 1, first
    return order


def _noised(batch: Batch, steps: Steps, perturbation: Perturbation, spread: Float[Tensor, " feature"] | None) -> Steps:
    if not steps.values.is_floating_point():
        raise UsageError(
            f"{perturbation.modality} holds token ids, which take no noise; leave out noise, or drop steps instead"
        )
    if spread is None:
        raise UsageError("noise is in units of each feature's spread in the sources, and no spread was given")
    noise = np.zeros(tuple(steps.values.shape), np.float32)
    is_noised = np.zeros(tuple(steps.valid.shape), bool)
    for row, places, chance in _clips(batch, steps, perturbation):
        chosen = chance.permutation(places)[: perturbation.num_steps(len(places))]
        noise[row, chosen] = chance.standard_normal((len(chosen), noise.shape[-1]), dtype=np.float32)
        is_noised[row, chosen] = True
    values = steps.values
    added = torch.from_numpy(noise).to(values) * (perturbation.spreads * spread.to(values))
    return Steps(
        torch.where(torch.from_numpy(is_noised).to(values.device)[..., None], values + added, values), steps.valid
    )


def _clips(
    batch: Batch, steps: Steps, perturbation: Perturbation
) -> Iterator[tuple[int, Int[np.ndarray, " time"], np.random.Generator]]:
    """Row, places of the valid steps and own chance of each clip that has any."""
    valid = steps.valid.cpu().numpy()
    for row, clip_id in enumerate(batch.clip_ids):
        places = np.flatnonzero(valid[row])
        if len(places):
            seed = derive_seed(perturbation.seed, perturbation.kind, perturbation.modality, clip_id)
            yield row, places, np.random.default_rng(seed)
