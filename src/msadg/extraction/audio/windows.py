"""Sound in short windows: which of them belong to which step of a clip, and their mean and spread over each step.

The windows of an extractor follow each other every ten milliseconds or so; a step of the time axis holds many. A window
belongs to the step that its centre lies in. Silence is an observation: every step is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from msadg.errors import MediaError
from msadg.extraction.media.sound import Sound, read_sound
from msadg.extraction.media.timeline import step_starts
from msadg.types import Clip

BLOCK_SECONDS = 10.0
"""Sound worked on at once: what bounds the memory, with the samples themselves (230 MB an hour)."""


@dataclass(frozen=True, slots=True)
class StepWindows:
    """The steps of a clip, and the windows that lie in each."""

    marks: Float[np.ndarray, "time 2"]
    """Start and end of each step in seconds: ``TIME_MARKS``."""
    first: Int[np.ndarray, " time"]
    """The step's first window, by number; where no centre lies in the step, the window nearest to it."""
    last: Int[np.ndarray, " time"]
    """The window after the step's last one: always more than ``first``."""

    def blocks(self, rate: int | float, seconds: int | float = BLOCK_SECONDS) -> Iterator[slice]:
        """Yield runs of steps that last ``seconds`` or a little less each, and at least one step."""
        size = max(int(seconds * rate + 1e-6), 1)
        for start in range(0, len(self.first), size):
            yield slice(start, min(start + size, len(self.first)))


def sound_of(clip: Clip, sample_rate_hz: int) -> Sound:
    """Return the sound of a clip.

    Raises:
        MediaError: as ``read_sound``; stage ``sound`` also where there is not a single sample.
    """
    if clip.clip_path is None:
        raise MediaError("open", "the corpus names no file for this clip")
    sound = read_sound(
        clip.clip_path,
        start_seconds=clip.start_seconds,
        end_seconds=clip.end_seconds,
        sample_rate_hz=sample_rate_hz,
    )
    if not len(sound.samples):
        raise MediaError("sound", f"{clip.clip_path}: its sound holds no sample between the clip's times")
    return sound


def steps_of(sound: Sound, rate: int | float, centres: Float[np.ndarray, " window"]) -> StepWindows:
    """Lay the steps of a clip, ``rate`` a second, over the windows of its sound.

    Args:
        sound: of the clip; not empty.
        rate: steps a second.
        centres: of the windows, in seconds from the first sample, rising; at least one.
    """
    starts = step_starts(sound.start_seconds, sound.end_seconds, float(rate))
    ends = np.minimum(np.append(starts[1:], starts[-1] + 1 / rate), sound.end_seconds)
    # 1e-9: a centre on the border of two steps goes to the second, however the sums were rounded.
    first = np.searchsorted(centres, starts - sound.start_seconds - 1e-9)
    last = np.searchsorted(centres, ends - sound.start_seconds - 1e-9)
    last[-1] = len(centres)
    empty = last <= first
    nearest = _nearest(centres, (starts + ends) / 2 - sound.start_seconds)
    first, last = np.where(empty, nearest, first), np.where(empty, nearest + 1, last)
    return StepWindows(np.stack([starts, ends], axis=1), first, last)


def _nearest(centres: Float[np.ndarray, " window"], moments: Float[np.ndarray, " time"]) -> Int[np.ndarray, " time"]:
    after = np.clip(np.searchsorted(centres, moments), 1, max(len(centres) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(centres) - 1)
    return np.where(moments - centres[before] <= centres[after] - moments, before, after)


def num_hops(num_samples: int, hop: int) -> int:
    """Return how many windows a sound has: one for each hop that has begun."""
    return -(-num_samples // hop)


def hop_centres(num_samples: int, hop: int, sample_rate_hz: int) -> Float[np.ndarray, " window"]:
    """Return the centres of the windows in seconds: the middle of each hop."""
    return (np.arange(num_hops(num_samples, hop)) + 0.5) * hop / sample_rate_hz


def stretch_between(
    samples: Float[np.ndarray, " sample"], first: int, last: int, *, hop: int, length: int
) -> Float[np.ndarray, " covered"]:
    """Return the samples that windows ``first`` to ``last - 1`` cover; zeros beyond the sound's ends.

    Each window has ``length`` samples around the middle of its hop; the first is the first ``length`` of the stretch.
    """
    begin = first * hop - (length - hop) // 2
    end = begin + (last - 1 - first) * hop + length
    return np.pad(samples[max(begin, 0) : max(end, 0)], (max(-begin, 0), max(end - len(samples), 0)))


def windows_of(stretch: Float[np.ndarray, " covered"], *, hop: int, length: int) -> Float[np.ndarray, "window sample"]:
    """Return the windows of a stretch, one a row: a view, not to be written to."""
    return np.lib.stride_tricks.sliding_window_view(stretch, length)[::hop]


def mean_and_spread(
    values: Float[np.ndarray, "window feature"], first: Int[np.ndarray, " time"], last: Int[np.ndarray, " time"]
) -> tuple[Float[np.ndarray, "time feature"], Float[np.ndarray, "time feature"], Int[np.ndarray, "time feature"]]:
    """Return mean, standard deviation and number of the windows of each step that are not NaN.

    The deviation is that of the windows at hand (ddof 0); mean and deviation are NaN where there are none.

    Args:
        values: of the windows; NaN where a feature is undefined.
        first: as in StepWindows, counted from the first row of ``values``.
        last: as in StepWindows, counted likewise.
    """
    known = ~np.isnan(values)
    centre = np.where(known, values, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    # Around the block's own mean: the difference of squares below then loses no digits.
    around = np.where(known, values - centre, 0.0)
    number = _sums(known.astype(np.float64), first, last)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = _sums(around, first, last) / number
        variance = _sums(around**2, first, last) / number - mean**2
    return mean + centre, np.sqrt(np.maximum(variance, 0)), number.astype(np.int64)


def _sums(
    values: Float[np.ndarray, "window feature"], first: Int[np.ndarray, " time"], last: Int[np.ndarray, " time"]
) -> Float[np.ndarray, "time feature"]:
    with_end = np.concatenate([values, np.zeros_like(values[:1])])  # reduceat wants every bound to be a row
    return np.add.reduceat(with_end, np.stack([first, last], axis=1).ravel(), axis=0)[::2]
