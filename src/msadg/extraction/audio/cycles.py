"""The cycles of a voice one by one: how much their lengths (jitter) and heights (shimmer) differ from each to the next.

    jitter  = mean |T_i - T_(i-1)| / mean T      T: length of a cycle
    shimmer = mean |A_i - A_(i-1)| / mean A      A: its highest sample less its lowest

These are the "local" measures of the literature (and of Praat's voice report). The cycles are followed by waveform
matching, as Praat does: from one to the next by the lag at which the wave is most like itself. Differences from Praat:
each voiced stretch is followed forwards from its beginning, not both ways from its highest peak; the period to start
from is YIN's; the means T and A are those of the pairs that are compared; samples are not interpolated for the height.
As in Praat, a pair counts only if its lengths differ by a factor of 1.3 at most and its heights by 1.6.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int

MAX_LENGTH_FACTOR = 1.3
MAX_HEIGHT_FACTOR = 1.6


def jitter_and_shimmer(
    samples: Float[np.ndarray, " sample"],
    periods: Float[np.ndarray, " window"],
    hop: int,
    first: Int[np.ndarray, " time"],
    last: Int[np.ndarray, " time"],
) -> tuple[Float[np.ndarray, " time"], Float[np.ndarray, " time"]]:
    """Return jitter and shimmer of each step; NaN where no two cycles follow each other.

    Args:
        samples: of a stretch of sound.
        periods: of the voice in samples, for each hop of the stretch; NaN where there is none.
        hop: samples.
        first: first window of each step, counted from the beginning of the stretch.
        last: the window after its last one.
    """
    length_sums, height_sums = np.zeros((len(periods) + 1, 2)), np.zeros((len(periods) + 1, 2))
    for begin, end in _voiced_runs(periods):
        run = samples[begin * hop : end * hop].astype(np.float64)
        marks, lengths = _cycles(run, periods[begin:end], hop)
        # The windows that the pairs of cycles meet in.
        windows = begin + (marks[1:-1] / hop).astype(np.int64)
        _add_pairs(length_sums, windows, lengths, MAX_LENGTH_FACTOR)
        _add_pairs(height_sums, windows, _heights(run, marks), MAX_HEIGHT_FACTOR)
    return _ratios(length_sums, first, last), _ratios(height_sums, first, last)


def _voiced_runs(periods: Float[np.ndarray, " window"]) -> list[tuple[int, int]]:
    """Return first and past-the-last window of each run of windows that have a period."""
    voiced = np.concatenate([[False], ~np.isnan(periods), [False]])
    turns = np.flatnonzero(voiced[1:] != voiced[:-1])
    return [(int(begin), int(end)) for begin, end in turns.reshape(-1, 2)]


def _cycles(
    run: Float[np.ndarray, " sample"], periods: Float[np.ndarray, " window"], hop: int
) -> tuple[Int[np.ndarray, " mark"], Float[np.ndarray, " cycle"]]:
    """Return where each cycle of a voiced run begins, and its length: one mark more than there are cycles.

    A cycle whose end is not found within a factor of 0.8 to 1.25 of the period has the length NaN.
    """
    energy = np.concatenate([[0.0], np.cumsum(run**2)])
    half = int(periods[0] / 2) + 1
    at = half + int(np.abs(run[half : half + int(periods[0]) + 1]).argmax()) if len(run) > 4 * half else len(run)
    marks, lengths = [at], []
    while True:
        period = periods[min(at // hop, len(periods) - 1)]
        half = min(int(period / 2) + 1, at)
        shortest, longest = int(0.8 * period), int(1.25 * period) + 2
        if at + longest + half > len(run):
            break
        lag = _most_alike(run, energy, at, half, shortest, longest)
        lengths.append(lag)
        at += round(period if math.isnan(lag) else lag)
        marks.append(at)
    return np.array(marks), np.array(lengths)


def _most_alike(
    run: Float[np.ndarray, " sample"],
    energy: Float[np.ndarray, " bound"],
    at: int,
    half: int,
    shortest: int,
    longest: int,
) -> float:
    """Return the lag at which the wave correlates best with the cycle around ``at``, between samples; NaN for none."""
    products = np.correlate(run[at + shortest - half : at + longest + half], run[at - half : at + half])
    begin = at + shortest - half
    norms = energy[begin + 2 * half : begin + 2 * half + len(products)] - energy[begin : begin + len(products)]
    likeness = products / np.sqrt(norms + 1e-12)
    best = int(likeness.argmax())
    if not 0 < best < len(likeness) - 1:
        return math.nan
    left, middle, right = likeness[best - 1 : best + 2].tolist()
    bend = left - 2 * middle + right
    return float(shortest + best + ((left - right) / (2 * bend) if bend else 0.0))


def _heights(run: Float[np.ndarray, " sample"], marks: Int[np.ndarray, " mark"]) -> Float[np.ndarray, " cycle"]:
    """Return the highest less the lowest sample from the middle of each cycle to the middle of the next."""
    if len(marks) < 2:
        return np.zeros(0)
    middles = (marks[1:] + marks[:-1]) // 2
    borders = np.concatenate([[max(2 * marks[0] - middles[0], 0)], middles])
    return (np.maximum.reduceat(run, borders) - np.minimum.reduceat(run, borders))[:-1]


def _add_pairs(
    sums: Float[np.ndarray, "window 2"],
    windows: Int[np.ndarray, " pair"],
    sizes: Float[np.ndarray, " cycle"],
    max_factor: float,
) -> None:
    """Add |difference| and mean of each pair of neighbours that are alike enough to the window that they meet in."""
    one, other = sizes[:-1], sizes[1:]
    with np.errstate(invalid="ignore"):
        alike = (np.maximum(one, other) <= max_factor * np.minimum(one, other)) & (np.minimum(one, other) > 0)
    at = windows[alike]
    np.add.at(sums[:, 0], at, np.abs(one - other)[alike])
    np.add.at(sums[:, 1], at, ((one + other) / 2)[alike])


def _ratios(
    sums: Float[np.ndarray, "window 2"], first: Int[np.ndarray, " time"], last: Int[np.ndarray, " time"]
) -> Float[np.ndarray, " time"]:
    in_step = np.add.reduceat(sums, np.stack([first, last], axis=1).ravel(), axis=0)[::2]
    return np.where(in_step[:, 1] > 0, in_step[:, 0] / np.where(in_step[:, 1] > 0, in_step[:, 1], 1), np.nan)
