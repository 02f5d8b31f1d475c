"""CH-SIMS and the supervised part of CH-SIMS v2: Chinese film and television."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from msadg.corpora.cmu import CmuCorpus
from msadg.corpora.corpus import Card
from msadg.corpora.row import Row
from msadg.errors import CorpusError

SCALE = 3
"""From the published polarity in [-1, 1] to the common scale [-3, 3]."""

DECIMALS = 6
"""Kept of a polarity: published ones have one (steps of 0.2), and 3 x 0.2 is not quite 0.6 in binary."""


class ChSims(CmuCorpus):
    """CH-SIMS: 60 films, series and shows in Chinese, cut into 2,281 clips of one visible speaker each.

    Input: Chinese transcript (an English text encoder knows none of it); video with sound. Layouts, most preferred
        first: ``clips.csv`` (a manifest), ``label.csv`` or ``meta.csv`` (as published), ``pickle`` (MMSA's
        ``unaligned_39.pkl``, here or in ``Processed/``); clips in ``Raw/<video>/<number>.mp4``.
    Label: polarity, the mean of five annotators, published in [-1, 1] in steps of 0.2 and multiplied by 3 here, onto
        the common scale [-3, 3]; a manifest (``clips.csv``) is on the common scale already. The smallest polarity
        that is not 0 becomes 0.6, so both readings give the same classes. Labels of single modalities are not read.
    Domains: one, "ch-sims".
    Licence: none stated with the labels; for research.
    Reference: Yu, Xu, Meng, Zhu, Ma, Wu, Zou, Yang, ACL 2020, doi:10.18653/v1/2020.acl-main.343.
    """

    name = "ch-sims"
    tables: ClassVar[tuple[str, ...]] = ("label.csv", "meta.csv")
    pickles: ClassVar[tuple[str, ...]] = ("unaligned_39.pkl",)
    card = Card(
        title="CH-SIMS, Chinese films, series and shows",
        language="Chinese",
        licence="none stated; for research",
        reference="Yu et al., ACL 2020, doi:10.18653/v1/2020.acl-main.343",
        polarity=True,
        class_counts={
            reading: {"train": (742, 207, 419), "dev": (248, 69, 139), "test": (248, 69, 140)}
            for reading in ("round", "sign")
        },
        known_faults=("the published polarity is in [-1, 1]; it is multiplied by 3",),
    )

    @property
    def _candidates(self) -> dict[str, list[Path]]:
        return {
            "clips.csv": [Path("clips.csv")],
            "label.csv": [Path(table) for table in self.tables],
            "pickle": [folder / file for file in self.pickles for folder in (Path(), Path("Processed"))],
        }

    def _table_rows(self) -> Iterator[Row]:
        rows = super()._table_rows()
        return rows if self.layout == "clips.csv" else map(on_common_scale, rows)


class ChSimsV2(ChSims):
    """CH-SIMS v2.0, its supervised part (v2s): 4,403 Chinese clips, about half of them those of CH-SIMS.

    Input, label: as in CH-SIMS; since the two share clips, neither can be held out from a run that was trained on the
        other. The table is ``meta.csv``; the feature file is ``unaligned.pkl`` or ``ch-simsv2s.pkl``. Of the
        unsupervised part nothing is read: a feature file's ``train_mix`` is left out, and that is counted.
    Domains: one, "ch-sims-v2".
    Checked: the sizes of the splits; not the counts of the classes.
    Licence: none stated with the labels; for research.
    Reference: Liu, Yuan, Mao, Liang, Yang, Qiu, Cheng, Li, Xu, Gao, ICMI 2022, doi:10.1145/3536221.3556630.
    """

    name = "ch-sims-v2"
    tables = ("meta.csv", "label.csv")
    pickles = ("unaligned.pkl", "ch-simsv2s.pkl")
    card = Card(
        title="CH-SIMS v2.0 (supervised part), Chinese films, series and shows",
        language="Chinese",
        licence="none stated; for research",
        reference="Liu et al., ICMI 2022, doi:10.1145/3536221.3556630",
        polarity=True,
        sizes={"train": 2_722, "dev": 647, "test": 1_034},
        known_faults=(
            "the published polarity is in [-1, 1]; it is multiplied by 3",
            "about half the clips are those of CH-SIMS: the two cannot be held out from each other",
        ),
    )


def on_common_scale(row: Row) -> Row:
    """Return a published row with its polarity in [-3, 3].

    Its class may be named "weakly positive": of the five classes of the paper, two are weaker forms.

    Raises:
        CorpusError: the polarity is not a number in [-1, 1].
    """
    try:
        polarity = float(str(row.label))
    except ValueError:
        polarity = math.nan
    if not abs(polarity) <= 1 or "_" in str(row.label):  # float reads 0_1, as a program writes it, as 1
        raise CorpusError(
            f"{row.where}: the label is {row.label!r}; expected a polarity in [-1, 1], as CH-SIMS publishes it (labels "
            f"on the scale [-3, 3] go into a clips.csv)"
        )
    sentiment = (row.sentiment or "").strip().lower().removeprefix("weakly ") or None
    return replace(row, label=round(SCALE * polarity, DECIMALS), sentiment=sentiment)
