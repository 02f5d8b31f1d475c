"""The loop: what it keeps, when it stops, what it saves, what it says."""

import json

import pytest
import torch

from msadg.batches.clips import joined
from msadg.errors import RunError
from msadg.protocols.fit import new_method, source_clips
from msadg.protocols.loop import Trainer
from msadg.protocols.observer import Observer
from msadg.protocols.run import load_run, train_run
from tests.protocols.helpers import toy_experiment


class Seen(Observer):
    def __init__(self) -> None:
        self.steps, self.reports = [], []

    def on_step(self, phase, epoch, step, losses):
        self.steps.append((phase, epoch, step, dict(losses)))

    def on_epoch(self, report):
        self.reports.append(report)


def trainer_of(experiment, **options) -> Trainer:
    train_sets = source_clips(experiment, "train")
    method = new_method(experiment, train_sets[0].feature_dims)
    return Trainer(method, joined(train_sets), source_clips(experiment, "dev"), experiment.training, seed=0, **options)


def test_training_learns_and_keeps_the_best_epoch(tmp_path):
    seen = Seen()
    trained = train_run(toy_experiment(tmp_path), tmp_path / "run", observers=[seen])
    scores = [report.score for report in seen.reports]
    assert len(scores) == 4
    assert scores[-1] > 0.6
    best = max(range(4), key=lambda epoch: (scores[epoch], -epoch))
    assert trained.state.best_epochs == [best]
    assert [report.epoch for report in seen.reports if report.is_best][-1] == best


def test_observers_see_every_loss_by_name_and_the_keep_ratios(tmp_path):
    seen = Seen()
    train_run(toy_experiment(tmp_path), tmp_path / "run", observers=[seen])
    assert set(seen.steps[0][3]) == {"text", "video", "sparsity_text", "sparsity_video", "reconstruction"}
    assert set(seen.reports[0].measurements) == {"keep_text", "keep_video", "mask_resets"}
    assert set(seen.reports[0].dev) == {"a", "b"}
    history = json.loads((tmp_path / "run" / "history.json").read_text())
    assert [entry["score"] for entry in history] == [report.score for report in seen.reports]


def test_the_kept_weights_are_those_of_the_best_epoch(tmp_path):
    class Remember(Observer):
        def __init__(self, method) -> None:
            self.method, self.best = method, {}

        def on_epoch(self, report):
            if report.is_best:
                self.best = {n: v.clone() for n, v in self.method.state_dict().items()}

    trainer = trainer_of(toy_experiment(tmp_path, training={"learning_rate": 0.1, "epochs": 6}))
    remember = Remember(trainer.method)
    trainer.observers = [remember]
    trainer.run()
    for name, value in trainer.method.state_dict().items():
        assert torch.equal(value, remember.best[name]), name


def test_patience_ends_a_phase(tmp_path):
    experiment = toy_experiment(tmp_path, training={"learning_rate": 1e-12, "epochs": 50, "patience": 2})
    state = trainer_of(experiment).run()
    assert len(state.history) == 1 + 2  # the first is best, then two without a better one


def test_fixed_epochs_keep_the_last(tmp_path):
    state = trainer_of(toy_experiment(tmp_path), fixed_epochs=[2]).run()
    assert (len(state.history), state.best_epochs) == (2, [1])


def test_staged_training_leaves_text_as_its_phase_ended(tmp_path):
    trainer = trainer_of(toy_experiment(tmp_path, settings={"schedule": "staged"}))
    after_text = {}

    class Watch(Observer):
        def on_step(self, phase, epoch, step, losses):
            if phase == "video" and not after_text:
                after_text.update({n: v.clone() for n, v in trainer.method.state_dict().items()})

    trainer.observers = [Watch()]
    state = trainer.run()
    assert [entry["phase"] for entry in state.history] == ["text"] * 4 + ["video"] * 4
    assert len(state.best_epochs) == 2
    for name, value in trainer.method.state_dict().items():
        if name.startswith(("encoders.text.", "masks.text.", "heads.text.")):
            assert torch.equal(value, after_text[name]), name
    assert set(state.history[0]["losses"]) == {"text", "sparsity_text"}


