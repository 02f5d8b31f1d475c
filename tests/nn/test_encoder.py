"""The encoder of one modality."""

import math

import torch
from torch.testing import assert_close

from msadg.nn.encoder import Projector, StepEncoder, StepTransformer, sinusoidal_positions


def test_positions_are_the_published_sinusoids():
    table = sinusoidal_positions(3, 4)
    expected = [math.sin(2), math.cos(2), math.sin(2 / 100), math.cos(2 / 100)]
    assert_close(table[2], torch.tensor(expected))


def test_invalid_steps_come_out_as_zero_and_change_no_valid_one():
    torch.manual_seed(0)
    encoder = StepEncoder(5, 8, heads=2).eval()
    short = torch.randn(1, 3, 5)
    long = torch.cat([short, torch.full((1, 2, 5), 1e3)], dim=1)
    valid = torch.tensor([[True, True, True, False, False]])
    encoded = encoder(long, valid)
    assert_close(encoded[:, :3], encoder(short, valid[:, :3]))
    assert torch.equal(encoded[:, 3:], torch.zeros(1, 2, 8))


def test_without_layers_and_with_the_identity_nothing_changes():
    encoder = StepEncoder(4, 4, layers=0, projection="identity")
    features = torch.randn(2, 3, 4)
    assert torch.equal(encoder(features, torch.ones(2, 3, dtype=torch.bool)), features)
    assert not list(encoder.parameters())


def test_one_linear_layer_is_the_linear_projection():
    projector = Projector(3, 2, "linear")
    features = torch.randn(5, 3)
    assert_close(projector(features), features @ projector[0].weight.T + projector[0].bias)


def test_a_clip_without_valid_steps_has_a_finite_gradient():
    transformer = StepTransformer(4, heads=2)
    features = torch.randn(1, 2, 4, requires_grad=True)
    transformer(features, torch.zeros(1, 2, dtype=torch.bool)).sum().backward()
    assert features.grad.isfinite().all()


def test_scaled_features_have_mean_0_and_spread_1_and_are_cut_far_out():
    projector = Projector(2, 2, "identity")
    projector.scale(torch.tensor([-30.0, 0.5]), torch.tensor([10.0, 0.0]))
    features = torch.tensor([[-20.0, 1.5], [-30.0, 0.5], [1e6, -1e6]])
    assert_close(projector(features), torch.tensor([[1.0, 1.0], [0.0, 0.0], [10.0, -10.0]]))
