"""Numbers in the sentences of captions."""

from __future__ import annotations

import math
from collections.abc import Sequence


def percent(share: float) -> str:
    """A share as a whole percentage; of small ones, a digit more.

    Example:
        >>> percent(0.5), percent(0.034), percent(0.0), percent(float("nan"))
        ('50 %', '3.4 %', '0 %', 'undefined')
    """
    if math.isnan(share):
        return "undefined"
    hundredths = 100 * share
    return f"{hundredths:.1f} %" if 0 < hundredths < 9.95 else f"{hundredths:.0f} %"


def listed(parts: Sequence[str]) -> str:
    """Words as a sentence lists them.

    Example:
        >>> listed(["text", "audio", "video"])
        'text, audio and video'
    """
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def number_of(number: int, noun: str) -> str:
    """A number with its noun.

    Example:
        >>> number_of(1, "run"), number_of(1871, "clip")
        ('1 run', '1,871 clips')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
