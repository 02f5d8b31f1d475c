"""One utterance as a published file states it, and the checks on the way to an Utterance."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from msadg.corpora.labels import class_of_name, polarity_of, sentiment_of_polarity, split_of_name
from msadg.errors import CorpusError
from msadg.types import SENTIMENT, Clip, LabelReading, LabelSet, Utterance, Word

UNLABELLED = "clip"
"""What stands in the place of the split in the id of a clip that has none."""

CLOCK = re.compile(r"(\d+):([0-5]?\d):([0-5]?\d(?:[.,]\d+)?)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What one row of a file says, unread: every layout of every corpus comes down to this."""

    where: str
    """File and line, for messages."""
    local_id: str
    """The clip's id inside its split."""
    video_id: str
    text: str
    split: str
    label: str | float | None = None
    """A polarity, or the name of a class."""
    sentiment: str | None = None
    """The name of a class; read where there is no polarity, and not of the opposite sign where there is."""
    clip_no: str | None = None
    speaker: str | None = None
    start_seconds: float | None = None
    end_seconds: float | None = None
    clip_path: str | None = None
    words: tuple[Word, ...] = ()
    """On the same time axis as ``start_seconds``."""


def read_utterance(
    row: Row, corpus: str, labels: LabelReading, label_set: LabelSet = SENTIMENT, *, allow_empty_text: bool = False
) -> Utterance:
    """Check a row and make it an utterance of ``corpus``.

    Raises:
        CorpusError: an id, a label, a split, a time or the text is missing or is not what it has to be.
    """
    _check_ids(row, ("clip id", row.local_id), ("video id", row.video_id))
    if not row.text.strip() and not allow_empty_text:
        raise CorpusError(
            f"{row.where}: the text of clip {row.local_id!r} is empty; give its transcript or leave the clip out"
        )
    split = split_of_name(row.split, row.where)
    sentiment, polarity = _read_label(row, labels, label_set)
    _check_times(row)
    return Utterance(
        clip_id=f"{corpus}/{split}/{row.local_id}",
        video_id=row.video_id,
        text=row.text,
        split=split,
        sentiment=sentiment,
        polarity=polarity,
        speaker=row.speaker,
        start_seconds=row.start_seconds,
        end_seconds=row.end_seconds,
        clip_path=row.clip_path,
        words=row.words,
        label_set=label_set,
    )


def read_clip(row: Row, domain: str) -> Clip:
    """Check a row and make it a clip of ``domain``, whether it has a label or not.

    Its id is ``<domain>/<split>/<clip id>``, with the word ``clip`` in the place of a split that it does not have.

    Raises:
        CorpusError: the id is missing, or a split or a time is not what it has to be.
    """
    _check_ids(row, ("clip id", row.local_id))
    _check_times(row)
    split = split_of_name(row.split, row.where) if row.split.strip() else UNLABELLED
    return Clip(
        clip_id=f"{domain}/{split}/{row.local_id}",
        text=row.text,
        words=row.words,
        start_seconds=row.start_seconds,
        end_seconds=row.end_seconds,
        clip_path=row.clip_path,
    )


def _check_ids(row: Row, *named: tuple[str, str]) -> None:
    for column, value in named:
        if not value.strip():
            raise CorpusError(f"{row.where}: the {column} is missing")


def _read_label(row: Row, labels: LabelReading, label_set: LabelSet) -> tuple[int, float | None]:
    named = str(row.sentiment or "").strip() or None
    if row.label is None or row.label == "":
        if named is None:
            raise CorpusError(f"{row.where}: clip {row.local_id!r} has no label")
        return class_of_name(named, label_set, row.where), None
    polarity = polarity_of(row.label, row.where) if label_set == SENTIMENT else None
    if polarity is not None:
        if named is not None and (class_of_name(named, SENTIMENT, row.where) - 1) * polarity < 0:
            raise CorpusError(
                f"{row.where}: the polarity is {polarity:g} but the sentiment is {named!r}; mend what is wrong, or "
                f"leave the sentiment out"
            )
        return sentiment_of_polarity(polarity, labels), polarity
    index = class_of_name(str(row.label), label_set, row.where)
    if named is not None and class_of_name(named, label_set, row.where) != index:
        raise CorpusError(f"{row.where}: the label is {label_set.classes[index]!r} but the sentiment is {named!r}")
    return index, None


def _check_times(row: Row) -> None:
    for column, value in (("start", row.start_seconds), ("end", row.end_seconds)):
        if value is not None and not math.isfinite(value):  # MOSEI has clips that start before 0
            raise CorpusError(f"{row.where}: {column} is {value}; expected seconds")
    if row.start_seconds is not None and row.end_seconds is not None and row.end_seconds < row.start_seconds:
        raise CorpusError(
            f"{row.where}: the clip ends at {row.end_seconds:g} s, before it starts ({row.start_seconds:g} s)"
        )
    for word in row.words:
        if not (math.isfinite(word.start_seconds) and word.start_seconds <= word.end_seconds < math.inf):
            raise CorpusError(
                f"{row.where}: the word {word.text!r} lasts from {word.start_seconds:g} to {word.end_seconds:g} s; "
                f"expected seconds, the end not before the start"
            )


def seconds_of(value: str | float | None, where: str) -> float | None:
    """Read seconds, or a clock time ``hh:mm:ss,mmm``; None where there is neither.

    Raises:
        CorpusError: neither a number nor a clock time.

    Example:
        >>> seconds_of("0:16:21,731", "line 2")
        981.731
    """
    if value is None or value == "":
        return None
    clock = CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    if clock:
        hours, minutes, seconds = clock.groups()
        return round(3600 * int(hours) + 60 * int(minutes) + float(seconds.replace(",", ".")), 6)
    try:
        return float(value)
    except ValueError:
        raise CorpusError(f"{where}: {value!r} is no time; expected seconds or hh:mm:ss,mmm") from None
