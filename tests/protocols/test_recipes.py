"""The recipes that come with the package: every row can be planned, and S2LIF has its row with variation everywhere."""

import pytest

from msadg.errors import SettingsError, UnknownNameError
from msadg.methods.build import build_method
from msadg.protocols.domains import split_domains
from msadg.protocols.recipe import known_recipes, load_recipe
from msadg.types import SENTIMENT

SPLIT = split_domains(["a", "b"], ["c"])
WIDTHS = {"text": 32, "audio": 32, "video": 32}

WITHOUT_VARIATION = {
    "simulated": "no encoder, so nothing that the regulariser could move",
    "recovery": "no encoder, as in simulated",
    "redundancy": "no encoder, as in simulated",
}


def frozen_rows(name: str) -> dict:
    """The experiments of a recipe's rows, save those that train a text encoder."""
    recipe = load_recipe(name)
    rows = [row for row in recipe.rows if not recipe.is_of_classes_only(row)]
    experiments = {row: recipe.experiment(row, SPLIT, 0) for row in rows}
    return {row: e for row, e in experiments.items() if e.method.finetune is None}


@pytest.mark.parametrize("name", known_recipes())
def test_every_row_of_a_recipe_can_be_built(name: str):
    for row, experiment in frozen_rows(name).items():
        extractors = experiment.data.features.items()
        widths = {modality: 6 if name.startswith("mllm") else WIDTHS[modality] for modality, name in extractors}
        method = build_method(experiment.method, widths, 0, task=experiment.whole_task(SENTIMENT))
        assert set(method.modalities) <= set(widths), row


@pytest.mark.parametrize("name", [name for name in known_recipes() if name not in WITHOUT_VARIATION])
def test_where_s2lif_has_a_row_it_has_one_with_variation_and_nothing_else_changed(name: str):
    experiments = frozen_rows(name)
    if not any(e.method.name == "s2lif" for e in experiments.values()):
        pytest.skip(f"{name} has no row of s2lif")
    varied = {row: e for row, e in experiments.items() if row.endswith(" + SV")}
    assert "s2lif" in {e.method.name for e in varied.values()}
    for row, experiment in varied.items():
        plain = experiments[row.removesuffix(" + SV")]
        assert plain.method.variation is None
        assert {**vars(experiment.method), "variation": None} == vars(plain.method)
        assert (experiment.training, experiment.data) == (plain.training, plain.data)
        read = experiment.method.variation.get("modalities", ["audio", "video"])
        assert set(read) & set(experiment.data.features)


def test_a_name_that_is_both_a_method_and_a_row_is_offered_once():
    with pytest.raises(UnknownNameError, match=r"did you mean 'linear'\? known: ") as told:
        load_recipe("quick").row("linaer")
    assert str(told.value).count(" linear,") == 1 + str(told.value).count(" linear, uniform prior")


def test_all_rows_of_a_recipe_without_rows_are_the_methods_that_learn_from_features():
    rows = load_recipe("search").all_rows()
    assert {"constant", "erm", "s2lif", "mult"} <= set(rows) and "mllm" not in rows


def test_what_is_searched_although_a_row_sets_it_is_something_that_the_row_sets(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[rows.a]\nmethod = "erm"\nsearched = ["training.learning_rate"]\n')
    with pytest.raises(SettingsError, match=r"rows.a: searched names 'training.learning_rate', which the row does not"):
        load_recipe(str(path))
    path.write_text(path.read_text() + "training = { learning_rate = 0.1 }\n")
    assert load_recipe(str(path)).row("a").searched == ("training.learning_rate",)
