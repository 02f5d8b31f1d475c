"""CMU-MOSEI."""

from __future__ import annotations

from msadg.corpora.cmu import CmuCorpus
from msadg.corpora.corpus import Card


class Mosei(CmuCorpus):
    """CMU-MOSEI: monologues on YouTube on some 250 topics, 3,225 videos, 22,856 clips.

    Input: English transcript; video with sound. Layouts: see CmuCorpus.
    Label: polarity in [-3, 3], the mean of three annotators; a class by the chosen reading. Emotions are not read.
    Domains: one, "mosei".
    Known faults, kept as they are: transcripts hold markers such as "(umm)" (3,426 clips) and HTML entities (105);
        36 texts occur in more than one split; in 40 clips the text does not fit the time span; 224 clips start
        before 0 s, by up to 0.488 s.
    Licence: none stated with the labels; for research.
    Reference: Zadeh, Liang, Poria, Cambria, Morency, ACL 2018, doi:10.18653/v1/P18-1208.
    """

    name = "mosei"
    labels_csd = "CMU_MOSEI_Labels.csd"
    card = Card(
        title="CMU-MOSEI, monologues on YouTube on many topics",
        language="English",
        licence="none stated; for research",
        reference="Zadeh et al., ACL 2018, doi:10.18653/v1/P18-1208",
        polarity=True,
        class_counts={
            "round": {"train": (3_655, 6_798, 5_873), "dev": (378, 835, 658), "test": (1_023, 1_927, 1_709)},
            "sign": {"train": (4_738, 3_540, 8_048), "dev": (506, 433, 932), "test": (1_350, 1_025, 2_284)},
        },
        known_faults=(
            "transcripts hold markers such as (umm), in 3,426 clips, and HTML entities, in 105",
            "36 texts occur in more than one split",
            "in 40 clips the text does not fit the time span",
            "224 clips start before 0 s, by up to 0.488 s",
        ),
    )
