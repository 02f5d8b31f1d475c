"""Recipes written as TOML are read as the same recipes."""

import dataclasses
import math
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msadg.errors import MsadgWarning, SettingsError
from msadg.protocols.changes import Changes
from msadg.protocols.domains import split_domains
from msadg.protocols.recipe import RowSpec, known_recipes, load_recipe
from msadg.protocols.recipe_toml import recipe_toml, toml_value

OWN = {"a+b": Changes(training={"epochs": 3}, settings={"keep_ratio": {"text": 0.5}}), "c": Changes()}


@pytest.mark.parametrize("name", known_recipes())
def test_a_recipe_is_read_as_it_was_written(name: str, tmp_path):
    recipe = load_recipe(name, ['data.stores="a \\"quoted\\" pl\\\\ace"', "search.training.epochs={int=[1, 3]}"])
    rows = {row: dataclasses.replace(spec, by_sources=OWN) for row, spec in recipe.rows.items()}
    recipe = dataclasses.replace(recipe, rows=rows)
    (tmp_path / "again.toml").write_text(recipe_toml(recipe, "two\nlines"), encoding="utf-8")
    assert load_recipe(str(tmp_path / "again.toml")) == recipe
    assert (tmp_path / "again.toml").read_text(encoding="utf-8").startswith("# two\n# lines\ndescription = ")


scalars = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8"))
)


@given(
    st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner))
)
def test_any_value_is_read_as_it_was_written(value):
    assert tomllib.loads(f"value = {toml_value(value)}")["value"] == value


def test_nan_is_written_as_toml_has_it():
    assert math.isnan(tomllib.loads(f"value = {toml_value(math.nan)}")["value"])


RECIPE = """
[rows.mine]
method = "erm"
settings = { dim = 8 }
training = { epochs = 2 }
[rows.mine.by_sources."mosei+meld"]
training = { learning_rate = 0.5 }
settings = { dim = 16 }
mask = { kind = "none" }
"""


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return load_recipe(str(tmp_path / "recipe.toml"))


@pytest.mark.parametrize("sources", [["meld", "mosei"], ["mosei", "meld"], ["mosei=a.csv", "meld"]])
def test_a_row_has_settings_of_its_own_for_its_sources_in_any_order(recipe, sources: list[str]):
    experiment = recipe.experiment("mine", split_domains(sources, ["mosi"]), seed=0)
    assert (experiment.training.epochs, experiment.training.learning_rate) == (2, 0.5)
    assert experiment.method.settings == {"dim": 16}
    assert experiment.method.mask is None  # a part that the row does not have stays away


def test_other_sources_take_the_row_as_it_is_with_a_warning(recipe):
    said = r"erm has settings of its own for meld\+mosei, and none for mosei: .*`msadg tune --source mosei`"
    with pytest.warns(MsadgWarning, match=said):
        experiment = recipe.experiment("mine", split_domains(["mosei"], ["mosi"]), seed=0)
    assert experiment.method.settings == {"dim": 8}


def test_a_wrong_key_for_some_sources_is_told_with_its_place(tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE.replace("training = { learning", "trainign = { learning"))
    with pytest.raises(SettingsError, match=r"rows.mine.by_sources.mosei\+meld: unknown key 'trainign'; did you mean"):
        load_recipe(str(tmp_path / "recipe.toml"))


def test_changes_of_a_row_go_before_those_it_had_for_some_sources():
    spec = RowSpec(method="erm", by_sources={"a": Changes(settings={"dim": 4, "heads": 2})})
    changed = spec.changed(Changes(settings={"dim": 8}))
    assert changed.on_sources(["a"]).settings == {"dim": 8, "heads": 2}
