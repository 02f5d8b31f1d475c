"""The generic manifest: one CSV or Parquet file with a row for each clip. A user's own corpus is read this way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from msadg.corpora.corpus import Card, Corpus
from msadg.corpora.csv_rows import read_csv
from msadg.corpora.row import Row, seconds_of
from msadg.errors import CorpusError
from msadg.types import LabelReading

REQUIRED = ("clip_id", "video_id", "text", "split")
"""And ``label`` or ``sentiment``, or both."""
OPTIONAL = ("label", "sentiment", "start_s", "end_s", "start", "end", "clip_path", "speaker", "clip_no", "domain")

Cell = str | int | float | bool | None


class ManifestCorpus(Corpus):
    """A corpus of the user's own, from a manifest.

    Input: whatever transcripts the manifest has; clips, where it names them (``clip_path``, from the folder of
        the manifest). Columns that it does not know are left out.
    Label: ``label`` is a polarity in [-3, 3] or the name of a sentiment; without it, ``sentiment`` is the name.
        Where both are there and ``label`` is a number, the polarity and the chosen reading decide.
    Domains: one, the name that the user gives. Where the manifest has a column ``domain`` with more than one
        value, the rows of that name are read.
    """

    card = Card(
        title="a corpus of your own, from a manifest",
        language="as the manifest has it",
        licence="as its owner says",
        reference="none",
        polarity=None,
    )

    def __init__(
        self, path: Path, *, name: str, labels: LabelReading = "round", allow_empty_text: bool = False
    ) -> None:
        super().__init__(path, labels, allow_empty_text=allow_empty_text)
        if not path.is_file():
            raise CorpusError(f"{path}: the manifest of {name} is not there")
        self.name = name

    def _rows(self) -> Iterator[Row]:
        return manifest_rows(self.root, domain=self.name)


def manifest_rows(path: Path, domain: str | None = None) -> Iterator[Row]:
    """Yield the rows of a manifest; of ``domain`` only, where the manifest holds more than one.

    Raises:
        CorpusError: a column is missing, a cell cannot be read, or a clip id is missing or there twice.
    """
    records = list(_read_records(path))
    if records and "label" not in records[0][1] and "sentiment" not in records[0][1]:
        raise CorpusError(f"{path}: neither a column label nor a column sentiment; met: {', '.join(records[0][1])}")
    domains = {str(record.get("domain", "")) for _, record in records}
    if domain is not None and len(domains) > 1 and domain not in domains:
        raise CorpusError(f"{path}: no row of domain {domain!r}; the manifest has {', '.join(sorted(domains))}")
    line_of: dict[str, str] = {}
    for where, record in records:
        clip_id = _text(record["clip_id"])
        if clip_id in line_of:
            raise CorpusError(f"{where}: clip id {clip_id!r} is there already ({line_of[clip_id]})")
        line_of[clip_id] = where
        if domain is None or len(domains) <= 1 or record.get("domain") == domain:
            yield _row(where, record, path.parent)


def _read_records(path: Path) -> Iterator[tuple[str, Mapping[str, Cell]]]:
    if path.suffix.lower() not in (".parquet", ".pq"):
        yield from read_csv(path, REQUIRED)
        return
    import pyarrow
    from pyarrow import parquet

    try:
        met = parquet.read_schema(path).names
        columns = [column for column in (*REQUIRED, *OPTIONAL) if column in met]
        table = parquet.read_table(path, columns=columns)
    except (pyarrow.ArrowException, OSError) as error:
        raise CorpusError(f"{path}: not a Parquet file that can be read: {error}") from None
    missing = [column for column in REQUIRED if column not in met]
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
        video_id=_text(record["video_id"]),
        text="" if record["text"] is None else str(record["text"]),
        split=_text(record["split"]),
        label=label if label is None or isinstance(label, float) else _text(label),
        sentiment=_text(record.get("sentiment")) or None,
        clip_no=_text(record.get("clip_no")) or None,
        speaker=_text(record.get("speaker")) or None,
        start_seconds=_seconds(record, "start", where),
        end_seconds=_seconds(record, "end", where),
        clip_path=str(folder / clip) if clip else None,
    )


def _seconds(record: Mapping[str, Cell], column: str, where: str) -> float | None:
    for name in (f"{column}_s", column):
        if record.get(name) not in (None, ""):
            return seconds_of(record[name], f"{where}, column {name}")
    return None


def _text(cell: Cell) -> str:
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)  # a clip number from a column with gaps
    return "" if cell is None else str(cell).strip()
