"""The mean of the weights: its formula, and that it is what is scored, kept and gone on with."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from msadg.errors import SettingsError
from msadg.protocols.averaging import RunningMean
from msadg.protocols.observer import Observer
from msadg.protocols.run import train_run
from msadg.protocols.training import TrainingConfig
from tests.methods.helpers import tiny_batch, tiny_method
from tests.protocols.helpers import toy_experiment
from tests.protocols.test_loop import trainer_of


def test_the_mean_follows_its_formula():
    method = tiny_method("erm")
    mean = RunningMean(method, decay=0.3)
    seen, expected = [], None
    for step in range(6):
        with torch.no_grad():
            method.head.bias.copy_(torch.tensor([float(step), -step, step**2]))
        seen.append(method.head.bias.clone())
        mean.update(method)
        beta = min(0.3, (1 + step) / (10 + step))
        expected = seen[0] if expected is None else beta * expected + (1 - beta) * seen[-1]
        assert_close(mean.method.head.bias.detach(), expected)
    assert_close(method.head.bias.detach(), seen[-1])  # the weights themselves are left alone


def test_a_decay_of_0_is_the_latest_weights():
    method = tiny_method("erm")
    mean = RunningMean(method, decay=0.0)
    for value in (1.0, 2.0):
        with torch.no_grad():
            method.head.bias.fill_(value)
        mean.update(method)
    assert_close(mean.method.head.bias.detach(), torch.full((3,), 2.0))


def test_beside_frozen_weights_the_others_have_the_mean_that_they_have_without():
    methods = [tiny_method("erm"), tiny_method("erm")]
    methods[1].encoders.requires_grad_(False)
    means = [RunningMean(method, decay=0.3) for method in methods]
    for step in range(3):
        for method, mean in zip(methods, means, strict=True):
            with torch.no_grad():
                method.head.bias.fill_(float(step))
            mean.update(method)
    for (name, one), other in zip(means[0].method.named_parameters(), means[1].method.parameters(), strict=True):
        assert torch.equal(one, other), name


def test_buffers_are_the_latest_though_they_have_grown():
    """Group DRO's: it begins without any domain and meets two."""
    method, batch = tiny_method("groupdro").train(), replace(tiny_batch(), domain=torch.tensor([0, 0, 1, 1]))
    mean = RunningMean(method, decay=0.9)
    for _ in range(2):
        method.loss(method(batch), batch)
        method.after_step()
        mean.update(method)
    assert len(method.log_weights) == 2
    assert torch.equal(mean.method.log_weights, method.log_weights)
    again = RunningMean(tiny_method("groupdro"), decay=0.9)
    again.load_state_dict(mean.state_dict())
    assert torch.equal(again.method.log_weights, method.log_weights)


def test_the_mean_is_what_is_kept(tmp_path):
    class Remember(Observer):
        kept = None

        def on_epoch(self, report):
            if report.is_best:
                self.kept = {n: v.clone() for n, v in trainer._mean.method.state_dict().items()}
                self.latest = {n: v.clone() for n, v in trainer.method.state_dict().items()}

    remember = Remember()
    trainer = trainer_of(toy_experiment(tmp_path, training={"averaging": "ema"}), observers=[remember])
    trainer.run()
    final = trainer.method.state_dict()
    assert all(torch.equal(value, remember.kept[name]) for name, value in final.items())
    assert any(not torch.equal(value, remember.latest[name]) for name, value in final.items())


def test_stopped_and_gone_on_with_the_weights_are_the_same_bits(tmp_path):
    class Stop(Observer):
        def on_step(self, phase, epoch, step, losses):
            if (epoch, step) == (1, 6):
                raise KeyboardInterrupt

    experiment = toy_experiment(tmp_path / "data", training={"averaging": "ema", "checkpoint_steps": 5})
    whole = train_run(experiment, tmp_path / "whole").method.state_dict()
    with pytest.raises(KeyboardInterrupt):
        train_run(experiment, tmp_path / "run", observers=[Stop()])
    resumed = train_run(experiment, tmp_path / "run", resume=True).method.state_dict()
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_runs_without_it_keep_their_keys(tmp_path):
    training = toy_experiment(tmp_path).training_identity()["training"]
    assert not {"averaging", "averaging_decay"} & set(training)
    training = toy_experiment(tmp_path, training={"averaging": "ema"}).training_identity()["training"]
    assert training["averaging_decay"] == 0.999


@pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan")])
def test_a_decay_that_is_no_share_is_refused(decay: float):
    with pytest.raises(SettingsError, match="averaging_decay"):
        TrainingConfig(averaging_decay=decay)


def test_what_training_alone_measures_is_reported_beside_what_the_mean_measures(tmp_path):
    settings = {"dim": 8, "heads": 2}
    training = {"epochs": 1, "averaging": "ema"}
    trained = train_run(
        toy_experiment(tmp_path, "invariant_fusion", settings=settings, training=training), tmp_path / "r"
    )
    assert {"gate_video", "spread_text", "spread_video"} <= set(trained.state.history[0]["measurements"])
