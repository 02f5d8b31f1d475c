"""The fast scores are those of scikit-learn."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, f1_score

from msadg.metrics.confusion import (
    accuracy_of,
    balanced_accuracy_of,
    confusion_counts,
    f1_macro,
    f1_macro_of,
)


@pytest.mark.parametrize("clips", [1, 2, 7, 500])
def test_fast_macro_f1_is_scikit_learns(clips):
    for seed in range(20):
        chance = np.random.default_rng(seed)
        predicted, sentiment = chance.integers(0, 3, clips), chance.integers(0, 3, clips)
        expected = f1_score(sentiment, predicted, labels=[0, 1, 2], average="macro", zero_division=0)
        assert_allclose(f1_macro(predicted, sentiment), expected, rtol=1e-12)


def test_rows_are_truth_and_columns_predictions():
    counts = confusion_counts(np.array([2, 2, 0], dtype=np.int8), np.array([1, 1, 0], dtype=np.int16))
    assert counts.tolist() == [[1, 0, 0], [0, 0, 2], [0, 0, 0]]


def test_many_tables_are_scored_at_once():
    chance = np.random.default_rng(0)
    tasks = [(chance.integers(0, 3, 50), chance.integers(0, 3, 50)) for _ in range(8)]
    counts = np.stack([confusion_matrix(true, called, labels=[0, 1, 2]) for called, true in tasks])
    assert_allclose(accuracy_of(counts), [accuracy_score(t, c) for c, t in tasks])
    assert_allclose(f1_macro_of(counts), [f1_score(t, c, average="macro") for c, t in tasks])
    assert_allclose(balanced_accuracy_of(counts), [balanced_accuracy_score(t, c) for c, t in tasks])


def test_balanced_accuracy_leaves_out_the_class_that_the_truth_lacks():
    counts = confusion_counts(np.array([0, 1, 2, 2]), np.array([0, 0, 2, 2]))  # recall 1/2 and 1
    assert balanced_accuracy_of(counts) == 0.75


def test_no_clips_have_no_accuracy():
    nothing = np.zeros((3, 3), dtype=int)
    assert math.isnan(accuracy_of(nothing))
    assert math.isnan(balanced_accuracy_of(nothing))
    assert f1_macro_of(nothing) == 0
