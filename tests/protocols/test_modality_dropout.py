"""Training with modality dropout: it changes the weights, and a stopped run goes on to the same ones."""

import pytest
import torch

from msadg.errors import SettingsError
from msadg.protocols.observer import Observer
from msadg.protocols.run import load_run, train_run
from msadg.protocols.training import TrainingConfig
from tests.protocols.helpers import toy_experiment


class StopsAt(Observer):
    def __init__(self, epoch: int, step: int) -> None:
        self.moment = (epoch, step)

    def on_step(self, phase, epoch, step, losses):
        if (epoch, step) == self.moment:
            raise KeyboardInterrupt


def weights(folder) -> dict[str, torch.Tensor]:
    return load_run(folder).method.state_dict()


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, b[name]) for name, value in a.items())


def test_a_run_stopped_in_the_middle_of_an_epoch_goes_on_to_the_same_bits(tmp_path):
    training = {"epochs": 2, "modality_dropout": 0.5, "checkpoint_steps": 3}
    experiment = toy_experiment(tmp_path, training=training)
    train_run(experiment, tmp_path / "straight")
    with pytest.raises(KeyboardInterrupt):
        train_run(experiment, tmp_path / "stopped", observers=[StopsAt(1, 8)])
    train_run(experiment, tmp_path / "stopped", resume=True)
    assert same(weights(tmp_path / "straight"), weights(tmp_path / "stopped"))
    train_run(toy_experiment(tmp_path, training={"epochs": 2}), tmp_path / "without")
    assert not same(weights(tmp_path / "straight"), weights(tmp_path / "without"))


def test_a_method_that_reads_one_of_several_modalities_never_loses_it(tmp_path):
    for name, dropout in (("with", 1.0), ("without", 0.0)):
        training = {"epochs": 1, "modality_dropout": dropout}
        experiment = toy_experiment(tmp_path, "erm", settings={"modalities": ["text"]}, training=training)
        train_run(experiment, tmp_path / name)
    assert same(weights(tmp_path / "with"), weights(tmp_path / "without"))


@pytest.mark.parametrize("wrong", [-0.1, 1.5, float("nan")])
def test_a_probability_outside_its_range_is_refused(wrong: float):
    with pytest.raises(SettingsError, match="modality_dropout"):
        TrainingConfig(modality_dropout=wrong)
