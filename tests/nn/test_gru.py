"""The recurrence for a processor, against torch's own."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from msadg.nn.gru import gru_states


@pytest.mark.parametrize(("batch", "time"), [(3, 7), (1, 1), (2, 40)])
def test_states_and_gradients_are_those_of_torch(batch: int, time: int):
    torch.manual_seed(0)
    gru = nn.GRU(4, 5, batch_first=True)
    weights = torch.randn(batch, time, 5)
    found = []
    for states_of in (lambda x: gru(x)[0], lambda x: gru_states(gru, x)):
        gru.zero_grad()
        steps = torch.randn(batch, time, 4, generator=torch.Generator().manual_seed(1)).requires_grad_()
        states = states_of(steps)
        (states * weights).sum().backward()
        found.append([states.detach(), steps.grad, *(p.grad.clone() for p in gru.parameters())])
    for theirs, ours in zip(*found, strict=True):
        assert_close(ours, theirs, atol=2e-6, rtol=1e-5)


def test_the_gradient_is_that_of_finite_differences():
    torch.manual_seed(0)
    gru = nn.GRU(2, 3, batch_first=True).double()
    steps = torch.randn(2, 4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, *_: gru_states(gru, x), (steps, *gru.parameters()))
