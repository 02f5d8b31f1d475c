"""Loss terms that join later (``Phase.starts``; MAD's two stages), what may then be kept, and going on after a kill."""

from itertools import pairwise

import pytest
import torch

from msadg.batches.clips import joined
from msadg.protocols.fit import new_method, source_clips
from msadg.protocols.loop import Trainer
from msadg.protocols.observer import Observer
from msadg.protocols.run import train_run
from msadg.protocols.selection import best_common_epochs
from tests.protocols.helpers import toy_experiment

NARROW = {"ridg": {"dim": 8, "heads": 2, "momentum": 0.1, "weight": 0.1}}
NARROW["mad"] = {"dim": 8, "heads": 2, "heads_per_class": 3}


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the loop catches it."""


class Watch(Observer):
    """Keeps the general branch's bias after each step; dies at the steps that it is told."""

    def __init__(self, trainer: Trainer, die_at: tuple[int, int] | None = None) -> None:
        self.trainer, self.die_at, self.biases, self.terms = trainer, die_at, {}, {}

    def on_step(self, phase, epoch, step, losses):
        self.biases[epoch, step] = self.trainer.method.head.bias.detach().clone()
        self.terms[epoch, step] = dict(losses)
        if (epoch, step) == self.die_at:
            raise Killed


def trainer_of(folder, method: str, *, run=None, settings=None, **training: object) -> Trainer:
    experiment = toy_experiment(folder, method, settings=NARROW[method] | (settings or {}), training=training)
    train_sets = source_clips(experiment, "train")
    return Trainer(
        new_method(experiment, train_sets[0].feature_dims),
        joined(train_sets),
        source_clips(experiment, "dev"),
        experiment.training,
        seed=0,
        folder=run,
    )


def watched(trainer: Trainer, die_at: tuple[int, int] | None = None) -> Watch:
    watch = Watch(trainer, die_at)
    trainer.observers = [watch]
    return watch


def test_a_term_joins_at_its_share_of_the_steps_and_is_logged_from_the_first(tmp_path):
    """Of 4 epochs of 12 steps, 0.3 are 14.4: the task is learned from the fourth step of the second epoch on."""
    trainer = trainer_of(tmp_path, "mad", settings={"stage_1_share": 0.3})
    watch = watched(trainer)
    initial = trainer.method.head.bias.detach().clone()
    trainer.run()
    moved = [place for (_, old), (place, new) in pairwise(watch.biases.items()) if not torch.equal(old, new)]
    assert moved[0] == (1, 4) and len(moved) == 48 - 15
    assert torch.equal(watch.biases[0, 1], initial)
    assert all(set(terms) == {"task", "biased", "orthogonality"} for terms in watch.terms.values())


def test_no_epoch_that_ends_in_the_first_stage_is_kept_however_it_scores(tmp_path):
    # With this rate nothing moves, so all epochs score the same and the first candidate stays the best.
    state = trainer_of(tmp_path, "mad", settings={"stage_1_share": 0.5}, learning_rate=1e-12).run()
    assert state.best_epochs == [2]
    assert [entry["is_best"] for entry in state.history] == [False, False, True, False]
    assert [entry.get("is_candidate", True) for entry in state.history] == [False, False, True, True]
    plain = trainer_of(tmp_path, "ridg", learning_rate=1e-12).run()
    assert plain.best_epochs == [0] and not any("is_candidate" in entry for entry in plain.history)


def test_patience_counts_from_the_first_candidate(tmp_path):
    training = {"learning_rate": 1e-12, "epochs": 50, "patience": 2}
    state = trainer_of(tmp_path, "mad", settings={"stage_1_share": 0.1}, **training).run()
    assert len(state.history) == 5 + 1 + 2  # five in the first stage, the best, two without a better one


def test_epochs_of_the_first_stage_are_not_counted_on_by_leaving_one_source_out():
    run = [{"phase": "all", "score": 0.9, "is_candidate": False}]
    run += [{"phase": "all", "score": score} for score in (0.1, 0.3, 0.2)]
    assert best_common_epochs([run, run]) == [3]


def test_leaving_one_source_out_trains_past_the_first_stage(tmp_path):
    settings = NARROW["mad"] | {"stage_1_share": 0.5}
    experiment = toy_experiment(tmp_path, "mad", settings=settings, selection="leave_one_source_out")
    trained = train_run(experiment, tmp_path / "run")
    assert len(trained.state.history) >= 3 and trained.state.history[-1]["is_best"]


@pytest.mark.parametrize("method", ["mad", "ridg"])
def test_killed_in_either_stage_and_resumed_the_run_is_the_same_bits(tmp_path, method: str):
    options = {"checkpoint_steps": 5} | ({"settings": {"stage_1_share": 0.3}} if method == "mad" else {})
    whole = trainer_of(tmp_path, method, run=_folder(tmp_path, "whole"), **options)
    expected = whole.run()
    for die_at in ((0, 7), (1, 3), (1, 9), (3, 12)):
        trainer = trainer_of(tmp_path, method, run=_folder(tmp_path, "killed"), **options)
        watched(trainer, die_at)
        with pytest.raises(Killed):
            trainer.run()
    last = trainer_of(tmp_path, method, run=_folder(tmp_path, "killed"), **options)
    found = last.run()
    assert found.history == expected.history and found.best_epochs == expected.best_epochs
    for name, value in whole.method.state_dict().items():
        assert torch.equal(last.method.state_dict()[name], value), name
    if method == "ridg":
        assert last.method.bank.met.all()


def _folder(parent, name: str):
    (parent / name).mkdir(exist_ok=True)
    return parent / name
