"""Runs of methods that compare source domains: what they need, and that they go on where they stopped."""

import warnings

import pytest
import torch
from safetensors.torch import load_file

from msadg.errors import MsadgWarning, UsageError
from msadg.protocols.domains import split_domains
from msadg.protocols.experiment import Experiment
from msadg.protocols.grid import plan, run_grid
from msadg.protocols.observer import Observer
from msadg.protocols.recipe import load_recipe
from msadg.protocols.run import load_run, train_run
from tests.protocols.helpers import toy_data, toy_domain, toy_experiment

COMPARING = ["coral", "groupdro", "irm", "vrex"]
SMALL = {"dim": 8, "heads": 2}
BALANCED = {"balanced_domains": True, "checkpoint_steps": 5}


pytestmark = pytest.mark.short_runs


class Interrupted(Exception):
    pass


class Interrupt(Observer):
    """Ends the process's work, as far as the run can tell, after so many steps in all."""

    def __init__(self, after: int | None) -> None:
        self.left = after
        self.num_steps_per_epoch = 0

    def on_start(self, phases: int, epochs: int, steps_per_epoch: int) -> None:
        self.num_steps_per_epoch = steps_per_epoch

    def on_step(self, phase: str, epoch: int, step: int, losses: dict) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                raise Interrupted


@pytest.mark.parametrize("name", ["groupdro", "irm"])  # weights that grow with the domains met; the others count as irm
def test_interrupted_on_both_sides_of_the_change_and_resumed_the_weights_are_the_same_bits(tmp_path, name: str):
    settings = SMALL | ({"step_size": 0.5} if name == "groupdro" else {"anneal_steps": 17, "penalty_weight": 30.0})
    experiment = toy_experiment(tmp_path / "data", name, settings=settings, training=BALANCED)
    train_run(experiment, tmp_path / "whole")
    for after in (16, 9, 11):  # 4 epochs of 12 steps, saved every 5: killed at steps 16, 24 and 31
        with pytest.raises(Interrupted):
            train_run(experiment, tmp_path / "run", resume=True, observers=[Interrupt(after)])
    train_run(experiment, tmp_path / "run", resume=True)
    whole, resumed = (load_file(tmp_path / folder / "model.safetensors") for folder in ("whole", "run"))
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)
    assert (tmp_path / "whole" / "history.json").read_bytes() == (tmp_path / "run" / "history.json").read_bytes()


def test_the_optimiser_forgets_where_the_penalty_s_weight_changes(tmp_path, monkeypatch):
    """A first step of Adam after it moves every weight by the learning rate, whatever the gradients were before."""
    from msadg.protocols.loop import Trainer

    counts: list[set[float]] = []
    take = Trainer._train_step

    def counted(self, phase, optimizer, *rest):
        take(self, phase, optimizer, *rest)
        counts.append({slots["step"].item() for slots in optimizer.state.values()})

    monkeypatch.setattr(Trainer, "_train_step", counted)
    settings = SMALL | {"anneal_steps": 3}
    train_run(toy_experiment(tmp_path / "d", "vrex", settings=settings, training={"epochs": 1}), tmp_path / "run")
    assert counts[:5] == [{1.0}, {2.0}, set(), {1.0}, {2.0}]


@pytest.mark.parametrize("name", COMPARING)
def test_they_learn_are_saved_and_loaded(tmp_path, name: str):
    experiment = toy_experiment(tmp_path / "data", name, settings=SMALL, training=BALANCED)
    trained = train_run(experiment, tmp_path / "run")
    assert trained.state.history[-1]["score"] > 0.5
    loaded = load_run(tmp_path / "run").method
    for key, value in trained.method.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value)


def test_a_run_too_short_for_its_penalty_says_so(tmp_path):
    experiment = toy_experiment(tmp_path / "data", "irm", settings=SMALL, training={"epochs": 1})
    with pytest.warns(MsadgWarning, match="the run was over before the penalty_weight of irm"):
        train_run(experiment, tmp_path / "run")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device; none is visible here")
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("name", COMPARING)
def test_they_learn_on_a_gpu(tmp_path, name: str, precision: str):
    training = BALANCED | {"device": "cuda", "precision": precision}
    experiment = toy_experiment(tmp_path / "data", name, settings=SMALL, training=training)
    trained = train_run(experiment, tmp_path / "run")
    assert trained.state.history[-1]["score"] > 0.5
    assert all(value.isfinite().all() for value in trained.method.state_dict().values() if value.ndim)


