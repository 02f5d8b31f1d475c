"""How far a clip lies out, in words that so many dev clips allow."""

import numpy as np
import pytest
import torch

from msadg.protocols.distance import SourceDistance
from msadg.protocols.sources import QUANTILES, SourceModality
from msadg.serving.shift import shift_of, shift_warning
from msadg.types import Steps


def seen(distances: list[float], *, is_counted: bool = True) -> SourceModality:
    """Sources whose distance is the first feature's size, and some dev clips'."""
    distance = SourceDistance(np.zeros(1), np.ones(1), np.eye(1), np.eye(1), 0.0)
    quantiles = tuple(np.quantile(distances, QUANTILES, method="higher").tolist())
    return SourceModality({}, "", 1, 9, distance, quantiles, len(distances) if is_counted else None)


def told(value: float, sources: SourceModality) -> str | None:
    return shift_warning("video", shift_of(Steps(torch.tensor([[[value]]]), torch.tensor([[True]])), sources))


@pytest.mark.parametrize(
    ("number", "words"),
    [(1, "their only dev clip"), (3, "each of their 3 dev clips"), (99, "each of their 99 dev clips"),
     (100, "99% of their dev clips"), (200, "99% of their dev clips")],
)  # fmt: skip
def test_a_share_is_claimed_only_of_as_many_dev_clips_as_it_takes(number: int, words: str):
    sources = seen([1 + at / number for at in range(number)])
    assert told(50.0, sources).startswith(f"video lies further from the sources than {words} (distance ")


def test_beyond_the_second_quantile_of_few_clips_but_not_the_farthest_is_a_share_still():
    sources = seen([float(at) for at in range(1, 51)])
    assert told(49.5, sources).startswith("video lies further from the sources than 95% of their dev clips")
    assert told(5.0, sources) is None


def test_of_a_run_that_did_not_count_its_dev_clips_no_share_is_claimed_where_they_were_few():
    assert "each of their dev clips" in told(50.0, seen([1.0, 2.0, 3.0], is_counted=False))
    assert "99% of their dev clips" in told(900.0, seen([float(at) for at in range(300)], is_counted=False))
