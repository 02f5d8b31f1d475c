"""What is searched in which row, and mistakes in [search]."""

import tomllib

import pytest

from msadg.errors import SettingsError, UnknownNameError
from msadg.methods import METHODS
from msadg.protocols.changes import Changes
from msadg.protocols.domains import split_domains
from msadg.protocols.recipe import RowSpec, load_recipe
from msadg.protocols.search_space import SearchSpace, search_space_from

SEARCH = """
training.learning_rate = { log_uniform = [1e-4, 1e-2] }
"training.weight_decay" = { choice = [0.0, 1e-3] }
settings.dropout = { uniform = [0.0, 0.5] }
mask.sparsity_weight = { log_uniform = [1e-4, 1e-1] }
variation.weight = { uniform = [0.5, 2.0] }
finetune.learning_rate_ratio = { choice = [0.01] }
[s2lif]
sparsity_weight = { log_uniform = [1e-4, 1e-1] }
training.learning_rate = { choice = [7e-5] }
[linear]
inverse_regularisation = { log_uniform = [1e-2, 1e2], size = 1 }
"""


def space(text: str = SEARCH) -> SearchSpace:
    return search_space_from(tomllib.loads(text), "mine.toml: [search]")


def test_a_row_gets_what_its_method_has():
    names = {row: list(space().of_row(RowSpec(method=row))) for row in ("constant", "linear", "erm", "s2lif")}
    training = ["training.learning_rate", "training.weight_decay"]
    assert names == {
        "constant": [],
        "linear": ["settings.inverse_regularisation"],  # what the common ones say of training does not concern it
        "erm": [*training, "settings.dropout"],
        "s2lif": [*training, "settings.dropout", "settings.sparsity_weight"],
    }
    assert space().of_row(RowSpec(method="s2lif"))["training.learning_rate"].values == (7e-5,)


def test_parts_are_searched_in_rows_that_have_them():
    spec = RowSpec(method="erm", mask={}, variation={"weight": 1.0}, finetune={})
    added = {name for name in space().of_row(spec) if not name.startswith(("training", "settings"))}
    assert added == {"mask.sparsity_weight", "finetune.learning_rate_ratio"}  # the row sets variation.weight itself


def test_what_a_row_sets_itself_is_not_searched():
    spec = RowSpec(method="s2lif", settings={"sparsity_weight": 0.0}, training={"weight_decay": 0.1})
    assert list(space().of_row(spec)) == ["training.learning_rate", "settings.dropout"]


def test_draw_0_is_the_recipe_and_more_draws_keep_the_earlier_ones():
    spec = RowSpec(method="s2lif")
    assert space().draw("s2lif", spec, 0, 0) == Changes()
    first = [space().draw("s2lif", spec, 0, index) for index in range(1, 8)]
    assert len({draw.training["weight_decay"] for draw in first}) == 2
    assert len({draw.settings["sparsity_weight"] for draw in first}) == 7
    assert [space().draw("s2lif", spec, 0, index) for index in (3, 7)] == [first[2], first[6]]
    assert space().draw("s2lif", spec, 1, 3) != first[2] != space().draw("another row", spec, 0, 3)


def test_another_setting_in_the_search_leaves_the_draws_of_the_others():
    more = space(SEARCH.replace("[s2lif]", "[s2lif]\ntemperature = { uniform = [0.1, 1.0] }"))
    before, after = (s.draw("s2lif", RowSpec(method="s2lif"), 0, 2) for s in (space(), more))
    assert {**after.settings, "temperature": None} == {**before.settings, "temperature": None}


def test_one_space_goes_on_top_of_another():
    own = space("settings.dropout = { choice = [0.3] }\n[s2lif]\ntemperature = { uniform = [0.1, 1.0] }")
    both = own.on_top_of(space())
    assert both.common["settings.dropout"].values == (0.3,)
    assert set(both.by_method["s2lif"]) == {
        "settings.sparsity_weight",
        "settings.temperature",
        "training.learning_rate",
    }
    assert both.by_method["linear"] == space().by_method["linear"]
    assert search_space_from(both.to_plain(), "again: [search]") == both


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        (
            "training.learning_rat = { uniform = [0, 1] }", SettingsError,
            r"mine.toml: \[search\]: training has no setting 'learning_rat'; did you mean 'learning_rate'\? it has lea",
        ),
        ("settings.dropuot = { uniform = [0, 1] }", SettingsError, "has no setting 'dropuot'; did you mean 'dropout'"),
        (
            "[s2lif]\nsparsity = { uniform = [0, 1] }", SettingsError,
            r"mine.toml: \[search.s2lif\]: s2lif has no setting 'sparsity'; did you mean 'sparsity_weight'",
        ),
        ("[s2lfi]\ndim = { choice = [8] }", UnknownNameError, "did you mean 's2lif'"),
        ("learning_rate = { uniform = [0, 1] }", UnknownNameError, "unknown method or part of a row in mine.toml"),
        ("mask.weight = { uniform = [0, 1] }", SettingsError, r"\+mask has no setting 'weight'.* it has kind, spars"),
        ("training.device = { choice = ['cpu'] }", SettingsError, "cannot be searched: it does not decide what a run"),
        (
            "training.selection_metric = { choice = ['nll'] }", SettingsError,
            "cannot be searched: it is what the draws are compared by; set it instead",
        ),
        ("training.epochs = 5", SettingsError, r"\[search\] training.epochs = 5; expected a distribution"),
        ("training = 5", SettingsError, r"training stands alone; name a setting, as in training.learning_rate ="),
        ("s2lif = 5", SettingsError, r"s2lif = 5; expected a table of settings, \[search.s2lif\]"),
        ("[s2lif]\ndim = { int = [8, 2] }", SettingsError, r"\[search.s2lif\] settings.dim: int = .* is an empty"),
        ("training.epochs = { triangle = [1, 2] }", SettingsError, "there is no distribution 'triangle'"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(text: str, error: type, said: str):
    with pytest.raises(error, match=said):
        space(text)


def test_the_distributions_that_come_along_can_be_drawn_from_for_every_method():
    declared = search_space_from(load_recipe("search").search, "search: [search]")
    recipe = load_recipe("quick")
    for method in METHODS:
        spec = recipe.row(method)
        assert declared.of_row(spec) or method in ("constant", "mllm"), f"recipes/search.toml has nothing for {method}"
        for index in range(8):
            drawn = RowSpec(method=method).changed(declared.draw(method, spec, 0, index))
            changed = type(recipe)(rows={method: drawn}, methods=recipe.methods, training=recipe.training)
            changed.experiment(method, split_domains(["a", "b"], []), seed=0)  # raises where settings cannot be
