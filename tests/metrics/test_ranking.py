"""The area under the ROC curve of many weighings is scikit-learn's of each."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from msadg.metrics.ranking import auroc, weighted_aurocs


@pytest.fixture
def clips():
    rng = np.random.default_rng(1)
    score = rng.integers(6, size=80) / 6  # with ties
    return score, rng.random(80) < 0.3 + 0.4 * score, rng.integers(9, size=80)


def test_each_weighing_s_area_is_scikit_learn_s(clips):
    score, is_positive, group = clips
    weights = np.random.default_rng(2).multinomial(9, np.full(9, 1 / 9), size=250).astype(float)
    found = weighted_aurocs(score, is_positive, group, weights)
    for draw in (0, 1, 199, 200, 249):
        wanted = roc_auc_score(is_positive, score, sample_weight=weights[draw, group])
        assert found[draw] == pytest.approx(wanted, abs=1e-12)


def test_equal_weights_give_the_area_itself(clips):
    score, is_positive, group = clips
    assert weighted_aurocs(score, is_positive, group, np.ones((1, 9)))[0] == pytest.approx(auroc(score, is_positive))


def test_there_is_no_area_where_there_is_nothing_to_rank():
    score = np.array([0.1, 0.2, 0.3])
    assert np.isnan(auroc(score, np.array([True, True, True])))
    assert np.isnan(auroc(score, np.array([False, False, False])))
    assert np.isnan(auroc(np.full(3, 0.5), np.array([True, False, True])))
    alone = weighted_aurocs(score, np.array([True, False, False]), np.array([0, 1, 1]), np.array([[1.0, 0.0]]))
    assert np.isnan(alone[0])
