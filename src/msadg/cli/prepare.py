"""What runs need before they start: splits that can be read, and features that are stored."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msadg.cli.options import progress_bar
from msadg.errors import FeatureError

if TYPE_CHECKING:
    from msadg.protocols.experiment import Experiment
    from msadg.protocols.features import DataConfig


def check_domains(experiments: Sequence[Experiment]) -> None:
    """Check the splits, the label sets and, for a regression, the polarities that some experiments read."""
    from msadg.protocols.features import check_polarity, check_splits

    checked: set[str] = set()
    for experiment in experiments:
        if (described := repr((experiment.data, experiment.domains, experiment.task))) not in checked:
            checked.add(described)
            check_splits(experiment.data, experiment.domains.source_domains, experiment.domains.target_domains)
            if experiment.task == "regression":
                check_polarity(experiment.data, experiment.domains.source_domains)


def prepare(
    experiments: Sequence[Experiment], *, leave_out: Callable[[Experiment, FeatureError], None] | None = None
) -> list[Experiment]:
    """Check the domains of some experiments and store what features are missing, with a progress bar.

    Args:
        experiments: that will be run.
        leave_out: told of an experiment whose features cannot be had, and why; the others are prepared all the same.

    Returns:
        Those whose features are stored.

    Raises:
        FeatureError: features that cannot be had, and ``leave_out`` is not given or no experiment would be left.
        MsadgError: what is wrong with the data, or with what was asked for.
    """
    from msadg.protocols.stores import prepare_stores

    check_domains(experiments)
    wanted = _wanted(experiments)
    refused: dict[str, FeatureError] = {}
    with progress_bar() as progress:
        tasks: dict[str, Any] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                if done >= total:
                    return
                tasks[what] = progress.add_task(f"extract {what}", total=total, note="")
            progress.update(tasks[what], completed=done)

        for described, (data, domains, splits) in wanted.items():
            try:
                prepare_stores(data, domains, show, splits)
            except FeatureError as error:
                refused[described] = error
                if leave_out is None or len(refused) == len(wanted):
                    raise
    for experiment in experiments:
        if leave_out and repr(experiment.data) in refused:
            leave_out(experiment, refused[repr(experiment.data)])
    return [experiment for experiment in experiments if repr(experiment.data) not in refused]


def _wanted(experiments: Sequence[Experiment]) -> dict[str, tuple[DataConfig, list[str], set[str]]]:
    """The domains and the splits of which some experiments read features, by what they read of them."""
    from msadg.methods import load_method

    wanted: dict[str, tuple[DataConfig, list[str], set[str]]] = {}
    for experiment in experiments:
        _, domains, splits = wanted.setdefault(repr(experiment.data), (experiment.data, [], set()))
        domains += [d for d in experiment.domains.all_domains if d not in domains]
        splits |= {load_method(experiment.method.name).fitted_on, "dev", "test"}
    return wanted


def missing_unprepared(
    experiments: Sequence[Experiment], journal: Path, missing: Callable[[Sequence[Experiment]], Sequence[Experiment]]
) -> list[Experiment]:
    """For a dry run: which of some experiments have to be run, found with nothing extracted; says what would be.

    Args:
        experiments: of a plan.
        journal: file of the records.
        missing: which of some experiments, whose features are stored, have no record. Without its features the key of
            an experiment is not known, and it counts as recorded if its row, setting, sources and seed are.
    """
    from msadg.protocols.stores import clips_to_extract

    check_domains(experiments)
    lacking: dict[str, int] = {}
    unknown: set[tuple[str, str]] = set()  # what is read, of which domain
    for described, (data, domains, splits) in _wanted(experiments).items():
        for domain in domains:
            if clips := clips_to_extract(data, [domain], splits):
                lacking |= {store: max(number, lacking.get(store, 0)) for store, number in clips.items()}
                unknown.add((described, domain))
    without = [e for e in experiments if any((repr(e.data), d) in unknown for d in e.domains.all_domains)]
    cells = {cell_of(e) for e in without}
    recorded = recorded_cells(journal) & cells if cells else set()
    for store, number in lacking.items():
        print(f"to be extracted first: {store}, {number:,} clips", file=sys.stderr)
    if recorded:
        print(
            f"{len(recorded)} runs are recorded whose features are not stored: whether with these very settings shows "
            "when they are",
            file=sys.stderr,
        )
    found = {cell_of(e) for e in missing([e for e in experiments if cell_of(e) not in cells])} | cells - recorded
    return [e for e in experiments if cell_of(e) in found]


Cell = tuple[str, str | None, tuple[str, ...], int]


def cell_of(experiment: Experiment) -> Cell:
    """Row, setting, sources and seed: what tells a run whose key cannot be had for want of its features."""
    from msadg.protocols.domains import domain_name

    sources = tuple(map(domain_name, experiment.domains.source_domains))
    return experiment.row, experiment.domains.setting, sources, experiment.seed


def recorded_cells(journal: Path) -> set[Cell]:
    """Of the runs that ended well there."""
    from msadg.results.journal import read_records

    return {(r.row, r.setting, r.source_domains, r.seed) for r in read_records(journal) if r.error is None}
