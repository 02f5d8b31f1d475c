"""Formants: the resonances of the vocal tract, from the poles of a linear prediction of the sound.

The sound is taken down to 11 kHz, its highs are lifted (6 dB an octave from 50 Hz), and each window of 50 ms is
predicted from its last ten samples (autocorrelation method, Hann window). A pair of poles at angle w and radius r is a
resonance at w / (2 pi) of the sampling rate with a bandwidth of -ln(r) / pi of it; the lowest three that are narrow
enough to be one are F1, F2 and F3.

Reference: Markel, Gray. "Linear Prediction of Speech", Springer 1976, chapters 3 and 7. The rates are those that are
usual for adults (Praat's "five formants up to 5500 Hz"); Praat itself uses Burg's method and a Gaussian window.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from scipy import fft
from scipy.signal import lfilter, resample_poly

from msadg.extraction.audio.windows import stretch_between, windows_of

NUM_FORMANTS = 3
RATE_HZ = 11_000
UP, DOWN = 11, 16
"""From 16 kHz."""
WINDOW = 800
"""Samples of a window at 16 kHz: 50 ms."""
ORDER = 10
LOWEST_HZ, HIGHEST_HZ = 90.0, 5_400.0
WIDEST_HZ = 600.0
"""Widest resonance that is taken for a formant; poles of the spectrum's mere tilt are wider."""
STEADYING = 1e-9
"""Part of the energy added to it, so that a pure tone can be solved for."""


def formants_of(
    samples: Float[np.ndarray, " sample"], first: int, last: int, hop: int, wanted: Bool[np.ndarray, " window"]
) -> Float[np.ndarray, "window formant"]:
    """Return F1, F2, F3 in Hz of windows ``first`` to ``last - 1``; NaN where not wanted or not found.

    Args:
        samples: of the sound, at 16 kHz.
        first: window.
        last: window after the last one.
        hop: samples from one window to the next.
        wanted: which of them to work on: the voiced ones.
    """
    formants = np.full((last - first, NUM_FORMANTS), np.nan)
    if wanted.any():
        stretch = stretch_between(samples, first, last, hop=hop, length=WINDOW).astype(np.float64)
        lifted = lfilter([1, -np.exp(-2 * np.pi * 50 / RATE_HZ)], [1], resample_poly(stretch, UP, DOWN))
        windows = windows_of(lifted, hop=hop * UP // DOWN, length=WINDOW * UP // DOWN)[wanted]
        formants[wanted] = resonances_of(prediction_of(windows * np.hanning(windows.shape[1])))
    return formants


def prediction_of(windows: Float[np.ndarray, "window sample"]) -> Float[np.ndarray, "window order"]:
    """Return the coefficients a of x_t = a_1 x_(t-1) + ... + a_p x_(t-p) with the least squared error."""
    points = fft.next_fast_len(2 * windows.shape[1], real=True)
    correlation = fft.irfft(np.abs(fft.rfft(windows, points)) ** 2, points)[:, : ORDER + 1]
    lags = np.abs(np.arange(ORDER)[:, None] - np.arange(ORDER))
    energy = np.maximum(correlation[:, 0], 1e-20)[:, None, None]
    equations = correlation[:, lags] + STEADYING * energy * np.eye(ORDER)
    return np.linalg.solve(equations, correlation[:, 1:, None])[:, :, 0]


def resonances_of(prediction: Float[np.ndarray, "window order"]) -> Float[np.ndarray, "window formant"]:
    """Return the three lowest resonances in Hz; NaN for those that are missing."""
    companion = np.zeros((len(prediction), ORDER, ORDER))
    companion[:, 0] = prediction
    companion[:, np.arange(1, ORDER), np.arange(ORDER - 1)] = 1
    poles = np.linalg.eigvals(companion).astype(np.complex128)
    frequency = np.angle(poles) * RATE_HZ / (2 * np.pi)
    bandwidth = -np.log(np.maximum(np.abs(poles), 1e-12)) * RATE_HZ / np.pi
    is_formant = (frequency > LOWEST_HZ) & (frequency < HIGHEST_HZ) & (bandwidth < WIDEST_HZ)
    return np.sort(np.where(is_formant, frequency, np.nan), axis=1)[:, :NUM_FORMANTS]
