"""What decided the prediction of one stored clip: the share of each step and each feature.

A method whose logits are a sum over steps and features says so itself (``Method.evidence``): a share is what a term
adds to the predicted class beyond what it adds to the classes on average; in a regression, what it adds to the
polarity. Of any other method each step is left out in turn, and its share is what the predicted class's
log-probability (or the polarity) loses without it; features are then not told apart. Where the predicted polarity is
below 0, what lowers it has the positive shares, so that above 0 always speaks for what was predicted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from msadg.batches.clips import ClipSet
from msadg.methods.method import Method
from msadg.types import MODALITIES, Batch, Steps

MOST_PIECES = 200
"""A longer sequence is left out piece by piece instead of step by step."""

How = Literal["evidence", "occlusion"]


@dataclass(frozen=True, kw_only=True)
class CaseReasons:
    """What decided a prediction."""

    how: How
    steps: Mapping[str, Float[np.ndarray, " time"]]
    """By modality; above 0 a step speaks for the prediction (of a polarity: for its sign). The sizes sum to 1 over all
    steps of all modalities, or are all 0 where nothing in the clip moves the prediction."""
    features: Mapping[str, Float[np.ndarray, " feature"]]
    """Alike, over all features of all modalities, where the method's logits are a sum over them; else empty."""
    kept: Bool[np.ndarray, " time"] | None
    """Which frames of the video the method kept; None for one that keeps all."""


def case_reasons(method: Method, clips: ClipSet, at: int, predicted: int) -> CaseReasons:
    """Find what decided the prediction of one clip.

    Args:
        method: in eval mode, on the CPU.
        clips: of one domain.
        at: which of them.
        predicted: index of the predicted class; nothing is made of it in a regression.
    """
    batch = clips.batch([at])
    evidence = _evidence(method, batch, predicted)
    if evidence is None:
        steps, features = _without_each_step(method, batch, predicted), {}
    else:
        steps = {modality: part.sum(dim=1) for modality, part in evidence.items()}
        features = {modality: part.sum(dim=0) for modality, part in evidence.items()}
    sign = _sign(method, batch)
    return CaseReasons(
        how="occlusion" if evidence is None else "evidence",
        steps={modality: sign * part.numpy() for modality, part in shares_of(steps).items()},
        features={modality: sign * part.numpy() for modality, part in shares_of(features).items()},
        kept=_kept(method, batch),
    )


@torch.no_grad()
def _sign(method: Method, batch: Batch) -> int:
    """-1 for a predicted polarity below 0, which speaks for itself by being lowered; else 1."""
    return -1 if method.task.is_regression and float(method(batch).logits[0, 0]) < 0 else 1


@torch.no_grad()
def _evidence(method: Method, batch: Batch, predicted: int) -> dict[str, Float[Tensor, "time feature"]] | None:
    parts = method.evidence(batch)
    if parts is None:
        return None
    first = {modality: parts[modality][0] for modality in MODALITIES if modality in parts}
    return {m: said_for(part, predicted, is_regression=method.task.is_regression) for m, part in first.items()}


def said_for(
    evidence: Float[Tensor, "time feature output"], predicted: int, *, is_regression: bool
) -> Float[Tensor, "time feature"]:
    """What each feature of each step adds to the predicted class beyond the classes' mean; or to the polarity."""
    parts = evidence.double().cpu()
    return parts[..., 0] if is_regression else parts[..., predicted] - parts.mean(dim=-1)


def _without_each_step(method: Method, batch: Batch, predicted: int) -> dict[str, Float[Tensor, " time"]]:
    whole = _support(method, batch, predicted)[0]
    return {
        modality: lost_without_steps(
            batch.steps[modality],
            whole,
            lambda variants, modality=modality: _support(method, _variants(batch, modality, variants), predicted),  # type: ignore[misc]
        )
        for modality in MODALITIES
        if modality in method.modalities
    }


def lost_without_steps(
    own: Steps, whole: Float[Tensor, ""], support: Callable[[Steps], Float[Tensor, " variant"]]
) -> Float[Tensor, " time"]:
    """What a prediction's support loses without each step of one modality; shared evenly within a piece.

    Args:
        own: the steps of one clip.
        whole: the support with all of them.
        support: that of variants of these steps, each with a piece left out.
    """
    lost = torch.zeros(own.valid.shape[1], dtype=torch.float64)
    places = torch.nonzero(own.valid[0])[:, 0]
    if not len(places):
        return lost
    pieces = torch.tensor_split(places, min(len(places), MOST_PIECES))
    valid = own.valid.repeat(len(pieces), 1)
    for row, piece in enumerate(pieces):
        valid[row, piece] = False
    values = own.values.expand(len(pieces), -1, -1).masked_fill(~valid[..., None], 0)
    without = support(Steps(values, valid))
    for row, piece in enumerate(pieces):
        lost[piece] = (whole - without[row]) / len(piece)
    return lost


def _variants(batch: Batch, modality: str, variants: Steps) -> Batch:
    """One clip as often as there are variants of one of its modalities."""
    num = len(variants.valid)
    same = {m: Steps(s.values.expand(num, -1, -1), s.valid.expand(num, -1)) for m, s in batch.steps.items()}
    return replace(
        batch,
        clip_ids=batch.clip_ids * num,
        steps=same | {modality: variants},
        sentiment=batch.sentiment.expand(num),
        polarity=batch.polarity.expand(num),
        domain=batch.domain.expand(num),
    )


@torch.no_grad()
def _support(method: Method, batch: Batch, predicted: int) -> Float[Tensor, " batch"]:
    """The predicted class's log-probability; in a regression, the polarity."""
    logits = method(batch).logits.double()
    support: Tensor = logits[:, 0] if method.task.is_regression else logits.log_softmax(dim=-1)[:, predicted]
    return support


def shares_of(parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Each part as a share of all of them, sizes summed; as it is where nothing has a size."""
    total = sum(float(part.abs().sum()) for part in parts.values())
    return {modality: part / total if total > 0 else part for modality, part in parts.items()}


@torch.no_grad()
def _kept(method: Method, batch: Batch) -> Bool[np.ndarray, " time"] | None:
    kept = method(batch).auxiliary.get("kept_video")
    return None if kept is None else np.asarray(kept[0].numpy(), bool)
