"""How far a clip lies from what training saw: the Mahalanobis distance of its time-mean features.

Wide features are first reduced to the directions in which the sources vary most; what a clip has outside of them
counts by its size, against the sources' own (probabilistic PCA: Tipping & Bishop, J. R. Stat. Soc. B 61, 1999). The
covariance is shrunk (Ledoit & Wolf, J. Multivar. Anal. 88, 2004), so that few clips are enough.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

MAX_DIRECTIONS = 64
"""Directions that are kept of wide features."""

SMALLEST_VARIANCE = 1e-8
"""Of standardised features: below it a direction is constant in the sources, and is held against this instead."""


@dataclass(frozen=True)
class SourceDistance:
    """Fitted to the sources' training clips of one modality."""

    mean: Float[np.ndarray, " feature"]
    scale: Float[np.ndarray, " feature"]
    """Standard deviation; 1 where a feature never changes."""
    directions: Float[np.ndarray, "direction feature"]
    """Orthonormal, of the standardised features."""
    precision: Float[np.ndarray, "direction direction"]
    """Inverse of the shrunk covariance along the directions."""
    rest_variance: float
    """Mean variance of the standardised features outside the directions; 0 where there is no outside."""

    @classmethod
    def fit(cls, features: Float[np.ndarray, "clip feature"]) -> SourceDistance:
        """Fit to the time-mean features of some clips."""
        from sklearn.covariance import LedoitWolf

        features = features.astype(np.float64)
        mean, deviation = features.mean(axis=0), features.std(axis=0)
        scale = np.where(deviation > 1e-6 * np.maximum(np.abs(mean), 1.0), deviation, 1.0)
        standardised = (features - mean) / scale
        directions, rest = _main_directions(standardised)
        covariance = LedoitWolf(assume_centered=True).fit(standardised @ directions.T).covariance_
        covariance += SMALLEST_VARIANCE * np.eye(len(covariance))
        return cls(mean, scale, directions, np.linalg.inv(covariance), rest)

    def __call__(self, features: Float[np.ndarray, "clip feature"]) -> Float[np.ndarray, " clip"]:
        """Distance of each clip, in standard deviations along the sources' own directions."""
        standardised = (features.astype(np.float64) - self.mean) / self.scale
        along = standardised @ self.directions.T
        squared = np.einsum("cd,de,ce->c", along, self.precision, along)
        if self.rest_variance > 0:
            outside = standardised - along @ self.directions
            squared = squared + (outside**2).sum(axis=1) / self.rest_variance
        return np.asarray(np.sqrt(np.maximum(squared, 0.0)))


def _main_directions(
    standardised: Float[np.ndarray, "clip feature"],
) -> tuple[Float[np.ndarray, "direction feature"], float]:
    """Return the directions to keep, and the mean variance of what they leave; all of them where that is few."""
    num_clips, dim = standardised.shape
    wanted = min(MAX_DIRECTIONS, max(num_clips // 5, 1))
    if dim <= wanted:
        return np.eye(dim), 0.0
    if not standardised.any():  # every feature is constant: no direction says more than another
        return np.eye(wanted, dim), SMALLEST_VARIANCE
    from sklearn.decomposition import PCA

    solver = "full" if num_clips < dim else "covariance_eigh"
    directions = np.ascontiguousarray(PCA(wanted, svd_solver=solver).fit(standardised).components_)
    # Not PCA's noise_variance_: of fewer clips than features it leaves out the directions in which no clip varies.
    outside = standardised - standardised @ directions.T @ directions
    rest_variance = float((outside**2).sum() / num_clips / (dim - wanted))
    return directions, max(rest_variance, SMALLEST_VARIANCE)