def test_what_clipping_measures_is_the_gradient_of_what_moves(tmp_path, monkeypatch):
    training = {"clip_norm": 0.05, "learning_rate": 0.1}
    trainer = trainer_of(toy_experiment(tmp_path, settings={"schedule": "staged"}, training=training))
    frozen_with_gradient = []

    def watched(parameters, norm):
        frozen_with_gradient.extend(p for p in parameters if p.grad is not None and not p.requires_grad)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", watched)
    trainer.run()
    assert frozen_with_gradient == []


def test_the_same_seed_gives_the_same_bits_and_another_does_not(tmp_path):
    experiment = toy_experiment(tmp_path)
    weights = []
    for folder, seed in (("x", 0), ("y", 0), ("z", 1)):
        torch.manual_seed(len(weights))  # whatever the caller did before
        method = train_run(_with_seed(experiment, seed), tmp_path / folder).method
        weights.append(method.heads["video"].weight)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def _with_seed(experiment, seed):
    from dataclasses import replace

    return replace(experiment, seed=seed)


def test_training_leaves_the_caller_s_random_state(tmp_path):
    experiment = toy_experiment(tmp_path)
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    train_run(experiment, tmp_path / "run")
    assert torch.equal(torch.rand(2), expected)


def test_a_loss_that_is_not_finite_stops_with_what_to_do(tmp_path):
    trainer = trainer_of(toy_experiment(tmp_path))
    with torch.no_grad():
        trainer.method.heads["text"].bias.fill_(float("nan"))
    with pytest.raises(RunError, match=r"the loss term 'text' is nan in phase all, epoch 0, step 0; lower training"):
        trainer.run()


@pytest.mark.parametrize("option", [{"clip_norm": 1e-9}, {"clip_value": 1e-12}])
def test_gradients_are_clipped(tmp_path, option: dict):
    # Adam divides by the gradient's size, so clipping is seen where a step is tiny against its epsilon.
    experiment = toy_experiment(tmp_path, "erm", training={**option, "epochs": 1})
    trainer = trainer_of(experiment)
    before = trainer.method.head.weight.clone()
    trainer.run()
    assert (trainer.method.head.weight - before).abs().max() < 1e-2


def test_half_precision_trains_too(tmp_path):
    state = trainer_of(toy_experiment(tmp_path, training={"precision": "bf16-mixed"})).run()
    assert state.history[-1]["score"] > 0.5


def test_balanced_batches_see_each_domain_alike(tmp_path):
    trainer = trainer_of(toy_experiment(tmp_path, training={"balanced_domains": True}))
    phase = trainer.method.phases()[0]
    for indices in trainer._batches(phase):
        domains = trainer.train_clips.batch(indices).domain
        assert (domains == 0).sum() == (domains == 1).sum()


def test_a_finished_run_is_loaded_instead_of_trained_again(tmp_path):
    experiment = toy_experiment(tmp_path)
    first = train_run(experiment, tmp_path / "run")
    again = train_run(experiment, tmp_path / "run", resume=True)
    assert torch.equal(first.method.heads["video"].weight, again.method.heads["video"].weight)
    assert again.state.seconds == first.state.seconds > 0
    assert not list((tmp_path / "run").glob("best-*")) and not (tmp_path / "run" / "state.safetensors").exists()
    assert load_run(tmp_path / "run").state == first.state


def test_a_run_that_was_killed_before_it_was_called_finished_goes_on(tmp_path, monkeypatch):
    experiment = toy_experiment(tmp_path, "erm", training={"epochs": 1})
    save = Trainer._save

    def killed(trainer, *arguments):
        if trainer.state.finished:
            raise KeyboardInterrupt
        save(trainer, *arguments)

    monkeypatch.setattr(Trainer, "_save", killed)
    with pytest.raises(KeyboardInterrupt):
        train_run(experiment, tmp_path / "run", observers=[Seen()])
    monkeypatch.setattr(Trainer, "_save", save)
    seen = Seen()
    again = train_run(experiment, tmp_path / "run", resume=True, observers=[seen])
    assert again.state.finished and again.state.best_epochs == [0]
    assert seen.steps == []
