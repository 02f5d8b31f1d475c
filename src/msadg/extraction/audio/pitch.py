"""The voice's period, and how periodic it is, in short windows of sound: the YIN estimator.

Reference: de Cheveigné, Kawahara. "YIN, a fundamental frequency estimator for speech and music", JASA 111(4), 2002,
doi:10.1121/1.1458024. Difference function (Eq. 6), cumulative mean normalisation (Eq. 8), absolute threshold (step 4),
parabolic interpolation (step 5). Departures: a window without a dip below the threshold is unvoiced (the paper takes
the deepest one), and there is no search around the estimate (step 6).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import fft

INTEGRATION = 400
"""Samples compared with those one lag later (W of Eq. 6): 25 ms at 16 kHz."""
THRESHOLD = 0.2
"""Deepest normalised difference of an unvoiced window."""
QUIET_POWER = 1e-8
"""Mean square below which nothing is heard: -80 dB of full scale."""


@dataclass(frozen=True, slots=True)
class Voicing:
    """What is periodic in each window; NaN where nothing is."""

    periods: Float[np.ndarray, " window"]
    """Of the voice, in samples."""
    likeness: Float[np.ndarray, " window"]
    """Correlation of one period with the next, in (0, 1]; what it lacks of 1 is noise."""


def window_length(longest_lag: int) -> int:
    """Return how many samples a window must have for lags up to ``longest_lag``."""
    return INTEGRATION + longest_lag + 2


def voicing_of(windows: Float[np.ndarray, "window sample"], shortest_lag: int, longest_lag: int) -> Voicing:
    """Return period and periodicity of each window of ``window_length(longest_lag)`` samples."""
    centred = windows - windows.mean(axis=1, keepdims=True, dtype=np.float64)
    difference, energy = _difference(centred)
    lag, found = _first_dip(_normalised(difference), shortest_lag, longest_lag)
    found &= energy[:, 0] > INTEGRATION * QUIET_POWER
    shift, depth = _vertex(*(np.take_along_axis(difference, lag[:, None] + by, axis=1)[:, 0] for by in (-1, 0, 1)))
    both = energy[:, 0] + np.take_along_axis(energy, lag[:, None], axis=1)[:, 0]
    likeness = 1 - np.maximum(depth, 0) / np.where(found, both, 1)
    return Voicing(np.where(found, lag + shift, np.nan), np.where(found, likeness, np.nan))


def _difference(
    windows: Float[np.ndarray, "window sample"],
) -> tuple[Float[np.ndarray, "window lag"], Float[np.ndarray, "window lag"]]:
    """Return sum_{j < W} (x_j - x_{j + lag})^2 (Eq. 6), and the energy of the W samples from each lag on."""
    num_lags = windows.shape[1] - INTEGRATION
    points = fft.next_fast_len(windows.shape[1], real=True)
    spectra = fft.rfft(windows[:, :INTEGRATION], points).conj() * fft.rfft(windows, points)
    product = fft.irfft(spectra, points)[:, :num_lags]
    running = np.cumsum(np.pad(windows**2, ((0, 0), (1, 0))), axis=1)
    energy = running[:, INTEGRATION : INTEGRATION + num_lags] - running[:, :num_lags]
    return np.maximum(energy[:, :1] + energy - 2 * product, 0), energy


def _normalised(difference: Float[np.ndarray, "window lag"]) -> Float[np.ndarray, "window lag"]:
    """Return the difference over its mean at the lags up to this one (Eq. 8); 1 where there is none at all."""
    running = np.cumsum(difference, axis=1)
    lags = np.arange(difference.shape[1])
    return np.where(running > 0, difference * lags / np.where(running > 0, running, 1), 1.0)


def _first_dip(
    normalised: Float[np.ndarray, "window lag"], shortest_lag: int, longest_lag: int
) -> tuple[Int[np.ndarray, " window"], Bool[np.ndarray, " window"]]:
    """Return the smallest lag at the bottom of a dip below the threshold, and whether there is one."""
    at = slice(shortest_lag, longest_lag + 1)
    here = normalised[:, at]
    left, right = normalised[:, shortest_lag - 1 : longest_lag], normalised[:, shortest_lag + 1 : longest_lag + 2]
    dips = (here < THRESHOLD) & (here < left) & (here <= right)
    return dips.argmax(axis=1) + shortest_lag, np.asarray(dips.any(axis=1))


def _vertex(
    left: Float[np.ndarray, " window"], middle: Float[np.ndarray, " window"], right: Float[np.ndarray, " window"]
) -> tuple[Float[np.ndarray, " window"], Float[np.ndarray, " window"]]:
    """Return where the parabola through three neighbours has its extremum, from the middle, and its value there."""
    bend = left - 2 * middle + right
    shift = np.clip(np.where(bend != 0, (left - right) / np.where(bend != 0, 2 * bend, 1), 0), -0.5, 0.5)
    return shift, middle - (left - right) * shift / 4
