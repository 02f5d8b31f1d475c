"""The runs of a results folder in one small file, to publish: each record, and the class that it gave every test clip.

Who has the corpora gets back a results folder from it: tables with their tests can be made again, a row can be added
and held against those that are there, and a grid goes on where it was left. Neither ids, labels nor transcripts of a
corpus are in the file; they are read from the corpus again, and a digest says whether it is the same one. Folders of
the machine are taken out of settings and warnings. Of a classification the probabilities are left out (the record has
the scores that need them).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from msadg.errors import RunError
from msadg.results.portable import portable
from msadg.results.predictions import Predictions, joined_predictions
from msadg.results.record import Record
from msadg.types import Utterance

ClipsOf = Callable[[Record, str], Sequence[Utterance]]
"""The clips of the split that a run scored, of one of its domains by name."""

COLUMNS = ("key", "record", "domain", "clips", "predicted", "polarity")
UNSCORED = -1
"""In place of a class: the run did not score this clip, for want of features."""
KEY = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, kw_only=True)
class ArchivedDomain:
    """What a run said of one domain; its clips stand in the order of their ids."""

    name: str
    clips: str
    """``digest_of_clips`` of all clips of the split."""
    predicted: Int[np.ndarray, " clip"]
    """Classes; ``UNSCORED`` where there is none."""
    polarity: Float[np.ndarray, " clip"] | None
    """As predicted; None in a classification."""


@dataclass(frozen=True, kw_only=True)
class ArchivedRun:
    """One run of an archive."""

    record: Record
    domains: tuple[ArchivedDomain, ...]

    def predictions(self, clips_of: ClipsOf) -> Predictions:
        """What the run said, beside the truth of the corpora at hand.

        Raises:
            RunError: a corpus has other clips than those that were scored.
        """
        return joined_predictions([self._of(domain, clips_of(self.record, domain.name)) for domain in self.domains])

    def _of(self, domain: ArchivedDomain, clips: Sequence[Utterance]) -> Predictions:
        ordered = _by_id(clips)
        if digest_of_clips(ordered) != domain.clips or len(ordered) != len(domain.predicted):
            raise RunError(
                f"run {self.record.key} ({self.record.row}) scored {len(domain.predicted)} clips of {domain.name}; the "
                f"{len(ordered)} of the corpus at hand are not the same ones, or are labelled otherwise: read the "
                "edition that was used"
            )
        whole = Predictions(
            clip_id=np.array([clip.clip_id for clip in ordered], dtype=np.str_),
            video_id=np.array([clip.video_id for clip in ordered], dtype=np.str_),
            domain=np.full(len(ordered), domain.name),
            sentiment=np.array([clip.sentiment for clip in ordered], dtype=np.int64),
            polarity=np.array([np.nan if c.polarity is None else c.polarity for c in ordered], dtype=np.float64),
            predicted_polarity=domain.polarity,
            predicted_sentiment=domain.predicted,
            label_set=self.record.label_set,
        )
        return whole.take(domain.predicted != UNSCORED)


def write_archive(
    path: Path,
    records: Iterable[Record],
    load: Callable[[Record], Predictions],
    clips_of: ClipsOf,
    leave_out: Callable[[Record, RunError], None] | None = None,
) -> list[str]:
    """Write the Parquet file ``path``, whole or not at all: a line for each run that ended well and domain.

    Args:
        path: ends in ``.parquet``.
        records: of a results folder; failed runs are left out.
        load: reads the predictions of one of them.
        clips_of: what there was to score.
        leave_out: told of a run whose predictions cannot be read, and why; the others are written all the same.

    Returns:
        The keys that were written.

    Raises:
        RunError: a run's predictions cannot be read, and ``leave_out`` is not given; or they are of clips that the
            corpus does not have.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from msadg.store.atomic import atomic_path

    lines: list[dict[str, Any]] = []
    for record in records:
        if record.error is not None:
            continue
        try:
            predictions = load(record)
        except RunError as error:
            if leave_out is None:
                raise
            leave_out(record, error)
            continue
        lines += _lines(record, predictions, clips_of)
    table = pa.Table.from_pylist(lines, _schema())
    with atomic_path(path) as partial:
        pq.write_table(table, partial, compression="zstd", compression_level=19)
    return list(dict.fromkeys(line["key"] for line in lines))


