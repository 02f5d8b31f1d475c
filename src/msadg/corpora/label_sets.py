"""The label sets of corpora, and the rule that one run has one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msadg.errors import CorpusError, RunError
from msadg.types import SENTIMENT, LabelSet

HUMOUR = LabelSet("humour", ("not humorous", "humorous"))
"""Whether what is said makes the audience laugh."""

LABEL_SETS: dict[str, LabelSet] = {label_set.name: label_set for label_set in (SENTIMENT, HUMOUR)}
"""By name. No class name is in two of them."""


def label_set_of_names(names: Iterable[str]) -> LabelSet:
    """Return the label set that the first known class name belongs to; sentiment where none is known.

    Example:
        >>> label_set_of_names(["", "Humorous"]).name, label_set_of_names(["1.5"]).name
        ('humour', 'sentiment')
    """
    for name in names:
        for label_set in LABEL_SETS.values():
            if name.strip().lower() in label_set.classes:
                return label_set
    return SENTIMENT


def check_one_label_set(label_set_of: Mapping[str, LabelSet]) -> LabelSet:
    """Return the label set that corpora share, so that a class means the same in each.

    Args:
        label_set_of: by domain.

    Raises:
        CorpusError: two of them differ; names both.
    """
    first = next(iter(label_set_of))
    for domain, label_set in label_set_of.items():
        if label_set != label_set_of[first]:
            raise CorpusError(
                f"{first} is labelled with {told(label_set_of[first])}, but {domain} with {told(label_set)}; the "
                f"corpora of one run need one label set, so train and score them in runs of their own"
            )
    return label_set_of[first]


def told(label_set: LabelSet) -> str:
    """A label set in a message.

    Example:
        >>> told(HUMOUR)
        'humour (not humorous, humorous)'
    """
    return f"{label_set.name} ({', '.join(label_set.classes)})"


def label_set_from(content: Any, where: str) -> LabelSet:
    """Build a label set from the plain values of ``dataclasses.asdict``; nothing (None) stands for sentiment.

    Raises:
        RunError: they are no label set; begins with ``where``.
    """
    if content is None:
        return SENTIMENT
    try:
        name, classes, has_polarity = content["name"], tuple(content["classes"]), content["has_polarity"]
    except (KeyError, TypeError) as error:
        raise RunError(f"{where}: the label set is {content!r}; expected its name, classes and has_polarity") from error
    if not isinstance(has_polarity, bool) or not all(isinstance(text, str) for text in (name, *classes)):
        raise RunError(f"{where}: the label set is {content!r}; expected names, and whether it has a polarity")
    return LabelSet(name, classes, has_polarity)
