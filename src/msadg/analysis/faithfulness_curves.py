"""Deletion curves of single clips: the probability of what was predicted, as more and more is taken away.

Units (steps, or features) go in the order of what the prediction is said to rest on (``Method.evidence``: what speaks
most for the predicted class goes first), in the reverse order, or at random. Insertion needs no runs of its own: what
is left after the weakest 80 % are deleted is what is there after the strongest 20 % are inserted.
Reference: Petsiuk, Das, Saenko, "RISE", BMVC 2018; Samek et al., IEEE TNNLS 28, 2017 (deletion by order of relevance).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from msadg.analysis.faithfulness_deletion import logits_without_features, remembered, steps_deleted
from msadg.batches.clips import ClipSet
from msadg.batches.sampling import sequential_batches
from msadg.methods.method import Method
from msadg.nn.seeds import derive_seed
from msadg.types import Batch

Unit = Literal["steps", "features"]
UNITS: tuple[Unit, ...] = ("steps", "features")

ORDERS = ("evidence", "reverse", "random")
SHARES = (0.0, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0)
"""Of a clip's units that are deleted; alike from both ends, so that insertion has the same ones."""

RANDOM_DRAWS = 3
AT_ONCE = 64
"""Clips in a batch."""


@dataclass(frozen=True)
class DeletionCurves:
    """The clips of one domain, in one modality and unit."""

    modality: str
    unit: Unit
    deleted: Mapping[str, Float[np.ndarray, "clip share"]]
    """By order: probability of the predicted class at SHARES; at random, the mean over draws."""
    at: Int[np.ndarray, " clip"]
    """Positions of the clips: those that have such units."""

    @property
    def inserted(self) -> dict[str, Float[np.ndarray, "clip share"]]:
        """The same with units put in: the first of ``evidence`` are what is left when ``reverse`` deletes."""
        left_by = {"evidence": "reverse", "reverse": "evidence", "random": "random"}
        return {order: self.deleted[other][:, ::-1] for order, other in left_by.items()}


def deletion_curves(method: Method, clips: ClipSet, at: Int[np.ndarray, " chosen"]) -> list[DeletionCurves]:
    """The curves of some clips, by modality and unit; nothing of a modality whose evidence is 0 throughout.

    Args:
        method: a classifier that has evidence, in eval mode on the CPU.
        clips: of one domain.
        at: which clips.
    """
    found: dict[tuple[str, Unit], list[tuple[np.ndarray, dict[str, np.ndarray]]]] = {}
    for part in sequential_batches(clips.lengths[at], AT_ONCE):
        with remembered(method):
            for key, has, curves in _of_batch(method, clips.batch(at[part])):
                found.setdefault(key, []).append((at[part][has], curves))
    return [
        DeletionCurves(
            modality,
            unit,
            {order: np.concatenate([curves[order] for _, curves in parts]) for order in ORDERS},
            np.concatenate([places for places, _ in parts]),
        )
        for (modality, unit), parts in found.items()
    ]


@torch.no_grad()
def _of_batch(
    method: Method, batch: Batch
) -> list[tuple[tuple[str, Unit], Bool[np.ndarray, " batch"], dict[str, np.ndarray]]]:
    logits = method(batch).logits
    winner = logits.argmax(dim=1)
    evidence = method.evidence(batch)
    assert evidence is not None
    found: list[tuple[tuple[str, Unit], np.ndarray, dict[str, np.ndarray]]] = []
    for modality, part in evidence.items():
        if not (part != 0).any():
            continue
        chosen = part.gather(-1, winner[:, None, None, None].expand(*part.shape[:3], 1))[..., 0]
        speaks = chosen - part.mean(dim=-1)  # beyond what it adds to the classes on average
        counts = {"steps": batch.steps[modality].valid, "features": (part != 0).any(dim=3).any(dim=1)}
        for unit, weight in (("steps", speaks.sum(dim=2)), ("features", speaks.sum(dim=1))):
            there = counts[unit].numpy()
            has = there.any(axis=1)
            if not has.any():
                continue

            def without(gone: Tensor, unit: str = unit, modality: str = modality) -> Tensor:
                if unit == "features":
                    return logits_without_features(method, batch, modality, gone)
                left: Tensor = method(steps_deleted(batch, modality, gone)).logits
                return left

            curves = _curves(without, logits, winner, weight.double().numpy(), there, (batch.clip_ids, modality, unit))
            found.append(((modality, unit), has, {order: curve[has] for order, curve in curves.items()}))  # type: ignore[arg-type]
    return found


def _curves(
    without: Callable[[Tensor], Tensor],
    logits: Tensor,
    winner: Tensor,
    weight: Float[np.ndarray, "batch unit"],
    there: Bool[np.ndarray, "batch unit"],
    names: tuple[tuple[str, ...], str, str],
) -> dict[str, Float[np.ndarray, "batch share"]]:
    def probability(said: Tensor) -> np.ndarray:
        return said.double().softmax(dim=1).gather(1, winner[:, None])[:, 0].numpy()

    whole, nothing = probability(logits), probability(without(torch.from_numpy(there)))
    keys = {"evidence": [-weight], "reverse": [weight], "random": random_keys(there.shape, *names)}
    curves = {}
    for order, drawn in keys.items():
        by_share = [
            np.mean([probability(without(torch.from_numpy(deleted(key, there, s)))) for key in drawn], axis=0)
            for s in SHARES[1:-1]
        ]
        curves[order] = np.stack([whole, *by_share, nothing], axis=1)
    return curves


def deleted(
    key: Float[np.ndarray, "batch unit"], there: Bool[np.ndarray, "batch unit"], share: float
) -> Bool[np.ndarray, "batch unit"]:
    """Which units are gone: of those that are there, so many of the smallest keys (the first, of a tie).

    Example:
        >>> deleted(np.array([[0.3, 0.1, 0.2, 0.0]]), np.array([[True, True, True, False]]), 0.5).tolist()
        [[False, True, True, False]]
    """
    order = np.argsort(np.where(there, key, np.inf), axis=1, kind="stable")
    rank = np.argsort(order, axis=1)
    number = np.floor(share * there.sum(axis=1) + 0.5)
    return np.asarray((rank < number[:, None]) & there)


def random_keys(
    shape: tuple[int, ...], clip_ids: tuple[str, ...], *names: str
) -> list[Float[np.ndarray, "batch unit"]]:
    """RANDOM_DRAWS random orders, each clip's its own: not a matter of its neighbours or of padding."""
    draws = []
    for draw in range(RANDOM_DRAWS):
        chances = [np.random.default_rng(derive_seed(draw, "faithfulness", *names, clip)) for clip in clip_ids]
        draws.append(np.stack([chance.random(shape[1]) for chance in chances]))
    return draws
