"""A run on several devices: what one would have learned. Here they are processes on the CPU."""

import dataclasses
import json
import os
import signal
import threading

import numpy as np
import pytest
import torch
import torch.multiprocessing as mp

from msadg.errors import RunError, UsageError
from msadg.protocols.evaluate import predict_logits
from msadg.protocols.fit import source_clips
from msadg.protocols.observer import Observer
from msadg.protocols.run import load_run, train_run
from msadg.protocols.training import TrainingConfig, resolved_num_devices
from tests.protocols.helpers import toy_experiment

NARROW = {"dim": 8, "heads": 2, "dropout": 0.0}


class Seen(Observer):
    def __init__(self) -> None:
        self.told = []

    def on_start(self, phases, epochs, steps_per_epoch):
        self.told.append(("start", phases, epochs, steps_per_epoch))

    def on_step(self, phase, epoch, step, losses):
        self.told.append(("step", epoch, step, dict(losses)))

    def on_epoch(self, report):
        self.told.append(("epoch", report.epoch, report.score))

    def on_end(self, history):
        self.told.append(("end", len(history)))


def pair(folder, method: str, **training):
    """The same experiment on one device and on two."""
    kept = {"epochs": 2, "batch_size": 7, "device": "cpu"} | training
    return [toy_experiment(folder, method, settings=NARROW, training=kept | {"devices": number}) for number in (1, 2)]


@pytest.mark.slow
def test_two_processes_learn_what_one_does(tmp_path, capfd):
    """With a loss that is no mean over clips; for every other method, see ``test_crew``."""
    one, two = pair(tmp_path / "data", "coral", balanced_domains=True, clip_norm=1.0)
    assert one.training_key() == two.training_key()  # where it was computed does not decide what is learned
    seen_by_one, seen_by_two = Seen(), Seen()
    alone = train_run(one, tmp_path / "one", observers=[seen_by_one])
    before = dict(os.environ)
    together = train_run(two, tmp_path / "two", observers=[seen_by_two])
    assert dict(os.environ) == before
    assert [told[:3] for told in seen_by_one.told if told[0] != "epoch"] == [
        told[:3] for told in seen_by_two.told if told[0] != "epoch"
    ]
    for mine, other in zip(alone.state.history, together.state.history, strict=True):
        assert other["losses"] == pytest.approx(mine["losses"], abs=1e-5)
        assert other["score"] == pytest.approx(mine["score"], abs=1e-5)
    for clips in source_clips(one, "test"):
        mine, other = (predict_logits(run.method, clips)["logits"] for run in (alone, together))
        np.testing.assert_allclose(other, mine, atol=1e-4)
    assert json.loads((tmp_path / "two" / "history.json").read_text()) == together.state.history
    assert sorted(p.name for p in (tmp_path / "one").iterdir()) == sorted(p.name for p in (tmp_path / "two").iterdir())
    assert capfd.readouterr() == ("", "")
    assert load_run(tmp_path / "two").state.best_epochs == together.state.best_epochs


class KilledWorker(Observer):
    """Ends one of the processes of the run after so many steps."""

    def __init__(self, after: int) -> None:
        self.left = after

    def on_step(self, phase, epoch, step, losses):
        self.left -= 1
        if self.left == 0:
            os.kill(mp.active_children()[-1].pid, signal.SIGKILL)


@pytest.mark.slow
def test_a_run_whose_process_died_goes_on_to_the_same_bits(tmp_path):
    """Dropout too: each process draws its own, by the step's name. So does the mean of the weights."""
    _, two = pair(tmp_path / "data", "erm", checkpoint_steps=2, averaging="ema")
    two = dataclasses.replace(two, method=dataclasses.replace(two.method, settings=NARROW | {"dropout": 0.3}))
    whole = train_run(two, tmp_path / "whole")
    with pytest.raises(RunError, match=r"one of the 2 processes of a run died: .*SIGKILL.*--resume"):
        train_run(two, tmp_path / "run", observers=[KilledWorker(after=5)])
    resumed = train_run(two, tmp_path / "run", resume=True)
    for name, value in whole.method.state_dict().items():
        assert torch.equal(resumed.method.state_dict()[name], value), name
    assert resumed.state.history == whole.state.history


class Interrupting(Observer):
    """Sends this process alone what Ctrl-C does, at the first step.

    To its main thread, which waits for the others: the process as a whole may get it in another, which wakes nobody.
    """

    def on_step(self, phase, epoch, step, losses):
        if (epoch, step) == (0, 1):
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


@pytest.mark.slow
def test_where_the_run_was_asked_for_and_is_interrupted_nobody_trains_on(tmp_path):
    _, two = pair(tmp_path / "data", "erm", epochs=2000)
    before = set(mp.active_children())
    with pytest.raises(KeyboardInterrupt):
        train_run(two, tmp_path / "run", observers=[Interrupting()])
    assert not set(mp.active_children()) - before


@pytest.mark.slow
def test_an_error_in_a_process_is_raised_where_the_run_was_asked_for(tmp_path):
    _, two = pair(tmp_path / "data", "erm", learning_rate=1e30)
    with pytest.raises(RunError, match=r"the loss term 'task' is .* lower training.learning_rate"):
        train_run(two, tmp_path / "run")


def test_all_devices_of_a_cpu_are_one(monkeypatch):
    assert resolved_num_devices(TrainingConfig(device="cpu", devices="auto")) == 1
    assert resolved_num_devices(TrainingConfig(device="cpu", devices=3)) == 3
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert resolved_num_devices(TrainingConfig(devices="auto")) == 4
    assert resolved_num_devices(TrainingConfig()) == 1
    with pytest.raises(UsageError, match=r"training.devices = 5, but torch sees 4 CUDA devices here; .*--gpus-per-run"):
        resolved_num_devices(TrainingConfig(devices=5))