def test_groupdro_s_weights_are_in_the_history_by_domain(tmp_path):
    experiment = toy_experiment(tmp_path / "data", "groupdro", settings=SMALL, training=BALANCED)
    measured = train_run(experiment, tmp_path / "run").state.history[-1]["measurements"]
    assert sum(measured.values()) == pytest.approx(1.0)
    assert set(measured) == {"domain_weight_0", "domain_weight_1"}


def test_a_balanced_epoch_has_the_steps_that_observers_are_told_of(tmp_path):
    watching = Interrupt(None)
    experiment = toy_experiment(tmp_path / "data", "erm", training=BALANCED | {"epochs": 1, "batch_size": 10})
    train_run(experiment, tmp_path / "run", observers=[watching])
    assert watching.num_steps_per_epoch == 10  # 48 clips of each domain, 5 a batch


def of_sources(name: str, sources: list[str], **more) -> Experiment:
    from msadg.methods.build import MethodSpec

    return Experiment(row=name, method=MethodSpec(name=name), domains=split_domains(sources, ["z"]), **more)


@pytest.mark.parametrize("name", COMPARING)
def test_one_source_is_refused_before_anything_is_read(name: str):
    with pytest.raises(
        UsageError, match=rf"{name} compares source domains and needs 2, but got a; name another"
    ) as told:
        of_sources(name, ["a"])
    assert "(all but coral, groupdro, irm, vrex)" in str(told.value)
    assert of_sources(name, ["a", "b"]).method.name == name
    assert of_sources("erm", ["a"]).method.name == "erm"


def test_leaving_one_source_out_needs_a_third():
    with pytest.raises(
        UsageError, match="needs 3, of which selection leave_one_source_out leaves one out, but got a, b"
    ):
        of_sources("coral", ["a", "b"], selection="leave_one_source_out")
    assert of_sources("coral", ["a", "b", "c"], selection="leave_one_source_out").row == "coral"


@pytest.mark.parametrize("name", ["coral", "groupdro"])
def test_with_three_sources_one_can_be_left_out(tmp_path, name: str):
    from dataclasses import replace

    experiment = toy_experiment(tmp_path, name, settings=SMALL, training={"epochs": 1} | BALANCED)
    domains = [*experiment.domains.source_domains, *experiment.domains.target_domains]
    experiment = replace(experiment, domains=split_domains(domains, []), selection="leave_one_source_out")
    assert train_run(experiment, tmp_path / "run").state.finished


RECIPE = """
[training]
batch_size = 8
epochs = 1
balanced_domains = true
[data]
features = {{ text = "toy", video = "toy" }}
stores = "{stores}"
[methods.coral]
dim = 8
heads = 2
[methods.erm]
dim = 8
heads = 2
"""


def test_a_grid_leaves_out_the_settings_that_have_too_few_sources_and_says_so(tmp_path):
    names = [toy_domain(tmp_path, name, offset=100 * i) for i, name in enumerate(("a", "b", "c"))]
    (tmp_path / "recipe.toml").write_text(RECIPE.format(stores=toy_data(tmp_path, names).stores))
    recipe = load_recipe(str(tmp_path / "recipe.toml"))
    splits = [split_domains(names[:1], names[1:]), split_domains(names[:2], names[2:])]
    with pytest.warns(MsadgWarning, match="coral compares 2 source domains or more: row 'coral' leaves out a$"):
        experiments = plan(recipe, ["erm", "coral"], splits, [0])
    assert [(e.row, len(e.domains.source_domains)) for e in experiments] == [("erm", 1), ("erm", 2), ("coral", 2)]
    records = run_grid(recipe, experiments, tmp_path / "results", num_jobs=1)
    assert [record.error for record in records] == [None] * 3
    with pytest.raises(UsageError, match="coral compares source domains and needs 2"):
        plan(recipe, ["erm", "coral"], splits[:1], [0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plan(recipe, ["erm", "coral"], splits[1:], [0])
