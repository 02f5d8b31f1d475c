"""What a model gains by abstaining: how often it is right on the clips that it is surest of.

Clips of equal confidence are taken in every order alike: what is said of a part of them is its expected value, so
that the order of clips does not matter.
Reference: Geifman, El-Yaniv, "Selective Classification for Deep Neural Networks", NeurIPS 2017.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int, Num

from msadg.metrics.confusion import f1_macro_of


def risk_coverage_area(confidence: Float[np.ndarray, " clip"], is_wrong: Bool[np.ndarray, " clip"]) -> float:
    """Area under the risk-coverage curve, in [0, 1]; less is better, the share of errors where confidence says nothing.

    AURC = (1 / n) sum_{k = 1..n} (errors among the k clips that it is surest of) / k

    Example:
        >>> risk_coverage_area(np.array([0.9, 0.8, 0.5, 0.4]), np.array([False, False, True, True]))
        0.20833333333333331
    """
    errors = surest_sums(confidence, is_wrong[:, None].astype(np.float64))[:, 0]
    return float((errors / np.arange(1, len(errors) + 1)).mean())


def best_risk_coverage_area(num_wrong: int, num_clips: int) -> float:
    """The least that the area can be with so many errors: with all of them where it is least sure.

    Example:
        >>> best_risk_coverage_area(2, 4)
        0.20833333333333331
    """
    kept = np.arange(1, num_clips + 1)
    return float((np.maximum(kept - (num_clips - num_wrong), 0) / kept).mean())


def accuracy_at(
    confidence: Float[np.ndarray, " clip"], is_right: Bool[np.ndarray, " clip"], kept: Int[np.ndarray, " cut"]
) -> Float[np.ndarray, " cut"]:
    """Share of right answers among so many of the clips that it is surest of."""
    right = surest_sums(confidence, is_right[:, None].astype(np.float64))[:, 0]
    return np.asarray(right[kept - 1] / kept)


def f1_macro_at(
    confidence: Float[np.ndarray, " clip"],
    predicted: Int[np.ndarray, " clip"],
    sentiment: Int[np.ndarray, " clip"],
    num_classes: int,
    kept: Int[np.ndarray, " cut"],
) -> Float[np.ndarray, " cut"]:
    """Macro-F1 over all classes on those clips; of expected counts where confidence is tied.

    A class that none of them is of, or is called, counts as 0: a model that is sure of one class alone has a third.
    """
    cells = np.eye(num_classes**2)[sentiment * num_classes + predicted]
    counts = surest_sums(confidence, cells)[kept - 1]
    return f1_macro_of(counts.reshape(-1, num_classes, num_classes))


def surest_sums(
    confidence: Float[np.ndarray, " clip"], terms: Num[np.ndarray, "clip term"]
) -> Float[np.ndarray, "clip term"]:
    """Sums of some terms over the clip that it is surest of, the two that it is surest of, ... all of them."""
    _, tied, sizes = np.unique(-confidence, return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(tied, weights=term, minlength=len(sizes)) for term in terms.T], axis=1)
    return np.cumsum(np.repeat(sums / sizes[:, None], sizes, axis=0), axis=0)
