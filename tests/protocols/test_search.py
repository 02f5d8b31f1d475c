"""Random search: equal budgets, resumable, stopped by no failing draw, and blind to every target."""

import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from msadg.errors import MsadgWarning, SettingsError, UsageError
from msadg.protocols.changes import Changes
from msadg.protocols.domains import DomainSplit, leave_one_out, split_domains
from msadg.protocols.grid import plan, run_grid
from msadg.protocols.recipe import Recipe, load_recipe
from msadg.protocols.recipe_toml import recipe_toml
from msadg.protocols.search import (
    TUNE_FILE,
    Choice,
    Draw,
    Score,
    Search,
    choose,
    missing_runs,
    plan_search,
    rows_to_search,
    run_search,
    source_score,
    tuned_recipe,
)
from msadg.protocols.search_space import search_space_from
from msadg.results.journal import append_record, read_records
from msadg.results.record import Record
from tests.protocols.helpers import toy_data, toy_domain

RECIPE = """
[training]
learning_rate = 1e-2
batch_size = 16
epochs = 1
warmup_epochs = 0
[data]
features = {{ text = "toy", video = "toy" }}
stores = "{stores}"
[methods.erm]
dim = 8
heads = 2
layers = 0
[methods.s2lif]
dim = 8
heads = 2
[rows.noise]
method = "s2lif"
intervention = "noise"
[rows.random]
method = "s2lif"
settings = {{ mask = "random" }}
keep_ratio_of = "s2lif"
[search]
training.learning_rate = {{ log_uniform = [1e-3, 1e-1] }}
[search.linear]
inverse_regularisation = {{ log_uniform = [1e-4, 1e1], size = 1 }}
"""


def missing_of(search, folder):
    return missing_runs(search, folder, search.experiments)


def recipe_in(folder: Path, stores: Path) -> Recipe:
    folder.mkdir(exist_ok=True)
    (folder / "recipe.toml").write_text(RECIPE.format(stores=stores))
    return load_recipe(str(folder / "recipe.toml"))


def domains_in(folder: Path, shuffled: str = "") -> list[str]:
    return [
        toy_domain(folder, name, offset=100 * i, shuffle_labels=7 if name in shuffled else None)
        for i, name in enumerate("abc")
    ]


@pytest.fixture
def toys(tmp_path) -> tuple[Recipe, list[str], Path]:
    names = domains_in(tmp_path)
    return recipe_in(tmp_path, toy_data(tmp_path, names).stores), names, tmp_path / "tuned"


def planned(
    recipe: Recipe, rows: Sequence[str], splits: Sequence[DomainSplit], draws: int = 3, seeds: Sequence[int] = (0,)
) -> Search:
    return plan_search(recipe, search_space_from(recipe.search, "[search]"), rows, splits, seeds, draws)


def plain(choices: Sequence[Choice]) -> list[dict]:
    return [choice.to_plain() for choice in choices]


def test_every_row_gets_as_many_draws_for_each_choice_of_sources(toys):
    recipe, names, _ = toys
    search = planned(recipe, ["constant", "linear", "erm"], leave_one_out(names), draws=4, seeds=[0, 1])
    assert {row: len(draws) for row, draws in search.draws.items()} == {"constant": 1, "linear": 4, "erm": 4}
    runs = {row: sum(e.row.startswith(row) for e in search.experiments) for row in search.draws}
    assert runs == {"constant": 3, "linear": 3 * 4, "erm": 3 * 4 * 2}
    assert not any(e.domains.target_domains for e in search.experiments)
    first, second = (
        e.training.learning_rate
        for e in search.experiments
        if e.row.startswith("erm, draw 1") and e.seed == 0 and e.domains.setting != "to-c"
    )
    assert first == second != 1e-2
    twice = [split_domains(names[:2], names[2:]), split_domains(names[1::-1], [])]
    assert len(planned(recipe, ["linear"], twice).experiments) == 3


