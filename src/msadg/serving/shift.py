"""How far a clip lies from the sources of a run, in the words of its verdict."""

from __future__ import annotations

from msadg.nn.steps import mean_over_valid
from msadg.protocols.sources import QUANTILES, SourceModality
from msadg.serving.verdict import Shift
from msadg.types import Steps

TOLD = 0.95
"""A clip beyond this share of the sources' dev clips is worth a warning."""

ENOUGH_CLIPS = 100
"""With fewer, a clip beyond the last quantile lies beyond every one of them, and 99 % is more than can be known."""


def shift_of(steps: Steps, seen: SourceModality) -> Shift | None:
    """Return how far one clip lies from the sources; None where that was not measured."""
    if seen.distance is None or not seen.quantiles:
        return None
    distance = float(seen.distance(mean_over_valid(steps.values, steps.valid).numpy())[0])
    beyond = [share for share, quantile in zip(QUANTILES, seen.quantiles, strict=True) if distance > quantile]
    quantiles = {str(share): quantile for share, quantile in zip(QUANTILES, seen.quantiles, strict=True)}
    share = max(beyond, default=None)
    if share == QUANTILES[-1] and _are_few(seen):
        share = 1.0
    return Shift(distance, quantiles, share, seen.num_dev_clips)


def _are_few(seen: SourceModality) -> bool:
    """Whether the last quantile is the farthest dev clip itself."""
    if seen.num_dev_clips is None:  # a run from before they were counted: of 20 or fewer, the last two are one clip
        return seen.quantiles[-1] == seen.quantiles[-2]
    return seen.num_dev_clips < ENOUGH_CLIPS


def shift_warning(modality: str, shift: Shift) -> str | None:
    """Return the sentence that says so where a clip lies far out.

    Example:
        >>> shift_warning("video", Shift(30.0, {"0.5": 12.0, "0.95": 17.5, "0.99": 19.0}, 0.99))
        'video lies further from the sources than 99% of their dev clips (distance 30.0; their median is 12.0)'
        >>> shift_warning("video", Shift(30.0, {"0.5": 12.0, "0.95": 17.5, "0.99": 17.5}, 1.0, 3))
        'video lies further from the sources than each of their 3 dev clips (distance 30.0; their median is 12.0)'
    """
    if shift.beyond is None or shift.beyond < TOLD:
        return None
    number = "" if shift.num_dev_clips is None else f"{shift.num_dev_clips:,} "
    if shift.num_dev_clips == 1:
        whom = "their only dev clip"
    else:
        whom = f"each of their {number}dev clips" if shift.beyond == 1.0 else f"{shift.beyond:.0%} of their dev clips"
    return (
        f"{modality} lies further from the sources than {whom} "
        f"(distance {shift.distance:.1f}; their median is {shift.quantiles['0.5']:.1f})"
    )
