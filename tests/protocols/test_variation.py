"""+sv from a recipe's row to a trained run."""

from dataclasses import replace

import pytest

from msadg.errors import SettingsError
from msadg.methods.build import MethodSpec
from msadg.protocols.domains import split_domains
from msadg.protocols.evaluate import predict_logits
from msadg.protocols.experiment import experiment_from
from msadg.protocols.fit import source_clips
from msadg.protocols.intervention import intervened
from msadg.protocols.recipe import load_recipe
from msadg.protocols.run import load_run, train_run
from tests.protocols.helpers import toy_experiment

DOMAINS = split_domains(["simulated-a", "simulated-b"], ["simulated-c"])

RECIPE = """
[rows."erm + SV"]
method = "erm"
variation = { weight = 0.5, modalities = ["text"] }
[rows.wrong]
method = "erm"
variation = { wieght = 0.5 }
"""


def test_a_row_says_what_is_regularised_and_a_wrong_key_is_named(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(RECIPE, encoding="utf-8")
    recipe = load_recipe(str(path))
    experiment = recipe.experiment("erm + SV", DOMAINS, 0)
    assert experiment.method.variation == {"weight": 0.5, "modalities": ["text"]}
    assert experiment_from(experiment.to_dict(), "here").method.variation == experiment.method.variation
    with pytest.raises(SettingsError, match=r"variation of row 'wrong'.*did you mean 'weight'"):
        recipe.experiment("wrong", DOMAINS, 0)


def test_a_run_with_it_is_another_run_and_one_without_keeps_its_key(tmp_path):
    plain = toy_experiment(tmp_path, "erm")
    assert "variation" not in plain.training_identity()
    varied = replace(plain, method=replace(plain.method, variation={}))
    heavy = replace(plain, method=replace(plain.method, variation={"weight": 2.0}))
    assert len({plain.training_key(), varied.training_key(), heavy.training_key()}) == 3


@pytest.mark.parametrize("method", ["erm", "s2lif", "invariant_fusion"])
def test_what_is_trained_with_it_can_be_loaded_and_scored(tmp_path, method: str):
    own = {"invariant_fusion": {"variation": "none"}, "s2lif": {"mask": "none"}}
    settings = {"dim": 8, "heads": 2, **own.get(method, {})}
    experiment = toy_experiment(tmp_path, method, training={"epochs": 2})
    spec = MethodSpec(name=method, settings=settings, variation={"modalities": ["text", "video"]})
    trained = train_run(replace(experiment, method=spec), tmp_path / "run")
    assert all({"variation_text", "variation_video"} <= set(epoch["losses"]) for epoch in trained.state.history)
    clips = source_clips(experiment, "dev")[0]
    again = load_run(tmp_path / "run").method
    assert again.name == f"{method}+sv"
    assert (predict_logits(again, clips)["logits"] == predict_logits(trained.method, clips)["logits"]).all()


def test_the_controls_of_s2lif_reach_it_beneath_the_regulariser(tmp_path):
    experiment = toy_experiment(tmp_path, settings={"order": "text", "layers": 0})
    experiment = replace(experiment, method=replace(experiment.method, variation={"modalities": ["text"]}))
    method = train_run(experiment, tmp_path / "run").method
    with intervened(method, "rejected", source_clips(experiment, "dev")):
        assert method.inner.intervention is not None
    assert method.inner.intervention is None
