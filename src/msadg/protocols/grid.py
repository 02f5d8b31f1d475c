"""A grid of runs: rows x settings x seeds, on all cores, skipping what is recorded, stopped by no failing run."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from msadg.errors import MsadgError, MsadgWarning, RunError, UnknownNameError, UsageError
from msadg.methods import load_method
from msadg.protocols.domains import DomainSplit, domain_name
from msadg.protocols.experiment import Experiment, experiment_from
from msadg.protocols.grid_engines import GridEngine, LocalProcesses
from msadg.protocols.needed_sources import num_sources_needed
from msadg.protocols.recipe import Recipe
from msadg.protocols.run import TrainedRun, load_run, train_run
from msadg.protocols.score import Measure, failed_record, score_run
from msadg.results.journal import append_record, read_records
from msadg.results.predictions import write_predictions
from msadg.results.record import Record

RECORDS_FILE = "records.jsonl"


@dataclass(frozen=True)
class Job:
    """Experiments that share their weights: trained once, scored one by one."""

    experiments: tuple[Experiment, ...]


def plan(recipe: Recipe, rows: Sequence[str], splits: Sequence[DomainSplit], seeds: Sequence[int]) -> list[Experiment]:
    """All cells of a grid; a deterministic method gets the first seed only.

    Where a method compares source domains, settings with too few are left out of its row, with a warning.

    Raises:
        UnknownNameError: no such row or method.
        SettingsError: settings out of range.
        UsageError: a row takes its keep ratios from one that is not in the grid.
    """
    experiments = []
    for row in rows:
        spec = recipe.row(row)
        if spec.keep_ratio_of is not None and spec.keep_ratio_of not in rows:
            raise UsageError(
                f"row {row!r} takes its keep ratios from {spec.keep_ratio_of!r}, which is not in the grid; add it"
            )
        chosen = seeds[:1] if load_method(spec.method).deterministic else seeds
        experiments += [
            recipe.experiment(row, split, seed) for split in _possible(recipe, row, splits) for seed in chosen
        ]
    return experiments


def _possible(recipe: Recipe, row: str, splits: Sequence[DomainSplit]) -> Sequence[DomainSplit]:
    """The choices of domains that a row can be trained on; all of them where it can on none, so that it says why."""
    kept = recipe.splits_for(row, splits)
    if kept and len(kept) < len(splits):
        without = [
            split.setting or "+".join(map(domain_name, split.source_domains)) for split in splits if split not in kept
        ]
        spec = recipe.row(row)
        needed = num_sources_needed(spec.method, recipe.settings_of(spec), spec.selection or recipe.selection)
        message = f"{spec.method} compares {needed} source domains or more: row {row!r} leaves out {', '.join(without)}"
        warnings.warn(MsadgWarning(message), stacklevel=3)
    return kept or splits


def run_grid(
    recipe: Recipe,
    experiments: Sequence[Experiment],
    folder: Path,
    *,
    num_jobs: int | None = None,
    measure: Measure | None = None,
    tell: Callable[[Record, int, int], None] | None = None,
    journal: str = RECORDS_FILE,
    engine: GridEngine | None = None,
) -> list[Record]:
    """Run what is not recorded yet and return all records of the grid.

    Args:
        recipe: that planned the experiments.
        experiments: of ``plan``; their features must be stored (``stores.prepare_stores``).
        folder: of the results: ``records.jsonl``, ``models/``, ``runs/``.
        num_jobs: processes at a time; None is one for each core. What is recorded does not depend on it.
        measure: adds to each record.
        tell: called with each new record, the number of cells done, and of all.
        journal: the file in the folder that holds the records.
        engine: who works, instead of so many processes of this machine.
    """
    done: dict[str, Record] = {}
    for wave in (_first_wave, _second_wave):
        ready = wave(recipe, experiments, done)
        done |= _recorded(folder / journal, ready)
        jobs = _jobs(ready, done)
        tasks = [partial(run_job, job, folder, measure, journal) for job in jobs]
        for position, outcome in (engine or LocalProcesses(num_jobs)).run(tasks):
            records = _lost(jobs[position], folder / journal, outcome) if isinstance(outcome, RunError) else outcome
            for record in records:
                done[record.key] = record
                if tell:
                    tell(record, len(done), len(experiments))
    left_out = len(experiments) - len(done)
    if left_out:
        warnings.warn(
            MsadgWarning(f"{left_out} runs with a random mask were left out: the row they take after failed"),
            stacklevel=2,
        )
    order = [(e.row, e.domains.setting, _source_names(e), e.seed) for e in experiments]
    return sorted(done.values(), key=lambda r: order.index((r.row, r.setting, r.source_domains, r.seed)))


def missing(
    recipe: Recipe, experiments: Sequence[Experiment], folder: Path, journal: str = RECORDS_FILE
) -> list[Experiment]:
    """What ``run_grid`` would run; a row that takes after a missing one is missing, too."""
    first = _first_wave(recipe, experiments, {})
    done = _recorded(folder / journal, first)
    second = _second_wave(recipe, experiments, done)
    done |= _recorded(folder / journal, second)
    there = {(r.row, r.setting, r.source_domains, r.seed) for r in done.values()}
    return [e for e in experiments if (e.row, e.domains.setting, _source_names(e), e.seed) not in there]


def _first_wave(recipe: Recipe, experiments: Sequence[Experiment], done: dict[str, Record]) -> list[Experiment]:  # noqa: ARG001
    return [e for e in experiments if recipe.row(e.row).keep_ratio_of is None]


def _second_wave(recipe: Recipe, experiments: Sequence[Experiment], done: dict[str, Record]) -> list[Experiment]:
    """Rows that take their keep ratios from one that is done."""
    references = [(e, recipe.row(e.row).keep_ratio_of) for e in experiments]
    ready = [_with_keep_ratios(e, reference, done) for e, reference in references if reference is not None]
    return [e for e in ready if e is not None]


def _source_names(experiment: Experiment) -> tuple[str, ...]:
    return tuple(map(domain_name, experiment.domains.source_domains))


def _recorded(journal: Path, experiments: Sequence[Experiment]) -> dict[str, Record]:
    wanted = {e.key() for e in experiments}
    return {r.key: r for r in read_records(journal) if r.key in wanted and r.error is None}


def _jobs(experiments: Sequence[Experiment], done: dict[str, Record]) -> list[Job]:
    by_training: dict[str, list[Experiment]] = {}
    for experiment in experiments:
        if experiment.key() not in done:
            by_training.setdefault(experiment.training_key(), []).append(experiment)
    return [Job(tuple(group)) for group in by_training.values()]


def _with_keep_ratios(experiment: Experiment, reference: str, done: dict[str, Record]) -> Experiment | None:
    for record in done.values():
        same_cell = record.seed == experiment.seed and record.setting == experiment.domains.setting
        same_sources = record.source_domains == _source_names(experiment)
        has_ratios = record.error is None and "keep_ratio" in record.extra
        if record.row == reference and same_cell and same_sources and has_ratios:
            settings = {**experiment.method.settings, "keep_ratio": dict(record.extra["keep_ratio"])}
            return replace(experiment, method=replace(experiment.method, settings=settings))
    return None


def _lost(job: Job, journal: Path, error: RunError) -> list[Record]:
    """The records of a job whose worker died before it could write any."""
    records = [failed_record(experiment, error) for experiment in job.experiments]
    for record in records:
        append_record(journal, record)
    return records


def run_job(job: Job, folder: Path, measure: Measure | None, journal: str = RECORDS_FILE) -> list[Record]:
    """Train once, score each experiment, and append the records; an error becomes a record, too."""
    records = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", MsadgWarning)
        for experiment in job.experiments:
            started = time.monotonic()
            record = _one(experiment, folder, measure)
            notes = sorted({str(w.message) for w in caught if issubclass(w.category, MsadgWarning)})
            seconds = time.monotonic() - started
            record = replace(record, extra={**record.extra, "warnings": notes, "seconds": seconds})
            append_record(folder / journal, record)
            records.append(record)
    return records


def _one(experiment: Experiment, folder: Path, measure: Measure | None) -> Record:
    try:
        trained = train_run(experiment, _model_folder(folder, experiment.training_key()), resume=True)
        record, predictions = score_run(trained, experiment, measure=measure)
        write_predictions(folder / "runs" / record.key / "predictions.parquet", predictions)
    except Exception as error:  # the grid goes on; the record says what happened
        return failed_record(experiment, error)
    return record


def _model_folder(folder: Path, training_key: str) -> Path:
    return folder / "models" / training_key


def is_grid(folder: Path) -> bool:
    """Whether a grid was run there; a single run has its description beside its records."""
    return (folder / RECORDS_FILE).exists() and (folder / "models").is_dir()


def load_grid(
    folder: Path,
    rows: Sequence[str] = (),
    *,
    stores: Path | None = None,
    data_root: Path | None = None,
    leave_out: Callable[[Record, MsadgError], None] | None = None,
) -> Iterator[TrainedRun]:
    """Read the finished runs of a grid, in the order of ``rows``, then as they were recorded.

    Args:
        folder: of ``run_grid``.
        rows: whose; none stands for all.
        stores: where the features are now, if they moved.
        data_root: where the corpora are now, if they moved.
        leave_out: told of a run that cannot be read, and why; the others are read all the same.

    Raises:
        UnknownNameError: a row of which no run succeeded.
        RunError: a run's weights are gone, or damaged, and ``leave_out`` is not given.
    """
    by_key = {record.key: record for record in read_records(folder / RECORDS_FILE) if record.error is None}
    by_row: dict[str, list[Record]] = {}
    for record in by_key.values():
        by_row.setdefault(record.row, []).append(record)
    for row in rows:
        if row not in by_row:
            raise UnknownNameError(f"row of {folder}", row, by_row)
    for row in rows or by_row:
        for record in by_row[row]:
            model = _model_folder(folder, str(record.extra.get("training_key", record.key)))
            try:
                trained = load_run(model, stores=stores, data_root=data_root)
            except MsadgError as error:
                if leave_out is None:
                    raise
                leave_out(record, error)
                continue
            scored = experiment_from(record.settings, where=f"{folder / RECORDS_FILE}, record {record.key}")
            # Rows may share weights; the folder names the one that was trained first.
            yield replace(trained, experiment=replace(scored, data=trained.experiment.data))
