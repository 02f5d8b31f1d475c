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
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error

from msadg.errors import RunError
from msadg.metrics.regression import regression_metrics, rounded

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
