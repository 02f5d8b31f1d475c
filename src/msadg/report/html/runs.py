"""The records and the trained runs of several folders, as if they were one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

from msadg.analysis.told_apart import told_apart
from msadg.errors import MsadgError, UsageError
from msadg.protocols.experiment import experiment_from
from msadg.protocols.grid import RECORDS_FILE, is_grid
from msadg.protocols.run import MODEL_FILE, TrainedRun, load_run
from msadg.report.writing import load_results
from msadg.results.journal import read_records
from msadg.results.predictions import Predictions
from msadg.results.record import Record


def load_all_results(folders: Sequence[Path]) -> tuple[list[Record], Callable[[Record], Predictions]]:
    """The records of all folders, each once, and what reads the predictions of one.

    Raises:
        RunError: a folder has no record.
        UsageError: a folder was named twice.
    """
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise UsageError(f"a folder was named twice: {', '.join(map(str, folders))}")
    records: dict[str, Record] = {}
    readers: dict[str, Callable[[Record], Predictions]] = {}
    for folder in folders:
        found, load = load_results(folder)
        for record in found:
            if record.key not in records or records[record.key].error is not None:
                records[record.key], readers[record.key] = record, load
    return list(records.values()), lambda record: readers[record.key](record)


def load_all_runs(
    folders: Sequence[Path],
    keys: Collection[str],
    *,
    stores: Path | None = None,
    data_root: Path | None = None,
) -> tuple[list[TrainedRun], list[str]]:
    """The trained runs of some records, as far as their weights are at hand; and of how many they are not, and why.

    Args:
        folders: that ``msadg train`` or ``msadg benchmark`` wrote.
        keys: of the records.
        stores: where the features are now, if they moved.
        data_root: where the corpora are now, if they moved.
    """
    found: dict[str, TrainedRun] = {}
    missing: dict[str, MsadgError | OSError] = {}
    for folder in folders:
        for record in read_records(folder / RECORDS_FILE):
            if record.key not in keys or record.key in found:
                continue
            place = _weights(folder, record)
            try:
                trained = load_run(place, stores=stores, data_root=data_root)
                scored = experiment_from(record.settings, where=f"{folder / RECORDS_FILE}, record {record.key}")
                # Rows may share weights; the folder names the one that was trained first.
                found[record.key] = replace(trained, experiment=replace(scored, data=trained.experiment.data))
            except (MsadgError, OSError) as error:
                missing[record.key] = error
    runs = told_apart(list(found.values()))
    lost = [error for key, error in missing.items() if key not in found]
    if not lost:
        return runs, []
    return runs, [
        f"The weights of {len(lost)} of {len(keys)} run{'s' * (len(keys) > 1)} could not be read, so that these are "
        f"in the tables, but not among measurements, cases and losses. The first: {lost[0]}"
    ]


def _weights(folder: Path, record: Record) -> Path:
    if not is_grid(folder) and (folder / MODEL_FILE).exists():
        return folder
    return folder / "models" / str(record.extra.get("training_key", record.key))
