"""Classification metrics against scikit-learn, and by hand where it has none."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn import metrics as sk

from msadg.errors import RunError
from msadg.metrics.classification import calibration_error, classification_metrics

CLASSES = [0, 1, 2]


def random_task(seed: int, clips: int = 200) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    return chance.dirichlet([1, 0.5, 2], size=clips), chance.integers(0, 3, clips)


def one_hot(predicted: list[int]) -> np.ndarray:
    return np.eye(3)[predicted]


@pytest.mark.parametrize("seed", range(5))
def test_every_metric_is_scikit_learns(seed):
    probabilities, sentiment = random_task(seed)
    predicted = probabilities.argmax(axis=1)
    found = classification_metrics(probabilities, sentiment)
    recall = sk.recall_score(sentiment, predicted, average=None)
    expected = {
        "accuracy": sk.accuracy_score(sentiment, predicted),
        "f1_macro": sk.f1_score(sentiment, predicted, average="macro"),
        "f1_weighted": sk.f1_score(sentiment, predicted, average="weighted"),
        "balanced_accuracy": sk.balanced_accuracy_score(sentiment, predicted),
        "recall_negative": recall[0],
        "recall_neutral": recall[1],
        "recall_positive": recall[2],
        "brier": np.mean(((probabilities - np.eye(3)[sentiment]) ** 2).sum(1)),
        "nll": sk.log_loss(sentiment, probabilities),
    }
    assert found.keys() == expected.keys() | {"ece"}
    for name, value in expected.items():
        assert_allclose(found[name], value, rtol=1e-12, err_msg=name)


def test_a_constant_prediction_scores_by_hand():
    # 3 negative, 1 positive, all called negative: F1 of negative = 2*3/(4+3) = 6/7.
    found = classification_metrics(one_hot([0, 0, 0, 0]), np.array([0, 0, 0, 2]))
    assert found["accuracy"] == 0.75
    assert_allclose(found["f1_macro"], 2 / 7)
    assert_allclose(found["f1_weighted"], 0.75 * 6 / 7)
    assert found["balanced_accuracy"] == 0.5
    assert (found["recall_negative"], found["recall_positive"]) == (1.0, 0.0)
    assert math.isnan(found["recall_neutral"])
    assert found["ece"] == 0.25
    assert found["brier"] == 0.5  # one clip of four is off by 1 in two classes
    assert_allclose(found["nll"], -np.log(np.finfo(float).eps) / 4, rtol=1e-6)


def test_truth_of_a_single_class_is_scored_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = classification_metrics(one_hot([1, 1, 0]), np.array([1, 1, 1]))
    assert_allclose(found["f1_macro"], (2 * 2 / 5) / 3)
    assert_allclose(found["balanced_accuracy"], 2 / 3)
    assert math.isnan(found["recall_negative"])


def test_one_clip_scores():
    found = classification_metrics(np.array([[0.2, 0.3, 0.5]]), np.array([2]))
    assert found["accuracy"] == 1.0
    assert_allclose(found["ece"], 0.5)
    assert_allclose(found["brier"], 0.04 + 0.09 + 0.25)
    assert_allclose(found["nll"], -np.log(0.5))


def test_a_tie_goes_to_the_first_sentiment():
    found = classification_metrics(np.full((2, 3), 1 / 3), np.array([0, 2]))
    assert (found["recall_negative"], found["recall_positive"]) == (1.0, 0.0)


def test_half_and_single_precision_are_taken_without_a_warning():
    probabilities, sentiment = random_task(0)
    exact = classification_metrics(probabilities, sentiment)
    for kind, rtol in [(np.float32, 1e-5), (np.float16, 2e-2)]:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = classification_metrics(probabilities.astype(kind), sentiment)
        # Rounded probabilities: 2^-24 and 2^-11 of each; some ties may break otherwise.
        assert_allclose([found["brier"], found["nll"]], [exact["brier"], exact["nll"]], rtol=rtol)


@pytest.mark.parametrize("bad", [[np.nan] * 3, [0.5, 0.9, 0.1], [-0.5, 0.5, 1.0], [np.inf, 0.0, 0.0]])
def test_rows_that_are_no_probabilities_stop_with_the_clip(bad):
    probabilities, sentiment = random_task(0)
    probabilities[7] = bad
    with pytest.raises(RunError, match=r"1 of 200 clips have no probabilities .the first, clip 7"):
        classification_metrics(probabilities, sentiment)


def test_no_clip_is_an_error():
    with pytest.raises(RunError, match="no clip to score"):
        classification_metrics(np.zeros((0, 3)), np.zeros(0, dtype=int))


def test_ece_is_the_literal_sum_over_bins_of_equal_mass():
    chance = np.random.default_rng(0)
    confidence, is_right = chance.uniform(1 / 3, 1, 300), chance.random(300) < 0.6
    order = np.argsort(confidence)
    expected = sum(
        len(some) / 300 * abs(is_right[some].mean() - confidence[some].mean()) for some in np.array_split(order, 15)
    )
    assert_allclose(calibration_error(confidence, is_right), expected)


@settings(max_examples=50)
@given(seed=st.integers(0, 10_000), clips=st.integers(1, 40), shuffle=st.integers(0, 100))
def test_order_of_clips_changes_nothing_and_every_score_is_in_range(seed, clips, shuffle):
    probabilities, sentiment = random_task(seed, clips)
    probabilities = np.round(probabilities, 1) + 1e-6  # many ties
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    order = np.random.default_rng(shuffle).permutation(clips)
    found = classification_metrics(probabilities, sentiment)
    again = classification_metrics(probabilities[order], sentiment[order])
    for name, value in found.items():
        assert_allclose(again[name], value, rtol=1e-9, atol=1e-12)
        top = {"brier": 2.0, "nll": np.inf}.get(name, 1.0)
        assert math.isnan(value) or -1e-12 <= value <= top + 1e-12, name
