"""Fisher's z-test of every pair of features at once (METHODS 6, Figures 6 and 7), and what many tests ask for.

z = atanh(r) sqrt(n - 3 - |S|), r the correlation of two features over n clips given the features S.
Reference: Fisher, "The distribution of the partial correlation coefficient", Metron, 1924; Benjamini, Hochberg,
"Controlling the false discovery rate", JRSS B, 1995.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import erfc

from msadg.errors import UsageError

LEVEL = 0.05
"""Below it, a p-value calls two features dependent."""

RELATIVE_SPREAD = 1e-6
"""A feature whose spread is smaller than this, beside its size, is the same for every clip but for rounding."""


@dataclass(frozen=True, slots=True)
class FisherTest:
    """What Fisher's z-test says of every pair of a first and a second feature."""

    r: Float[np.ndarray, "first second"]
    """(Partial) correlation in [-1, 1]; NaN where a feature does not vary, or not beyond what S explains."""
    p: Float[np.ndarray, "first second"]
    """Two-sided, of the hypothesis that r is 0; NaN where r is."""
    num_clips: int
    num_given: int
    """|S|; a feature of S that says nothing beyond the others is not counted."""


def fisher_test(
    first: Float[np.ndarray, "clip first"],
    second: Float[np.ndarray, "clip second"],
    given: Float[np.ndarray, "clip given"] | None = None,
) -> FisherTest:
    """Test every feature of ``first`` against every feature of ``second``, by one matrix product.

    Args:
        first: of some clips.
        second: of the same clips.
        given: the conditioning set S; None is the empty one of the paper.

    Raises:
        UsageError: too few clips for n - 3 - |S| to be positive.
    """
    num_clips = len(first)
    basis = directions(given) if given is not None else np.zeros((num_clips, 0))
    num_given = basis.shape[1]
    check_enough(num_clips, num_given)
    r = np.clip(standardised(first, basis).T @ standardised(second, basis), -1, 1)
    return FisherTest(r, fisher_p(r, num_clips, num_given), num_clips, num_given)


def check_enough(num_clips: int, num_given: int) -> None:
    """Stop where Fisher's z has no distribution.

    Raises:
        UsageError: says how many clips there are, and how many it takes.
    """
    if num_clips < num_given + 4:
        raise UsageError(
            f"Fisher's z-test of {num_clips} clips, given {num_given} features: it takes {num_given + 4} clips at "
            "least; measure on a split that has more"
        )


def fisher_p(r: Float[np.ndarray, "*pairs"], num_clips: int, num_given: int = 0) -> Float[np.ndarray, "*pairs"]:
    """Two-sided p-value of correlations.

    Example:
        >>> fisher_p(np.array([0.0, 0.5]), num_clips=28).round(4)
        array([1.   , 0.006])
    """
    with np.errstate(divide="ignore"):  # atanh(1) is infinite and its p-value 0, as it should be
        z = np.arctanh(r) * np.sqrt(num_clips - 3 - num_given)
    return np.asarray(erfc(np.abs(z) / np.sqrt(2)))


def smallest_dependent(num_clips: int, num_given: int = 0, level: float = LEVEL) -> float:
    """The |r| from which on so many clips call a pair dependent.

    Example:
        >>> round(smallest_dependent(1871), 3)
        0.045
    """
    from scipy.stats import norm

    return float(np.tanh(norm.isf(level / 2) / np.sqrt(num_clips - 3 - num_given)))


def directions(columns: Float[np.ndarray, "clip column"]) -> Float[np.ndarray, "clip direction"]:
    """An orthonormal basis of what some columns say beside a constant; as many as are not said by the others."""
    centred = columns.astype(np.float64) - columns.mean(axis=0, dtype=np.float64)
    sizes = np.linalg.norm(centred, axis=0)
    varies = sizes > RELATIVE_SPREAD * np.linalg.norm(columns.astype(np.float64), axis=0)
    if not varies.any():
        return np.zeros((len(columns), 0))
    left, strengths, _ = np.linalg.svd(centred[:, varies] / sizes[varies], full_matrices=False)
    found: Float[np.ndarray, "clip direction"] = left[:, strengths > RELATIVE_SPREAD * strengths[0]]
    return found


def standardised(
    values: Float[np.ndarray, "clip feature"], basis: Float[np.ndarray, "clip direction"]
) -> Float[np.ndarray, "clip feature"]:
    """Each feature less its mean and what the basis says of it, with norm 1; NaN where nothing is left of it.

    Args:
        values: of some clips.
        basis: orthonormal, each direction of mean 0; none for what is not conditioned on.
    """
    doubles = values.astype(np.float64)
    sizes = np.linalg.norm(doubles, axis=0)
    centred = doubles - doubles.mean(axis=0)
    spreads = np.linalg.norm(centred, axis=0)
    left = centred
    if basis.shape[1]:
        for _ in range(2):  # once more takes away what rounding left of the first time
            left = left - basis @ (basis.T @ left)
    norms = np.linalg.norm(left, axis=0)
    varies = (spreads > RELATIVE_SPREAD * sizes) & (norms > RELATIVE_SPREAD * spreads)
    scores: Float[np.ndarray, "clip feature"] = left / np.where(varies, norms, np.nan)
    return scores


def benjamini_hochberg(p_values: Float[np.ndarray, "*tests"]) -> Float[np.ndarray, "*tests"]:
    """The p-values as adjusted for the false discovery rate of all of them; NaN stays NaN and does not count.

    Example:
        >>> benjamini_hochberg(np.array([0.01, np.nan, 0.04, 0.03]))
        array([0.03,  nan, 0.04, 0.04])
    """
    from statsmodels.stats.multitest import multipletests

    adjusted = np.full(p_values.shape, np.nan)
    known = ~np.isnan(p_values)
    if known.any():
        adjusted[known] = multipletests(p_values[known], method="fdr_bh")[1]
    return adjusted
