"""The layer that is written for speed, against torch's own Transformer layer and attention."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from msadg.nn.step_layer import StepLayer, self_attention

COUNTS = torch.tensor([[5], [3], [1]])
PADDING = torch.arange(5) >= COUNTS


def pair(dropout: float = 0.0) -> tuple[StepLayer, nn.TransformerEncoderLayer]:
    torch.manual_seed(0)
    theirs = nn.TransformerEncoderLayer(8, 2, 32, dropout, "gelu", batch_first=True, norm_first=True)
    ours = StepLayer(8, 2, dropout)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


@pytest.mark.parametrize("training", [True, False])
def test_it_computes_what_torch_s_layer_does(training: bool):
    ours, theirs = pair()
    ours.train(training)
    found = []
    for layer, limits in ((ours, (COUNTS,)), (theirs.train(), (None, PADDING))):
        steps = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(1)).requires_grad_()
        out = layer(steps, *limits) * ~PADDING[..., None]
        out.square().sum().backward()
        found.append([out.detach(), steps.grad])
    for expected, value in zip(found[1], found[0], strict=True):
        assert_close(value, expected, atol=1e-5, rtol=1e-5)


def test_it_begins_with_the_values_that_torch_s_layer_begins_with():
    torch.manual_seed(3)
    theirs = nn.TransformerEncoderLayer(8, 2, 32, 0.1, "gelu", batch_first=True, norm_first=True).state_dict()
    torch.manual_seed(3)
    ours = StepLayer(8, 2, 0.1).state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


def test_dropout_acts_in_training_alone_and_leaves_the_mean():
    layer, _ = pair(dropout=0.5)
    steps = torch.randn(3, 5, 8)
    assert torch.equal(layer.eval()(steps, COUNTS), layer(steps, COUNTS))
    layer.train()
    assert not torch.equal(layer(steps, COUNTS), layer(steps, COUNTS))


def test_attention_over_all_steps_needs_no_mask():
    torch.manual_seed(0)
    attention = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    steps = torch.randn(3, 5, 8)
    expected, _ = attention(steps, steps, steps, need_weights=False)
    assert_close(self_attention(attention, steps, torch.full((3, 1), 5)), expected)
