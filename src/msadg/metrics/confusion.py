"""Scores that need nothing but counts of (truth, prediction): fast, and for many tables of counts at once.

`counts[..., truth, predicted]` is how many clips of class `truth` were called `predicted`.
scikit-learn scores one set of clips at a time; the training loop (each epoch) and the bootstrap (thousands of
draws) need the same numbers faster. The tests hold both to each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int, Num

from msadg.types import SENTIMENT


def confusion_counts(
    predicted: Int[np.ndarray, " clip"], sentiment: Int[np.ndarray, " clip"], num_classes: int = SENTIMENT.num_classes
) -> Int[np.ndarray, "sentiment sentiment"]:
    """How many clips of each class (row) were predicted as each class (column)."""
    cells = sentiment.astype(np.int64) * num_classes + predicted
    return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def accuracy_of(counts: Num[np.ndarray, "*draw sentiment sentiment"]) -> Float[np.ndarray, "*draw"]:
    """Share of clips on the diagonal."""
    return _ratio(_diagonal(counts).sum(axis=-1), counts.sum(axis=(-2, -1)), where_none=np.nan)


def f1_macro_of(counts: Num[np.ndarray, "*draw sentiment sentiment"]) -> Float[np.ndarray, "*draw"]:
    """Mean over the classes of F1 = 2 hits / (predicted + true); 0 for one that is neither."""
    both = counts.sum(axis=-1) + counts.sum(axis=-2)
    return np.asarray(_ratio(2 * _diagonal(counts), both, where_none=0.0).mean(axis=-1))


def balanced_accuracy_of(counts: Num[np.ndarray, "*draw sentiment sentiment"]) -> Float[np.ndarray, "*draw"]:
    """Mean recall over the classes that the truth has; the others have no recall."""
    true = counts.sum(axis=-1)
    recall = _ratio(_diagonal(counts), true, where_none=0.0)
    return _ratio(recall.sum(axis=-1), (true > 0).sum(axis=-1), where_none=np.nan)


def f1_macro(
    predicted: Int[np.ndarray, " clip"], sentiment: Int[np.ndarray, " clip"], num_classes: int = SENTIMENT.num_classes
) -> float:
    """Macro-F1 over all classes, in [0, 1]; a few microseconds, for use at each epoch.

    Example:
        >>> f1_macro(np.array([0, 1, 2, 2]), np.array([0, 1, 2, 1]))
        0.7777777777777777
    """
    return float(f1_macro_of(confusion_counts(predicted, sentiment, num_classes)))


SCORES_OF_COUNTS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "accuracy": accuracy_of,
    "f1_macro": f1_macro_of,
    "balanced_accuracy": balanced_accuracy_of,
}
"""The metrics that counts determine, and so those that can be bootstrapped from counts."""


def _diagonal(counts: np.ndarray) -> np.ndarray:
    return np.asarray(np.diagonal(counts, axis1=-2, axis2=-1))


def _ratio(top: npt.ArrayLike, bottom: npt.ArrayLike, *, where_none: float) -> np.ndarray:
    top, bottom = np.asarray(top, dtype=np.float64), np.asarray(bottom, dtype=np.float64)
    return np.asarray(np.divide(top, bottom, out=np.full(bottom.shape, where_none), where=bottom > 0))
