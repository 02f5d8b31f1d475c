"""MELD."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from msadg.corpora.clip_files import MELD_ID, with_meld_files
from msadg.corpora.corpus import Card, Corpus
from msadg.corpora.csv_rows import read_csv
from msadg.corpora.labels import split_of_name
from msadg.corpora.layouts import choose_layout
from msadg.corpora.manifest import manifest_rows
from msadg.corpora.row import Row, seconds_of
from msadg.errors import CorpusError
from msadg.types import SPLITS, LabelReading, Split

OFFICIAL_COLUMNS = ("Utterance", "Speaker", "Sentiment", "Dialogue_ID", "Utterance_ID", "StartTime", "EndTime")


class Meld(Corpus):
    """MELD: scenes of the sitcom Friends, 13,708 utterances in 1,432 dialogues.

    Input: English transcript with the speaker's name; clip ``dia<D>_utt<U>.mp4`` with sound, where it is there.
    Layouts, most preferred first: ``clips.csv`` (a manifest), ``official`` (three ``<split>_sent_emo.csv``).
    Label: sentiment, three classes; there is no polarity. Emotion is not read.
    Domains: one, "meld".
    Known faults, kept as they are: by the tables' own times, test dia155_utt3 lasts 0 s, dia38_utt4 305 s and
        dia220_utt0 235 s; the official tables hold characters of a mistaken encoding; short texts repeat
        (1,058 / 66 / 212 repeats inside train / dev / test); train dia125_utt3.mp4 is damaged, dev dia110_utt7.mp4
        is not in the archive. Times are those in the episode; a clip that is a file of its own has none.
    Licence: GPL-3.0 for the annotations.
    Reference: Poria, Hazarika, Majumder, Naik, Cambria, Mihalcea, ACL 2019, doi:10.18653/v1/P19-1050.
    """

    name = "meld"
    card = Card(
        title="MELD, scenes of the sitcom Friends",
        language="English",
        licence="GPL-3.0 for the annotations",
        reference="Poria et al., ACL 2019, doi:10.18653/v1/P19-1050",
        polarity=False,
        class_counts={
            "class": {"train": (2_945, 4_710, 2_334), "dev": (406, 470, 233), "test": (833, 1_256, 521)},
        },
        known_faults=(
            "test dia155_utt3 lasts 0 s, dia38_utt4 305 s, dia220_utt0 235 s by the tables' own times",
            "the official tables hold characters of a mistaken encoding",
            "short texts repeat: 1,058 / 66 / 212 inside train / dev / test",
        ),
    )

    def __init__(
        self,
        root: Path,
        labels: LabelReading = "round",
        *,
        layout: str | None = None,
        allow_empty_text: bool = False,
    ) -> None:
        super().__init__(root, labels, allow_empty_text=allow_empty_text)
        candidates = {"clips.csv": [Path("clips.csv")], "official": [Path("train_sent_emo.csv")]}
        self.layout, self._file = choose_layout(self.name, root, candidates, layout)

    def _rows(self) -> Iterator[Row]:
        return with_meld_files(self._table_rows(), self.root)

    def _table_rows(self) -> Iterator[Row]:
        if self.layout == "clips.csv":
            yield from map(_named, manifest_rows(self._file))
            return
        for split in SPLITS:
            yield from self._official_rows(split)

    def _official_rows(self, split: Split) -> Iterator[Row]:
        for where, record in read_csv(self.root / f"{split}_sent_emo.csv", OFFICIAL_COLUMNS):
            dialogue, utterance = (_number(record, column, where) for column in ("Dialogue_ID", "Utterance_ID"))
            yield Row(
                where=where,
                local_id=f"dia{dialogue}_utt{utterance}",
                video_id=f"{split}_dia{dialogue}",
                text=record["Utterance"],
                split=split,
                sentiment=record["Sentiment"],
                speaker=record["Speaker"].strip() or None,
                start_seconds=seconds_of(record["StartTime"], where),
                end_seconds=seconds_of(record["EndTime"], where),
            )


def _number(record: dict[str, str], column: str, where: str) -> int:
    value = record[column].strip()
    if not value.isdigit():
        raise CorpusError(f"{where}: {column} is {value!r}; expected a whole number")
    return int(value)


def _named(row: Row) -> Row:
    """Name a manifest's clip and dialogue as the official files do."""
    if not row.local_id:
        return row
    numbers = MELD_ID.fullmatch(row.local_id)
    if not numbers:
        raise CorpusError(f"{row.where}: clip id {row.local_id!r}; expected dia<D>_utt<U> at its end")
    dialogue, utterance = map(int, numbers.groups())
    split = split_of_name(row.split, row.where)
    return replace(row, local_id=f"dia{dialogue}_utt{utterance}", video_id=f"{split}_dia{dialogue}", split=split)
