"""How much a mean over clips depends on which videos happen to be in the test set: a bootstrap over whole videos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from msadg.results.statistics import times_drawn


def drawn_means(
    by_clip: Float[np.ndarray, " clip"], video_id: Sequence[str], draws: int = 2000, seed: int = 0
) -> Float[np.ndarray, " draw"]:
    """The mean over clips in each draw of as many videos as there are, with replacement.

    Clips of one video are not independent, so they are drawn together; the same seed draws the same videos, whatever
    the values. NaN for a single video: nothing can be drawn.
    Reference: Davison, Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8.
    """
    _, video = np.unique(np.asarray(video_id, dtype=np.str_), return_inverse=True)
    sizes = np.bincount(video)
    if len(sizes) < 2:
        return np.full(draws, np.nan)
    sums = np.bincount(video, weights=by_clip)
    times = times_drawn(len(sizes), draws, seed)
    return np.asarray((times @ sums) / (times @ sizes))
