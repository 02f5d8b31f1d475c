"""Simulated corpora: utterances without people, for experiments in which the truth is known.

They carry labels, videos and splits, but no words worth reading: their features come from
``msadg.extraction.simulated``, which knows which of them are invariant.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

from msadg.corpora.corpus import Card, ClassCounts, Corpus
from msadg.corpora.row import Row
from msadg.types import SENTIMENTS, LabelReading, Split

CLIPS_PER_VIDEO = 5

SIZES: Mapping[Split, int] = {"train": 600, "dev": 150, "test": 300}
"""Clips of each split of a simulated domain, in the order in which they are numbered."""


def _card(title: str, train: ClassCounts, dev: ClassCounts, test: ClassCounts) -> Card:
    return Card(
        title=title,
        language="none",
        licence="Apache-2.0",
        reference="this project",
        polarity=False,
        class_counts={"class": {"train": train, "dev": dev, "test": test}},
        num_dropped=0,
        known_faults=("simulated: clips of one video are no more alike than clips of two",),
    )


class SimulatedCorpus(Corpus):
    """One simulated domain: 1,050 clips, five to a video; each clip's class is drawn by the domain's prior.

    Input: the placeholder "simulated clip 17", so that nothing can be read from the words; no clips.
    Label: sentiment, three classes, drawn independently for each clip; there is no polarity.
    Domains: one for each subclass; they differ in class prior, and in the strength of spurious features that
        ``msadg.extraction.simulated_truth.SPURIOUS_STRENGTH`` gives them.
    Licence: Apache-2.0, as the package.
    Reference: this project.

    Args:
        root: Not read; the corpus needs no file.
        labels: Both readings are the same.
    """

    class_prior: ClassVar[Mapping[str, Fraction]]
    """Probability of each sentiment."""

    def __init__(self, root: Path | None = None, labels: LabelReading = "round") -> None:
        super().__init__(root or Path(), labels)

    def _rows(self) -> Iterator[Row]:
        splits = [split for split, size in SIZES.items() for _ in range(size)]
        return (self._row(number, split) for number, split in enumerate(splits))

    def _row(self, number: int, split: Split) -> Row:
        video, clip_no = divmod(number, CLIPS_PER_VIDEO)
        local_id = f"v{video:03d}[{clip_no}]"
        return Row(
            where=f"{self.name}, clip {number}",
            local_id=local_id,
            video_id=f"v{video:03d}",
            text=f"simulated clip {number}",
            split=split,
            sentiment=self._draw_class(f"{self.name}/{split}/{local_id}"),
            clip_no=str(clip_no),
        )

    def _draw_class(self, clip_id: str) -> str:
        """Inverse of the prior's distribution function, at a uniform number that is the SHA-256 of the clip's id."""
        digest = hashlib.sha256(f"sentiment of {clip_id}".encode()).digest()
        left = Fraction(int.from_bytes(digest, "big"), 2**256)
        for sentiment in SENTIMENTS[:-1]:
            left -= self.class_prior[sentiment]
            if left < 0:
                return sentiment
        return SENTIMENTS[-1]


def _prior(negative: int, neutral: int, positive: int) -> Mapping[str, Fraction]:
    weights = (negative, neutral, positive)
    return {name: Fraction(weight, sum(weights)) for name, weight in zip(SENTIMENTS, weights, strict=True)}


class SimulatedA(SimulatedCorpus):
    """Equal classes; see SimulatedCorpus."""

    name = "simulated-a"
    class_prior = _prior(1, 1, 1)
    card = _card("simulated domain with equal classes", train=(200, 208, 192), dev=(51, 49, 50), test=(103, 95, 102))


class SimulatedB(SimulatedCorpus):
    """More positive clips, as in MOSEI; see SimulatedCorpus."""

    name = "simulated-b"
    class_prior = _prior(25, 35, 40)
    card = _card(
        "simulated domain that leans to the positive", train=(160, 217, 223), dev=(38, 46, 66), test=(77, 101, 122)
    )


class SimulatedC(SimulatedCorpus):
    """Half the clips neutral and few positive, as in MELD; see SimulatedCorpus."""

    name = "simulated-c"
    class_prior = _prior(30, 50, 20)
    card = _card(
        "simulated domain that leans to the neutral", train=(187, 299, 114), dev=(44, 74, 32), test=(95, 157, 48)
    )
