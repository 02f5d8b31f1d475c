"""Positions that selections share, against enumeration and against the hypergeometric distribution."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom

from msadg.analysis.overlap import overlap_of, shared_by_chance


def selection(num_features: int, *kept: int) -> np.ndarray:
    chosen = np.zeros(num_features, bool)
    chosen[list(kept)] = True
    return chosen


def test_two_selections_are_held_against_the_hypergeometric_distribution():
    found = overlap_of([selection(20, *range(8)), selection(20, *range(3, 12))])
    assert (found.shared, found.sizes) == (5, (8, 9))
    assert found.jaccard == 5 / 12
    assert found.expected == pytest.approx(8 * 9 / 20)
    assert found.p == pytest.approx(hypergeom.sf(4, 20, 8, 9))
    assert (found.low, found.high) == (hypergeom.ppf(0.025, 20, 8, 9), hypergeom.ppf(0.975, 20, 8, 9))


def test_of_three_selections_chance_is_what_counting_all_of_them_gives():
    sets = [list(combinations(range(5), size)) for size in (2, 3, 4)]
    counts = np.zeros(6)
    for chosen in product(*sets):
        counts[len(set.intersection(*map(set, chosen)))] += 1
    assert shared_by_chance(5, (2, 3, 4)) == pytest.approx(counts / counts.sum(), abs=1e-12)


@pytest.mark.parametrize("kept", [0, 6])
def test_a_mask_that_kept_nothing_or_everything_gives_chance_no_choice(kept: int):
    found = overlap_of([selection(6, *range(kept)), selection(6, 0, 1)])
    assert np.isnan(found.p)
    assert found.shared == found.expected == found.low == found.high == (2 if kept else 0)


def test_two_empty_selections_have_no_jaccard_index():
    assert np.isnan(overlap_of([selection(4), selection(4)]).jaccard)


@given(sizes=st.lists(st.integers(0, 9), min_size=2, max_size=4))
def test_chance_sums_to_one_and_its_mean_is_the_product_of_the_shares(sizes: list[int]):
    chance = shared_by_chance(9, sizes)
    assert chance.sum() == pytest.approx(1)
    assert chance @ np.arange(10) == pytest.approx(9 * np.prod(np.array(sizes) / 9))
