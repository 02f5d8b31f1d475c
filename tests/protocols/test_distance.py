"""How far a clip lies out: what is outside of the main directions counts by the sources' own variance there."""

import numpy as np
import pytest

from msadg.protocols.distance import SMALLEST_VARIANCE, SourceDistance


@pytest.mark.parametrize(("num_clips", "dim"), [(60, 400), (500, 120)])
def test_the_variance_outside_is_the_mean_over_all_directions_that_are_left(num_clips: int, dim: int):
    features = np.random.default_rng(3).standard_normal((num_clips, dim))
    distance = SourceDistance.fit(features)
    standardised = (features - features.mean(axis=0)) / features.std(axis=0)
    # Each standardised feature has variance 1, so all of them have dim; the main directions have the largest
    # eigenvalues of the correlation matrix.
    num_kept = len(distance.directions)
    kept = np.linalg.eigvalsh(standardised.T @ standardised / num_clips)[::-1][:num_kept].sum()
    assert num_kept == min(64, num_clips // 5)
    assert distance.rest_variance == pytest.approx((dim - kept) / (dim - num_kept), rel=1e-9)


def test_sources_that_vary_in_no_direction_but_the_kept_ones_leave_the_smallest_variance():
    features = np.outer(np.arange(20.0), np.ones(50))
    assert SourceDistance.fit(features).rest_variance == SMALLEST_VARIANCE
