"""Podcasts: an example for the guide "Add a corpus"; there is no such corpus."""

from __future__ import annotations

import json
from collections.abc import Iterator

from msadg.corpora.corpus import Card, Corpus
from msadg.corpora.row import Row
from msadg.errors import CorpusError


class Podcasts(Corpus):
    """Two hosts talking, one JSON object a line.

    Input: English transcript; no clips.
    Label: polarity in [-3, 3].
    Domains: one, "podcasts".
    Known faults: none known.
    Licence: invented, so none.
    Reference: this guide.
    """

    name = "podcasts"
    card = Card(
        title="invented podcasts",
        language="English",
        licence="none",
        reference="none",
        polarity=True,
        class_counts={"round": {"train": (1, 1, 1), "dev": (1, 0, 1), "test": (0, 1, 1)}},
    )

    def _rows(self) -> Iterator[Row]:
        path = self.root / "turns.jsonl"
        if not path.is_file():
            raise CorpusError(f"{path} is not there; put the published turns.jsonl into this folder")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            turn = json.loads(line)
            yield Row(
                where=f"{path}, line {number}",
                local_id=f"{turn['episode']}_{turn['turn']}",
                video_id=turn["episode"],
                text=turn["words"],
                split=turn["split"],
                label=float(turn["polarity"]),
                speaker=turn["host"],
            )
