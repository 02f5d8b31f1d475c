"""Runs of one name are told apart by what they differ in."""

from dataclasses import replace
from pathlib import Path

import pytest

from msadg.analysis.told_apart import told_apart
from msadg.errors import UsageError
from msadg.protocols.checkpoint import TrainingState
from msadg.protocols.fit import new_method
from msadg.protocols.run import TrainedRun
from tests.protocols.helpers import toy_experiment


@pytest.fixture
def run(tmp_path) -> TrainedRun:
    experiment = toy_experiment(tmp_path, "erm")
    return TrainedRun(experiment, new_method(experiment, {"text": 6, "video": 5}), TrainingState())


def rows(runs) -> list[str]:
    return [one.experiment.row for one in told_apart(runs)]


def changed(run: TrainedRun, **changes) -> TrainedRun:
    return replace(run, experiment=replace(run.experiment, **changes))


def test_runs_of_other_rows_sources_or_seeds_keep_their_names(run):
    one_source = replace(run.experiment.domains, source_domains=run.experiment.domains.source_domains[:1])
    others = [changed(run, row="other"), changed(run, seed=1), changed(run, domains=one_source)]
    assert rows([run, *others]) == ["erm", "other", "erm", "erm"]


def test_runs_of_one_name_say_in_what_they_differ_and_keep_their_order(run):
    method = run.experiment.method
    wide = changed(run, method=replace(method, settings=method.settings | {"dim": 16, "layers": 2}))
    assert rows([wide, changed(run, seed=1), run]) == [
        "erm (dim = 16, layers = 2)",
        "erm",
        "erm (dim = 8, layers = default)",
    ]


def test_a_run_that_is_given_twice_is_refused_also_where_its_files_moved(run):
    moved = changed(run, data=replace(run.experiment.data, stores=Path("elsewhere")))
    with pytest.raises(UsageError, match=r"a run was given twice: erm on .*a.*\+.*b.*, seed 0; name each run once"):
        told_apart([run, moved])
