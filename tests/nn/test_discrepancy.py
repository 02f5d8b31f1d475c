"""The central moment discrepancy against hand values and a loop over clips and pairs."""

from itertools import combinations

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from msadg.nn.discrepancy import moment_discrepancy


def by_loops(samples: np.ndarray, present: np.ndarray, order: int = 5) -> float:
    distances = []
    for first, second in combinations(range(samples.shape[1]), 2):
        sides = []
        for part in (first, second):
            rows = [samples[clip, part] for clip in range(len(samples)) if present[clip, part]]
            if rows:
                mean = sum(rows) / len(rows)
                sides.append([mean] + [sum((r - mean) ** k for r in rows) / len(rows) for k in range(2, order + 1)])
        if len(sides) == 2:
            distances.append(sum(np.sqrt(((a - b) ** 2).sum()) for a, b in zip(*sides, strict=True)))
    return float(np.mean(distances)) if distances else 0.0


def random_samples(clips: int = 7, parts: int = 3) -> torch.Tensor:
    return torch.rand(clips, parts, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_two_small_samples_by_hand():
    # a: 0 and 1, mean .5, central moments .25, 0, .0625, 0;  b: .5 and .5, mean .5, all others 0.
    samples = torch.tensor([[[0.0], [0.5]], [[1.0], [0.5]]])
    everything = torch.ones(2, 2, dtype=torch.bool)
    assert_close(moment_discrepancy(samples, everything, 5), torch.tensor(0.3125))
    assert_close(moment_discrepancy(samples, everything, 2), torch.tensor(0.25))
    assert_close(moment_discrepancy(samples + torch.tensor([[0.0], [0.25]]), everything, 1), torch.tensor(0.25))


def test_all_pairs_at_once_are_the_loops_over_pairs_and_clips():
    samples, present = random_samples(), torch.ones(7, 3, dtype=torch.bool)
    expected = by_loops(samples.numpy(), present.numpy())
    assert float(moment_discrepancy(samples, present)) == pytest.approx(expected, rel=1e-12)


def test_a_clip_that_lacks_a_part_is_not_in_its_expectation():
    samples, present = random_samples(), torch.ones(7, 3, dtype=torch.bool)
    present[2:5, 1] = present[0, 2] = False
    value = moment_discrepancy(samples, present)
    assert float(value) == pytest.approx(by_loops(samples.numpy(), present.numpy()), rel=1e-12)
    assert_close(moment_discrepancy(samples.masked_fill(~present[..., None], 9.0), present), value)


def test_a_part_that_no_clip_has_is_in_no_pair():
    samples, present = random_samples(), torch.ones(7, 3, dtype=torch.bool)
    present[:, 2] = False
    assert_close(moment_discrepancy(samples, present), moment_discrepancy(samples[:, :2], present[:, :2]))
    present[:, 1] = False
    assert moment_discrepancy(samples, present) == 0


def test_of_one_clip_it_is_the_distance_of_the_two_codes():
    samples = torch.tensor([[[0.0, 0.0], [0.3, 0.4]]], requires_grad=True)
    discrepancy = moment_discrepancy(samples, torch.ones(1, 2, dtype=torch.bool))
    assert_close(discrepancy, torch.tensor(0.5))
    discrepancy.backward()
    assert_close(samples.grad, torch.tensor([[[-0.6, -0.8], [0.6, 0.8]]]))


def test_equal_samples_have_discrepancy_and_gradient_zero():
    same = torch.rand(4, 1, 3).repeat(1, 2, 1).requires_grad_()
    discrepancy = moment_discrepancy(same, torch.ones(4, 2, dtype=torch.bool))
    discrepancy.backward()
    assert discrepancy == 0 and (same.grad == 0).all()


def test_the_gradient_is_that_of_finite_differences():
    present = torch.ones(7, 3, dtype=torch.bool)
    present[1, 1] = False
    assert torch.autograd.gradcheck(lambda x: moment_discrepancy(x, present), random_samples().requires_grad_())
