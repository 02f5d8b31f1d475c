"""Acoustic features that can be read: pitch, loudness, voice quality, the shape of the spectrum, formants, MFCC.

Everything is measured in windows every 10 ms at 16 kHz and averaged over each step; of some there is the standard
deviation as well (``..._sd``). What they are:

    loudness_db            10 log10 of the mean square of 25 ms; 0 is full scale, -100 the least. Not weighted by ear.
    sounding_share         share of the windows above -80 dB; what is below has no spectrum to speak of
    voiced_share           share of the windows that are periodic (``pitch.py``)
    pitch_semitones        12 log2(f0 / 27.5 Hz), f0 by YIN between 60 and 500 Hz (``AcousticConfig``)
    hnr_db                 harmonics-to-noise ratio 10 log10(r / (1 - r)), r the correlation of a period with the next
                           (Boersma 1993, but on the plain samples of YIN's window); at most 40
    jitter, shimmer        ``cycles.py``; 0.01 is one per cent
    centroid_khz           mean frequency, weighted by power
    rolloff_khz            85 % of the power lies below
    slope_db_per_khz       of the straight line through the spectrum in dB
    flux                   distance of the magnitude spectrum to the one before, both of length 1: 0 to 1.41
    zero_crossings_per_ms  of the samples
    f1_khz, f2_khz, f3_khz ``formants.py``, voiced windows only
    mfcc_1 ... mfcc_13     cosine transform (type II, orthonormal) of the log-mel bands (``logmel.py``), but the 0th

What a step does not have (the pitch of a step without voice) is neither a zero nor a gap but the value in ``NEUTRAL``:
the middle of adult speech; formants are those of the neutral vowel. ``voiced_share`` and ``sounding_share`` are 0 then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import fft

from msadg.errors import SettingsError
from msadg.extraction.audio.cycles import jitter_and_shimmer
from msadg.extraction.audio.formants import formants_of
from msadg.extraction.audio.logmel import HOP, TRANSFORM, WINDOW, log_bands, power_spectra
from msadg.extraction.audio.pitch import QUIET_POWER, Voicing, voicing_of, window_length
from msadg.extraction.audio.windows import (
    StepWindows,
    hop_centres,
    mean_and_spread,
    sound_of,
    steps_of,
    stretch_between,
    windows_of,
)
from msadg.extraction.clipwise import ClipExtractor
from msadg.extraction.media.sound import SAMPLE_RATE_HZ
from msadg.extraction.media.timeline import RATE
from msadg.settings import require
from msadg.types import Clip, Features

MFCC = tuple(f"mfcc_{number}" for number in range(1, 14))
MEANS = (
    "loudness_db", "sounding_share", "voiced_share", "pitch_semitones", "hnr_db", "centroid_khz", "rolloff_khz",
    "slope_db_per_khz", "flux", "zero_crossings_per_ms", "f1_khz", "f2_khz", "f3_khz", *MFCC,
)  # fmt: skip
"""What is measured in each window, in this order."""
SPREADS = ("loudness_db", "pitch_semitones", "centroid_khz", *MFCC)
"""Of these there is a standard deviation too."""

FEATURES: tuple[str, ...] = (*MEANS, "jitter", "shimmer", *(f"{name}_sd" for name in SPREADS))
"""Names of the features, in order."""

NEUTRAL: Mapping[str, float] = {
    "pitch_semitones": 30.5,  # 160 Hz
    "pitch_semitones_sd": 1.0,
    "hnr_db": 10.0,
    "jitter": 0.02,
    "shimmer": 0.08,
    "centroid_khz": 1.0,
    "centroid_khz_sd": 0.3,
    "rolloff_khz": 2.0,
    "slope_db_per_khz": -5.0,
    "flux": 0.3,
    "zero_crossings_per_ms": 2.0,
    "f1_khz": 0.5,
    "f2_khz": 1.5,
    "f3_khz": 2.5,
}
"""What stands where a step has no such thing; of all others every step has one."""

LEAST_POWER = 1e-10


@dataclass(frozen=True, kw_only=True)
class AcousticConfig:
    """Settings of the acoustic features."""

    rate: int | float = RATE
    """Steps a second."""
    lowest_pitch_hz: int | float = 60.0
    """Slowest voice that is looked for."""
    highest_pitch_hz: int | float = 500.0
    """Fastest voice that is looked for."""

    def __post_init__(self) -> None:
        require("rate", self.rate, at_least=0.1, at_most=50)
        require("lowest_pitch_hz", self.lowest_pitch_hz, at_least=40, at_most=1000)
        require("highest_pitch_hz", self.highest_pitch_hz, at_least=40, at_most=1000)
        if self.lowest_pitch_hz * 1.5 > self.highest_pitch_hz:
            raise SettingsError(
                f"lowest_pitch_hz = {self.lowest_pitch_hz} and highest_pitch_hz = {self.highest_pitch_hz}; "
                "expected the highest to be at least 1.5 times the lowest"
            )


class Acoustic(ClipExtractor):
    """The features named in ``FEATURES``, step by step."""

    modality = "audio"
    kind = "acoustic"
    version = "1"
    Config = AcousticConfig

    @property
    def dim(self) -> int:
        """One for each name in ``FEATURES``."""
        return len(FEATURES)

    def features_of(self, clip: Clip) -> Features:
        """Return the features of one clip, step by step."""
        sound = sound_of(clip, SAMPLE_RATE_HZ)
        steps = steps_of(sound, self.config.rate, hop_centres(len(sound.samples), HOP, SAMPLE_RATE_HZ))
        values = np.zeros((len(steps.first), self.dim), np.float32)
        for block in steps.blocks(self.config.rate):
            values[block] = _features_of_block(sound.samples, steps, block, self.config)
        return Features(values, np.ones(len(values), bool), steps.marks)


def _features_of_block(
    samples: Float[np.ndarray, " sample"], steps: StepWindows, block: slice, config: AcousticConfig
) -> Float[np.ndarray, "time feature"]:
    begin, end = int(steps.first[block][0]), int(steps.last[block][-1])
    first, last = steps.first[block] - begin, steps.last[block] - begin
    voicing = _voicing(samples, begin, end, config)
    measures = _measures(samples, begin, end, voicing)
    mean, spread, _ = mean_and_spread(measures, first, last)
    cycles = jitter_and_shimmer(samples[begin * HOP : end * HOP], voicing.periods, HOP, first, last)
    values = np.concatenate([mean, *(part[:, None] for part in cycles), spread[:, _SPREAD_COLUMNS]], axis=1)
    return np.where(np.isnan(values), _NEUTRAL_ROW, values)


def _voicing(samples: Float[np.ndarray, " sample"], begin: int, end: int, config: AcousticConfig) -> Voicing:
    shortest, longest = int(SAMPLE_RATE_HZ / config.highest_pitch_hz), int(SAMPLE_RATE_HZ / config.lowest_pitch_hz) + 1
    length = window_length(longest)
    stretch = stretch_between(samples, begin, end, hop=HOP, length=length)
    return voicing_of(windows_of(stretch, hop=HOP, length=length), shortest, longest)


def _measures(
    samples: Float[np.ndarray, " sample"], begin: int, end: int, voicing: Voicing
) -> Float[np.ndarray, "window measure"]:
    """Return the MEANS of each window; NaN where one is undefined."""
    windows = windows_of(stretch_between(samples, begin, end, hop=HOP, length=WINDOW), hop=HOP, length=WINDOW)
    mean_square = np.einsum("ws,ws->w", windows, windows, dtype=np.float64) / WINDOW
    sounding, voiced = mean_square > QUIET_POWER, ~np.isnan(voicing.periods)
    # One window more before the first, for the flux; before the sound begins it is silent.
    power = power_spectra(samples, begin - 1, end) + LEAST_POWER
    shape = np.stack([*_shape(power[1:]), _flux(power), _zero_crossings(windows)], axis=1)
    shape[~sounding] = np.nan
    if begin == 0:
        shape[0, _FLUX] = np.nan
    pitch = 12 * np.log2(SAMPLE_RATE_HZ / voicing.periods / 27.5)
    ratio = np.clip(voicing.likeness, 0.5, 1 - 1e-4)
    loudness = 10 * np.log10(np.maximum(mean_square, LEAST_POWER))
    formants = formants_of(samples, begin, end, HOP, voiced) / 1_000
    voice = np.stack([loudness, sounding, voiced, pitch, 10 * np.log10(ratio / (1 - ratio))], axis=1)
    return np.concatenate([voice, shape, formants, _mfcc(power[1:])], axis=1)


_FLUX = 3  # its place in the shape of the spectrum


def _shape(power: Float[np.ndarray, "window bin"]) -> tuple[Float[np.ndarray, " window"], ...]:
    """Return centroid and roll-off in kHz, and the slope in dB a kHz."""
    frequency = np.arange(power.shape[1]) * SAMPLE_RATE_HZ / TRANSFORM / 1_000
    running = np.cumsum(power, axis=1)
    centroid = power @ frequency / running[:, -1]
    rolloff = frequency[(running >= 0.85 * running[:, -1:]).argmax(axis=1)]
    from_middle = frequency - frequency.mean()
    slope = 10 * np.log10(power) @ from_middle / (from_middle @ from_middle)
    return centroid, rolloff, slope


def _flux(power: Float[np.ndarray, "before_and_window bin"]) -> Float[np.ndarray, " window"]:
    magnitude = np.sqrt(power / power.sum(axis=1, keepdims=True))
    distance: Float[np.ndarray, " window"] = np.sqrt(np.square(magnitude[1:] - magnitude[:-1]).sum(axis=1))
    return distance


def _zero_crossings(windows: Float[np.ndarray, "window sample"]) -> Float[np.ndarray, " window"]:
    crossings = np.count_nonzero(np.signbit(windows[:, 1:]) != np.signbit(windows[:, :-1]), axis=1)
    return np.asarray(crossings / ((WINDOW - 1) / SAMPLE_RATE_HZ * 1_000))


def _mfcc(power: Float[np.ndarray, "window bin"]) -> Float[np.ndarray, "window coefficient"]:
    return np.asarray(fft.dct(log_bands(power), type=2, norm="ortho", axis=1)[:, 1 : len(MFCC) + 1])


_SPREAD_COLUMNS = [MEANS.index(name) for name in SPREADS]
_NEUTRAL_ROW = np.array([NEUTRAL.get(name, 0.0) for name in FEATURES])