def test_the_best_mean_over_seeds_wins_and_makes_a_recipe_that_a_grid_takes(toys, tmp_path):
    recipe, names, folder = toys
    split = split_domains(names[:2], names[2:])
    search = planned(recipe, ["constant", "erm"], [split], draws=3, seeds=[0, 1])
    constant, erm = run_search(search, folder, num_jobs=1)
    means = [sum(score.by_seed.values()) / 2 for score in erm.scores]
    assert [set(score.by_seed) for score in erm.scores] == [{0, 1}] * 3
    assert erm.best.draw.index == means.index(max(means))
    assert constant.best.draw.index == 0
    assert erm.num_failed == constant.num_failed == 0

    winner = tuned_recipe(recipe, [constant, erm], "tuned")
    (tmp_path / "best.toml").write_text(recipe_toml(winner))
    again = load_recipe(str(tmp_path / "best.toml"))
    assert list(again.rows) == ["constant", "erm"]
    experiments = plan(again, ["erm"], [split], [0, 1])
    rate = erm.best.draw.changes.training.get("learning_rate", 1e-2)
    assert {e.training.learning_rate for e in experiments} == {rate}

    models = {path: path.stat().st_mtime_ns for path in (folder / "models").glob("*/model.safetensors")}
    records = run_grid(again, experiments, folder, num_jobs=1)  # finds the weights of the search, and scores the target
    assert models == {path: path.stat().st_mtime_ns for path in (folder / "models").glob("*/model.safetensors")}
    assert all(set(record.metrics) == {"a", "b", "c"} for record in records)
    assert [source_score(record, "f1_macro") for record in records] == list(erm.best.by_seed.values())


def test_a_search_goes_on_where_it_stopped_and_more_draws_keep_the_earlier(toys):
    recipe, names, folder = toys
    splits = [split_domains(names[:1], [])]
    before = run_search(planned(recipe, ["linear"], splits, draws=3), folder, num_jobs=1)
    assert missing_of(planned(recipe, ["linear"], splits, draws=3), folder) == []
    more = planned(recipe, ["linear"], splits, draws=5)
    assert [e.row for e in missing_of(more, folder)] == ["linear, draw 3", "linear, draw 4"]
    new = []
    after = run_search(more, folder, num_jobs=1, tell=lambda record, *_: new.append(record.row))
    assert new == ["linear, draw 3", "linear, draw 4"]
    assert after[0].scores[:3] == before[0].scores
    assert len(read_records(folder / TUNE_FILE)) == 5
    assert not (folder / "records.jsonl").exists()  # a benchmark in the same folder keeps its own


def test_scrambled_target_labels_leave_the_choice_identical(tmp_path):
    """c is the target of one setting and a source of the others: its labels may move their choices, never that one."""
    found = {}
    for name, shuffled in (("honest", ""), ("scrambled", "c")):
        domains = domains_in(tmp_path / name, shuffled)
        recipe = recipe_in(tmp_path / name, toy_data(tmp_path / name, domains).stores)
        search = planned(recipe, ["linear", "erm"], leave_one_out(domains), draws=2)
        found[name] = {
            (c["row"], c["setting"]): c for c in plain(run_search(search, tmp_path / name / "out", num_jobs=1))
        }
    for row in ("linear", "erm"):
        assert found["honest"][row, "to-c"] == found["scrambled"][row, "to-c"]
        assert found["honest"][row, "to-a"] != found["scrambled"][row, "to-a"]


def test_the_target_s_features_and_labels_need_not_even_be_there(toys):
    recipe, names, folder = toys
    manifest = Path(names[2].partition("=")[2])
    split = split_domains(names[:2], names[2:])
    manifest.unlink()
    shutil.rmtree(next(path for path in (Path(recipe.data["stores"])).iterdir() if path.name.startswith("c")))
    assert run_search(planned(recipe, ["linear"], [split], draws=2), folder, num_jobs=1)[0].num_failed == 0


