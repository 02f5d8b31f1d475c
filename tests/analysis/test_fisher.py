"""Fisher's z-test of all pairs at once, held against implementations that test one pair at a time."""

import numpy as np
import pytest
from scipy import stats

from msadg.analysis.fisher import (
    benjamini_hochberg,
    directions,
    fisher_p,
    fisher_test,
    smallest_dependent,
)
from msadg.errors import UsageError


def features(num_clips: int = 60, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two modalities that share causes, and the causes."""
    chance = np.random.default_rng(seed)
    causes = chance.normal(size=(num_clips, 3))
    first = 0.4 * causes @ chance.normal(size=(3, 5)) + chance.normal(size=(num_clips, 5))
    second = 0.4 * causes @ chance.normal(size=(3, 4)) + chance.normal(size=(num_clips, 4))
    return first, second, causes


@pytest.mark.parametrize("num_given", [0, 1, 3])
def test_every_pair_has_the_p_value_of_causal_learn_to_1e_9(num_given: int):
    from causallearn.utils.cit import CIT

    first, second, causes = features()
    given = causes[:, :num_given]
    reference = CIT(np.hstack([first, second, given]), "fisherz")
    found = fisher_test(first, second, given)
    expected = [[reference(i, 5 + j, list(range(9, 9 + num_given))) for j in range(4)] for i in range(5)]
    assert np.abs(found.p - np.array(expected)).max() < 1e-9
    assert (found.num_clips, found.num_given) == (60, num_given)
    assert np.ptp(found.p) > 0.5


def test_correlations_are_those_of_numpy_and_partial_ones_those_of_residuals():
    first, second, causes = features(seed=1)
    found = fisher_test(first, second)
    assert np.abs(found.r - np.corrcoef(first.T, second.T)[:5, 5:]).max() < 1e-12
    columns = np.column_stack([np.ones(60), causes])
    left = [x - columns @ np.linalg.lstsq(columns, x, rcond=None)[0] for x in (first, second)]
    expected = np.corrcoef(left[0].T, left[1].T)[:5, 5:]
    assert np.abs(fisher_test(first, second, causes).r - expected).max() < 1e-12


def test_the_p_value_is_twice_the_normal_tail_of_z_even_far_out():
    r, n = np.array([0.3, -0.9, 0.999]), 500
    expected = 2 * stats.norm.sf(np.abs(np.arctanh(r)) * np.sqrt(n - 3))
    assert fisher_p(r, n) == pytest.approx(expected, rel=1e-9)
    assert fisher_p(np.array([1.0, -1.0]), n).tolist() == [0.0, 0.0]


def test_a_constant_feature_has_no_correlation_rather_than_none_at_all():
    first, second, _ = features()
    first[:, 2] = 0.1  # not a sum of powers of two: its mean is rounded
    found = fisher_test(first.astype(np.float32), second.astype(np.float32))
    assert np.isnan(found.r[2]).all() and np.isnan(found.p[2]).all()
    assert not np.isnan(np.delete(found.r, 2, axis=0)).any()


def test_a_feature_that_the_conditioning_set_explains_has_no_partial_correlation():
    first, second, causes = features()
    first[:, 1] = 2 * causes[:, 0] - causes[:, 2] + 5
    found = fisher_test(first, second, causes)
    assert np.isnan(found.r[1]).all() and not np.isnan(np.delete(found.r, 1, axis=0)).any()


def test_what_the_conditioning_set_says_twice_counts_once():
    first, second, causes = features()
    redundant = np.hstack([causes, causes[:, :1] * 3 + 1, np.ones((60, 1))])
    once, twice = fisher_test(first, second, causes), fisher_test(first, second, redundant)
    assert twice.num_given == 3
    assert twice.p == pytest.approx(once.p, abs=1e-12)
    assert directions(np.ones((60, 2))).shape == (60, 0)


def test_too_few_clips_are_told_not_divided_by():
    first, second, causes = features(num_clips=6)
    with pytest.raises(UsageError, match="6 clips, given 3 features: it takes 7 clips at least"):
        fisher_test(first, second, causes)


def test_benjamini_hochberg_is_scipys_and_leaves_out_what_is_not_known():
    p = np.random.default_rng(0).uniform(size=(6, 7)) ** 3
    p[2, 3] = np.nan
    known = ~np.isnan(p)
    found = benjamini_hochberg(p)
    assert np.isnan(found[2, 3])
    assert found[known] == pytest.approx(stats.false_discovery_control(p[known]), abs=1e-15)


@pytest.mark.parametrize(("num_clips", "num_given"), [(229, 0), (1871, 0), (1871, 5)])
def test_the_smallest_dependent_correlation_is_the_one_whose_p_value_is_the_level(num_clips: int, num_given: int):
    r = smallest_dependent(num_clips, num_given)
    assert fisher_p(np.array([r]), num_clips, num_given)[0] == pytest.approx(0.05, abs=1e-12)
