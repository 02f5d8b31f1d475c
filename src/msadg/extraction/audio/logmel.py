"""Log-mel features: how much sound there is in each of 64 bands of the ear's own width, step by step.

Windows of 25 ms every 10 ms (Hann, 512-point transform at 16 kHz); triangular bands, each 1 at its peak, evenly spaced
on Slaney's mel scale; natural logarithm; then mean and standard deviation over the windows of each step: 128 features,
the means first. Levels are those of the file, unscaled: a sound twice as loud is higher by ln 4 in every band.

Reference: the mel scale of Slaney, "Auditory Toolbox, version 2", Interval Research TR 1998-010: linear up to 1 kHz,
logarithmic above (closer to equal widths in the bands below 1 kHz than the 2595 log10(1 + f / 700) of HTK, whose lowest
bands would be narrower than a bin of the transform).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from msadg.extraction.audio.windows import hop_centres, mean_and_spread, sound_of, steps_of, stretch_between
from msadg.extraction.clipwise import ClipExtractor
from msadg.extraction.media.sound import SAMPLE_RATE_HZ
from msadg.extraction.media.timeline import RATE
from msadg.settings import require
from msadg.types import Clip, Features

HOP = 160
"""Samples from one window to the next: 10 ms."""
WINDOW = 400
"""Samples in a window: 25 ms."""
TRANSFORM = 512
"""Points of the transform; bins are 31.25 Hz apart."""
NUM_BANDS = 64
LOWEST_HZ, HIGHEST_HZ = 20.0, 8_000.0
FLOOR = 1e-10
"""Least power in a band; 16-bit rounding noise has about 1e-7."""


@dataclass(frozen=True, kw_only=True)
class LogMelConfig:
    """Settings of the log-mel features."""

    rate: int | float = RATE
    """Steps a second."""

    def __post_init__(self) -> None:
        require("rate", self.rate, at_least=0.1, at_most=50)


class LogMel(ClipExtractor):
    """Mean and standard deviation of 64 log-mel bands over each step."""

    modality = "audio"
    kind = "logmel"
    version = "1"
    Config = LogMelConfig

    @property
    def dim(self) -> int:
        """128: a mean and a deviation for each band."""
        return 2 * NUM_BANDS

    def features_of(self, clip: Clip) -> Features:
        """Return the bands of one clip, step by step."""
        sound = sound_of(clip, SAMPLE_RATE_HZ)
        centres = hop_centres(len(sound.samples), HOP, SAMPLE_RATE_HZ)
        steps = steps_of(sound, self.config.rate, centres)
        values = np.zeros((len(steps.first), self.dim), np.float32)
        for block in steps.blocks(self.config.rate):
            first, last = steps.first[block], steps.last[block]
            bands = log_bands(power_spectra(sound.samples, int(first[0]), int(last[-1])))
            mean, spread, _ = mean_and_spread(bands, first - first[0], last - first[0])
            values[block] = np.concatenate([mean, spread], axis=1)
        return Features(values, np.ones(len(values), bool), steps.marks)


def power_spectra(samples: Float[np.ndarray, " sample"], first: int, last: int) -> Float[np.ndarray, "window bin"]:
    """Return |STFT|^2 of windows ``first`` to ``last - 1``, in float64; a full-scale tone peaks at 10^4."""
    stretch = stretch_between(samples, first, last, hop=HOP, length=TRANSFORM)
    transformed: Tensor = torch.stft(
        torch.from_numpy(stretch),
        n_fft=TRANSFORM,
        hop_length=HOP,
        win_length=WINDOW,
        window=torch.hann_window(WINDOW),
        center=False,
        return_complex=True,
    )
    return np.asarray(transformed.abs().square().T.double())


def log_bands(power: Float[np.ndarray, "window bin"]) -> Float[np.ndarray, "window band"]:
    """Return the natural logarithm of the power in each mel band, no lower than that of ``FLOOR``."""
    return np.asarray(np.log(np.maximum(power @ mel_bands().T, FLOOR)))


def mel_of(hertz: Float[np.ndarray, " frequency"]) -> Float[np.ndarray, " frequency"]:
    """Return frequencies on Slaney's mel scale: f / (200/3) up to 1 kHz, 15 + 27 ln(f / 1000) / ln 6.4 above."""
    above = 15 + 27 * np.log(np.maximum(hertz, 1_000) / 1_000) / np.log(6.4)
    return np.where(hertz < 1_000, hertz * 3 / 200, above)


def hertz_of(mel: Float[np.ndarray, " frequency"]) -> Float[np.ndarray, " frequency"]:
    """Return the frequencies at places of the mel scale: the inverse of ``mel_of``."""
    return np.where(mel < 15, mel * 200 / 3, 1_000 * np.exp(np.log(6.4) * (np.maximum(mel, 15) - 15) / 27))


def band_edges() -> Float[np.ndarray, " edge"]:
    """Return the 66 frequencies that the bands hang on: band k rises from edge k to k + 1 and falls to k + 2."""
    low, high = mel_of(np.array([LOWEST_HZ, HIGHEST_HZ]))
    return hertz_of(np.linspace(low, high, NUM_BANDS + 2))


@lru_cache(maxsize=1)
def mel_bands() -> Float[np.ndarray, "band bin"]:
    """Return the weight of each bin of the transform in each band."""
    bins = np.arange(TRANSFORM // 2 + 1) * SAMPLE_RATE_HZ / TRANSFORM
    edges = band_edges()[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return np.asarray(np.maximum(np.minimum(rising, falling), 0))