def _lines(record: Record, predictions: Predictions, clips_of: ClipsOf) -> Iterator[dict[str, Any]]:
    text = portable(record).to_json()
    for name in dict.fromkeys(predictions.domain.tolist()):
        of = _archived(record, name, predictions.of_domain(name), clips_of(record, name))
        polarity = None if of.polarity is None else of.polarity.tolist()
        values = (record.key, text, name, of.clips, of.predicted.tolist(), polarity)
        yield dict(zip(COLUMNS, values, strict=True))
        text = ""  # once a run


def _schema() -> Any:
    import pyarrow as pa

    types = (pa.string(), pa.string(), pa.string(), pa.string(), pa.list_(pa.int8()), pa.list_(pa.float64()))
    return pa.schema(list(zip(COLUMNS, types, strict=True)))


def _archived(record: Record, name: str, said: Predictions, clips: Sequence[Utterance]) -> ArchivedDomain:
    ordered = _by_id(clips)
    place = {clip.clip_id: at for at, clip in enumerate(ordered)}
    if unknown := [clip for clip in said.clip_id.tolist() if clip not in place]:
        raise RunError(
            f"run {record.key} ({record.row}) scored {len(unknown)} clips of {name} that the corpus at hand does not "
            f"have (first: {unknown[0]}); read the edition that was used"
        )
    at = np.array([place[clip] for clip in said.clip_id.tolist()], dtype=np.int64)
    predicted = np.full(len(ordered), UNSCORED, dtype=np.int64)
    predicted[at] = said.predicted
    polarity = None
    if said.predicted_polarity is not None:
        polarity = np.full(len(ordered), np.nan)
        polarity[at] = said.predicted_polarity
    return ArchivedDomain(name=name, clips=digest_of_clips(ordered), predicted=predicted, polarity=polarity)


def read_archive(path: Path) -> list[ArchivedRun]:
    """The runs of an archive, in the order in which they were written.

    Raises:
        RunError: no such file, or not an archive; says what is wrong.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise RunError(f"{path}: there is no such file; expected what `msadg archive` wrote")
    try:
        table = pq.read_table(path, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise RunError(f"{path}: not a Parquet file ({error}); expected what `msadg archive` wrote") from error
    if tuple(table.column_names) != COLUMNS or table.schema.types != _schema().types:
        found = ", ".join(f"{field.name} ({field.type})" for field in table.schema)
        raise RunError(f"{path}: has the columns {found}; expected {', '.join(COLUMNS)} of an archive")
    runs: dict[str, ArchivedRun] = {}
    for number, line in enumerate(table.to_pylist()):
        where = f"{path}, line {number}"
        if line["key"] not in runs:
            record = Record.from_json(line["record"] or "", where)
            _check_record(record, line["key"], where)
            runs[record.key] = ArchivedRun(record=record, domains=())
        run = runs[line["key"]]
        runs[line["key"]] = replace(run, domains=(*run.domains, _domain_of(line, run.record, where)))
    for run in runs.values():
        if sorted(domain.name for domain in run.domains) != sorted(run.record.metrics):
            raise RunError(f"{path}: run {run.record.key} lacks a domain that it was scored on; the file is damaged")
    return list(runs.values())


def _check_record(record: Record, key: str | None, where: str) -> None:
    """Stop at what would name other folders than the record's own, or is no run that ended well."""
    named = [record.key, str(record.extra.get("training_key", record.key))]
    is_one_run = "keys_by_domain" not in record.extra and record.error is None
    if record.key != key or not is_one_run or not all(map(KEY.fullmatch, named)):
        raise RunError(f"{where}: {key!r} is not the key of a run that ended well; the file is damaged")


def _domain_of(line: Mapping[str, Any], record: Record, where: str) -> ArchivedDomain:
    classes, polarities = line["predicted"], line["polarity"]
    known = range(UNSCORED, record.label_set.num_classes)
    is_whole = line["domain"] is not None and classes is not None and all(found in known for found in classes)
    if not is_whole or (polarities is not None and len(polarities) != len(classes)):
        raise RunError(f"{where}: classes or polarities that cannot be; the file is damaged")
    return ArchivedDomain(
        name=line["domain"],
        clips=line["clips"],
        predicted=np.array(classes, dtype=np.int64),
        polarity=None if polarities is None else np.array(polarities, dtype=np.float64),
    )


def digest_of_clips(clips: Sequence[Utterance]) -> str:
    """16 hexadecimal digits of what a test goes by, in this order: ids, videos, classes and polarities."""
    said = [(clip.clip_id, clip.video_id, clip.class_name, clip.polarity) for clip in clips]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]


def _by_id(clips: Sequence[Utterance]) -> list[Utterance]:
    return sorted(clips, key=lambda clip: clip.clip_id)