def test_failing_draws_are_recorded_left_out_and_tried_again(toys):
    recipe, names, folder = toys
    broken = replace(recipe, search={"erm": {"modalities": {"choice": [["audio"], ["text"]]}}})
    search = planned(broken, ["erm"], [split_domains(names[:1], [])], draws=6, seeds=[0, 1])
    fails = [draw.changes.settings.get("modalities") == ["audio"] for draw in search.draws["erm"]]
    assert 0 < sum(fails) < 5
    (choice,) = run_search(search, folder, num_jobs=1)
    assert [math.isnan(score.mean) for score in choice.scores] == fails
    assert choice.num_failed == sum(fails)
    assert not fails[choice.best.draw.index]
    first = choice.scores[fails.index(True)]
    assert first.errors[0].startswith("seed 0: ")
    assert "audio" in first.errors[0]
    assert len(first.errors) == 2
    assert len(read_records(folder / TUNE_FILE)) == 12
    assert len(missing_of(search, folder)) == 2 * sum(fails)


def test_a_row_of_which_every_draw_failed_stays_as_the_recipe_has_it():
    scores = tuple(Score(Draw("erm", n, Changes(settings={"dim": n})), {0: 0.9}, ("seed 1: no",)) for n in range(2))
    choice = Choice("erm", None, ("a",), "f1_macro", scores)
    assert choice.best is None
    assert choice.num_failed == 2
    assert choice.to_plain()["best_draw"] is None
    assert tuned_recipe(Recipe(), [choice], "tuned").rows["erm"].by_sources == {}


def test_of_equal_draws_the_earliest_wins():
    scores = [
        Score(Draw("erm", n, Changes(settings={"dim": n})), {0: value}) for n, value in enumerate((0.4, 0.5, 0.5))
    ]
    assert Choice("erm", None, ("a",), "f1_macro", tuple(scores)).best.draw.index == 1


def test_a_row_is_tuned_for_each_choice_of_sources_by_itself():
    def choice(sources: str, best: int) -> Choice:
        scores = [
            Score(Draw("erm", n, Changes(settings={"dim": n} if n else {})), {0: float(n == best)}) for n in range(3)
        ]
        return Choice("erm", None, tuple(sources), "f1_macro", tuple(scores))

    spec = tuned_recipe(Recipe(), [choice("ab", 2), choice("ca", 1), choice("b", 0)], "tuned").rows["erm"]
    assert spec.by_sources == {
        "a+b": Changes(settings={"dim": 2}), "a+c": Changes(settings={"dim": 1}), "b": Changes(),
    }  # fmt: skip
    assert spec.on_sources(["b"]).settings == {}  # without a warning: that is what won there


def record_of(**changes) -> Record:
    content = {
        "key": "k", "row": "erm, draw 0", "method": "erm", "settings": {}, "setting": None, "selection": "source_dev",
        "source_domains": ("a", "b"), "target_domains": ("c",), "seed": 0, "revision": "r", "features": {},
    }  # fmt: skip
    return Record(**content | changes)


def test_the_score_of_a_run_is_the_mean_over_its_sources_and_reads_nothing_else():
    dev = {"a": {"f1_macro": 0.2, "mae": 1.0, "corr": math.nan}, "b": {"f1_macro": 0.6, "mae": 2.0, "corr": 0.5}}
    record = record_of(dev_metrics={**dev, "c": {"f1_macro": 1.0, "mae": 0.0, "corr": 1.0}})
    assert source_score(record, "f1_macro") == pytest.approx(0.4)
    assert source_score(record, "mae") == -1.5
    assert source_score(record, "corr") == -0.25  # no correlation counts as -1, as it does in selection
    assert math.isnan(source_score(record, "nll"))


def test_where_each_source_was_left_out_once_that_is_the_score():
    record = record_of(dev_metrics={"a": {"mae": 1.0}, "b": {"mae": 2.0}}, extra={"left_out": {"a": -3.0, "b": -4.0}})
    assert source_score(record, "mae") == -3.5


def test_targets_that_were_scored_do_not_move_the_choice(toys):
    recipe, names, folder = toys
    search = planned(recipe, ["linear"], [split_domains(names[:1], [])], draws=3)
    run_search(search, folder, num_jobs=1)
    records = read_records(folder / TUNE_FILE)
    flattered = [
        replace(r, metrics={**r.metrics, "c": {"f1_macro": float(n)}}, target_domains=("c",))
        for n, r in enumerate(records)
    ]
    assert choose(search, flattered) == choose(search, records)


