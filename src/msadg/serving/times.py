"""When a clip begins and ends: as someone writes it, and held against its file."""

from __future__ import annotations

import math
from pathlib import Path

from msadg.errors import MediaError, UsageError
from msadg.extraction.media.containers import last_packet_end, opened

PAST_THE_END = 0.5
"""Seconds by which an end may lie beyond the file's and still be meant as its end."""


def seconds_of(text: str, what: str) -> float:
    """Return a time in seconds from how people write it.

    Args:
        text: seconds, or minutes or hours too, apart by colons.
        what: is given, for the message.

    Raises:
        UsageError: it is no time.

    Example:
        >>> seconds_of("90.5", "--start"), seconds_of("1:30", "--start"), seconds_of("0:01:30.5", "--start")
        (90.5, 90.0, 90.5)
    """
    *larger, seconds = text.strip().split(":")
    try:
        value = float(seconds)
        is_clock = all(part.isdecimal() for part in larger) and len(larger) <= 2
        in_turn = not larger or (seconds[:1].isdecimal() and value < 60 and all(int(p) < 60 for p in larger[1:]))
        if not math.isfinite(value) or not is_clock or not in_turn:
            raise ValueError
    except ValueError:
        raise UsageError(
            f"{what} {text!r} is no time; expected seconds such as 90.5, or a clock time such as 1:30 or 0:01:30.5"
        ) from None
    for part, unit in zip(reversed(larger), (60, 3600), strict=False):
        value += int(part) * unit
    return value


def check_order(start: float | None, end: float | None) -> None:
    """Check that a clip can last from one time to another.

    Raises:
        UsageError: it cannot; says which of them is wrong.
    """
    for what, at in (("start", start), ("end", end)):
        if at is not None and not (math.isfinite(at) and at >= 0):
            raise UsageError(f"the clip's {what} is {at:g}, which is no time; expected 0 <= start < end, in seconds")
    if end is not None and not end > (start or 0.0):
        raise UsageError(f"the clip would last from {start or 0:g} s to {end:g} s; expected 0 <= start < end")


def check_within(path: Path | str, start: float | None, end: float | None) -> str | None:
    """Hold a clip's times against its file; return a sentence where the file ends well before the clip.

    A file that cannot be opened or does not say how long it is passes: whatever reads it will say so.

    Raises:
        MediaError: stage ``time``: the clip would begin after the file's end.
    """
    if start is None and end is None:
        return None
    length = _length_seconds(path, max(start or 0.0, end or 0.0))
    if length is None:
        return None
    if start is not None and start >= length:
        raise MediaError("time", f"{path}: the clip was to begin at {start:.2f} s, but the file ends at {length:.2f} s")
    if end is not None and end > length + PAST_THE_END:
        return (
            f"the clip was to end at {end:.2f} s, but {Path(path).name} ends at {length:.2f} s: it was read up to there"
        )
    return None


def _length_seconds(path: Path | str, asked: float) -> float | None:
    """When a file ends, by its header, or by its packets where the header falls short of what is asked for."""
    try:
        with opened(path) as container:
            length = (container.duration or 0) / 1e6
        if asked > length:  # a header may guess (MP3), or not say
            length = max(length, last_packet_end(path))
    except MediaError:
        return None
    return length if length > 0 else None
