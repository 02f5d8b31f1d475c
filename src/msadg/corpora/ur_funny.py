"""UR-FUNNY v2: does a talk's sentence make the audience laugh?"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from msadg.corpora.clip_files import MediaFolders, located
from msadg.corpora.corpus import Card, Corpus
from msadg.corpora.label_sets import HUMOUR
from msadg.corpora.labels import split_of_name
from msadg.corpora.layouts import choose_layout
from msadg.corpora.manifest import manifest_rows
from msadg.corpora.published import SequenceReader, entry_told
from msadg.corpora.restricted_pickle import load_restricted
from msadg.corpora.row import Row
from msadg.corpora.word_features import read_vectors, words_of
from msadg.errors import CorpusError, MsadgWarning, UnknownNameError
from msadg.types import MODALITIES, Features, LabelReading

FOLDS, LANGUAGE, LABELS = "data_folds.pkl", "language_sdk.pkl", "humor_label_sdk.pkl"
VECTORS = "word_embedding_list.pkl"
WORD_FEATURES = {"audio": "covarep_features_sdk.pkl", "video": "openface_features_sdk.pkl"}
FOLDERS = ("", "sdk_features")
VIDEO_FOLDERS = ("urfunny2_videos", "videos", "clips", "")


class UrFunny(Corpus):
    """UR-FUNNY v2: excerpts of TED talks, each a punchline and the sentences before it.

    Input: English transcript, the context's sentences followed by the punchline; ``<id>.mp4`` with sound in
        ``urfunny2_videos/`` (or ``videos/``, ``clips/``, here). Layouts, most preferred first: ``clips.csv`` (a
        manifest that names the classes), ``sdk`` (the published pickles, here or in ``sdk_features/``).
    Label: humour, two classes: laughter follows the punchline, or not. There is no polarity; this label set is not
        that of the sentiment corpora, and they are not mixed in one run.
    Domains: one, "ur-funny".
    Known faults, kept as they are: the pickles do not say which talk an excerpt is from, so each counts as a video of
        its own, and intervals over videos come out too narrow; whether the times of the words count from the talk or
        from the excerpt is not said, so they are not read.
    Checked: no counts; none are published for version 2.
    Licence: none stated; for research.
    Reference: Hasan, Rahman, Zadeh, Zhong, Tanveer, Morency, Hoque, EMNLP 2019, doi:10.18653/v1/D19-1211; version 2:
        github.com/ROC-HCI/UR-FUNNY, README.md.
    """

    name = "ur-funny"
    card = Card(
        title="UR-FUNNY v2, humour in TED talks",
        language="English",
        licence="none stated; for research",
        reference="Hasan et al., EMNLP 2019, doi:10.18653/v1/D19-1211",
        polarity=False,
        label_set=HUMOUR,
        known_faults=(
            "the pickles do not say which talk an excerpt is from; each counts as a video of its own",
            "the words' times are not read: what they count from is not said",
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
        candidates = {"clips.csv": [Path("clips.csv")], "sdk": [Path(folder) / FOLDS for folder in FOLDERS]}
        self.layout, self._file = choose_layout(self.name, root, candidates, layout)

    def _rows(self) -> Iterator[Row]:
        media = MediaFolders(self.root)
        rows = manifest_rows(self._file) if self.layout == "clips.csv" else self._sdk_rows()
        num_found = num_missing = 0
        for row in rows:
            found = located(row, media, [f"{folder}/{row.local_id}".lstrip("/") for folder in VIDEO_FOLDERS])
            num_found += found.clip_path is not None
            num_missing += found.clip_path is None
            yield found
        if num_missing and (num_found or any(media.has(folder) for folder in VIDEO_FOLDERS[:-1])):
            warnings.warn(
                MsadgWarning(f"{self.root}: {num_missing} clips of {self._file.name} are not there"), stacklevel=2
            )

    def _sdk_rows(self) -> Iterator[Row]:
        language, labels = self._table(LANGUAGE), self._table(LABELS)
        folded = list(self._folded())
        num_beyond = len(labels.keys() - {clip for _, clip in folded})
        if num_beyond:
            warnings.warn(
                MsadgWarning(f"{self._file}: {num_beyond} clips of {LABELS} are in no fold and are left out"),
                stacklevel=2,
            )
        for split, clip in folded:
            where = f"{self._file.parent / LANGUAGE}, id {clip!r}"
            entry = _entry(language, clip, where)
            with entry_told(where):
                sentences = [*_context(entry["context_sentences"]), _sentence(entry["punchline_sentence"])]
            where = f"{self._file.parent / LABELS}, id {clip!r}"
            yield Row(
                where=where,
                local_id=str(clip),
                video_id=str(clip),
                text=" ".join(sentence for sentence in sentences if sentence),
                split=split,
                sentiment=_class_name(_entry(labels, clip, where), where),
            )

    def _folded(self) -> Iterator[tuple[str, Any]]:
        """Yield the split and the id of each clip, in the order of the folds."""
        for split, clips in self._table(FOLDS).items():
            split_of_name(str(split), f"{self._file}, key {split!r}")
            if not isinstance(clips, list | tuple | np.ndarray) or getattr(clips, "ndim", 1) == 0:
                raise CorpusError(f"{self._file}, {split}: expected a list of ids; met {type(clips).__name__}")
            for clip in clips:
                value = clip.item() if isinstance(clip, np.generic) else clip
                if not isinstance(value, int | str):
                    raise CorpusError(f"{self._file}, {split}: id {value!r}; expected a number or text")
                yield str(split), value

    def _table(self, name: str) -> dict[Any, Any]:
        path = self._file.parent / name
        content = load_restricted(path)
        if not isinstance(content, dict):
            raise CorpusError(f"{path}: expected a dictionary by clip id; met {type(content).__name__}")
        return content

    def published_features(self, modality: str) -> Iterator[tuple[str, Features]]:
        """Yield each clip's id and published features, a step for each word: the context's words, then the punchline's.

        Text: GloVe vectors; audio: the mean of COVAREP over each word; video: of OpenFace. A step with NaN or inf is
        marked invalid.

        Raises:
            CorpusError: the published pickles are not there, or not what they have to be.

        Warns:
            MsadgWarning: counts the steps that were marked invalid, once all are read.
        """
        if modality not in MODALITIES:
            raise UnknownNameError("modality", modality, MODALITIES)
        if self.layout != "sdk":
            raise CorpusError(f"{self._file}: a manifest has no features; open {self.name} with layout='sdk'")
        name = WORD_FEATURES.get(modality, LANGUAGE)
        table = self._table(name)
        vectors = read_vectors(self._file.parent / VECTORS) if modality == "text" else None
        path = self._file.parent / name
        reader = SequenceReader(path, modality)
        for split, clip in self._folded():
            where = f"{path}, id {clip!r}"
            clip_id = f"{self.name}/{split_of_name(split, where)}/{clip}"
            entry = _entry(table, clip, where)
            with entry_told(where):
                values = words_of(entry, vectors)
            yield clip_id, reader.read(clip_id, values, np.ones(len(values), dtype=bool))
        reader.warn()


def _entry(table: Mapping[Any, Any], clip: Any, where: str) -> Any:
    if clip not in table:
        raise CorpusError(f"{where}: is in a fold but not here; fetch the files again, all of one version")
    return table[clip]


def _context(sentences: Any) -> list[str]:
    if not isinstance(sentences, list | tuple | np.ndarray):
        raise TypeError(f"context_sentences is {type(sentences).__name__}; expected a list of sentences")
    return [_sentence(sentence) for sentence in sentences]


def _sentence(value: Any) -> str:
    """Return a sentence that is written as text, or as a list of its words."""
    if isinstance(value, str):
        return value.strip()
    if not isinstance(value, list | tuple | np.ndarray) or not all(isinstance(word, str) for word in value):
        raise TypeError(f"a sentence is {type(value).__name__}; expected text")
    return " ".join(value).strip()


def _class_name(label: Any, where: str) -> str:
    value = label.item() if isinstance(label, np.ndarray | np.generic) and label.size == 1 else label
    if not isinstance(value, int | float) or value not in (0, 1):
        raise CorpusError(f"{where}: the label is {label!r}; expected 0 (not humorous) or 1 (humorous)")
    return HUMOUR.classes[int(value)]
