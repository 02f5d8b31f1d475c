"""A corpus: a reader of published files, with a data card whose counts are checked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import get_args

from msadg.corpora.label_sets import label_set_of_names
from msadg.corpora.labels import sentiment_of_polarity as sentiment_of_polarity
from msadg.corpora.row import Row, read_utterance
from msadg.errors import CorpusError, UnknownNameError
from msadg.types import SENTIMENT, SPLITS, LabelReading, LabelSet, Split, Utterance

ClassCounts = tuple[int, ...]
"""Utterances by class: negative, neutral, positive; or those of another label set."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a corpus states of itself; reading it checks the counts."""

    title: str
    """One line."""
    language: str
    licence: str
    reference: str
    polarity: bool | None
    """Whether each utterance has a polarity in [-3, 3]; None where the user's file decides."""
    class_counts: Mapping[str, Mapping[Split, ClassCounts]] = field(default_factory=dict)
    """By label reading (``round``, ``sign``), or under ``class`` where classes are published; empty: unchecked."""
    sizes: Mapping[Split, int] | None = None
    """Utterances by split, where their number is known but not the classes'."""
    label_set: LabelSet | None = SENTIMENT
    """What the classes are; None where the user's file decides."""
    known_faults: tuple[str, ...] = ()
    """Kept as they are."""
    num_dropped: int | None = None
    """Utterances that the reader drops by its own rule; None: unchecked."""

    def expected_counts(self, labels: LabelReading) -> Mapping[Split, ClassCounts] | None:
        """Return the counts that a reading has to meet; None where the card states none."""
        return self.class_counts.get("class") or self.class_counts.get(labels)

    @property
    def num_utterances(self) -> dict[Split, int] | None:
        """Utterances by split; None where the card states no counts."""
        for counts in self.class_counts.values():
            return {split: sum(by_class) for split, by_class in counts.items()}
        return None if self.sizes is None else dict(self.sizes)


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """The counts that a full reading met, beside those of the card."""

    corpus: str
    labels: LabelReading
    counts: dict[Split, ClassCounts]
    expected: dict[Split, ClassCounts] | None
    """None where the card states no counts."""
    num_dropped: int
    expected_dropped: int | None
    expected_sizes: dict[Split, int] | None = None
    """Utterances by split, where the card states no more."""
    label_set: LabelSet = SENTIMENT

    @property
    def differences(self) -> tuple[str, ...]:
        """One sentence for each count that is not the card's; empty where all are met."""
        found = []
        none = (0,) * len(self.label_set.classes)
        for split in SPLITS if self.expected is not None else ():
            met, stated = self.counts[split], (self.expected or {}).get(split, none)
            if met != stated:
                classes = " / ".join(self.label_set.classes)
                found.append(f"{split} has {_slashed(met)} ({classes}), the card says {_slashed(stated)}")
        for split, size in (self.expected_sizes or {}).items():
            if sum(self.counts[split]) != size:
                found.append(f"{split} has {sum(self.counts[split]):,} utterances, the card says {size:,}")
        if self.expected_dropped is not None and self.num_dropped != self.expected_dropped:
            found.append(f"{self.num_dropped} utterances were dropped, the card says {self.expected_dropped}")
        return tuple(found)

    def raise_if_different(self) -> None:
        """Stop where a count is not the card's.

        Raises:
            CorpusError: names each difference.
        """
        if self.differences:
            raise CorpusError(
                f"{self.corpus}, labels={self.labels!r}: {'; '.join(self.differences)}. Mend the files; or, if this "
                f"is a part or a variant of the corpus, read its manifest under a name of its own (name=path)"
            )


