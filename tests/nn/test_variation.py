"""Sequential variation against sums worked by hand, SciPy and finite differences."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon
from scipy.special import softmax
from torch.testing import assert_close

from msadg.nn.variation import clip_variation, sequential_variation

KINDS = ["tv_l1", "tv_l2", "jsd"]
SEQUENCE = torch.tensor([[[0.0, 0.0], [1.0, 3.0], [0.0, 1.0]]])
"""Its differences are (1, 3) and (-1, -2)."""


def random_sequences(seed: int = 0, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    sequence = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    valid = torch.arange(6)[None] < torch.tensor([6, 3, 1, 0])[:, None]
    return sequence, valid


@pytest.mark.parametrize(("kind", "expected"), [("tv_l1", (2 + 1.5) / 2), ("tv_l2", (5 + 2.5) / 2), ("none", 0.0)])
def test_total_variation_is_the_mean_difference_of_neighbours(kind: str, expected: float):
    assert_close(sequential_variation(SEQUENCE, torch.ones(1, 3, dtype=torch.bool), kind), torch.tensor(expected))


def test_each_clip_counts_alike_however_long_it_is():
    # 1 / B sum_b 1 / (L_b - 1) sum_t: the second clip has one pair, (2 + 6) / 2 apart.
    both = torch.cat([SEQUENCE, torch.tensor([[[0.0, 0.0], [2.0, 6.0], [9.0, 9.0]]])])
    valid = torch.tensor([[True, True, True], [True, True, False]])
    assert_close(clip_variation(both, valid), torch.tensor([1.75, 4.0]))
    assert_close(sequential_variation(both, valid), torch.tensor(2.875))


def test_the_divergence_is_scipy_s_clip_by_clip():
    sequence, valid = random_sequences()
    expected = np.zeros(4)
    shares = softmax(sequence.double().numpy(), axis=-1)
    for clip, length in enumerate([6, 3]):
        pairs = [jensenshannon(shares[clip, t], shares[clip, t + 1]) ** 2 for t in range(length - 1)]
        expected[clip] = np.mean(pairs)
    assert_close(clip_variation(sequence, valid, "jsd").double().numpy(), expected, atol=1e-7, rtol=1e-5)


def test_shares_without_overlap_diverge_by_log_two_however_far_apart_they_are():
    opposite = torch.tensor([[[500.0, -500.0], [-500.0, 500.0]]], requires_grad=True)
    divergence = sequential_variation(opposite, torch.ones(1, 2, dtype=torch.bool), "jsd")
    assert_close(divergence, torch.tensor(math.log(2)))
    divergence.backward()
    assert opposite.grad.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_sequence_that_stands_still_does_not_vary(kind: str):
    still = torch.randn(2, 1, 5).expand(2, 4, 5)
    variation = sequential_variation(still, torch.ones(2, 4, dtype=torch.bool), kind)
    assert_close(variation, torch.tensor(0.0), atol=1e-7, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [0, 1])
def test_one_step_or_none_has_no_variation_and_a_gradient_of_zero(kind: str, length: int):
    sequence = torch.randn(2, 3, 4, requires_grad=True)
    valid = torch.arange(3).expand(2, 3) < length
    variation = sequential_variation(sequence, valid, kind)
    variation.backward()
    assert variation == 0 and (sequence.grad == 0).all()
    assert sequential_variation(sequence[:, :1], valid[:, :1], kind) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_padding_and_other_clips_change_nothing(kind: str):
    sequence, valid = random_sequences()
    longer = torch.cat([sequence, torch.full((4, 2, 3), 7.0)], dim=1)
    padding = torch.zeros(4, 2, dtype=torch.bool)
    together = clip_variation(sequence, valid, kind)
    assert_close(clip_variation(longer, torch.cat([valid, padding], dim=1), kind), together)
    alone = [clip_variation(sequence[b : b + 1], valid[b : b + 1], kind) for b in range(4)]
    assert_close(torch.cat(alone), together)


@pytest.mark.parametrize("kind", KINDS)
def test_steps_on_both_sides_of_a_gap_are_no_neighbours(kind: str):
    sequence, _ = random_sequences()
    gap = torch.tensor([[True, True, False, True, True, True]])
    pairs = [clip_variation(sequence[:1, t : t + 2], gap[:, t : t + 2], kind) for t in (0, 3, 4)]
    assert_close(clip_variation(sequence[:1], gap, kind), torch.stack(pairs).mean(dim=0))
    alternating = torch.tensor([[True, False, True, False, True, False]])
    assert clip_variation(sequence[:1], alternating, kind) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_is_that_of_finite_differences(kind: str):
    sequence, valid = random_sequences(dtype=torch.float64)
    valid[0, 2] = False
    assert torch.autograd.gradcheck(lambda z: sequential_variation(z, valid, kind), sequence.requires_grad_())


def test_the_divergence_s_gradient_is_autograd_s_of_its_definition():
    sequence, valid = random_sequences(dtype=torch.float64)
    first, second = sequence.clone().requires_grad_(), sequence.clone().requires_grad_()
    sequential_variation(first, valid, "jsd").backward()
    p, q = second.softmax(dim=-1)[:, :-1], second.softmax(dim=-1)[:, 1:]
    m = (p + q) / 2
    divergence = ((p * (p / m).log()).sum(dim=-1) + (q * (q / m).log()).sum(dim=-1)) / 2
    neighbours = valid[:, 1:] & valid[:, :-1]
    (divergence * neighbours / neighbours.sum(dim=1, keepdim=True).clamp_min(1)).sum(dim=1).mean().backward()
    assert_close(first.grad, second.grad, atol=1e-12, rtol=1e-9)
