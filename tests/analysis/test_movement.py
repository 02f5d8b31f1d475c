"""How far predictions moved, against SciPy and by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from msadg.analysis.movement import js_distance, movements, total_variation
from msadg.results.predictions import Predictions


def polarities(predicted: list[float], sentiments: list[int]) -> Predictions:
    return replace(
        said([[1.0, 0.0, 0.0]] * len(predicted)),
        probabilities=None,
        predicted_polarity=np.array(predicted),
        predicted_sentiment=np.array(sentiments),
    )


simplex = st.lists(st.floats(1e-6, 1), min_size=3, max_size=3).map(lambda w: np.array(w)[None] / sum(w))


def said(probabilities: list[list[float]]) -> Predictions:
    n = len(probabilities)
    names = np.array([f"c{i}" for i in range(n)])
    return Predictions(
        clip_id=names,
        video_id=names,
        domain=np.array(["d"] * n),
        sentiment=np.zeros(n, np.int64),
        polarity=np.zeros(n),
        probabilities=np.array(probabilities),
    )


@given(p=simplex, q=simplex)
def test_the_distance_is_scipy_s(p: np.ndarray, q: np.ndarray):
    with np.errstate(invalid="ignore"):  # SciPy's distance of equals may be the root of -1e-17
        expected = np.nan_to_num(jensenshannon(p[0], q[0], base=2))
    assert js_distance(p, q) ** 2 == pytest.approx(expected**2, abs=1e-12)


def test_what_did_not_move_has_distance_0_and_what_could_not_move_further_1():
    p = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
    assert js_distance(p, p).tolist() == [0.0, 0.0]
    assert js_distance(p, p * (1 + 1e-16)).tolist() == [0.0, 0.0]
    apart = np.array([[0.0, 1.0, 0.0]])
    assert js_distance(p[1:], apart) == pytest.approx([1.0])
    assert total_variation(p[1:], apart).tolist() == [1.0]


def test_movements_by_hand():
    before = said([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3]])
    after = said([[0.4, 0.5, 0.1], [0.2, 0.4, 0.4]])
    moved = movements(before, after)
    assert moved["total_variation"] == pytest.approx([0.2, 0.1])
    assert moved["flip_share"].tolist() == [1.0, 0.0]  # of a tie the first counts
    assert list(moved) == ["js_distance", "total_variation", "flip_share"]


def test_predicted_polarities_shift_and_flip_where_they_are_read_as_another_sentiment():
    before, after = polarities([0.4, -2.0, 2.5], [1, 0, 2]), polarities([0.6, -1.0, 3.5], [2, 0, 2])
    moved = movements(before, after)
    assert list(moved) == ["polarity_shift", "flip_share"]
    assert moved["polarity_shift"] == pytest.approx([0.2, 1.0, 1.0])
    assert moved["flip_share"].tolist() == [1.0, 0.0, 0.0]
