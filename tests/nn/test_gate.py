"""The gate by hand, and what it lets through."""

import math

import pytest
import torch
from torch.testing import assert_close

from msadg.nn.gate import BilinearGate, GatedAttention


def gate_of(kind: str) -> BilinearGate:
    """hidden 2, factor 2; left is (1, 2, 3, 4) x, right the ones: products x (1, 2, 3, 4), pooled x (3, 7)."""
    gate = BilinearGate(1, kind, hidden=2, factor=2, dropout=0.0)
    with torch.no_grad():
        gate.left.weight.copy_(torch.tensor([[1.0], [2.0], [3.0], [4.0]]))
        gate.right.weight.fill_(1.0)
        gate.score.weight.copy_(torch.tensor([[1.0, -1.0]]))
        gate.score.bias.fill_(0.1)
    return gate


LEFT = torch.tensor([[[1.0], [-2.0]]])
SCORES = [-4 / math.sqrt(58) + 0.1, 4 / math.sqrt(58) + 0.1]
"""(3, 7) and (-3, -7), of length 1, against (1, -1), and the bias."""


def test_the_soft_gate_is_the_sigmoid_of_twice_the_score():
    expected = [1 / (1 + math.exp(-2 * score)) for score in SCORES]
    assert_close(gate_of("soft")(LEFT, torch.tensor([[1.0]])), torch.tensor([expected]))


def test_the_hard_gate_is_open_where_the_score_is_not_negative():
    assert_close(gate_of("hard")(LEFT, torch.tensor([[1.0]])), torch.tensor([[0.0, 1.0]]))


def test_the_hard_gate_learns_by_the_published_slope():
    gate = gate_of("hard")
    gate(LEFT, torch.tensor([[1.0]])).sum().backward()
    slopes = []
    for score in SCORES:
        distance = abs(math.tanh(score))
        slopes.append(max(2 - 4 * distance, 0.4) * (1 - math.tanh(score) ** 2))
    assert_close(gate.score.bias.grad, torch.tensor([sum(slopes)]))
    assert gate.left.weight.grad.abs().sum() > 0 and gate.right.weight.grad.abs().sum() > 0


def test_a_fresh_gate_is_open_whatever_the_codes():
    torch.manual_seed(0)
    for _ in range(20):
        gate = BilinearGate(8, "hard").eval()
        assert (gate(torch.rand(4, 5, 8), torch.rand(4, 8)) == 1).all()


def test_codes_of_zeros_have_a_finite_gate_and_gradient():
    gate = gate_of("soft")
    left = torch.zeros(1, 1, 1, requires_grad=True)
    gate(left, torch.zeros(1, 1)).sum().backward()
    assert left.grad.isfinite().all()


def attention() -> tuple[GatedAttention, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return GatedAttention(4, 2, 0.0).eval(), torch.randn(2, 3, 4), torch.randn(2, 5, 4)


@pytest.mark.parametrize("closed_by", ["gate", "absence"])
def test_a_closed_gate_or_an_absent_modality_leaves_the_steps_to_themselves(closed_by: str):
    stream, text, other = attention()
    there = torch.full((2, 5), closed_by == "gate")
    gate = torch.zeros(2, 3) if closed_by == "gate" else None
    assert_close(stream(text, text, other, there, gate), stream.norm(text))


def test_what_is_attended_to_is_scaled_by_the_gate_and_added():
    stream, text, other = attention()
    there, gate = torch.ones(2, 5, dtype=torch.bool), torch.rand(2, 3)
    attended = stream.attention(text, other, other)[0]
    assert_close(stream(text, text, other, there, gate), stream.norm(text + gate[..., None] * attended))
    assert_close(stream(text, text, other, there, None), stream.norm(text + attended))
