import pytest
import torch
from torch.testing import assert_close

from msadg.nn.dropout import drop_level, dropped, keep_share, relu_dropped


@pytest.mark.parametrize(("rate", "level"), [(0.25, 64), (0.1, 26), (0.0, 0), (0.999, 255)])
def test_a_rate_is_rounded_to_bytes(rate: float, level: int):
    assert drop_level(rate) == level


def test_what_stays_is_scaled_by_the_rounded_share_and_the_rest_is_zero():
    torch.manual_seed(0)
    kept = dropped(torch.full((400, 500), 2.0), 0.1, training=True)
    assert set(kept.unique().tolist()) == {0.0, torch.tensor(2 / (230 / 256)).item()}
    assert (kept == 0).float().mean().item() == pytest.approx(26 / 256, abs=0.003)
    assert kept.mean().item() == pytest.approx(2, abs=0.01)


def test_neighbours_are_dropped_independently():
    torch.manual_seed(0)
    gone = dropped(torch.ones(100_001), 0.25, training=True) == 0
    for distance in (1, 2, 8):
        both = (gone[:-distance] & gone[distance:]).float().mean().item()
        assert both == pytest.approx(0.25**2, abs=0.004)


def test_nothing_is_dropped_outside_training():
    values = torch.randn(5)
    assert dropped(values, 0.5, training=False) is values
    assert torch.equal(relu_dropped(values, 0.5, training=False), values.relu())


def test_the_random_state_decides_what_is_dropped():
    values = torch.ones(64)
    torch.manual_seed(3)
    first, other = dropped(values, 0.5, training=True), dropped(values, 0.5, training=True)
    torch.manual_seed(3)
    assert torch.equal(dropped(values, 0.5, training=True), first)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("function", [dropped, relu_dropped])
def test_gradients_are_those_of_finite_differences(function):
    values = torch.randn(3, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()

    def same_draw(x: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(1)
        return function(x, 0.3, True)

    assert torch.autograd.gradcheck(same_draw, values)


def test_relu_and_dropout_in_one_are_both_after_another():
    values = torch.randn(40, 9)
    torch.manual_seed(2)
    expected = dropped(values.relu(), 0.3, training=True)
    torch.manual_seed(2)
    assert_close(relu_dropped(values, 0.3, training=True), expected)
    assert keep_share(drop_level(0.3)) == 179 / 256
