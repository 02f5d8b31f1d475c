"""Means by domain against loops over clips."""

import torch
from torch.testing import assert_close

from msadg.nn.domains import domains_present, halves_of, mean_over_members, members_by_domain

DOMAIN = torch.tensor([3, 0, 3, 3, 0, 3])


def test_a_domain_that_the_batch_lacks_has_no_row():
    assert domains_present(DOMAIN).tolist() == [0, 3]
    assert members_by_domain(DOMAIN).sum(dim=1).tolist() == [2, 4]


def test_means_are_those_of_each_domain_s_clips():
    losses = torch.tensor([1.0, 2.0, 3.0, 4.0, 8.0, 8.0])
    assert_close(mean_over_members(losses, members_by_domain(DOMAIN)), torch.tensor([5.0, 4.0]))
    rows = torch.stack([losses, -losses], dim=1)
    assert_close(mean_over_members(rows, members_by_domain(DOMAIN)), torch.tensor([[5.0, -5.0], [4.0, -4.0]]))


def test_a_row_without_clips_has_mean_zero():
    assert mean_over_members(torch.ones(2), torch.zeros(1, 2, dtype=torch.bool)).tolist() == [0.0]


def test_halves_take_turns_within_each_domain():
    first, second = halves_of(members_by_domain(DOMAIN))
    assert [row.nonzero()[:, 0].tolist() for row in first] == [[1], [0, 3]]
    assert [row.nonzero()[:, 0].tolist() for row in second] == [[4], [2, 5]]
