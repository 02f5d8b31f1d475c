"""Every measurement in turn: one that fails does not stop the others, and simulated features are called so."""

from dataclasses import replace

import pandas as pd
import pytest

from msadg.analysis import all_measurements
from msadg.analysis.measurement import Measurement
from msadg.errors import FeatureError
from msadg.protocols.checkpoint import TrainingState
from msadg.protocols.fit import new_method
from msadg.protocols.run import TrainedRun
from tests.protocols.helpers import toy_experiment


def measurement(row: str) -> Measurement:
    table = pd.DataFrame({"row": [row], "value": [1.0]})
    return Measurement(name="one", title="One", caption="It rises.", alternative="A line.", table=table)


def measure_none(runs) -> None:
    return None


def measure_fails(runs) -> Measurement:
    raise FeatureError("no video; give a run that reads it")


def measure_breaks(runs) -> Measurement:
    raise ZeroDivisionError("division by zero")


def measure_well(runs) -> Measurement:
    return measurement("erm")


def only(monkeypatch, *names: str) -> None:
    """Make these measurements alone."""
    paths = tuple(f"tests.analysis.test_all_measurements:measure_{name}" for name in names)
    monkeypatch.setattr(all_measurements, "MEASURED_BY", paths)


@pytest.fixture
def run(tmp_path) -> TrainedRun:
    experiment = toy_experiment(tmp_path, "erm")
    return TrainedRun(experiment, new_method(experiment, {"text": 6, "video": 5}), TrainingState())


def test_a_measurement_that_cannot_be_made_is_told_and_the_others_are(monkeypatch, run):
    only(monkeypatch, "none", "fails", "breaks", "well")
    notes: list[str] = []
    told: list[str] = []
    measured = list(all_measurements.measure([run], notes.append, told.append))
    assert [(one.name, one.caption) for one in measured] == [("one", "It rises.")]
    assert notes[0] == "test all measurements, fails: no video; give a run that reads it"
    assert "not made, by a fault of msadg (ZeroDivisionError: division by zero)" in notes[1]
    assert [name.rpartition(", ")[2] for name in told] == ["none", "fails", "breaks", "well"] and len(notes) == 2
    (skipped,) = all_measurements.MEASURED_BY[-1:]
    assert list(all_measurements.measure([run], notes.append, skip=[skipped])) == []


def test_features_that_were_drawn_from_the_labels_are_called_simulated(monkeypatch, run):
    only(monkeypatch, "well")
    data = replace(run.experiment.data, features={"text": "toy", "video": "simulated:redundancy=1"})
    simulated = replace(run, experiment=replace(run.experiment, data=data))
    other = replace(simulated, experiment=replace(simulated.experiment, row="other"))
    (found,) = all_measurements.measure([run, simulated, other], pytest.fail)
    assert found.caption == "It rises. Simulated, drawn from the labels: video of erm."  # the table has no other row
    assert found.alternative == "A line. Simulated, drawn from the labels: video of erm."
