"""Is a model as often right as it is sure: confidence against accuracy, in bins of equal mass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

NUM_BINS = 15
"""Bins of the calibration error."""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Clips of like confidence."""

    confidence: float
    """Their mean."""
    share_right: float
    num_clips: int


def calibration_error(
    confidence: Float[np.ndarray, " clip"], is_right: Bool[np.ndarray, " clip"], num_bins: int = NUM_BINS
) -> float:
    """Expected calibration error over bins of equal mass, in [0, 1]; 0 = as often right as it is sure.

    ECE = sum over bins of (clips in bin / clips) |share right - mean confidence|

    The bins are cut at the quantiles of the confidence, and clips of equal confidence share a bin, so that the
    order of clips does not matter; a bin that this leaves empty counts nothing.
    Reference: Nixon et al., "Measuring Calibration in Deep Learning", CVPR Workshops 2019 (adaptive bins).

    Example:
        >>> calibration_error(np.array([0.9, 0.9, 0.9, 0.9]), np.array([True, True, True, False]))
        0.15000000000000002
    """
    bins = _bins_of(confidence, num_bins)
    # |clips in bin / clips (share right - mean confidence)| = |sum over the bin of (right - confidence)| / clips
    excess = np.bincount(bins, weights=is_right - confidence, minlength=num_bins)
    return float(np.abs(excess).sum() / len(confidence))


def reliability(
    confidence: Float[np.ndarray, " clip"], is_right: Bool[np.ndarray, " clip"], num_bins: int = NUM_BINS
) -> list[ReliabilityBin]:
    """The bins of ``calibration_error``, from the least sure to the surest; those without a clip are left out.

    Example:
        >>> reliability(np.array([0.5, 0.5, 1.0, 1.0]), np.array([True, False, True, True]), num_bins=2)[0]
        ReliabilityBin(confidence=0.5, share_right=0.5, num_clips=2)
    """
    bins = _bins_of(confidence, num_bins)
    number = np.bincount(bins, minlength=num_bins)
    sure = np.bincount(bins, weights=confidence, minlength=num_bins)
    right = np.bincount(bins, weights=is_right, minlength=num_bins)
    return [
        ReliabilityBin(float(sure[at] / number[at]), float(right[at] / number[at]), int(number[at]))
        for at in np.flatnonzero(number)
    ]


def _bins_of(confidence: Float[np.ndarray, " clip"], num_bins: int) -> Int[np.ndarray, " clip"]:
    edges = np.quantile(confidence, np.arange(1, num_bins) / num_bins)
    return np.asarray(np.searchsorted(edges, confidence, side="left"), np.int64)
