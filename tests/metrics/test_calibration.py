"""Reliability bins: they hold every clip once, and are what the calibration error is computed from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msadg.metrics.calibration import calibration_error, reliability


def test_bins_of_two_are_the_less_and_the_more_sure_half():
    confidence = np.array([0.9, 0.4, 0.6, 1.0])
    is_right = np.array([True, False, True, True])
    low, high = reliability(confidence, is_right, num_bins=2)
    assert (low.confidence, low.share_right, low.num_clips) == (0.5, 0.5, 2)
    assert (high.confidence, high.share_right, high.num_clips) == (pytest.approx(0.95), 1.0, 2)


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=60))
def test_the_calibration_error_is_the_mean_gap_of_the_bins(clips):
    confidence = np.array([part[0] / 20 for part in clips])
    is_right = np.array([part[1] for part in clips])
    bins = reliability(confidence, is_right)
    assert sum(found.num_clips for found in bins) == len(clips)
    gap = sum(found.num_clips * abs(found.share_right - found.confidence) for found in bins) / len(clips)
    assert calibration_error(confidence, is_right) == pytest.approx(gap, abs=1e-12)


def test_clips_of_one_confidence_are_one_bin():
    (only,) = reliability(np.full(7, 0.4), np.array([True, False, False, True, False, False, False]))
    assert (only.confidence, only.share_right, only.num_clips) == (pytest.approx(0.4), 2 / 7, 7)
