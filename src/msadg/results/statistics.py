"""How sure is a number: an interval over seeds, and a difference between two methods over videos.

The interval says how much a score depends on the seed; the bootstrap says how much a difference depends on which
videos happen to be in the test set, for the seeds that were trained. Clips of one video share speaker, camera and
topic, so whole videos (or dialogues) are drawn, never single clips.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from msadg.corpora.label_sets import told
from msadg.errors import RunError, UnknownNameError
from msadg.metrics.confusion import SCORES_OF_COUNTS
from msadg.metrics.polarity_sums import SCORES_OF_SUMS
from msadg.results.predictions import Predictions

BOOTSTRAPPED = (*SCORES_OF_COUNTS, *SCORES_OF_SUMS)
"""The metrics that can be bootstrapped: sums over each video's clips determine them."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over seeds, and how far to trust it."""

    mean: float
    sd: float
    """Standard deviation (n - 1); NaN for a single value."""
    half: float
    """Half the width of the t-interval; NaN for a single value."""
    num_values: int


@dataclass(frozen=True, slots=True)
class Difference:
    """Score of one method minus that of another, on the same clips."""

    mean: float
    """On the clips as they are."""
    low: float
    high: float
    """2.5 % and 97.5 % of the draws."""
    p: float
    """Two-sided, of the hypothesis that there is no difference."""
    num_videos: int


