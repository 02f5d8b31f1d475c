"""Scores from sums against the same scores from clips, which are scikit-learn's and SciPy's."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import pearsonr
from sklearn.metrics import f1_score

from msadg.metrics.polarity_sums import SCORES_OF_SUMS
from msadg.metrics.regression import regression_metrics


def clips(seed: int = 0, number: int = 200, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and polarities in halves and thirds, zeros among both."""
    chance = np.random.default_rng(seed)
    polarity = chance.integers(-18, 19, number) / 6
    prediction = np.where(chance.random(number) < 0.1, 0.0, 0.5 * polarity + noise * chance.standard_normal(number))
    return prediction, polarity


def from_sums(metric: str, prediction: np.ndarray, polarity: np.ndarray) -> float:
    score = SCORES_OF_SUMS[metric]
    return float(score.score(score.terms(prediction, polarity).sum(axis=0)))


def test_every_metric_of_polarities_has_its_sums():
    assert SCORES_OF_SUMS.keys() == regression_metrics(*clips()).keys()


@pytest.mark.parametrize("metric", sorted(SCORES_OF_SUMS))
@pytest.mark.parametrize("seed", range(3))
def test_sums_say_what_the_clips_say(metric: str, seed: int):
    prediction, polarity = clips(seed)
    assert_allclose(
        from_sums(metric, prediction, polarity), regression_metrics(prediction, polarity)[metric], rtol=1e-12
    )


@pytest.mark.parametrize("metric", sorted(SCORES_OF_SUMS))
def test_sums_of_videos_score_any_choice_of_videos_at_once(metric: str):
    prediction, polarity = clips(4)
    video = np.arange(200) // 20
    score = SCORES_OF_SUMS[metric]
    terms = score.terms(prediction, polarity)
    sums = np.stack([terms[video == v].sum(axis=0) for v in range(10)])
    times = np.random.default_rng(0).multinomial(10, [0.1] * 10, size=5)
    found = score.score(times @ sums)
    assert found.shape == (5,)
    for drawn, value in zip(times, found, strict=True):
        places = np.concatenate([np.flatnonzero(video == v) for v, n in enumerate(drawn) for _ in range(n)])
        assert_allclose(value, regression_metrics(prediction[places], polarity[places])[metric], rtol=1e-11)


@pytest.mark.parametrize("answer", [-0.7, 0.0, 0.1 + 0.2])
def test_a_constant_answer_has_no_correlation_and_an_f1_of_one_side(answer: float):
    prediction, polarity = np.full(200, answer), clips()[1]
    assert np.isnan(from_sums("corr", prediction, polarity))
    assert np.isnan(from_sums("corr", polarity, prediction))
    expected = f1_score(polarity >= 0, prediction >= 0, average="weighted", zero_division=0)
    assert_allclose(from_sums("f1_weighted_has0", prediction, polarity), expected, rtol=1e-12)


def test_a_draw_in_which_nothing_varies_has_no_correlation_though_the_whole_has():
    prediction, polarity = np.array([1.0, 1.0, -0.1, 0.3]), np.array([2.0, -1.0, 3.0, 0.5])
    score = SCORES_OF_SUMS["corr"]
    terms = score.terms(prediction, polarity)
    assert np.isnan(score.score(terms[:2].sum(axis=0)))
    assert_allclose(score.score(terms.sum(axis=0)), pearsonr(prediction, polarity).statistic, rtol=1e-12)


def test_a_small_wiggle_on_a_large_answer_keeps_its_correlation():
    wiggle, polarity = clips(2, noise=0.1)
    expected = pearsonr(wiggle, polarity).statistic
    assert_allclose(from_sums("corr", 2.0 + 1e-5 * wiggle, polarity), expected, atol=1e-8)


def test_all_zero_polarities_have_no_non0():
    for metric in ("acc2_non0", "f1_weighted_non0"):
        assert np.isnan(from_sums(metric, np.ones(3), np.zeros(3)))
