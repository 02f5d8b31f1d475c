"""Summaries over domains, worked by hand."""

import math

from pytest import approx

from msadg.metrics.by_domain import summarise_domains

SCORES = {
    "mosei": {"f1_macro": 0.7, "nll": 0.8, "recall_neutral": 0.1},
    "mosi": {"f1_macro": 0.5, "nll": 1.0, "recall_neutral": 0.1},
    "meld": {"f1_macro": 0.3, "nll": 1.4, "recall_neutral": 0.1},
}


def test_mean_worst_and_gap_of_a_score():
    found = summarise_domains(SCORES, ["mosei"], ["mosi", "meld"])["f1_macro"]
    assert found == approx({"mean_target": 0.4, "worst_target": 0.3, "gap": 0.3})


def test_less_is_better_for_a_loss_and_its_gap_is_positive_too():
    found = summarise_domains(SCORES, ["mosei"], ["mosi", "meld"])["nll"]
    assert found == approx({"mean_target": 1.2, "worst_target": 1.4, "gap": 0.4})


def test_only_headline_metrics_that_every_domain_has_are_summed_up():
    assert list(summarise_domains(SCORES, ["mosei"], ["mosi", "meld"])) == ["f1_macro", "nll"]
    partial = SCORES | {"meld": {"f1_macro": 0.3}}
    assert list(summarise_domains(partial, ["mosei"], ["mosi", "meld"])) == ["f1_macro"]


def test_several_sources_count_as_one_mean():
    found = summarise_domains(SCORES, ["mosei", "mosi"], ["meld"])["f1_macro"]
    assert found == approx({"mean_target": 0.3, "worst_target": 0.3, "gap": 0.3})


def test_a_side_that_was_not_scored_is_nan():
    found = summarise_domains({"mosi": SCORES["mosi"]}, ["mosei"], ["mosi"])["f1_macro"]
    assert found["mean_target"] == 0.5
    assert math.isnan(found["gap"])
    assert summarise_domains({}, ["mosei"], ["mosi"]) == {}
