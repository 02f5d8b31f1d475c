"""Scores of predicted polarities that need nothing but sums over clips: for the bootstrap and its thousands of draws.

Each clip gives a few terms; a score is a function of their sums over any set of clips, so a draw of videos needs the
sums of each video only. What the names mean is said in ``regression.py``, which scores one set of clips at a time; the
tests hold both to each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Bool, Float, Int

from msadg.metrics.regression import rounded

Terms = Float[np.ndarray, "clip term"]
Polarity = Float[np.ndarray, " clip"]


@dataclass(frozen=True, slots=True)
class ScoreOfSums:
    """One metric in two steps."""

    terms: Callable[[Polarity, Polarity], Terms]
    """Of (prediction, polarity): what each clip adds."""
    score: Callable[[Float[np.ndarray, "*draw term"]], Float[np.ndarray, "*draw"]]
    """Of sums of terms: the metric; NaN where it does not exist."""


def _error_terms(prediction: Polarity, polarity: Polarity) -> Terms:
    return np.stack([np.abs(prediction - polarity), np.ones(len(polarity))], axis=-1)


def _ratio(sums: Float[np.ndarray, "*draw term"]) -> Float[np.ndarray, "*draw"]:
    """First sum over second."""
    top, bottom = sums[..., 0], sums[..., 1]
    return np.asarray(np.divide(top, bottom, out=np.full(bottom.shape, np.nan), where=bottom > 0))


def _sign_terms(prediction: Polarity, polarity: Polarity, *, zeros_count: bool) -> Terms:
    """Whether a clip is negative and called so; is, and is not called so; is not, and is; is not, and is not."""
    is_negative, is_called, counts = _signs(prediction, polarity, zeros_count=zeros_count)
    cells = [is_negative & is_called, is_negative & ~is_called, ~is_negative & is_called, ~is_negative & ~is_called]
    return np.stack([cell & counts for cell in cells], axis=-1).astype(np.float64)


def _signs(prediction: Polarity, polarity: Polarity, *, zeros_count: bool) -> tuple[Bool[np.ndarray, " clip"], ...]:
    """Negative in truth, negative by prediction, and counted at all: ``has0`` or ``non0``."""
    if zeros_count:
        return polarity < 0, prediction < 0, np.ones(len(polarity), dtype=np.bool_)
    return polarity < 0, prediction <= 0, polarity != 0


def _accuracy_of_signs(cells: Float[np.ndarray, "*draw cell"]) -> Float[np.ndarray, "*draw"]:
    return _ratio(np.stack([cells[..., 0] + cells[..., 3], cells.sum(axis=-1)], axis=-1))


def _f1_of_signs(cells: Float[np.ndarray, "*draw cell"]) -> Float[np.ndarray, "*draw"]:
    """F1 of both sides, weighted by their true counts; a side that is neither true nor called has none."""
    wrong = cells[..., 1] + cells[..., 2]
    hits = cells[..., [0, 3]]
    f1 = np.nan_to_num(_ratio(np.stack([2 * hits, 2 * hits + wrong[..., None]], axis=-1)))
    true = cells[..., :2].sum(axis=-1), cells[..., 2:].sum(axis=-1)
    return _ratio(np.stack([true[0] * f1[..., 0] + true[1] * f1[..., 1], cells.sum(axis=-1)], axis=-1))


def _rounded_terms(prediction: Polarity, polarity: Polarity, *, limit: int) -> Terms:
    called: Int[np.ndarray, " clip"] = rounded(prediction, limit=limit)
    return np.stack([called == rounded(polarity, limit=limit), np.ones(len(polarity))], axis=-1).astype(np.float64)


def _moment_terms(prediction: Polarity, polarity: Polarity) -> Terms:
    """1, p, y, p p, y y, p y, of centred and scaled sides: r is the same, and no sum is large."""
    p, y = _scaled(prediction), _scaled(polarity)
    return np.stack([np.ones(len(y)), p, y, p * p, y * y, p * y], axis=-1)


def _scaled(side: Polarity) -> Polarity:
    spread = np.std(side)
    if spread <= 1e-13 * np.abs(side).max(initial=0.0):  # a constant, up to rounding
        return np.zeros(len(side))
    return np.asarray((side - side.mean()) / spread)


def _corr_of_moments(sums: Float[np.ndarray, "*draw moment"]) -> Float[np.ndarray, "*draw"]:
    number, p, y, pp, yy, py = np.moveaxis(sums, -1, 0)
    number = np.maximum(number, 1)
    spread_p, spread_y = pp - p * p / number, yy - y * y / number
    exists = (spread_p > 1e-12 * pp) & (spread_y > 1e-12 * yy)
    scale = np.sqrt(np.where(exists, spread_p * spread_y, 1.0))
    return np.where(exists, np.clip((py - p * y / number) / scale, -1.0, 1.0), np.nan)


SCORES_OF_SUMS: Mapping[str, ScoreOfSums] = {
    "mae": ScoreOfSums(_error_terms, _ratio),
    "corr": ScoreOfSums(_moment_terms, _corr_of_moments),
    "acc2_has0": ScoreOfSums(partial(_sign_terms, zeros_count=True), _accuracy_of_signs),
    "acc2_non0": ScoreOfSums(partial(_sign_terms, zeros_count=False), _accuracy_of_signs),
    "acc5": ScoreOfSums(partial(_rounded_terms, limit=2), _ratio),
    "acc7": ScoreOfSums(partial(_rounded_terms, limit=3), _ratio),
    "f1_weighted_has0": ScoreOfSums(partial(_sign_terms, zeros_count=True), _f1_of_signs),
    "f1_weighted_non0": ScoreOfSums(partial(_sign_terms, zeros_count=False), _f1_of_signs),
}
"""The metrics of predicted polarities; each is what ``regression_metrics`` says of the same clips."""
