"""CMU-MOSI."""

from __future__ import annotations

from msadg.corpora.cmu import CmuCorpus
from msadg.corpora.corpus import Card


class Mosi(CmuCorpus):
    """CMU-MOSI: 93 film and product reviews on YouTube, one speaker each, cut into 2,199 clips.

    Input: English transcript, upper case in the customary files; video with sound. Layouts: see CmuCorpus.
    Label: polarity in [-3, 3], the mean of five annotators; a class by the chosen reading.
    Domains: one, "mosi".
    Known faults, kept as they are: ``2WGyTLYerpo[44]`` lasts 0 s; two pairs of clips are at one and the same time
        (bOL9jKpeJRs 24 and 25, d6hH302o4v8 27 and 34); two texts occur twice, each in one split.
    Licence: none stated with the labels; for research.
    Reference: Zadeh, Zellers, Pincus, Morency, IEEE Intelligent Systems 31(6), 2016, doi:10.1109/MIS.2016.94.
    """

    name = "mosi"
    labels_csd = "CMU_MOSI_Opinion_Labels.csd"
    card = Card(
        title="CMU-MOSI, film and product reviews on YouTube",
        language="English",
        licence="none stated; for research",
        reference="Zadeh et al., IEEE Intelligent Systems 31(6), 2016, doi:10.1109/MIS.2016.94",
        polarity=True,
        class_counts={
            "round": {"train": (450, 248, 586), "dev": (72, 49, 108), "test": (347, 106, 233)},
            "sign": {"train": (552, 53, 679), "dev": (92, 13, 124), "test": (379, 30, 277)},
        },
        known_faults=(
            "2WGyTLYerpo[44] lasts 0 s",
            "two pairs of clips are at one and the same time",
            "two texts occur twice, each in one split",
        ),
    )
