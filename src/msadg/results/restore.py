"""From an archive back to a results folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from msadg.results.archive import ClipsOf, read_archive
from msadg.results.journal import append_record, read_records
from msadg.results.portable import with_domains
from msadg.results.predictions import write_predictions
from msadg.results.record import Record


def restore(
    path: Path,
    folder: Path,
    clips_of: ClipsOf,
    tell: Callable[[int, int], None] | None = None,
    manifests: Mapping[str, str] | None = None,
) -> tuple[list[Record], int]:
    """Add the runs of an archive to a results folder; those that are recorded there are left as they are.

    Stopped at any moment, the same call does the rest: predictions are written before their record.

    Args:
        path: of ``write_archive``.
        folder: of results; made where there is none.
        clips_of: the clips of the corpora at hand.
        tell: called with the number of runs done, and of all.
        manifests: name of a domain -> ``name=path``, which the records are to say of it from now on.

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
            record = with_domains(run.record, manifests or {})
            append_record(journal, record)
            added.append(record)
        if tell:
            tell(done, len(runs))
    return added, len(runs) - len(added)
