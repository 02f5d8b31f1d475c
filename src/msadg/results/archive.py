"""The runs of a results folder in one small file, to publish: each record, and the class that it gave every test clip.

Who has the corpora gets back a results folder from it: tables with their tests can be made again, a row can be added
and held against those that are there, and a grid goes on where it was left. Neither ids, labels nor transcripts of a
corpus are in the file; they are read from the corpus again, and a digest of the ids says whether it is the same one.
Of a classification the probabilities are left out (the record has the scores that need them).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from msadg.errors import RunError
from msadg.results.journal import append_record, read_records
from msadg.results.predictions import Predictions, joined_predictions, write_predictions
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
    """Digest of the ids of all clips of the split."""
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
        if digest_of_ids(ordered) != domain.clips or len(ordered) != len(domain.predicted):
            raise RunError(
                f"run {self.record.key} ({self.record.row}) scored {len(domain.predicted)} clips of {domain.name}; the "
                f"{len(ordered)} of the corpus at hand are not the same ones: read the edition that was used"
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
    path: Path, records: Iterable[Record], load: Callable[[Record], Predictions], clips_of: ClipsOf
) -> list[str]:
    """Write the Parquet file ``path``, whole or not at all: a line for each run that ended well and domain.

    Folders of this machine are left out of the records' settings.

    Args:
        path: ends in ``.parquet``.
        records: of a results folder; failed runs are left out.
        load: reads the predictions of one of them.
        clips_of: what there was to score.

    Returns:
        The keys that were written.

    Raises:
        RunError: a run's predictions cannot be read, or are of clips that the corpus does not have.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from msadg.store.atomic import atomic_path

    lines: list[dict[str, Any]] = []
    for record in records:
        if record.error is not None:
            continue
        text = _portable(record).to_json()
        predictions = load(record)
        for name in dict.fromkeys(predictions.domain.tolist()):
            of = _archived(record, name, predictions.of_domain(name), clips_of(record, name))
            polarity = None if of.polarity is None else of.polarity.tolist()
            values = (record.key, text, name, of.clips, of.predicted.astype(np.int8).tolist(), polarity)
            lines.append(dict(zip(COLUMNS, values, strict=True)))
            text = ""  # once a run
    table = pa.Table.from_pylist(lines, _schema())
    with atomic_path(path) as partial:
        pq.write_table(table, partial, compression="zstd", compression_level=19)
    return list(dict.fromkeys(line["key"] for line in lines))


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
    return ArchivedDomain(name=name, clips=digest_of_ids(ordered), predicted=predicted, polarity=polarity)


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
            # It names a folder that will be made.
            if record.key != line["key"] or not KEY.fullmatch(record.key):
                raise RunError(f"{where}: the key {line['key']!r} is not that of its record; the file is damaged")
            runs[record.key] = ArchivedRun(record=record, domains=())
        run = runs[line["key"]]
        runs[line["key"]] = replace(run, domains=(*run.domains, _domain_of(line, run.record, where)))
    return list(runs.values())


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


def restore(
    path: Path, folder: Path, clips_of: ClipsOf, tell: Callable[[int, int], None] | None = None
) -> tuple[list[Record], int]:
    """Add the runs of an archive to a results folder; those that are recorded there are left as they are.

    Stopped at any moment, the same call does the rest: predictions are written before their record.

    Args:
        path: of ``write_archive``.
        folder: of results; made where there is none.
        clips_of: the clips of the corpora at hand.
        tell: called with the number of runs done, and of all.

    Returns:
        The records that were added, and how many there were already.

    Raises:
        RunError: see ``read_archive``; or a corpus has other clips than those that were scored.
    """
    runs = read_archive(path)
    journal = folder / "records.jsonl"
    there = {record.key for record in read_records(journal) if record.error is None}
    added = []
    for done, run in enumerate(runs, start=1):
        if run.record.key not in there:
            write_predictions(folder / "runs" / run.record.key / "predictions.parquet", run.predictions(clips_of))
            append_record(journal, run.record)
            added.append(run.record)
        if tell:
            tell(done, len(runs))
    return added, len(runs) - len(added)


def digest_of_ids(clips: Sequence[Utterance]) -> str:
    """16 hexadecimal digits of the clips' ids in this order."""
    return hashlib.sha256(json.dumps([clip.clip_id for clip in clips]).encode()).hexdigest()[:16]


def _by_id(clips: Sequence[Utterance]) -> list[Utterance]:
    return sorted(clips, key=lambda clip: clip.clip_id)


def _portable(record: Record) -> Record:
    """The record as it can be read anywhere: folders of stores and corpora are others there.

    Its predictions lie under its own key, also where a folder had them by domain under several.
    """
    settings, extra = dict(record.settings), {k: v for k, v in record.extra.items() if k != "keys_by_domain"}
    if isinstance(data := settings.get("data"), Mapping):
        settings["data"] = {**data, "stores": "stores", "data_root": None}
    return replace(record, settings=settings, extra=extra)
