"""Reductions along time: invalid steps, wherever they are, never count."""

import torch
from torch.testing import assert_close

from msadg.nn.steps import at_last_valid, attendable, compact_order, mean_over_valid, softmax_over_valid

VALUES = torch.tensor([[[1.0], [100.0], [3.0]], [[7.0], [8.0], [9.0]]])
VALID = torch.tensor([[True, False, True], [False, False, False]])


def test_the_mean_is_over_valid_steps_and_zero_where_there_is_none():
    assert_close(mean_over_valid(VALUES, VALID), torch.tensor([[2.0], [0.0]]))


def test_the_softmax_is_over_valid_steps_and_zero_elsewhere():
    weights = softmax_over_valid(torch.zeros(2, 3), VALID)
    assert_close(weights, torch.tensor([[0.5, 0.0, 0.5], [0.0, 0.0, 0.0]]))


def test_the_last_valid_step_is_found_behind_gaps():
    assert_close(at_last_valid(VALUES, VALID), torch.tensor([[3.0], [7.0]]))


def test_a_clip_without_valid_steps_may_attend_to_its_first():
    assert attendable(VALID).tolist() == [[True, False, True], [True, False, False]]


def test_compact_order_brings_valid_steps_forward_and_keeps_their_order():
    order = compact_order(torch.tensor([[False, True, False, True]]))
    assert order.tolist() == [[1, 3, 0, 2]]
