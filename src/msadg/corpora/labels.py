"""What a published label says: a polarity in [-3, 3], or the name of a class."""

from __future__ import annotations

import math

from msadg.errors import CorpusError
from msadg.types import SENTIMENT, LabelReading, LabelSet, Split

SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "dev": "dev",
    "val": "dev",
    "valid": "dev",
    "validation": "dev",
    "test": "test",
}
"""What published files call a split, and what it is called here."""


def sentiment_of_polarity(polarity: float, labels: LabelReading) -> int:
    """Read a polarity as an index into SENTIMENTS.

    ``round``: sign(round(y)), half to even, so |y| <= 0.5 is neutral.  ``sign``: sign(y), so only 0 is.

    Example:
        >>> [SENTIMENT.classes[sentiment_of_polarity(0.5, labels)] for labels in ("round", "sign")]
        ['neutral', 'positive']
    """
    value = round(polarity) if labels == "round" else polarity
    return 1 + (value > 0) - (value < 0)


def sentiment_of_name(name: str, where: str) -> int:
    """Read the name of a sentiment, in any case, as an index into SENTIMENTS.

    Raises:
        CorpusError: it is none of them.
    """
    return class_of_name(name, SENTIMENT, where)


def class_of_name(name: str, label_set: LabelSet, where: str) -> int:
    """Read the name of a class, in any case, as an index into the classes of a label set.

    Raises:
        CorpusError: it is none of them.
    """
    known = name.strip().lower()
    if known not in label_set.classes:
        raise CorpusError(f"{where}: unknown {label_set.name} {name!r}; known: {', '.join(label_set.classes)}")
    return label_set.classes.index(known)


def polarity_of(label: str | float, where: str) -> float | None:
    """Read a label as a polarity; None where it is not a number but (presumably) the name of a class.

    Raises:
        CorpusError: a number that is NaN or outside [-3, 3], or written with underscores as in a program.
    """
    try:
        polarity = float(label)
    except ValueError:
        return None
    if "_" in str(label):
        raise CorpusError(f"{where}: the label is {label!r}; expected a polarity in [-3, 3], without underscores")
    if math.isnan(polarity):
        raise CorpusError(f"{where}: the label is {label!r}; expected a polarity in [-3, 3] or a sentiment")
    if abs(polarity) > 3:
        raise CorpusError(f"{where}: polarity {polarity:g} is outside [-3, 3]; rescale the labels to that range")
    return polarity


def split_of_name(name: str, where: str) -> Split:
    """Read what a file calls a split.

    Raises:
        CorpusError: it is no split.
    """
    try:
        return SPLIT_NAMES[name.strip().lower()]
    except KeyError:
        raise CorpusError(f"{where}: unknown split {name!r}; known: {', '.join(SPLIT_NAMES)}") from None
