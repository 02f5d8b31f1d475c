"""When each token of a transcript was said, from the times of its words."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from msadg.types import Word


def token_times(text: str, words: Sequence[Word], spans: Sequence[tuple[int, int]]) -> Float[np.ndarray, "token 2"]:
    """Return start and end of the word that each token belongs to, in seconds; NaN for a token of no word.

    Words are looked for in the text one after the other, whatever their case; one that is not there (a recogniser
    may write it otherwise) is passed over.

    Args:
        text: the transcript that was tokenised.
        words: its words with their times, in order.
        spans: of each token: its first character in the text and the one after its last; (0, 0) for a special token.

    Example:
        >>> words = [Word("so", 0.0, 0.5), Word("good", 0.5, 1.25)]
        >>> token_times("So good!", words, [(0, 0), (0, 2), (3, 7), (7, 8)]).tolist()
        [[nan, nan], [0.0, 0.5], [0.5, 1.25], [nan, nan]]
    """
    # Not casefold(): it may change the number of characters.
    lowered, at = text.lower() if len(text.lower()) == len(text) else text, 0
    times = np.full((len(text), 2), math.nan)
    for word in words:
        found = lowered.find(word.text.strip().lower(), at) if word.text.strip() else -1
        if found >= 0:
            at = found + len(word.text.strip())
            times[found:at] = word.start_seconds, word.end_seconds
    rows = [times[first] if last > first else np.full(2, math.nan) for first, last in spans]
    return np.array(rows).reshape(-1, 2)
