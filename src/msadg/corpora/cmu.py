"""What CMU-MOSI and CMU-MOSEI share: the layouts that they are published in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from msadg.corpora.clip_files import with_clip_files
from msadg.corpora.corpus import Corpus
from msadg.corpora.csd import csd_features, csd_rows
from msadg.corpora.layouts import choose_layout
from msadg.corpora.manifest import manifest_rows
from msadg.corpora.mmsa import label_csv_rows, pickle_features, pickle_rows
from msadg.corpora.restricted_pickle import PUBLISHED_SHA256
from msadg.corpora.row import Row
from msadg.errors import CorpusError, UnknownNameError
from msadg.types import MODALITIES, Features, LabelReading

FEATURE_FILES = ("aligned_50.pkl", "unaligned_50.pkl")


class CmuCorpus(Corpus):
    """A corpus of videos cut into numbered clips; ``{video_id}[{clip_no}]`` names a clip inside its split.

    Layouts, most preferred first: ``clips.csv`` (a manifest), ``label.csv`` (MMSA), ``pickle`` (MMSA's feature files,
    here or in ``Processed/``), ``csd`` (CMU-MultimodalSDK). The files of the clips, where they are there, are found in
    any of the layouts of ``clip_files``.

    Args:
        root: The folder that the files lie in.
        labels: How a polarity is read as a class.
        layout: Read this layout though a preferred one lies there too.
        sha256: By file name, what the SHA-256 of a feature file has to be in the place of the published one.
        allow_empty_text: Read clips without a transcript too.
    """

    labels_csd: ClassVar[str]
    """The SDK's label file."""

    def __init__(
        self,
        root: Path,
        labels: LabelReading = "round",
        *,
        layout: str | None = None,
        sha256: Mapping[str, str] | None = None,
        allow_empty_text: bool = False,
    ) -> None:
        super().__init__(root, labels, allow_empty_text=allow_empty_text)
        self.sha256 = dict(sha256 or {})
        self._wanted = layout
        self.layout, self._file = choose_layout(self.name, root, self._candidates, layout)

    @property
    def _candidates(self) -> dict[str, list[Path]]:
        return {
            "clips.csv": [Path("clips.csv")],
            "label.csv": [Path("label.csv")],
            "pickle": [folder / file for file in FEATURE_FILES for folder in (Path(), Path("Processed"))],
            "csd": [Path(self.labels_csd)],
        }

    def _rows(self) -> Iterator[Row]:
        return with_clip_files(self._table_rows(), self.root, self._file.name)

    def _table_rows(self) -> Iterator[Row]:
        match self.layout:
            case "clips.csv":
                return map(_numbered, manifest_rows(self._file))
            case "label.csv":
                return label_csv_rows(self._file)
            case "pickle":
                return pickle_rows(self._file, self._sha256_of(self._file))
            case _:
                return csd_rows(self._file)

    def published_features(self, modality: str, *, source: str | None = None) -> Iterator[tuple[str, Features]]:
        """Yield each clip's id and published feature sequence, from MMSA's files or the SDK's.

        Steps beyond a clip's stated length are padding and are cut. A step with NaN or inf is marked invalid.

        Args:
            modality: text, audio or video.
            source: The file to read, where more than one has the modality (``unaligned_50.pkl``,
                ``CMU_MOSI_COVAREP.csd``).

        Raises:
            CorpusError: no such features in the folder, or more than one file with them.

        Warns:
            MsadgWarning: counts the steps that were marked invalid, once all are read.
        """
        if modality not in MODALITIES:
            raise UnknownNameError("modality", modality, MODALITIES)
        candidates = {layout: files for layout, files in self._candidates.items() if layout in ("pickle", "csd")}
        if source is not None and source.endswith(".csd") and "csd" in candidates:
            candidates.pop("pickle")
        elif source is not None:
            candidates = {"pickle": [folder / source for folder in (Path(), Path("Processed"))]}
        wanted = self._wanted if self._wanted in candidates else None
        layout, file = choose_layout(self.name, self.root, candidates, wanted)
        if layout == "csd":
            return csd_features(file, self.name, modality, source)
        return pickle_features(file, self._sha256_of(file), self.name, modality)

    def _sha256_of(self, file: Path) -> str | None:
        return self.sha256.get(file.name) or PUBLISHED_SHA256.get((self.name, file.name))


def _numbered(row: Row) -> Row:
    """Name a clip by its number; a manifest has it in a column or at the end of its clip id."""
    clip_no = row.clip_no or row.local_id.removeprefix(row.video_id).strip("$_[]")
    if row.local_id and not clip_no.isdigit():
        raise CorpusError(f"{row.where}: no clip number in clip_no or in clip id {row.local_id!r}")
    return replace(row, local_id=f"{row.video_id}[{int(clip_no)}]" if row.local_id else "")
