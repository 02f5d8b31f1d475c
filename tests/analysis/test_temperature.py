"""Temperature scaling against closed forms, and what it does for the domains of a run."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.special import log_softmax

from msadg.analysis.temperature import LARGEST, SMALLEST, fit_temperature, measure, temperature_of
from msadg.metrics.classification import classification_metrics
from msadg.protocols import features
from msadg.protocols.checkpoint import TrainingState
from msadg.protocols.domains import domain_name
from msadg.protocols.evaluate import predict_logits, softmax
from msadg.protocols.features import load_clips
from msadg.protocols.fit import new_method, source_clips
from msadg.protocols.run import TrainedRun
from tests.analysis.mask_runs import toy_run


def sure_clips(margin: float, num_right: int, num_clips: int, num_classes: int = 3):
    """Equally sure of class 0 of each clip, which some of them are of."""
    logits = np.zeros((num_clips, num_classes))
    logits[:, 0] = margin
    truth = np.zeros(num_clips, np.int64)
    truth[num_right:] = 1
    return logits, truth


@pytest.mark.parametrize(("margin", "num_right"), [(1.0, 8), (4.0, 8), (0.3, 6)])
def test_equally_sure_clips_become_as_sure_as_they_are_right(margin: float, num_right: int):
    # softmax(margin / T) = right: margin / T = log(2 right / wrong) of three classes
    right = num_right / 10
    wanted = margin / math.log(2 * right / (1 - right))
    assert fit_temperature([sure_clips(margin, num_right, 10)]) == pytest.approx(wanted, rel=1e-5)


def test_the_temperature_is_where_the_slope_of_the_likelihood_is_0():
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(200, 3))
    truth = np.array([rng.choice(3, p=softmax(row[None] / 1.7)[0]) for row in logits])

    def slope(beta: float) -> float:  # d NLL / d(1/T) = mean(E_p z - z_y)
        p = softmax(beta * logits)
        return float(((p * logits).sum(axis=1) - logits[np.arange(200), truth]).mean())

    assert fit_temperature([(logits, truth)]) == pytest.approx(1 / brentq(slope, 0.05, 10), rel=1e-5)


def test_each_domain_counts_alike_however_large():
    small, large = sure_clips(1.0, 9, 10, 2), sure_clips(1.0, 600, 1000, 2)
    # Right in .9 of one and .6 of the other: as sure as .75 in the mean.
    assert fit_temperature([small, large]) == pytest.approx(1 / math.log(3), rel=1e-5)


def test_answers_that_are_all_right_or_all_wrong_lead_to_the_end_of_the_range():
    for margin in (1.0, 5.0, 50.0):  # from 36.7 T on, the likelihood is 1 in double precision
        assert fit_temperature([sure_clips(margin, 5, 5)]) == pytest.approx(SMALLEST, rel=1e-6)
    assert fit_temperature([sure_clips(1.0, 0, 5)]) == pytest.approx(LARGEST, rel=1e-6)
    assert fit_temperature([sure_clips(0.0, 2, 5)]) == pytest.approx(LARGEST, rel=1e-6)


def test_answers_far_surer_than_right_have_their_best_temperature_where_the_range_has_it():
    # softmax(margin / T) = .75 of three classes: T = margin / log(6)
    assert fit_temperature([sure_clips(20.0, 3, 4)]) == pytest.approx(20 / math.log(6), rel=1e-6)
    assert fit_temperature([sure_clips(50.0, 3, 4)]) == pytest.approx(LARGEST, rel=1e-6)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    found = toy_run(tmp_path_factory.mktemp("tempered"), row="erm")
    with torch.no_grad():
        found.method.head.weight.mul_(20)  # so that it is sure of something
    return found


def test_a_run_s_temperature_is_fitted_on_its_sources_dev_clips(run):
    temperature = temperature_of(run)
    parts = []
    for name in run.experiment.domains.source_domains:
        clips = load_clips(run.experiment.data, name, "dev")
        parts.append((predict_logits(run.method, clips)["logits"], clips.sentiment))

    def nll(t: float) -> float:
        by_domain = [-log_softmax(z / t, axis=1)[np.arange(len(y)), y].mean() for z, y in parts]
        return float(np.mean(by_domain))

    assert nll(temperature) <= min(map(nll, np.geomspace(SMALLEST, LARGEST, 300))) + 1e-9


def test_scores_before_and_after_are_those_of_the_scaled_probabilities(run):
    found = measure([run])
    assert found.name == "calibration" and list(found.table["role"]) == ["source", "source", "target"]
    row = found.table.iloc[-1]
    clips = load_clips(run.experiment.data, run.experiment.domains.target_domains[0], "test")
    logits = predict_logits(run.method, clips)["logits"]
    before = classification_metrics(softmax(logits), clips.sentiment)
    after = classification_metrics(softmax(logits / temperature_of(run)), clips.sentiment)
    assert (row["domain"], row["num_clips"]) == ("c", 24)
    for score in ("ece", "brier", "nll"):
        assert row[f"{score}_before"] == before[score] and row[f"{score}_after"] == after[score]
    assert row["accuracy"] == before["accuracy"] == after["accuracy"]
    assert "c (24)" in found.caption and f"{row['ece_before']:.3f}" in found.alternative


@pytest.mark.parametrize(
    ("best", "what"),
    [
        (20 / math.log(6), None),
        (0.07, None),
        (0.995 * LARGEST, "hardly better than chance, or far surer than they are right"),
        (SMALLEST, "all right, or far less sure than they are right"),
    ],
)
def test_only_a_temperature_at_an_end_of_the_range_is_warned_of(run, monkeypatch, best: float, what: str | None):
    monkeypatch.setattr("msadg.analysis.temperature.temperature_of", lambda trained: best)
    told = [said for said in measure([run]).warnings if "end of its range" in said]
    assert len(told) == (what is not None)
    assert all(f"for its answers on the sources' dev clips are {what};" in said for said in told)


def test_the_temperature_reads_no_target(run, monkeypatch):
    opened = []
    real = features.load_clips

    def watched(data, domain, split, *rest):
        opened.append((domain_name(domain), split))
        return real(data, domain, split, *rest)

    monkeypatch.setattr("msadg.protocols.fit.load_clips", watched)
    monkeypatch.setattr("msadg.analysis.calibration_scored.load_clips", watched)
    temperature_of(run)
    assert set(opened) == {("a", "dev"), ("b", "dev")}


def test_a_regression_has_no_probability(run):
    experiment = replace(run.experiment, task="regression")
    method = new_method(experiment, source_clips(experiment, "dev")[0].feature_dims).eval()
    assert measure([TrainedRun(experiment, method, TrainingState())]) is None
    both = measure([TrainedRun(experiment, method, TrainingState()), run])
    assert len(both.table) == 3 and "erm (1 run): predicts polarity" in both.warnings[0]
