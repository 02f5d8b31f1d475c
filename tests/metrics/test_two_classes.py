"""Classification metrics of a label set with two classes against scikit-learn, and by hand where it has none."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import metrics as sk

from msadg.corpora.label_sets import HUMOUR
from msadg.errors import RunError
from msadg.metrics.classification import class_metrics, classification_metrics
from msadg.metrics.confusion import SCORES_OF_COUNTS, confusion_counts, f1_macro
from msadg.types import LabelSet


def random_task(seed: int, clips: int = 300) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    return chance.dirichlet([1, 0.6], size=clips), (chance.random(clips) < 0.3).astype(np.int64)


def error_over_equal_masses(probabilities: np.ndarray, truth: np.ndarray, num_bins: int = 15) -> float:
    """ECE clip by clip: bins of equally many clips by confidence (300 clips without ties: 20 in each of 15)."""
    order = np.argsort(probabilities.max(axis=1))
    error = 0.0
    for members in np.split(order, num_bins):
        right = [probabilities[clip].argmax() == truth[clip] for clip in members]
        sure = [probabilities[clip].max() for clip in members]
        error += len(members) / len(order) * abs(sum(right) / len(members) - sum(sure) / len(members))
    return error


@pytest.mark.parametrize("seed", range(5))
def test_every_metric_of_two_classes_is_scikit_learns(seed: int):
    probabilities, truth = random_task(seed)
    predicted = probabilities.argmax(axis=1)
    found = classification_metrics(probabilities, truth, HUMOUR)
    expected = {
        "accuracy": sk.accuracy_score(truth, predicted),
        "f1_macro": sk.f1_score(truth, predicted, average="macro"),
        "f1_weighted": sk.f1_score(truth, predicted, average="weighted"),
        "balanced_accuracy": sk.balanced_accuracy_score(truth, predicted),
        "recall_not_humorous": sk.recall_score(truth, predicted, pos_label=0),
        "recall_humorous": sk.recall_score(truth, predicted),
        "brier": 2 * sk.brier_score_loss(truth, probabilities[:, 1]),  # both classes are off by the same
        "nll": sk.log_loss(truth, probabilities),
        "ece": error_over_equal_masses(probabilities, truth),
    }
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert_allclose(found[name], value, rtol=1e-12, err_msg=name)


def test_the_fast_scores_of_two_classes_are_scikit_learns():
    probabilities, truth = random_task(7)
    predicted = probabilities.argmax(axis=1)
    counts = confusion_counts(predicted, truth, 2)
    assert counts.tolist() == sk.confusion_matrix(truth, predicted).tolist()
    expected = class_metrics(predicted, truth, HUMOUR)
    assert_allclose(f1_macro(predicted, truth, 2), sk.f1_score(truth, predicted, average="macro"), rtol=1e-12)
    for name, score_of in SCORES_OF_COUNTS.items():
        assert_allclose(score_of(counts), expected[name], rtol=1e-12, err_msg=name)


def test_a_class_that_the_truth_lacks_has_no_recall_and_an_f1_of_nothing():
    found = classification_metrics(np.array([[0.75, 0.25], [0.25, 0.75]]), np.array([0, 0]), HUMOUR)
    assert found["recall_not_humorous"] == 0.5 and math.isnan(found["recall_humorous"])
    assert found["balanced_accuracy"] == 0.5
    assert_allclose(found["f1_macro"], (2 / 3 + 0) / 2)  # 1 hit, 1 called so, 2 are: 2 / (1 + 2)
    assert_allclose(found["brier"], 2 * (0.25**2 + 0.75**2) / 2)


def test_two_classes_are_not_three_of_which_one_is_missing():
    """Over three classes, macro-F1 would count a class that cannot be."""
    truth = np.array([0, 1, 1])
    assert f1_macro(truth, truth, 2) == 1
    assert_allclose(f1_macro(truth, truth), 2 / 3)


def test_as_many_classes_as_a_label_set_has():
    four = LabelSet("weather", ("sun", "light rain", "heavy rain", "snow"))
    found = classification_metrics(np.eye(4)[[0, 1, 2, 2]], np.array([0, 1, 2, 3]), four)
    assert (found["accuracy"], found["recall_light_rain"], found["recall_snow"]) == (0.75, 1.0, 0.0)
    assert_allclose(found["f1_macro"], (1 + 1 + 2 / 3 + 0) / 4)


def test_probabilities_of_other_classes_are_refused():
    with pytest.raises(RunError, match=r"of 3 classes, and humour \(not humorous, humorous\) has 2"):
        classification_metrics(np.full((2, 3), 1 / 3), np.array([0, 1]), HUMOUR)
    with pytest.raises(RunError, match="expected 2 numbers from 0 to 1"):
        classification_metrics(np.full((2, 2), np.nan), np.array([0, 1]), HUMOUR)
