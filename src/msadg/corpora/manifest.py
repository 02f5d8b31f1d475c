"""The generic manifest: one CSV or Parquet file with a row for each clip. A user's own corpus is read this way."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from msadg.corpora.clip_files import with_clip_files
from msadg.corpora.corpus import Card, Corpus
from msadg.corpora.csv_rows import header_of, read_csv
from msadg.corpora.mmsa import LABEL_COLUMNS, label_csv_rows
from msadg.corpora.row import Row, read_clip, seconds_of
from msadg.errors import CorpusError
from msadg.types import Clip, LabelReading, Word

REQUIRED = ("clip_id", "video_id", "text", "split")
"""And ``label`` or ``sentiment``, or both."""
OPTIONAL = (
    "label", "sentiment", "start_s", "end_s", "start", "end", "clip_path", "speaker", "clip_no", "domain", "words",
)  # fmt: skip

PARQUET = (".parquet", ".pq")

Cell = str | int | float | bool | None


class ManifestCorpus(Corpus):
    """A corpus of the user's own, from a manifest.

    Input: whatever transcripts the manifest has (with ``allow_empty_text``, perhaps none), and the times of their
        words where there is a column ``words``: a JSON list of [word, start, end], on the time axis of ``start_s``.
        Clips, where it names them (``clip_path``, from the folder of the manifest); where it names none, those that
        lie beside it in a layout of ``clip_files``. Columns that it does not know are left out. MMSA's ``label.csv``
        is read too.
    Label: ``label`` is a polarity in [-3, 3] or the name of a class; without it, ``sentiment`` is the name. Where
        both are there and ``label`` is a number, the polarity and the chosen reading decide. The classes are those of
        sentiment or, where the first name met is of another label set of ``label_sets``, those.
    Domains: one, the name that the user gives. Where the manifest has a column ``domain`` with more than one
        value, the rows of that name are read.
    """

    card = Card(
        title="a corpus of your own, from a manifest",
        language="as the manifest has it",
        licence="as its owner says",
        reference="none",
        polarity=None,
        label_set=None,
    )

    def __init__(
        self, path: Path, *, name: str, labels: LabelReading = "round", allow_empty_text: bool = False
    ) -> None:
        super().__init__(path, labels, allow_empty_text=allow_empty_text)
        if not path.is_file():
            raise CorpusError(f"{path}: the manifest of {name} is not there")
        self.name = name

    def _rows(self) -> Iterator[Row]:
        if is_label_csv(self.root):
            return with_clip_files(label_csv_rows(self.root), self.root.parent, self.root.name)
        required = tuple(column for column in REQUIRED if column != "text" or not self.allow_empty_text)
        return _with_files(manifest_rows(self.root, domain=self.name, required=required), self.root)


def is_label_csv(path: Path) -> bool:
    """Whether a file is MMSA's ``label.csv`` by its columns.

    Raises:
        CorpusError: it is not CSV in UTF-8.
    """
    if path.suffix.lower() in PARQUET or not path.is_file():
        return False
    header = header_of(path)
    return set(LABEL_COLUMNS) <= set(header) and "split" not in header


def is_labelled(path: Path, domain: str) -> bool:
    """Whether the clips of a manifest have labels and splits, any of them.

    Raises:
        CorpusError: the manifest cannot be read.
    """
    if is_label_csv(path):
        return True
    rows = list(manifest_rows(path, domain, required=("clip_id",)))
    return any(row.label or row.label == 0 or row.sentiment for row in rows) and any(row.split for row in rows)


def read_clips(path: Path, name: str | None = None) -> list[Clip]:
    """Read a manifest for its clips alone: only ``clip_id`` has to be there; labels are not looked at.

    Args:
        path: the manifest.
        name: first part of the ids, and the domain to read where the manifest has several; None is the file's name.

    Raises:
        CorpusError: a row is not what it has to be, or there is none, or two have one id.
    """
    name = name or path.stem
    if is_label_csv(path):
        rows: Iterable[Row] = with_clip_files(label_csv_rows(path), path.parent, path.name)
    else:
        rows = _with_files(manifest_rows(path, name, required=("clip_id",)), path)
    clips: dict[str, Clip] = {}
    for row in rows:
        clip = read_clip(row, name)
        if clip.clip_id in clips:
            raise CorpusError(f"{row.where}: clip id {clip.clip_id!r} is there already")
        clips[clip.clip_id] = clip
    if not clips:
        raise CorpusError(f"{path}: no rows after the header, so {name} has no clip; write the file again")
    return list(clips.values())


def _with_files(rows: Iterable[Row], path: Path) -> Iterator[Row]:
    """Yield the rows, with what lies beside the manifest where it names no file at all."""
    rows = list(rows)
    if any(row.clip_path for row in rows):
        return iter(rows)
    return with_clip_files(rows, path.parent, path.name, expected_in=())


def manifest_rows(path: Path, domain: str | None = None, *, required: Iterable[str] = REQUIRED) -> Iterator[Row]:
    """Yield the rows of a manifest; of ``domain`` only, where the manifest holds more than one.

    Args:
        path: CSV or Parquet.
        domain: the domain to read.
        required: columns that have to be there; with ``split``, one of ``label`` and ``sentiment`` has to be too.

    Raises:
        CorpusError: a column is missing, a cell cannot be read, or a clip id is missing or twice in a split.
    """
    required = tuple(required)
    records = list(_read_records(path, required))
    if "split" in required and records and "label" not in records[0][1] and "sentiment" not in records[0][1]:
        raise CorpusError(f"{path}: neither a column label nor a column sentiment; met: {', '.join(records[0][1])}")
    domains = {str(record.get("domain", "")) for _, record in records}
    if domain is not None and len(domains) > 1 and domain not in domains:
        raise CorpusError(f"{path}: no row of domain {domain!r}; the manifest has {', '.join(sorted(domains))}")
    line_of: dict[tuple[str, str], str] = {}
    for where, record in records:
        key = (_text(record["clip_id"]), _text(record.get("split")).lower())
        if key in line_of:
            raise CorpusError(f"{where}: clip id {key[0]!r} is there already ({line_of[key]})")
        line_of[key] = where
        if domain is None or len(domains) <= 1 or record.get("domain") == domain:
            yield _row(where, record, path.parent)


def _read_records(path: Path, required: tuple[str, ...]) -> Iterator[tuple[str, Mapping[str, Cell]]]:
    if path.suffix.lower() not in PARQUET:
        yield from read_csv(path, required)
        return
    import pyarrow
    from pyarrow import parquet

    try:
        met = parquet.read_schema(path).names
        columns = [column for column in (*REQUIRED, *OPTIONAL) if column in met]
        table = parquet.read_table(path, columns=columns)
    except (pyarrow.ArrowException, OSError) as error:
        raise CorpusError(f"{path}: not a Parquet file that can be read: {error}") from None
    missing = [column for column in required if column not in met]
    if missing:
        raise CorpusError(f"{path}: column {', '.join(missing)} is missing; met: {', '.join(met)}")
    for number, record in enumerate(table.to_pylist(), start=1):
        yield f"{path}, row {number}", record


def _row(where: str, record: Mapping[str, Cell], folder: Path) -> Row:
    label = record.get("label")
    clip = _text(record.get("clip_path"))
    return Row(
        where=where,
        local_id=_text(record["clip_id"]),
        video_id=_text(record.get("video_id")),
        text="" if record.get("text") is None else str(record["text"]),
        split=_text(record.get("split")),
        label=label if label is None or isinstance(label, float) else _text(label),
        sentiment=_text(record.get("sentiment")) or None,
        clip_no=_text(record.get("clip_no")) or None,
        speaker=_text(record.get("speaker")) or None,
        start_seconds=_seconds(record, "start", where),
        end_seconds=_seconds(record, "end", where),
        clip_path=str(folder / clip) if clip else None,
        words=_words(_text(record.get("words")), where),
    )


def _words(cell: str, where: str) -> tuple[Word, ...]:
    if not cell:
        return ()
    try:
        return tuple(_word(*entry) for entry in json.loads(cell))
    except (ValueError, TypeError) as error:
        raise CorpusError(
            f'{where}: words cannot be read ({error}); expected JSON such as [["so", 0.5, 0.7], ["good", 0.8, 1.1]]'
        ) from None


def _word(text: Any, start: Any, end: Any) -> Word:
    if not isinstance(text, str) or not all(isinstance(n, int | float) and n is not True for n in (start, end)):
        raise TypeError(f"met {[text, start, end]}")
    return Word(text, float(start), float(end))


def _seconds(record: Mapping[str, Cell], column: str, where: str) -> float | None:
    for name in (f"{column}_s", column):
        if record.get(name) not in (None, ""):
            return seconds_of(record[name], f"{where}, column {name}")
    return None


def _text(cell: Cell) -> str:
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)  # a clip number from a column with gaps
    return "" if cell is None else str(cell).strip()
