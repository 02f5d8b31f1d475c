"""From the tokens of an encoder back to the words of a transcript, each with what its tokens add up to."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

MARKS = "\N{LATIN CAPITAL LETTER G WITH DOT ABOVE}\N{LOWER ONE EIGHTH BLOCK}"
"""What byte-pair and sentence-piece vocabularies put before a word."""


@dataclass(frozen=True, slots=True)
class WordShare:
    """A word of a transcript, punctuation included."""

    text: str
    share: float
    """Of all that speaks for or against the prediction; above 0 it speaks for it."""


def words_of(
    text: str, tokens: Sequence[str], shares: Float[np.ndarray, " token"]
) -> tuple[tuple[WordShare, ...], float]:
    """The words of a transcript with their shares, and the share of what is no word (the encoder's special tokens).

    The tokens are found in the text one after the other, case and accents aside; one that is not there (a special
    token, a character that the vocabulary does not know) counts among what is no word.

    Example:
        >>> words, rest = words_of("I didn't", ["[CLS]", "i", "didn", "'", "t"], np.array([0.5, 0.1, 0.2, 0.1, 0.1]))
        >>> [(word.text, round(word.share, 3)) for word in words], rest
        ([('I', 0.1), ("didn't", 0.4)], 0.5)
    """
    plain, place = _plain(text)
    spans = [match.span() for match in re.finditer(r"\S+", text)]
    word_at = np.zeros(len(text) + 1, np.int64)
    for number, (start, end) in enumerate(spans):
        word_at[start:end] = number
    added, rest, cursor = np.zeros(len(spans)), 0.0, 0
    for token, share in zip(tokens, shares.tolist(), strict=False):
        piece, _ = _plain(token.removeprefix("##").lstrip(MARKS))
        found = plain.find(piece, cursor) if piece and not _is_special(token) else -1
        if found < 0 or plain[cursor:found].strip():  # nothing but blanks may lie between two tokens
            rest += share
            continue
        added[word_at[place[found]]] += share
        cursor = found + len(piece)
    words = (WordShare(text[start:end], float(share)) for (start, end), share in zip(spans, added, strict=True))
    return tuple(words), rest


def _is_special(token: str) -> bool:
    return bool(re.fullmatch(r"\[[A-Z]+\]|<[^<>]+>", token))


def _plain(text: str) -> tuple[str, list[int]]:
    """Lower case without accents, and where each of its characters stands in the text."""
    letters, place = [], []
    for at, character in enumerate(text):
        for part in unicodedata.normalize("NFD", character.lower()):
            if not unicodedata.combining(part):
                letters.append(part)
                place.append(at)
    return "".join(letters), place
