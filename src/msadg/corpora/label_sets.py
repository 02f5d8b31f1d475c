"""The label sets of corpora, and the rule that one run has one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msadg.errors import CorpusError
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
                f"{first} is labelled with {_told(label_set_of[first])}, but {domain} with {_told(label_set)}; the "
                f"corpora of one run need one label set, so train and score them in runs of their own"
            )
    return label_set_of[first]


def _told(label_set: LabelSet) -> str:
    return f"{label_set.name} ({', '.join(label_set.classes)})"
