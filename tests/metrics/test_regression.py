"""Regression metrics against scipy, scikit-learn, and numbers worked by hand."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose
from scipy.stats import pearsonr
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, mean_absolute_error, recall_score

from msadg.corpora.labels import sentiment_of_polarity
from msadg.errors import RunError
from msadg.metrics.regression import polarity_scores, regression_metrics, rounded, sentiments_of

POLARITIES = st.floats(-3, 3, width=32)


@pytest.mark.parametrize("seed", range(5))
def test_every_metric_is_that_of_the_libraries(seed):
    chance = np.random.default_rng(seed)
    true = chance.integers(-9, 10, 300) / 3
    predicted = true + chance.normal(0, 1, 300)
    found = regression_metrics(predicted, true)
    kept = true != 0
    expected = {
        "mae": mean_absolute_error(true, predicted),
        "corr": pearsonr(true, predicted).statistic,
        "acc2_has0": accuracy_score(true >= 0, predicted >= 0),
        "acc2_non0": accuracy_score(true[kept] > 0, predicted[kept] > 0),
        "acc5": accuracy_score(np.round(true.clip(-2, 2)), np.round(predicted.clip(-2, 2))),
        "acc7": accuracy_score(np.round(true.clip(-3, 3)), np.round(predicted.clip(-3, 3))),
        "f1_weighted_has0": f1_score(true >= 0, predicted >= 0, average="weighted"),
        "f1_weighted_non0": f1_score(true[kept] > 0, predicted[kept] > 0, average="weighted"),
    }
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert_allclose(found[name], value, rtol=1e-12, err_msg=name)


def test_weighted_f1_of_an_all_positive_predictor_is_not_that_of_swapped_arguments():
    # 39 of 100 positive: F1+ = 2*39/(100+39), weighted by .39 = .2188; swapped, it would be F1+ alone, .561.
    true = np.array([1.0] * 39 + [-1.0] * 61)
    found = regression_metrics(np.ones(100), true)
    assert_allclose(found["f1_weighted_non0"], 0.39 * 78 / 139)
    assert_allclose(found["f1_weighted_has0"], 0.39 * 78 / 139)


@pytest.mark.parametrize(
    ("polarity", "nearest"), [(0.5, 0), (1.5, 2), (2.5, 2), (-0.5, 0), (-1.5, -2), (-2.5, -2), (0.51, 1)]
)
def test_a_half_goes_to_the_even_neighbour(polarity, nearest):
    assert rounded(np.array([polarity]), limit=3).tolist() == [nearest]
    assert regression_metrics(np.array([float(nearest)]), np.array([polarity]))["acc7"] == 1.0


def test_predictions_beyond_the_scale_count_as_its_ends():
    found = regression_metrics(np.array([5.0, 2.0]), np.array([3.0, 3.0]))
    assert found["acc7"] == 0.5
    assert found["acc5"] == 1.0  # both ends are clipped to 2


def test_zero_counts_as_not_negative_in_has0_and_not_at_all_in_non0():
    found = regression_metrics(np.array([0.0, -0.1, -2.0, 0.0]), np.array([0.0, 0.0, -1.0, 2.0]))
    assert found["acc2_has0"] == 0.75
    assert found["acc2_non0"] == 0.5  # a prediction of 0 is not positive


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("value", [0.0, 0.1])
def test_correlation_with_a_constant_is_nan_and_silent(side, value):
    pair = [np.array([1.0, -2.0, 0.5]), np.array([1.0, -2.0, 0.5])]
    pair[side] = np.full(3, value)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert math.isnan(regression_metrics(*pair)["corr"])


def test_one_neutral_clip_has_an_error_and_nothing_else_that_needs_more():
    found = regression_metrics(np.array([0.25]), np.array([0.0]))
    assert found["mae"] == 0.25
    assert found["acc7"] == 1.0
    assert all(math.isnan(found[name]) for name in ("corr", "acc2_non0", "f1_weighted_non0"))


def test_what_cannot_be_scored_is_an_error():
    with pytest.raises(RunError, match="1 of 2 predictions are NaN"):
        regression_metrics(np.array([np.nan, 1.0]), np.zeros(2))
    with pytest.raises(RunError, match="no clip"):
        regression_metrics(np.zeros(0), np.zeros(0))


@given(pair=arrays(np.float64, st.tuples(st.just(2), st.integers(1, 30)), elements=POLARITIES), seed=st.integers(0, 9))
def test_order_of_clips_changes_nothing_and_every_score_is_in_range(pair, seed):
    order = np.random.default_rng(seed).permutation(pair.shape[1])
    found, again = regression_metrics(*pair), regression_metrics(*pair[:, order])
    for name, value in found.items():
        if name == "corr" and np.std(pair, axis=1).min() < 1e-9:
            continue  # the correlation with rounding noise is itself noise
        assert_allclose(again[name], value, rtol=1e-7, atol=1e-9)
        low, high = {"mae": (0, 6), "corr": (-1, 1)}.get(name, (0, 1))
        assert math.isnan(value) or low - 1e-9 <= value <= high + 1e-9


@given(polarity=POLARITIES)
@pytest.mark.parametrize("labels", ["round", "sign"])
def test_a_predicted_polarity_is_read_as_the_labels_are(labels, polarity):
    assert sentiments_of(np.array([polarity]), labels).tolist() == [sentiment_of_polarity(polarity, labels)]


def test_a_reading_by_hand():
    polarity = np.array([-3.5, -0.6, -0.5, 0.0, 0.5, 0.6, 1e-9])
    assert sentiments_of(polarity, "round").tolist() == [0, 0, 1, 1, 1, 2, 1]
    assert sentiments_of(polarity, "sign").tolist() == [0, 0, 0, 1, 2, 2, 2]


@pytest.mark.parametrize("labels", ["round", "sign"])
@pytest.mark.parametrize("seed", range(3))
def test_the_derived_classes_score_as_scikit_learn_scores_them(seed, labels):
    chance = np.random.default_rng(seed)
    true = chance.integers(-9, 10, 300) / 3
    predicted = np.round(true + chance.normal(0, 1, 300), 1)
    sentiment = np.array([sentiment_of_polarity(value, labels) for value in true.tolist()])
    said = np.array([sentiment_of_polarity(value, labels) for value in predicted.tolist()])
    found = polarity_scores(predicted, true, sentiment, labels)
    recalls = recall_score(sentiment, said, average=None)
    expected = regression_metrics(predicted, true) | {
        "accuracy": accuracy_score(sentiment, said),
        "f1_macro": f1_score(sentiment, said, average="macro"),
        "f1_weighted": f1_score(sentiment, said, average="weighted"),
        "balanced_accuracy": balanced_accuracy_score(sentiment, said),
        "recall_negative": recalls[0],
        "recall_neutral": recalls[1],
        "recall_positive": recalls[2],
    }
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert_allclose(found[name], value, rtol=1e-12, err_msg=name)


def test_three_clips_by_hand():
    # Predicted 3.4 and .4 of a truth of 3 and 1, and -1 of -1: errors .4 .6 0; rounded to 3 0 -1 of 3 1 -1.
    found = polarity_scores(np.array([3.4, 0.4, -1.0]), np.array([3.0, 1.0, -1.0]), np.array([2, 2, 0]), "round")
    assert_allclose(found["mae"], 1 / 3)  # nothing is clipped here: 3.4 is .4 away from 3
    assert_allclose([found["acc7"], found["acc5"], found["accuracy"]], 2 / 3)
    assert found["acc2_has0"] == found["acc2_non0"] == 1.0
    assert_allclose([found["recall_negative"], found["recall_positive"]], [1.0, 0.5])
    assert math.isnan(found["recall_neutral"])
    assert_allclose(found["f1_macro"], (1 + 0 + 2 / 3) / 3)


def test_a_domain_of_classes_only_has_the_scores_of_classes_only():
    found = polarity_scores(np.array([1.0, -1.0]), np.full(2, np.nan), np.array([2, 0]), "round")
    assert found["accuracy"] == 1.0
    assert not {"mae", "corr", "acc2_has0", "acc7", "ece", "nll"} & found.keys()


def test_a_domain_of_both_kinds_of_label_is_an_error():
    with pytest.raises(RunError, match="1 of 2 clips have no polarity"):
        polarity_scores(np.zeros(2), np.array([np.nan, 1.0]), np.array([1, 2]), "round")


def test_a_prediction_that_is_no_number_has_no_class_either():
    with pytest.raises(RunError, match="1 of 2 predictions are NaN"):
        polarity_scores(np.array([np.nan, 1.0]), np.full(2, np.nan), np.array([1, 2]), "round")
