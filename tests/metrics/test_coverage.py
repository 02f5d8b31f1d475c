"""Accuracy on the surest clips: by hand, and by going through every order of ties."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from msadg.metrics.coverage import accuracy_at, best_risk_coverage_area, f1_macro_at, risk_coverage_area, surest_sums


def test_the_area_is_the_mean_error_over_coverages():
    # Right, wrong, right from the surest on: errors 0/1, 1/2, 1/3.
    area = risk_coverage_area(np.array([0.7, 0.9, 0.8]), np.array([False, False, True]))
    assert area == pytest.approx((0 + 1 / 2 + 1 / 3) / 3)


def test_where_confidence_says_nothing_the_area_is_the_share_of_errors():
    is_wrong = np.array([True, False, False, True, False])
    assert risk_coverage_area(np.full(5, 0.5), is_wrong) == pytest.approx(0.4)


def test_tied_clips_count_as_the_mean_over_their_orders():
    confidence, is_wrong = np.array([0.9, 0.5, 0.5, 0.5]), np.array([False, True, False, True])
    by_order = []
    for order in permutations([1, 2, 3]):
        errors = np.cumsum(is_wrong[[0, *order]])
        by_order.append((errors / np.arange(1, 5)).mean())
    assert risk_coverage_area(confidence, is_wrong) == pytest.approx(np.mean(by_order))


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=40))
def test_no_order_is_better_than_all_errors_last(clips):
    confidence, is_wrong = (np.array(part) for part in zip(*clips, strict=True))
    best = best_risk_coverage_area(int(is_wrong.sum()), len(clips))
    assert best <= risk_coverage_area(confidence / 10, is_wrong) + 1e-12
    assert best == pytest.approx(risk_coverage_area(-np.arange(len(clips)) * 1.0, np.sort(is_wrong)))


def test_macro_f1_and_accuracy_are_those_of_the_surest_clips():
    rng = np.random.default_rng(0)
    confidence, predicted, truth = rng.permutation(30) / 30, rng.integers(3, size=30), rng.integers(3, size=30)
    kept = np.array([1, 10, 30])
    order = np.argsort(-confidence)
    f1 = f1_macro_at(confidence, predicted, truth, 3, kept)
    accuracy = accuracy_at(confidence, predicted == truth, kept)
    for at, number in enumerate(kept):
        surest = order[:number]
        wanted = f1_score(truth[surest], predicted[surest], labels=[0, 1, 2], average="macro", zero_division=0)
        assert f1[at] == pytest.approx(wanted)
        assert accuracy[at] == pytest.approx((predicted == truth)[surest].mean())


def test_the_sum_over_all_clips_is_the_sum():
    sums = surest_sums(np.array([0.2, 0.2, 0.9]), np.array([[1.0], [3.0], [5.0]]))
    np.testing.assert_allclose(sums[:, 0], [5, 7, 9])
