"""Does a score foretell something: the area under the ROC curve, also of many weighings of the clips at once."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float, Shaped

DRAWS_AT_ONCE = 200
"""Weighings that are held in memory together."""


def auroc(score: Float[np.ndarray, " clip"], is_positive: Bool[np.ndarray, " clip"]) -> float:
    """How likely a positive clip has a higher score than another one, ties as half, in [0, 1]; .5 = says nothing.

    NaN where all clips or none are positive, or where the score never varies: there is nothing to rank then.

    Example:
        >>> auroc(np.array([0.1, 0.4, 0.3, 0.8]), np.array([False, True, False, True]))
        1.0
    """
    from sklearn.metrics import roc_auc_score

    if len(score) == 0 or is_positive.all() or not is_positive.any() or not np.ptp(score) > 0:
        return math.nan
    return float(roc_auc_score(is_positive, score))


def weighted_aurocs(
    score: Float[np.ndarray, " clip"],
    is_positive: Bool[np.ndarray, " clip"],
    group: Shaped[np.ndarray, " clip"],
    group_weights: Float[np.ndarray, "draw group"],
) -> Float[np.ndarray, " draw"]:
    """The area under each weighing of groups of clips; NaN where one side weighs nothing.

    Args:
        score: of each clip.
        is_positive: which clips the score should be high for.
        group: of each clip, as index into the weights (a clip's video).
        group_weights: how much each group counts in each draw.
    """
    order = np.argsort(score, kind="stable")
    first = np.flatnonzero(np.r_[True, np.diff(score[order]) > 0])  # of each run of equal scores
    columns, positive = group[order], is_positive[order]
    areas = []
    for start in range(0, len(group_weights), DRAWS_AT_ONCE):
        weights = group_weights[start : start + DRAWS_AT_ONCE][:, columns]
        above = np.add.reduceat(np.where(positive, weights, 0.0), first, axis=1)
        below = np.add.reduceat(np.where(positive, 0.0, weights), first, axis=1)
        lower = np.cumsum(below, axis=1) - below / 2  # equal scores count half
        pairs = above.sum(axis=1) * below.sum(axis=1)
        won = (above * lower).sum(axis=1)
        areas.append(np.divide(won, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0))
    return np.concatenate(areas)
