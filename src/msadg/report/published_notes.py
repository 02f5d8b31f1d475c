"""What is to be known of the paper's numbers, and in what our runs differ from its set-up, as the records tell it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from msadg.corpora.catalog import CORPORA
from msadg.protocols.domains import PAPER_DOMAINS
from msadg.report.names import number, printed
from msadg.report.published import PublishedTable
from msadg.results.aggregate import row_of
from msadg.results.record import Record
from msadg.types import SENTIMENTS, LabelReading

ENCODERS = {"text": ("electra", "ELECTRA"), "video": ("vggface2", "VGGFace2 embeddings of the speaker's face")}
"""By modality, the paper's features (Sec. 4.2): part of our extractor's name, and how they are called."""

TRAINING = {"learning_rate": 7e-5, "batch_size": 16, "epochs": 200, "warmup_epochs": 3.0}
"""The paper's (Sec. 4.2)."""

LABELS: LabelReading = "round"
"""How the paper reads a polarity as a class, by its own class counts for MOSI."""


def notes_on_setup(records: Sequence[Record]) -> list[str]:
    """One line on each thing that our runs do otherwise than the paper: features, training, labels.

    The constant row reads nothing and a language model has features of its own, so neither counts; of training, only
    rows that are trained by gradient do.
    """
    ours = [record for record in records if record.error is None and record.method not in ("constant", "mllm")]
    notes = [note for modality in ENCODERS for note in _on_features(ours, modality)]
    notes += _on_training([record for record in ours if record.extra.get("epochs")])
    readings = _values(record.settings.get("data", {}).get("labels") for record in ours)
    if set(readings) - {LABELS}:
        notes.append(f"Otherwise than in the paper: a polarity becomes a class by {_or(readings)} (paper: {LABELS})")
    return notes


def _on_features(records: Sequence[Record], modality: str) -> list[str]:
    wanted, spelled = ENCODERS[modality]
    reading = [record for record in records if modality in record.features]
    others: dict[str, set[str]] = {}
    for record in reading:
        feature = record.features[modality]
        if feature.get("simulated") or wanted not in str(feature.get("extractor")):
            name = "simulated" if feature.get("simulated") else str(feature["extractor"]).removeprefix(f"{modality}-")
            others.setdefault(name, set()).add(row_of(record))
    if not others:
        return []
    num_rows = len({row_of(record) for record in reading})
    which = [f"{name} in {len(rows)} of {num_rows} rows" for name, rows in others.items()]
    return [f"Otherwise than in the paper: {modality} is {', '.join(which)} that are given any (paper: {spelled})"]


def _on_training(records: Sequence[Record]) -> list[str]:
    found = {name: _values(record.settings.get("training", {}).get(name) for record in records) for name in TRAINING}
    parts = [
        f"{name.replace('_', ' ')} {_or(values)} (paper: {paper:g})"
        for name, paper in TRAINING.items()
        if set(values := found[name]) - {f"{paper:g}"}
    ]
    return [f"Otherwise than in the paper: {', '.join(parts)}"] if parts else []


def _values(found: Iterable[Any]) -> list[str]:
    """Each value once, as it is printed; what older records do not say is left out."""
    known = dict.fromkeys(value for value in found if value is not None)
    return [f"{value:g}" if isinstance(value, int | float) else str(value) for value in sorted(known)]


def _or(parts: Sequence[str]) -> str:
    return " or ".join(parts)


def notes_on_published(paper: PublishedTable) -> list[str]:
    """What to beware of in the paper's own numbers: those of a constant classifier, and slips in print."""
    shares = {domain: _shares(domain) for domain in PAPER_DOMAINS}
    constant: dict[str, list[str]] = {}
    for (row, setting, domain), accuracy in paper.accuracy.items():
        for sentiment, share in shares[domain].items():
            if is_printed_as(share, accuracy):
                place = f"{printed(domain)} {number(accuracy)} ({sentiment})"
                constant.setdefault(f"{printed(row)} in {setting}", []).append(place)
    notes = [f"{remark}." for remark in paper.remarks]
    if constant:
        told = "; ".join(f"{where}, {', '.join(places)}" for where, places in constant.items())
        notes.append(
            "Of the paper's numbers, these are to their last digit what a classifier scores that calls every clip of a "
            f"test set the same: {told}."
        )
    return notes


def is_printed_as(share: float, accuracy: float) -> bool:
    """Whether a share becomes the printed number by rounding or by cutting (the paper does both).

    Example:
        >>> is_printed_as(347 / 686, 0.505), is_printed_as(347 / 686, 0.506), is_printed_as(347 / 686, 0.507)
        (True, True, False)
    """
    return round(accuracy * 1000) in (math.floor(share * 1000), round(share * 1000))


def _shares(domain: str) -> dict[str, float]:
    """The share of each class in a test set, by the corpus's card."""
    counts = CORPORA[domain].card.expected_counts(LABELS)
    assert counts is not None, f"the card of {domain} states its classes"
    return {name: count / sum(counts["test"]) for name, count in zip(SENTIMENTS, counts["test"], strict=True)}
