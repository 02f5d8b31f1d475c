"""Learning rates and groups in numbers."""

import math

import pytest
import torch
from torch import nn

from msadg.errors import SettingsError, UsageError
from msadg.protocols.training import (
    TrainingConfig,
    learning_rate_factor,
    make_optimizer,
    resolved_device,
    set_learning_rate,
)


def test_warm_up_is_linear_over_its_epochs_then_constant():
    config = TrainingConfig(warmup_epochs=2.0)
    factors = [learning_rate_factor(config, step, steps_per_epoch=5) for step in range(12)]
    assert factors == pytest.approx([0.1 * (step + 1) for step in range(10)] + [1.0, 1.0])


def test_cosine_decay_goes_from_the_peak_to_nothing():
    config = TrainingConfig(warmup_epochs=0.0, epochs=4, decay="cosine")
    assert learning_rate_factor(config, 0, 10) == 1.0
    assert learning_rate_factor(config, 20, 10) == pytest.approx(0.5)
    assert learning_rate_factor(config, 39, 10) == pytest.approx(0.5 * (1 + math.cos(math.pi * 39 / 40)))


def test_the_longest_prefix_decides_the_learning_rate_and_vectors_do_not_decay():
    module = nn.ModuleDict({"masks": nn.Linear(2, 2), "rest": nn.Linear(2, 2)})
    config = TrainingConfig(weight_decay=0.1)
    optimizer = make_optimizer(module.named_parameters(), {"": 1.0, "masks.": 10.0, "masks.weight": 3.0}, config)
    set_learning_rate(optimizer, 1e-3)
    found = {}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            name = next(n for n, p in module.named_parameters() if p is parameter)
            found[name] = (group["lr"], group["weight_decay"])
    assert found["masks.weight"] == (pytest.approx(3e-3), 0.1)
    assert found["masks.bias"] == (pytest.approx(1e-2), 0.0)
    assert found["rest.weight"] == (pytest.approx(1e-3), 0.1)
    assert found["rest.bias"] == (pytest.approx(1e-3), 0.0)


def test_the_optimiser_is_adam():
    torch.manual_seed(0)
    ours, reference = nn.Linear(3, 1), nn.Linear(3, 1)
    reference.load_state_dict(ours.state_dict())
    optimizer = make_optimizer(ours.named_parameters(), {}, TrainingConfig())
    set_learning_rate(optimizer, 1e-2)
    adam = torch.optim.Adam(reference.parameters(), 1e-2)
    for step in range(3):
        features = torch.full((4, 3), float(step + 1))
        for module, opt in ((ours, optimizer), (reference, adam)):
            opt.zero_grad()
            module(features).square().sum().backward()
            opt.step()
    torch.testing.assert_close(ours.weight, reference.weight)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_device_that_is_not_there_says_so():
    assert resolved_device("auto") == "cpu"
    with pytest.raises(UsageError, match="torch sees no CUDA device"):
        resolved_device("cuda")


@pytest.mark.parametrize(
    "wrong", [{"learning_rate": 0.0}, {"batch_size": 0}, {"epochs": -1}, {"clip_norm": 0.0}, {"warmup_epochs": -1.0}]
)
def test_a_setting_out_of_range_is_refused(wrong: dict):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        TrainingConfig(**wrong)