def test_controls_of_other_rows_are_not_searched(toys):
    recipe, _, _ = toys
    rows, left_out = rows_to_search(recipe)
    assert (rows, list(left_out)) == ([], ["noise", "random"])
    with pytest.raises(UsageError, match="row 'random' cannot be searched: it is a control of another row"):
        rows_to_search(recipe, ["erm", "random"])
    assert rows_to_search(recipe, ["erm", "erm", "s2lif"]) == (["erm", "s2lif"], {})
    with pytest.raises(
        UsageError, match="row 'erm, uniform prior' cannot be searched: it has a class prior, and a reg"
    ):
        rows_to_search(load_recipe("quick", ["task=regression"]), ["erm, uniform prior"])


def test_a_language_model_is_not_searched():
    recipe = load_recipe("zero_shot")
    rows, left_out = rows_to_search(recipe)
    assert rows == ["constant"] and all("nothing to search" in reason for reason in left_out.values())
    with pytest.raises(UsageError, match="it is asked, not trained"):
        rows_to_search(recipe, ["mllm, BLIP-2 Flan-T5 XL"])


def test_rows_that_compare_sources_are_left_out_where_there_is_one_unless_they_are_named(toys):
    _, names, _ = toys
    recipe, one, two = load_recipe("generalisation"), split_domains(names[:1], []), split_domains(names[:2], [])
    rows, left_out = rows_to_search(recipe, splits=[one])
    assert "coral" in left_out and "erm" in rows
    assert "coral" in rows_to_search(recipe, splits=[one, two])[0]
    assert rows_to_search(recipe, ["coral"], [one]) == (["coral"], {})


def test_every_method_of_the_tables_is_searched_over_its_own_rates_and_weights():
    recipe, space = load_recipe("tables"), search_space_from(load_recipe("search").search, "search")
    for row in recipe.all_rows():
        spec = recipe.row(row)
        found = space.of_row(spec)
        if spec.method in ("constant", "linear", "mllm") or spec.keep_ratio_of or spec.intervention != "none":
            continue
        assert "training.learning_rate" in found, row
        assert ("finetune.learning_rate_ratio" in found) == (spec.finetune is not None), row
        assert ("mask.sparsity_weight" in found) == (spec.mask is not None), row
        assert ("settings.sparsity_weight" in found) == spec.method.startswith("s2lif"), row


def test_sources_that_are_too_few_for_a_row_are_left_out_of_it_once(toys):
    recipe, names, _ = toys
    splits = [split_domains(names[:1], []), split_domains(names[:2], [])]
    with pytest.warns(MsadgWarning, match="row 'coral' leaves out a") as told:
        search = planned(recipe, ["coral", "linear"], splits, draws=3)
    assert len(told) == 1
    assert [len(e.domains.source_domains) for e in search.experiments] == [2] * 3 + [1, 2] * 3


def test_what_cannot_be_searched_is_told_before_anything_runs(toys):
    recipe, names, _ = toys
    splits = [split_domains(names[:1], [])]
    with pytest.raises(UsageError, match="0 draws cannot be compared"):
        planned(recipe, ["erm"], splits, draws=0)
    with pytest.raises(UsageError, match="row 'erm' selects on the target"):
        planned(replace(recipe, selection="oracle"), ["erm"], splits)
    wrong = replace(recipe, search={"erm": {"heads": {"choice": [3, 5]}}})
    with pytest.raises(SettingsError, match=r"settings of erm in row 'erm, draw 1': heads = \d does not divide"):
        planned(wrong, ["erm"], splits)


def test_what_was_chosen_is_plain_json(toys, tmp_path):
    choice = Choice("erm", "single-A", ("a",), "mae", (Score(Draw("erm", 0, Changes()), {}, ("seed 0: no",)),))
    told = json.loads(json.dumps(choice.to_plain(), allow_nan=False))
    assert told["draws"] == [{"draw": 0, "settings": {}, "dev_mean": None, "dev_by_seed": {}, "errors": ["seed 0: no"]}]
    append_record(tmp_path / TUNE_FILE, record_of())  # a search keeps its records as a grid does
    assert read_records(tmp_path / TUNE_FILE)[0].row == "erm, draw 0"
