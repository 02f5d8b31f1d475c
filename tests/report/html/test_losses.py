"""Losses and dev scores by epoch: whose they are, of how many trainings, and where there are none."""

import math

import pytest

from msadg.methods.build import MethodSpec
from msadg.protocols.checkpoint import TrainingState
from msadg.protocols.domains import DomainSplit
from msadg.protocols.experiment import Experiment
from msadg.protocols.features import DataConfig
from msadg.protocols.run import TrainedRun
from msadg.report.html.losses import courses_in_words, dev_courses, draw_courses, loss_courses
from tests.methods.helpers import tiny_method

METHOD = tiny_method("erm")


def run_of(losses, *, row="erm", seed=0, sources=("mosi",), selection="source_dev", dev=True):
    """A run of which nothing but its history is looked at."""
    history = [
        {"losses": {"task": loss}, "dev": {"mosi": 1 - loss} if dev else {}, "score": 1 - loss if dev else float(epoch)}
        for epoch, loss in enumerate(losses)
    ]
    experiment = Experiment(
        row=row,
        method=MethodSpec(name="erm"),
        domains=DomainSplit(sources, ("meld",)),
        data=DataConfig(features={"text": "minilm"}),
        seed=seed,
        selection=selection,
    )
    return TrainedRun(experiment, METHOD, TrainingState(history=history))


def test_a_line_is_the_mean_over_the_trainings_of_a_row_that_still_ran():
    runs = [run_of([0.9, 0.5]), run_of([0.7], seed=1)]
    (course,) = loss_courses(runs)["erm"]
    assert course.values[:, 0].tolist() == [0.9, 0.7] and math.isnan(course.values[1, 1])
    assert course.last == pytest.approx(0.6)
    (axes,) = draw_courses(loss_courses(runs), "loss").axes
    assert axes.lines[0].get_ydata().tolist() == [0.8, 0.5]
    assert axes.get_title() == "ERM (2 runs)"
    assert courses_in_words(loss_courses(runs)) == "Values of the last epoch, means over runs. ERM: task .600."


def test_what_was_chosen_on_the_target_is_a_row_of_its_own():
    courses = dev_courses([run_of([0.9]), run_of([0.1], selection="oracle")])
    assert {row: found[0].last for row, found in courses.items()} == pytest.approx({"erm": 0.1, "erm (oracle)": 0.9})


def test_one_training_that_was_scored_twice_counts_once():
    assert loss_courses([run_of([0.9]), run_of([0.9])])["erm"][0].values.shape == (1, 1)
    assert loss_courses([run_of([0.9]), run_of([0.9], sources=("mosei",))])["erm"][0].values.shape == (2, 1)


def test_without_dev_clips_there_is_no_score_and_a_closed_form_has_no_epochs():
    assert dev_courses([run_of([0.9, 0.8], dev=False)]) == {}
    assert loss_courses([run_of([])]) == {}


def test_one_epoch_has_one_whole_number_below_it():
    (axes,) = draw_courses(loss_courses([run_of([0.9])]), "loss").axes
    low, high = axes.get_xlim()
    assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [1]
    assert axes.get_title() == "ERM (1 run)"
