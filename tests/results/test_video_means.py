"""The bootstrap of a mean over clips draws whole videos."""

import numpy as np
import pytest

from msadg.results.video_means import drawn_means


def test_two_videos_give_their_two_means_and_the_mean_of_both():
    drawn = drawn_means(np.array([0.0, 0.0, 0.0, 1.0]), ["a", "a", "a", "b"], draws=4000)
    values, counts = np.unique(drawn, return_counts=True)
    assert values.tolist() == [0.0, 0.25, 1.0]  # twice a, one of each (a weighs three clips), twice b
    assert counts / 4000 == pytest.approx([0.25, 0.5, 0.25], abs=0.03)


def test_many_videos_of_one_clip_have_the_standard_error_of_a_mean():
    values = np.random.default_rng(0).normal(size=400)
    drawn = drawn_means(values, [str(i) for i in range(400)], draws=4000)
    assert drawn.std() == pytest.approx(values.std() / 20, rel=0.05)
    assert drawn.mean() == pytest.approx(values.mean(), abs=0.005)


def test_a_single_video_says_nothing_of_other_videos():
    assert np.isnan(drawn_means(np.array([0.0, 1.0]), ["a", "a"])).all()