def t_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Mean, standard deviation and half width of Student's interval, mean +- t(n - 1) sd / sqrt(n).

    Example:
        >>> t_interval([0.5, 0.5, 0.5])
        Interval(mean=0.5, sd=0.0, half=0.0, num_values=3)
    """
    from scipy.stats import t

    n = len(values)
    if n == 0:
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    mean = float(np.mean(values))
    if n == 1:
        return Interval(mean, float("nan"), float("nan"), 1)
    sd = float(np.std(values, ddof=1))
    return Interval(mean, sd, float(t.ppf((1 + level) / 2, n - 1)) * sd / n**0.5, n)


def paired_cluster_bootstrap(
    a: Sequence[Predictions],
    b: Sequence[Predictions],
    metric: str = "f1_macro",
    draws: int = 2000,
    seed: int = 0,
) -> Difference:
    """How much better the seeds of `a` are than those of `b`, in the mean, if other videos had been collected.

    Each draw takes as many videos as there are, with replacement, the same ones for both methods and all seeds,
    and computes (mean over a of the metric) - (mean over b). p = 2 (1 + min(#draws <= 0, #draws >= 0)) / (draws + 1),
    at most 1: never 0, as the data at hand is one more draw. Nor is it below 2^(1 - n) of n videos, the least that an
    exact test of their signs can give: where each of three videos speaks for a, every draw of them does, and that is no
    more evidence than three videos are. With a single video nothing can be drawn, and the interval and p are NaN. So
    are they, and the difference, where a run has no score on the clips as they are (the correlation of a constant); a
    draw without one counts for no difference.
    Reference: Davison, Hinkley, "Bootstrap Methods and their Application", 1997, sections 3.8 and 4.4.

    Raises:
        RunError: the runs are not about the same clips with the same labels, or a metric of polarities is asked of
            runs or clips that have none.
        UnknownNameError: a metric that sums over clips do not determine.
    """
    return judged(*drawn_differences(a, b, metric, draws, seed))


def drawn_differences(
    a: Sequence[Predictions], b: Sequence[Predictions], metric: str, draws: int, seed: int
) -> tuple[float, Float[np.ndarray, " draw"] | None, int]:
    """The difference on the clips as they are, that of each draw, and the number of videos; see the function above.

    The draws are None where nothing can be drawn or scored. The same videos are drawn alike, whichever runs scored
    them; those of another test set are drawn independently of them.

    Raises:
        RunError: as ``paired_cluster_bootstrap``.
        UnknownNameError: likewise.
    """
    if metric not in BOOTSTRAPPED:
        raise UnknownNameError("metric to bootstrap", metric, BOOTSTRAPPED)
    runs = [*a, *b]
    counts = _counts_by_video(runs) if metric in SCORES_OF_COUNTS else _polarity_sums_by_video(runs, metric)
    num_videos = len(counts)
    observed = float(_differences(counts.sum(axis=0)[None], len(a), metric)[0])
    if num_videos < 2 or np.isnan(observed):
        return observed, None, num_videos
    weights = times_drawn(num_videos, draws, seed_of(runs[0], seed))
    drawn = (weights @ counts.reshape(num_videos, -1)).reshape(draws, *counts.shape[1:])
    return observed, _differences(drawn, len(a), metric), num_videos


def least_p(num_videos: int) -> float:
    """The smallest two-sided p that so many videos can give, by an exact test of their signs.

    Example:
        >>> least_p(3), least_p(6)
        (0.25, 0.03125)
    """
    return float(2.0 ** (1 - num_videos))


def judged(observed: float, differences: Float[np.ndarray, " draw"] | None, num_videos: int) -> Difference:
    """A difference with the interval and p of its draws, of so many videos; both NaN without any."""
    if differences is None:
        return Difference(observed, float("nan"), float("nan"), float("nan"), num_videos)
    low, high = np.nanquantile(differences, [0.025, 0.975])
    rarer = min((~(differences > 0)).sum(), (~(differences < 0)).sum())
    p = min(1.0, max(2 * (1 + int(rarer)) / (len(differences) + 1), least_p(num_videos)))
    return Difference(observed, float(low), float(high), p, num_videos)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values as adjusted by Holm for being looked at together; NaN stays NaN and does not count.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    from statsmodels.stats.multitest import multipletests

    raw = np.asarray(p_values, dtype=np.float64)
    known = ~np.isnan(raw)
    adjusted = np.full(len(raw), np.nan)
    if known.any():
        adjusted[known] = multipletests(raw[known], method="holm")[1]
    return [float(p) for p in adjusted]


def _differences(sums: Float[np.ndarray, "draw run *cell"], num_a: int, metric: str) -> Float[np.ndarray, " draw"]:
    scores = SCORES_OF_COUNTS[metric](sums) if metric in SCORES_OF_COUNTS else SCORES_OF_SUMS[metric].score(sums)
    difference: np.ndarray = scores[:, :num_a].mean(axis=1) - scores[:, num_a:].mean(axis=1)
    # Equal predictions in another order of runs must differ by 0, not by the last bit of a mean.
    return np.where(np.abs(difference) < 1e-12, 0.0, difference)


def seed_of(run: Predictions, seed: int) -> tuple[int, int]:
    """The seed that the videos of a test set are drawn with: the same for all runs on it, another for another set."""
    return seed, zlib.crc32("\n".join(_videos(run)[0]).encode())


@functools.lru_cache(maxsize=8)
def times_drawn(num_videos: int, draws: int, seed: int | tuple[int, ...]) -> Float[np.ndarray, "draw video"]:
    """How often each draw takes each video; kept, as rows are compared on the same few test sets in turn."""
    chance = np.random.default_rng(seed)
    times = chance.multinomial(num_videos, np.full(num_videos, 1 / num_videos), size=draws)
    return times.astype(np.float64)


def _counts_by_video(
    runs: Sequence[Predictions],
) -> Float[np.ndarray, "video run sentiment sentiment"]:
    """Counts of (truth, prediction) in each video of each run."""
    runs = _aligned(runs)
    videos, video = _videos(runs[0])
    num_classes = runs[0].label_set.num_classes
    place = (video * num_classes + runs[0].sentiment) * num_classes
    counts = [np.bincount(place + run.predicted, minlength=len(videos) * num_classes**2) for run in runs]
    shape = (len(runs), len(videos), num_classes, num_classes)
    return np.stack(counts).reshape(shape).swapaxes(0, 1).astype(np.float64)


def _polarity_sums_by_video(runs: Sequence[Predictions], metric: str) -> Float[np.ndarray, "video run term"]:
    """Sums over each video's clips of the metric's terms, for each run."""
    runs = _aligned(runs)
    first = runs[0]
    if np.isnan(first.polarity).any():
        raise RunError(f"{metric} is of polarities, and {first.domain[0]} has clips that have a class only")
    videos, video = _videos(first)
    sums = []
    for run in runs:
        if run.predicted_polarity is None:
            raise RunError(f"{metric} is of predicted polarities, and a run to compare predicts classes")
        if (run.polarity != first.polarity).any():
            at = int((run.polarity != first.polarity).argmax())
            raise RunError(f"two runs to compare disagree on the polarity of {first.clip_id[at]}; score both again")
        terms = SCORES_OF_SUMS[metric].terms(run.predicted_polarity, run.polarity)
        sums.append([np.bincount(video, weights=term, minlength=len(videos)) for term in terms.T])
    return np.array(sums).transpose(2, 0, 1)


def _videos(run: Predictions) -> tuple[Shaped[np.ndarray, " video"], Int[np.ndarray, " clip"]]:
    """The videos, and which of them each clip is of; corpora may share ids: MOSI and MOSEI both have YouTube's."""
    names = np.char.add(np.char.add(run.domain.astype(np.str_), "\x1f"), run.video_id.astype(np.str_))
    videos, video = np.unique(names, return_inverse=True)
    return videos, video


def _aligned(runs: Sequence[Predictions]) -> list[Predictions]:
    """The runs with their clips in one order."""
    aligned = [run.take(_order(run)) for run in runs]
    first = aligned[0]
    for run in aligned[1:]:
        if run.label_set != first.label_set:
            raise RunError(f"two runs to compare differ in classes: {told(first.label_set)}, {told(run.label_set)}")
        if len(run) != len(first) or (run.clip_id != first.clip_id).any():
            odd = np.setxor1d(run.clip_id, first.clip_id)
            raise RunError(
                f"two runs to compare scored different clips: {len(first)} and {len(run)}, {len(odd)} of them in "
                f"one run only (first: {odd[0]}); score both on the same features and corpus"
            )
        if (run.sentiment != first.sentiment).any() or (run.video_id != first.video_id).any():
            at = int(((run.sentiment != first.sentiment) | (run.video_id != first.video_id)).argmax())
            raise RunError(
                f"two runs to compare disagree on the label or video of {first.clip_id[at]}; "
                "score both with the same reading of labels"
            )
    return aligned


def _order(run: Predictions) -> Int[np.ndarray, " clip"]:
    if len(run) == 0:
        raise RunError("a run to compare has no predictions on this domain; score it again")
    order = np.argsort(run.clip_id, kind="stable")
    ids = run.clip_id[order]
    if (ids[1:] == ids[:-1]).any():
        doubled = ids[1:][ids[1:] == ids[:-1]]
        raise RunError(f"{len(doubled)} clips are predicted twice in one run (first: {doubled[0]})")
    return order
