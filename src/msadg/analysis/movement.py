"""How far predictions moved: between what a method says of some clips and what it says of them otherwise."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy.special import rel_entr

from msadg.results.predictions import Predictions

MOVEMENTS = ("js_distance", "total_variation", "polarity_shift", "flip_share")
"""0 where nothing moved; in [0, 1], save for the shift, which is in points of polarity and a regression's only."""


def js_distance(
    before: Float[np.ndarray, "clip sentiment"], after: Float[np.ndarray, "clip sentiment"]
) -> Float[np.ndarray, " clip"]:
    """Jensen-Shannon distance of each clip's two distributions, in [0, 1].

    sqrt(KL(p || m) / 2 + KL(q || m) / 2), m = (p + q) / 2, logarithms to base 2; exactly 0 where p = q.
    Reference: Endres, Schindelin, "A new metric for probability distributions", IEEE Trans. Inf. Theory, 2003.

    Example:
        >>> js_distance(np.array([[1.0, 0.0, 0.0]]), np.array([[0.0, 0.5, 0.5]]))
        array([1.])
    """
    middle = (before + after) / 2
    bits = (rel_entr(before, middle) + rel_entr(after, middle)).sum(axis=1) / (2 * np.log(2))
    return np.asarray(np.sqrt(np.clip(bits, 0, 1)))  # rounding leaves -1e-17 of distributions that hardly differ


def total_variation(
    before: Float[np.ndarray, "clip sentiment"], after: Float[np.ndarray, "clip sentiment"]
) -> Float[np.ndarray, " clip"]:
    """Probability that changed hands, by clip, in [0, 1]: half the sum over classes of |p - q|."""
    return np.asarray(np.abs(before - after).sum(axis=1) / 2)


def movements(before: Predictions, after: Predictions) -> dict[str, Float[np.ndarray, " clip"]]:
    """The movements that there are, by clip and under their names in MOVEMENTS.

    Of probabilities, the distances; of predicted polarities, how far they shifted; of either, 1 where the class is
    another.
    """
    found: dict[str, Float[np.ndarray, " clip"]] = {}
    if before.probabilities is not None and after.probabilities is not None:
        found["js_distance"] = js_distance(before.probabilities, after.probabilities)
        found["total_variation"] = total_variation(before.probabilities, after.probabilities)
    if before.predicted_polarity is not None and after.predicted_polarity is not None:
        found["polarity_shift"] = np.abs(after.predicted_polarity - before.predicted_polarity)
    return found | {"flip_share": (before.predicted != after.predicted).astype(np.float64)}
