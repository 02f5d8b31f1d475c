"""Masks against Eq. 6-13 of the paper, worked by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis.strategies import floats, lists
from torch.testing import assert_close

from msadg.nn.mask import DenseScale, FixedMask, LearnableMask, MaskedLinear, UnitStep, make_mask


def mask_of(weight: list[float], threshold: list[float]) -> LearnableMask:
    mask = LearnableMask(len(weight))
    with torch.no_grad():
        mask.weight.copy_(torch.tensor(weight))
        mask.threshold.copy_(torch.tensor(threshold))
    return mask


def test_mask_zeroes_exactly_the_weights_below_the_threshold():
    mask = mask_of(weight=[0.4, -0.6, 2.0], threshold=[0.5, 0.5, 0.5])
    assert_close(mask(torch.ones(1, 3)), torch.tensor([[0.0, -0.6, 2.0]]))
    assert_close(mask.complement, torch.tensor([0.4, 0.0, 0.0]))
    assert mask.keep_ratio() == pytest.approx(2 / 3)


def test_step_is_one_at_zero():
    assert UnitStep.apply(torch.tensor([-1e-7, 0.0, 1e-7])).tolist() == [0.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("margin", "slope"), [(0.0, 2.0), (-0.25, 1.0), (0.4, 0.4), (0.7, 0.4), (-1.0, 0.4), (1.0, 0.4), (1.5, 0.0)]
)
def test_step_gradient_is_the_published_slope(margin: float, slope: float):
    x = torch.tensor([margin], dtype=torch.float64, requires_grad=True)
    UnitStep.apply(x).sum().backward()
    assert_close(x.grad, torch.tensor([slope], dtype=torch.float64))


def test_mask_gradients_are_those_of_the_chain_rule():
    # dm/dr = p + r step'(|r| - s) sign(r);  dm/ds = -r step'(|r| - s)
    mask = mask_of(weight=[0.9, -0.3, 0.5], threshold=[0.7, 0.4, 0.4])
    mask.mask.sum().backward()
    slopes = [2 - 4 * 0.2, 2 - 4 * 0.1, 2 - 4 * 0.1]
    by_weight = [1 + 0.9 * slopes[0], 0 + -0.3 * slopes[1] * -1, 1 + 0.5 * slopes[2]]
    by_threshold = [-0.9 * slopes[0], 0.3 * slopes[1], -0.5 * slopes[2]]
    assert_close(mask.weight.grad, torch.tensor(by_weight))
    assert_close(mask.threshold.grad, torch.tensor(by_threshold))


def test_a_fresh_mask_is_the_identity():
    features = torch.randn(4, 7)
    assert torch.equal(LearnableMask(7)(features), features)


def test_sparsity_is_the_sum_of_exp_of_minus_the_thresholds():
    mask = mask_of(weight=[1.0, 1.0], threshold=[0.0, math.log(2)])
    assert_close(mask.penalty(), torch.tensor(1.5))
    mask.penalty().backward()
    assert_close(mask.threshold.grad, torch.tensor([-1.0, -0.5]))


@settings(deadline=None)
@given(
    weight=lists(floats(-3, 3, width=32), min_size=4, max_size=4),
    low=floats(0, 1, width=32),
    rise=floats(0, 1, width=32),
)
def test_raising_the_threshold_never_lets_a_feature_back(weight: list[float], low: float, rise: float):
    before = mask_of(weight, [low] * 4).mask == 0
    after = mask_of(weight, [low + rise] * 4).mask == 0
    assert not (before & ~after).any()


def test_a_mask_that_keeps_one_percent_or_less_is_opened_again():
    mask = mask_of([1.0] * 100, [2.0] * 99 + [0.5])
    assert mask.reset_if_empty()
    assert mask.keep_ratio() == 1.0
    almost = mask_of([1.0] * 100, [2.0] * 98 + [0.5] * 2)
    assert not almost.reset_if_empty()
    assert almost.keep_ratio() == pytest.approx(0.02)


def test_the_l1_control_penalises_the_weights_and_the_dense_one_nothing():
    for mask, expected in ((DenseScale(2, l1=True), 3.5), (DenseScale(2), 0.0)):
        with torch.no_grad():
            mask.weight.copy_(torch.tensor([-1.5, 2.0]))
        assert_close(mask.penalty(), torch.tensor(expected))
        assert_close(mask(torch.ones(2)), torch.tensor([-1.5, 2.0]))


def test_a_random_mask_keeps_its_share_and_depends_on_its_seed_alone():
    masks = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        masks.append(FixedMask(64, keep_ratio=0.25))
    mask = masks[0]
    assert mask.keep_ratio() == 0.25
    assert torch.equal(mask.mask, masks[1].mask)
    assert not torch.equal(mask.mask, masks[2].mask)
    assert torch.equal(mask.mask + mask.complement, torch.ones(64))


def test_masked_weights_follow_the_threshold_of_their_row():
    layer = MaskedLinear(2, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.3, -0.8], [0.3, 0.1]]))
        layer.bias.zero_()
        layer.threshold.copy_(torch.tensor([0.5, 0.2]))
    assert_close(layer(torch.ones(1, 2)), torch.tensor([[-0.8, 0.3]]))
    assert layer.keep_ratio() == 0.5
    assert_close(layer.penalty(), torch.tensor(math.exp(-0.5) + math.exp(-0.2)))


def test_no_mask_changes_nothing():
    features = torch.randn(3, 5)
    assert torch.equal(make_mask("none", 5)(features), features)
