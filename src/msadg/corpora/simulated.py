"""Simulated corpora: utterances without people, for experiments in which the truth is known.

They carry labels, videos and splits, but no words worth reading: their features come from
``msadg.extraction.simulated``, which knows which of them are invariant.

Polarity. A clip's class is drawn first; how strong its sentiment is, of its id alone:

    y = u (1/2 + 5/2 v)      u = -1, 0, 1 for negative, neutral, positive;  v uniform in (0, 1]

so y is 0 for neutral clips and uniform in (1/2, 3], or its mirror image, for the others. Read as a class by ``round``
(|y| <= 1/2 is neutral) or by ``sign``, it is the class that was drawn: hence exactly 0 for neutral, where a number
spread about 0 would mean other classes under ``sign``. v is one of 2^16 values, so that y has no rounding error even
in single precision. The features are drawn from the class alone, so no feature shows v: of clips with a sentiment,
a method that knows the class is wrong by 5/8 on average (it answers 7/4, the median); over a domain, by 5/8 of the
share of clips that have one. (y is no new draw of the class; features and classes are what they were without it.)
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


def simulated_card(title: str, train: ClassCounts, dev: ClassCounts, test: ClassCounts) -> Card:
    """The card of a simulated domain: its title, and the counts of its classes."""
    return Card(
        title=title,
        language="none",
        licence="Apache-2.0",
        reference="this project",
        polarity=True,
        class_counts={"class": {"train": train, "dev": dev, "test": test}},
        num_dropped=0,
        known_faults=("simulated: clips of one video are no more alike than clips of two",),
    )


class SimulatedCorpus(Corpus):
    """One simulated domain: 1,050 clips, five to a video; each clip's class is drawn by the domain's prior.

    Input: the placeholder "simulated clip 17", so that nothing can be read from the words; no clips.
    Label: polarity, drawn independently for each clip: its class by the domain's prior, then its strength (see the
        module).
    Domains: one for each subclass; they differ in class prior, and in the strength of spurious features that
        ``msadg.extraction.simulated_truth.SPURIOUS_STRENGTH`` gives them.
    Licence: Apache-2.0, as the package.
    Reference: this project.

    Args:
        root: Not read; the corpus needs no file.
        labels: Both readings give the same classes.
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
        clip_id = f"{self.name}/{split}/{local_id}"
        sentiment = self._draw_class(clip_id)
        return Row(
            where=f"{self.name}, clip {number}",
            local_id=local_id,
            video_id=f"v{video:03d}",
            text=f"simulated clip {number}",
            split=split,
            label=(SENTIMENTS.index(sentiment) - 1) * _draw_strength(clip_id),
            sentiment=sentiment,
            clip_no=str(clip_no),
        )

    def _draw_class(self, clip_id: str) -> str:
        """Inverse of the prior's distribution function, at a uniform number that is the SHA-256 of the clip's id."""
        left = _uniform(f"sentiment of {clip_id}")
        for sentiment in SENTIMENTS[:-1]:
            left -= self.class_prior[sentiment]
            if left < 0:
                return sentiment
        return SENTIMENTS[-1]


def _draw_strength(clip_id: str) -> float:
    """1/2 + 5/2 v of a clip."""
    v = Fraction(1 + int(_uniform(f"strength of {clip_id}") * 2**16), 2**16)
    return float(Fraction(1, 2) + Fraction(5, 2) * v)


def _uniform(name: str) -> Fraction:
    """A number in [0, 1): the SHA-256 of the name."""
    return Fraction(int.from_bytes(hashlib.sha256(name.encode()).digest(), "big"), 2**256)


def _prior(negative: int, neutral: int, positive: int) -> Mapping[str, Fraction]:
    weights = (negative, neutral, positive)
    return {name: Fraction(weight, sum(weights)) for name, weight in zip(SENTIMENTS, weights, strict=True)}


class SimulatedA(SimulatedCorpus):
    """Equal classes; see SimulatedCorpus."""

    name = "simulated-a"
    class_prior = _prior(1, 1, 1)
    card = simulated_card(
        "simulated domain with equal classes", train=(200, 208, 192), dev=(51, 49, 50), test=(103, 95, 102)
    )


class SimulatedB(SimulatedCorpus):
    """More positive clips, as in MOSEI; see SimulatedCorpus."""

    name = "simulated-b"
    class_prior = _prior(25, 35, 40)
    card = simulated_card(
        "simulated domain that leans to the positive", train=(160, 217, 223), dev=(38, 46, 66), test=(77, 101, 122)
    )


class SimulatedC(SimulatedCorpus):
    """Half the clips neutral and few positive, as in MELD; see SimulatedCorpus."""

    name = "simulated-c"
    class_prior = _prior(30, 50, 20)
    card = simulated_card(
        "simulated domain that leans to the neutral", train=(187, 299, 114), dev=(44, 74, 32), test=(95, 157, 48)
    )
