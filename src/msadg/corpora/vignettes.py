"""Vignettes: three small domains written for this project, which travel in the package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from importlib.resources import as_file, files
from pathlib import Path
from typing import ClassVar

from msadg.corpora.corpus import Card, ClassCounts, Corpus
from msadg.corpora.csv_rows import read_csv
from msadg.corpora.labels import polarity_of, sentiment_of_name, sentiment_of_polarity
from msadg.corpora.row import Row
from msadg.errors import CorpusError
from msadg.types import LabelReading, Split

COLUMNS = (
    "domain", "clip_id", "video_id", "clip_no", "speaker", "text", "polarity", "second_sentiment", "split",
)  # fmt: skip


def _card(title: str, dropped: int, **counts: Mapping[Split, ClassCounts]) -> Card:
    """Return the card of one domain; counts are (negative, neutral, positive), by label reading and split."""
    return Card(
        title=title,
        language="English",
        licence="Apache-2.0",
        reference="this project",
        polarity=True,
        class_counts=counts,
        num_dropped=dropped,
        known_faults=(
            "invented: nobody said these things",
            "written and labelled twice by language models, so that their blind spots may be shared",
        ),
    )


class VignetteCorpus(Corpus):
    """One domain of the vignettes.

    Input: English text, written for this project; no clips. Video features for it are simulated, and say so.
    Label: polarity in [-3, 3] by the author; a class by the chosen reading. A second reader gave each utterance a
        class without seeing the first; where it is not the first's (by ``round``) the utterance is dropped when
        read, and the card says how many are.
    Domains: one for each subclass.
    Licence: Apache-2.0, as the package.
    Reference: this project.

    Args:
        root: A folder with another ``vignettes.csv``; None reads the one in the package.
        labels: How a polarity is read as a class.
        path: That file itself.
    """

    domain: ClassVar[str]

    def __init__(self, root: Path | None = None, labels: LabelReading = "round", *, path: Path | None = None) -> None:
        if path is None and root is not None:
            path = root / "vignettes.csv"
        super().__init__(path.parent if path else Path(str(files("msadg.corpora"))), labels)
        self._path = path
        self._file = path or self.root / "vignettes_data" / "vignettes.csv"

    def _rows(self) -> Iterator[Row]:
        packaged = files("msadg.corpora") / "vignettes_data" / "vignettes.csv"
        self.num_dropped = 0
        with nullcontext(self._path) if self._path is not None else as_file(packaged) as path:
            for where, record in read_csv(path, COLUMNS):
                if record["domain"] not in (self.domain, self.name):
                    continue
                polarity = polarity_of(record["polarity"], where)
                if polarity is None:
                    raise CorpusError(f"{where}: polarity {record['polarity']!r} is no number")
                if sentiment_of_polarity(polarity, "round") != sentiment_of_name(record["second_sentiment"], where):
                    self.num_dropped += 1
                    continue
                yield Row(
                    where=where,
                    local_id=record["clip_id"].strip(),
                    video_id=record["video_id"].strip(),
                    text=record["text"],
                    split=record["split"],
                    label=polarity,
                    clip_no=record["clip_no"],
                    speaker=record["speaker"].strip() or None,
                )


class VignettesProducts(VignetteCorpus):
    """Product reviews; see VignetteCorpus."""

    name = "vignettes-products"
    domain = "products"
    card = _card(
        "vignettes: product reviews, written for this project",
        dropped=3,
        round={"train": (75, 89, 74), "dev": (16, 15, 19), "test": (36, 40, 38)},
        sign={"train": (75, 89, 74), "dev": (16, 15, 19), "test": (36, 40, 38)},
    )


class VignettesFilms(VignetteCorpus):
    """Film vlogs; see VignetteCorpus."""

    name = "vignettes-films"
    domain = "films"
    card = _card(
        "vignettes: film vlogs, written for this project",
        dropped=5,
        round={"train": (89, 77, 80), "dev": (19, 16, 16), "test": (37, 35, 41)},
        sign={"train": (89, 77, 80), "dev": (19, 16, 16), "test": (37, 35, 41)},
    )


class VignettesSitcom(VignetteCorpus):
    """Sitcom dialogue; see VignetteCorpus."""

    name = "vignettes-sitcom"
    domain = "sitcom"
    card = _card(
        "vignettes: sitcom dialogue, written for this project",
        dropped=12,
        round={"train": (69, 103, 61), "dev": (16, 23, 8), "test": (34, 55, 29)},
        sign={"train": (73, 98, 62), "dev": (16, 23, 8), "test": (38, 51, 29)},
    )