class Corpus(ABC):
    """Utterances of one domain, in the order of their files, with ids that never change.

    A subclass yields rows; what holds of every corpus is checked here, once.
    """

    name: str
    """Of the corpus and of its domain; the first part of every clip id."""
    card: Card
    num_dropped: int = 0
    """Utterances that the last reading dropped by the card's rule."""

    def __init__(self, root: Path, labels: LabelReading = "round", *, allow_empty_text: bool = False) -> None:
        if labels not in get_args(LabelReading):
            raise UnknownNameError("label reading", labels, get_args(LabelReading))
        self.root = root
        self._file = root
        """What is read, for messages; the file itself, where a subclass chooses one in a folder."""
        self.labels: LabelReading = labels
        self.allow_empty_text = allow_empty_text

    @abstractmethod
    def _rows(self) -> Iterator[Row]:
        """Yield every row of every split, in the order of the files."""

    def utterances(self, split: Split) -> Iterator[Utterance]:
        """Yield the utterances of one split, in the order of the file.

        Raises:
            CorpusError: a row is not what it has to be, or the counts are not the card's.
        """
        if split not in SPLITS:
            raise UnknownNameError("split", split, SPLITS)
        return (utterance for utterance in self.all_utterances() if utterance.split == split)

    def all_utterances(self) -> Iterator[Utterance]:
        """Yield the utterances of all splits, in the order of the files.

        Raises:
            CorpusError: a row is not what it has to be, or the counts are not the card's.
        """
        self.check().raise_if_different()
        yield from self._utterances

    @property
    def has_polarity(self) -> bool:
        """Whether the utterances have a polarity beside their class."""
        if self.card.polarity is not None:
            return self.card.polarity
        return any(utterance.polarity is not None for utterance in self._utterances)

    @property
    def label_set(self) -> LabelSet:
        """What the classes of the utterances are."""
        return self.card.label_set or self._utterances[0].label_set

    def check(self) -> CheckResult:
        """Count a full reading and put it beside the card.

        Raises:
            CorpusError: a row is not what it has to be. Differing counts are returned, not raised.
        """
        met = Counter((utterance.split, utterance.sentiment) for utterance in self._utterances)
        expected = self.card.expected_counts(self.labels)
        classes = range(len(self.label_set.classes))
        return CheckResult(
            corpus=self.name,
            labels=self.labels,
            counts={split: tuple(met[split, index] for index in classes) for split in SPLITS},
            expected=None if expected is None else dict(expected),
            num_dropped=self.num_dropped,
            expected_dropped=self.card.num_dropped,
            expected_sizes=None if expected is not None else self.card.num_utterances,
            label_set=self.label_set,
        )

    @cached_property
    def _utterances(self) -> tuple[Utterance, ...]:
        utterances: list[Utterance] = []
        line_of_clip: dict[str, str] = {}
        first_of_video: dict[str, tuple[Split, str]] = {}
        rows, label_set = self._rows(), self.card.label_set
        if label_set is None:
            rows = iter(kept := list(rows))
            label_set = label_set_of_names(str(name) for row in kept for name in (row.sentiment, row.label) if name)
        for row in rows:
            utterance = read_utterance(row, self.name, self.labels, label_set, allow_empty_text=self.allow_empty_text)
            if utterance.clip_id in line_of_clip:
                raise CorpusError(
                    f"{row.where}: clip id {utterance.clip_id!r} is there already ({line_of_clip[utterance.clip_id]})"
                )
            line_of_clip[utterance.clip_id] = row.where
            split, where = first_of_video.setdefault(utterance.video_id, (utterance.split, row.where))
            if split != utterance.split:
                raise CorpusError(
                    f"{row.where}: video {utterance.video_id!r} is in split {utterance.split!r} here but in {split!r} "
                    f"before ({where}); clips of one video have to stay in one split"
                )
            self._check_kind(utterance, row, utterances)
            utterances.append(utterance)
        if not utterances:
            raise CorpusError(
                f"{self._file}: no rows after the header, or none that is kept, so {self.name} has no utterance; "
                f"fetch or write the file again"
            )
        return tuple(utterances)

    def _check_kind(self, utterance: Utterance, row: Row, before: list[Utterance]) -> None:
        """Polarity for all or for none: a mixture cannot be scored."""
        wanted = self.card.polarity
        if wanted is None and before:
            wanted = before[0].polarity is not None
        if wanted is not None and wanted != (utterance.polarity is not None):
            met, other = ("a class", "a polarity") if wanted else ("a polarity", "a class")
            label = row.label if row.label not in (None, "") else row.sentiment
            raise CorpusError(f"{row.where}: the label {label!r} is {met}, but {self.name} is labelled with {other}")


def _slashed(counts: ClassCounts) -> str:
    return " / ".join(f"{count:,}" for count in counts)
