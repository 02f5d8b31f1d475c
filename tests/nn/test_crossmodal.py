import math

import pytest
import torch
from torch.testing import assert_close

from msadg.nn.crossmodal import CrossmodalTransformer, StackDropout, half_split_positions, visible_prefix


@pytest.mark.parametrize(
    ("queries", "keys", "first", "second", "last"),
    [(50, 50, 1, 2, 50), (50, 375, 326, 327, 375), (375, 50, 50, 50, 50), (500, 375, 126, 127, 375)],
)
def test_causality_counts_from_the_end(queries, keys, first, second, last):
    """Numbers of the published mask: what the first, second and last query see."""
    seen = visible_prefix(torch.tensor([queries]), torch.tensor([keys]), queries, causal=True)[0]
    assert [seen[0], seen[1], seen[-1]] == [first, second, last]


def test_each_clip_has_its_own_lengths_and_one_without_keys_sees_one():
    seen = visible_prefix(torch.tensor([2, 3, 3]), torch.tensor([2, 2, 0]), 3, causal=True)
    assert seen.tolist() == [[1, 2, 2], [2, 2, 2], [1, 1, 1]]
    seen = visible_prefix(torch.tensor([2, 3, 3]), torch.tensor([2, 2, 0]), 3, causal=False)
    assert seen.tolist() == [[2] * 3, [2] * 3, [1] * 3]


def test_positions_count_from_one_and_put_sines_before_cosines():
    table = half_split_positions(2, 7, torch.float64)
    rates = [1.0, 10_000**-0.5, 10_000**-1.0]
    for step in (1, 2):
        expected = [math.sin(step * r) for r in rates] + [math.cos(step * r) for r in rates] + [0.0]
        assert_close(table[step - 1], torch.tensor(expected, dtype=torch.float64))


def transformer(**settings) -> CrossmodalTransformer:
    torch.manual_seed(0)
    return CrossmodalTransformer(8, 2, 3, StackDropout(), **settings).double()


def sequences(*lengths: int) -> list[torch.Tensor]:
    chance = torch.Generator().manual_seed(1)
    return [torch.randn(2, n, 8, generator=chance, dtype=torch.float64).requires_grad_() for n in lengths]


def test_one_step_is_what_it_is_in_the_whole_sequence():
    (steps,) = sequences(6)
    limit = torch.tensor([[1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 4, 4]])
    model, position = transformer(), torch.tensor([5, 3])
    # Width 8, no dropout: sqrt(8) x + position, then each layer on what the one before it said.
    whole = math.sqrt(8) * steps + half_split_positions(6, 8, torch.float64)
    for layer in model.layers:
        whole = layer(whole, whole, whole, limit)
    assert_close(model.at(steps, limit, position), model.norm(whole)[torch.arange(2), position])


def test_gradients_are_those_of_finite_differences():
    target, source = sequences(3, 4)
    limit = torch.tensor([[2, 3, 4], [1, 2, 3]])
    model = transformer()
    assert torch.autograd.gradcheck(lambda t, s: model(t, s, limit), (target, source), fast_mode=True)


def test_an_absent_source_adds_nothing():
    target, source = sequences(3, 4)
    limit, present = torch.ones(2, 3, dtype=torch.int64), torch.tensor([1.0, 0.0], dtype=torch.float64)[:, None, None]
    model = transformer()
    found, other = model(target, source, limit, present), model(target, 3 * source, limit, present)
    assert_close(found[1], other[1])
    assert not torch.allclose(found[0], other[0])


def test_steps_that_begin_with_zero_have_no_position_as_published():
    (steps,) = sequences(4)
    marked, every = transformer(positions="marked"), transformer()
    limit = torch.full((1, 4), 4)
    assert_close(marked(steps, steps, limit), every(steps, steps, limit))
    zeros = torch.zeros_like(steps)
    assert_close(marked(zeros, zeros, limit), transformer(positions="none")(zeros, zeros, limit))
    assert not torch.allclose(marked(zeros, zeros, limit), every(zeros, zeros, limit))


def test_positions_of_mixed_precision_are_those_of_single_precision_rounded():
    exact, rounded = (half_split_positions(500, 30, dtype) for dtype in (torch.float32, torch.bfloat16))
    assert rounded.dtype == torch.bfloat16
    assert_close(rounded.float(), exact, atol=2**-8, rtol=0)  # half a unit of the last of 8 bits, at 1
