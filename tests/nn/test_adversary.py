"""The margin softmax by hand, the reversed gradient by its sign."""

import math

import pytest
import torch
from torch.testing import assert_close

from msadg.nn.adversary import CosineMarginSoftmax, ModalityDiscriminator, reverse_gradient


def softmax_of(weight: list[list[float]], scale: float = 30.0, margin: float = 0.5) -> CosineMarginSoftmax:
    module = CosineMarginSoftmax(len(weight[0]), len(weight), scale, margin)
    with torch.no_grad():
        module.weight.copy_(torch.tensor(weight))
    return module


@pytest.mark.parametrize("length", [1.0, 5.0])
def test_only_directions_count_and_the_true_class_has_to_win_by_the_margin(length: float):
    # Cosines with (1, 0) and (0, 1) are .6 and .8; class 0 is true: logits 2 (.6 - .5) and 2 (.8).
    module = softmax_of([[2.0, 0.0], [0.0, 0.5]], scale=2.0)
    losses = module(length * torch.tensor([[0.6, 0.8], [0.6, 0.8]]), torch.tensor([0, 1]))
    assert_close(losses, torch.tensor([math.log(1 + math.exp(1.6 - 0.2)), math.log(1 + math.exp(1.2 - 0.6))]))


def test_without_a_margin_it_is_the_cross_entropy_of_scaled_cosines():
    module, features, target = CosineMarginSoftmax(4, 3, 30.0, 0.0), torch.randn(6, 4), torch.arange(6) % 3
    cosine = torch.nn.functional.cosine_similarity(features[:, None], module.weight[None], dim=-1)
    expected = torch.nn.functional.cross_entropy(30 * cosine, target, reduction="none")
    assert_close(module(features, target), expected, atol=1e-5, rtol=1e-5)


def test_features_of_length_zero_are_finite_in_value_and_gradient():
    features = torch.zeros(1, 2, requires_grad=True)
    loss = softmax_of([[1.0, 0.0], [0.0, 1.0]])(features, torch.tensor([0]))
    assert_close(loss, torch.tensor([math.log(1 + math.exp(15.0))]))
    loss.sum().backward()
    assert features.grad.isfinite().all()


def test_the_margin_s_gradient_is_that_of_finite_differences():
    module = CosineMarginSoftmax(3, 3, 2.0, 0.5).double()
    features = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    target = torch.tensor([0, 1, 2, 0])
    assert torch.autograd.gradcheck(lambda x, w: _with_weight(module, x, w, target), (features, module.weight))


def _with_weight(module, features, weight, target):
    return torch.func.functional_call(module, {"weight": weight}, (features, target))


def test_reversal_keeps_the_values_and_turns_the_gradient_round():
    values = torch.tensor([1.0, -2.0], requires_grad=True)
    reversed_ = reverse_gradient(values)
    assert torch.equal(reversed_, values)
    (reversed_ * torch.tensor([3.0, 5.0])).sum().backward()
    assert_close(values.grad, torch.tensor([-3.0, -5.0]))


def test_the_discriminator_averages_over_the_codes_that_are_there():
    torch.manual_seed(0)
    discriminator = ModalityDiscriminator(4, 3, dropout=0.0)
    codes, present = torch.rand(2, 3, 4), torch.tensor([[True, True, False], [True, False, False]])
    hidden = discriminator.hidden(codes)
    rows = [(0, 0), (0, 1), (1, 0)]
    expected = torch.stack([discriminator.classifier(hidden[r], torch.tensor(r[1])) for r in rows]).mean()
    assert_close(discriminator(codes, present), expected)
    assert discriminator(codes, torch.zeros(2, 3, dtype=torch.bool)) == 0
