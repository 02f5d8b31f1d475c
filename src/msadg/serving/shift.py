"""How far a clip lies from the sources of a run, in the words of its verdict."""

from __future__ import annotations

from msadg.nn.steps import mean_over_valid
from msadg.protocols.sources import QUANTILES, SourceModality
from msadg.serving.verdict import Shift
from msadg.types import Steps

TOLD = 0.95
"""A clip beyond this share of the sources' dev clips is worth a warning."""


def shift_of(steps: Steps, seen: SourceModality) -> Shift | None:
    """Return how far one clip lies from the sources; None where that was not measured."""
    if seen.distance is None or not seen.quantiles:
        return None
    distance = float(seen.distance(mean_over_valid(steps.values, steps.valid).numpy())[0])
    beyond = [share for share, quantile in zip(QUANTILES, seen.quantiles, strict=True) if distance > quantile]
    quantiles = {str(share): quantile for share, quantile in zip(QUANTILES, seen.quantiles, strict=True)}
    return Shift(distance, quantiles, max(beyond, default=None))


def shift_warning(modality: str, shift: Shift) -> str | None:
    """Return the sentence that says so where a clip lies far out.

    Example:
        >>> shift_warning("video", Shift(30.0, {"0.5": 12.0, "0.95": 17.5, "0.99": 19.0}, 0.99))
        'video lies further from the sources than 99% of their dev clips (distance 30.0; their median is 12.0)'
    """
    if shift.beyond is None or shift.beyond < TOLD:
        return None
    return (
        f"{modality} lies further from the sources than {shift.beyond:.0%} of their dev clips "
        f"(distance {shift.distance:.1f}; their median is {shift.quantiles['0.5']:.1f})"
    )
