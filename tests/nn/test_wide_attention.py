"""Attention with wide heads: what the equations say, computed the long way, and by hand."""

import torch
from torch.nn import functional as F
from torch.testing import assert_close

from msadg.nn.wide_attention import WideAttention, WideLayer


def randomised(module: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """In float64, with norms that do more than normalise."""
    generator = torch.Generator().manual_seed(seed)
    module = module.double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.5 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return module


def the_long_way(attention: WideAttention, x: torch.Tensor, y: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Keys and values of every step, head by head and clip by clip; invalid steps taken out beforehand."""
    answers = []
    for clip in range(len(y)):
        read = y[clip][valid[clip]]
        norms = [attention.norm_query, attention.norm_key, attention.norm_value]
        parts = [
            norm.weight * F.layer_norm(z, z.shape[-1:]) + (0 if norm.bias is None else norm.bias)
            for norm, z in zip(norms, (x[clip], read, read), strict=True)
        ]
        maps = [attention.query, attention.key, attention.value]
        q, k, v = (part @ projection.weight.T for part, projection in zip(parts, maps, strict=True))
        width = q.shape[-1] // attention.heads
        heads = [slice(start, start + width) for start in range(0, q.shape[-1], width)]
        found = [torch.softmax(q[:, h] @ k[:, h].T / width**0.5, dim=-1) @ v[:, h] for h in heads]
        answers.append(torch.cat(found, dim=-1) @ attention.out.weight.T + attention.out.bias)
    return torch.stack(answers)


def test_it_is_multi_head_attention_over_the_valid_steps():
    attention = randomised(WideAttention(6, heads=3, head_dim=5))
    x, y = torch.randn(2, 4, 6, dtype=torch.float64), torch.randn(2, 7, 6, dtype=torch.float64)
    valid = torch.arange(7)[None] < torch.tensor([[7], [3]])
    assert_close(attention(x, y, valid), the_long_way(attention, x, y, valid))
    assert_close(attention(x, y), the_long_way(attention, x, y, torch.ones(2, 7, dtype=torch.bool)))


def test_a_bias_of_the_keys_would_change_nothing():
    """Why LN_k has none: it adds the same to all scores of a query."""
    attention = randomised(WideAttention(6, heads=2, head_dim=4))
    x, y = torch.randn(2, 3, 6, dtype=torch.float64), torch.randn(2, 5, 6, dtype=torch.float64)
    everything = torch.ones(2, 5, dtype=torch.bool)
    before = the_long_way(attention, x, y, everything)
    attention.norm_key.bias = torch.nn.Parameter(torch.randn(6, dtype=torch.float64))
    assert_close(the_long_way(attention, x, y, everything), before)


def test_what_all_clips_ask_need_be_given_but_once():
    attention = randomised(WideAttention(6, heads=2, head_dim=4))
    x, y = torch.randn(1, 3, 6, dtype=torch.float64), torch.randn(4, 5, 6, dtype=torch.float64)
    assert_close(attention(x, y), attention(x.expand(4, -1, -1), y))


def test_where_all_steps_are_alike_to_it_it_answers_with_their_mean():
    """By hand: W_q = 0, W_v = W_o = 1; normalised, (1, -1) and (3, -1) are both (1, -1), and (-2, 2) is (-1, 1)."""
    attention = WideAttention(2, heads=1, head_dim=2).double()
    with torch.no_grad():
        attention.query.weight.zero_()
        attention.value.weight.copy_(torch.eye(2))
        attention.out.weight.copy_(torch.eye(2))
        attention.out.bias.copy_(torch.tensor([10.0, 20.0]))
    y = torch.tensor([[[1.0, -1.0], [3.0, -1.0], [-2.0, 2.0]]], dtype=torch.float64)
    expected = torch.tensor([[[10 + 1 / 3, 20 - 1 / 3]]], dtype=torch.float64)
    assert_close(attention(torch.zeros(1, 1, 2, dtype=torch.float64), y), expected, atol=1e-4, rtol=0)  # eps of LN


def test_its_gradients_are_those_of_finite_differences():
    layer = randomised(WideLayer(4, heads=2, head_dim=3, hidden=5))
    x, y = torch.randn(2, 2, 4, dtype=torch.float64), torch.randn(2, 5, 4, dtype=torch.float64)
    valid = torch.tensor([[True] * 5, [True, False, True, False, False]])
    names = [name for name, _ in layer.named_parameters()]
    parameters = [p.detach().requires_grad_() for p in layer.parameters()]

    def layered(x: torch.Tensor, y: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (x, y, valid))

    assert torch.autograd.gradcheck(layered, (x.requires_grad_(), y.requires_grad_(), *parameters))


def test_a_layer_adds_attention_and_then_its_feed_forward_part():
    layer = randomised(WideLayer(6, heads=2, head_dim=4, hidden=5))
    x = torch.randn(2, 3, 6, dtype=torch.float64)
    norm, first, _, _, second, _ = layer.feedforward
    attended = x + layer.attention(x, x)
    inside = F.layer_norm(attended, (6,), norm.weight, norm.bias) @ first.weight.T + first.bias
    inside = 0.5 * inside * (1 + torch.erf(inside / 2**0.5))
    assert_close(layer(x, x), attended + inside @ second.weight.T + second.bias)
