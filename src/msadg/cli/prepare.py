"""What runs need before they start: splits that can be read, and features that are stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from msadg.cli.options import progress_bar
from msadg.errors import FeatureError

if TYPE_CHECKING:
    from msadg.protocols.experiment import Experiment


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
    from msadg.methods import load_method
    from msadg.protocols.features import prepare_stores

    check_domains(experiments)
    wanted: dict[str, tuple[Any, list[str], set[str]]] = {}
    for experiment in experiments:
        _, domains, splits = wanted.setdefault(repr(experiment.data), (experiment.data, [], set()))
        domains += [d for d in experiment.domains.all_domains if d not in domains]
        splits |= {load_method(experiment.method.name).fitted_on, "dev", "test"}
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
