"""Grids: complete, resumable, stopped by nothing."""

from pathlib import Path

import pytest

from msadg.errors import CorpusError, SettingsError, UnknownNameError, UsageError
from msadg.protocols.domains import split_domains
from msadg.protocols.features import check_splits
from msadg.protocols.grid import missing, plan, run_grid
from msadg.protocols.recipe import known_recipes, load_recipe
from msadg.results.journal import read_records
from msadg.results.predictions import read_predictions
from tests.protocols.helpers import toy_data, toy_domain

RECIPE = """
[training]
learning_rate = 1e-2
batch_size = 8
epochs = 2
warmup_epochs = 1
[data]
features = {{ text = "toy", video = "toy" }}
stores = "{stores}"
[methods.erm]
dim = 8
heads = 2
[methods.s2lif]
dim = 8
heads = 2
[rows.learned]
method = "s2lif"
[rows.random]
method = "s2lif"
settings = {{ mask = "random" }}
keep_ratio_of = "learned"
[rows.noise]
method = "s2lif"
intervention = "noise"
[rows.broken]
method = "s2lif"
settings = {{ order = "text>audio" }}
"""


@pytest.fixture
def grid(tmp_path):
    names = [toy_domain(tmp_path, name, offset=100 * i) for i, name in enumerate(("a", "b", "c"))]
    data = toy_data(tmp_path, names)
    (tmp_path / "recipe.toml").write_text(RECIPE.format(stores=data.stores))
    return load_recipe(str(tmp_path / "recipe.toml")), [split_domains(names[:2], names[2:])], tmp_path / "results"


def test_a_grid_is_recorded_once_and_not_run_again(grid):
    recipe, splits, folder = grid
    experiments = plan(recipe, ["constant", "erm", "learned"], splits, [0, 1])
    assert len(experiments) == 1 + 2 + 2  # the constant classifier needs no second seed
    seen = []
    records = run_grid(recipe, experiments, folder, num_jobs=1, tell=lambda r, done, total: seen.append((done, total)))
    assert seen == [(k, 5) for k in range(1, 6)]
    assert all(record.error is None for record in records)
    again = []
    assert run_grid(recipe, experiments, folder, num_jobs=1, tell=lambda *a: again.append(a)) == records
    assert again == []
    for record in records:
        predictions = read_predictions(folder / "runs" / record.key / "predictions.parquet")
        assert set(predictions.domain) == {"a", "b", "c"}
        share = (predictions.of_domain("c").predicted == predictions.of_domain("c").sentiment).mean()
        assert record.metrics["c"]["accuracy"] == pytest.approx(share)


def test_a_grid_goes_on_where_it_stopped(grid):
    recipe, splits, folder = grid
    run_grid(recipe, plan(recipe, ["erm"], splits, [0]), folder, num_jobs=1)
    new = []
    experiments = plan(recipe, ["erm"], splits, [0, 1])
    run_grid(recipe, experiments, folder, num_jobs=1, tell=lambda record, *_: new.append(record.seed))
    assert new == [1]


def test_a_failing_run_is_recorded_and_stops_no_other(grid):
    recipe, splits, folder = grid
    records = run_grid(recipe, plan(recipe, ["broken", "erm"], splits, [0]), folder, num_jobs=1)
    by_row = {record.row: record for record in records}
    assert by_row["erm"].error is None
    assert "asked to use audio" in by_row["broken"].error
    retried = []
    run_grid(recipe, plan(recipe, ["broken"], splits, [0]), folder, num_jobs=1, tell=lambda r, *_: retried.append(r))
    assert len(retried) == 1


def test_a_random_mask_keeps_as_much_as_the_learned_one_did(grid):
    recipe, splits, folder = grid
    records = run_grid(recipe, plan(recipe, ["random", "learned"], splits, [3]), folder, num_jobs=1)
    by_row = {record.row: record for record in records}
    assert by_row["random"].extra["keep_ratio"] == pytest.approx(by_row["learned"].extra["keep_ratio"], abs=1 / 16)
    with pytest.raises(UsageError, match="which is not in the grid"):
        plan(recipe, ["random"], splits, [3])


def test_a_control_at_scoring_shares_the_training_of_its_row(grid):
    recipe, splits, folder = grid
    records = run_grid(recipe, plan(recipe, ["learned", "noise"], splits, [0]), folder, num_jobs=1)
    assert len(list((folder / "models").iterdir())) == 1
    assert records[0].metrics["c"] != records[1].metrics["c"]


def test_two_processes_make_the_records_of_one(grid):
    recipe, splits, folder = grid
    experiments = plan(recipe, ["erm", "learned"], splits, [0])
    one = run_grid(recipe, experiments, folder / "one", num_jobs=1)
    two = run_grid(recipe, experiments, folder / "two", num_jobs=2)
    assert [r.metrics for r in one] == [r.metrics for r in two]
    assert len(read_records(folder / "two" / "records.jsonl")) == 2


@pytest.mark.parametrize("name", known_recipes())
def test_every_recipe_that_comes_along_can_be_planned(name: str):
    recipe = load_recipe(name)
    rows = list(recipe.rows) or ["constant", "linear", "erm", "s2lif"]
    for row in rows:
        experiment = recipe.experiment(row, split_domains(["a", "b"], ["c"]), seed=0)
        assert experiment.row == row
    assert recipe.description


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["rows.s2lif.finetune.frozen_layers=2"], "reads token ids"),
        (["data.features.text=minilm-tokens"], "of use to nothing else"),
    ],
)
def test_a_trained_encoder_goes_with_token_ids_and_nothing_else_does(changes: list[str], said: str):
    with pytest.raises(UsageError, match=said):
        load_recipe("quick", changes).experiment("s2lif", split_domains(["a"], ["b"]), seed=0)


def test_what_is_missing_can_be_told_beforehand(grid):
    recipe, splits, folder = grid
    experiments = plan(recipe, ["learned", "random"], splits, [0])
    assert missing(recipe, experiments, folder) == experiments
    run_grid(recipe, experiments[:1], folder, num_jobs=1)
    assert missing(recipe, experiments, folder) == experiments[1:]
    run_grid(recipe, experiments, folder, num_jobs=1)
    assert missing(recipe, experiments, folder) == []


def test_each_stage_s_own_verdict_is_recorded(grid):
    recipe, splits, folder = grid
    (record,) = run_grid(recipe, plan(recipe, ["learned"], splits, [0]), folder, num_jobs=1)
    stages = record.extra["stages"]
    assert set(stages) == {"logits_text", "logits_video"}
    assert stages["logits_video"]["c"]["f1_macro"] == record.metrics["c"]["f1_macro"]
    assert stages["logits_text"]["c"] != stages["logits_video"]["c"]


def test_changed_labels_or_another_split_make_another_key(grid, tmp_path):
    recipe, splits, _ = grid
    experiment = recipe.experiment("learned", splits[0], seed=0)
    assert experiment.key("dev") != experiment.key("test")
    other_a = toy_domain(tmp_path / "other", "a", shuffle_labels=3)
    other_c = toy_domain(tmp_path / "other", "c", offset=200, shuffle_labels=3)
    names = [*splits[0].source_domains, *splits[0].target_domains]
    source_changed = recipe.experiment("learned", split_domains([other_a, names[1]], [names[2]]), seed=0)
    target_changed = recipe.experiment("learned", split_domains(names[:2], [other_c]), seed=0)
    assert source_changed.training_key() != experiment.training_key()
    assert target_changed.training_key() == experiment.training_key()
    assert target_changed.key() != experiment.key()


def test_an_empty_split_stops_before_training(grid):
    recipe, splits, _ = grid
    experiment = recipe.experiment("learned", splits[0], seed=0)
    name, _, path = splits[0].source_domains[0].partition("=")
    lines = [line for line in Path(path).read_text().splitlines() if ",dev" not in line]
    Path(path).with_name("nodev.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(CorpusError, match="no clip is in split 'dev'; a source needs train, dev, test"):
        check_splits(experiment.data, [f"{name}2={Path(path).with_name('nodev.csv')}"], [])


def test_changes_are_applied_over_the_recipe():
    recipe = load_recipe(
        "quick", ["training.epochs=7", "methods.s2lif.order=text>video", "data.features.video=simulated"]
    )
    experiment = recipe.experiment("s2lif", split_domains(["a"], ["b"]), seed=0)
    assert experiment.training.epochs == 7
    assert experiment.method.settings["order"] == "text>video"
    assert experiment.data.features == {"text": "minilm", "video": "simulated"}


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ("training.epoch=7", SettingsError, "did you mean 'epochs'"),
        ("trainign.epochs=7", SettingsError, "did you mean 'training'"),
        ("training.epochs=many", SettingsError, "epochs = 'many'"),
        ("methods.s2liff.dim=3", UnknownNameError, "did you mean 's2lif'"),
        ("selection=best", UnknownNameError, "unknown selection rule"),
        ("epochs", UsageError, "expected key=value"),
    ],
)
def test_a_wrong_change_is_named(change: str, error: type, said: str):
    with pytest.raises(error, match=said):
        load_recipe("quick", [change]).experiment("s2lif", split_domains(["a"], ["b"]), seed=0)


def test_an_unknown_recipe_gets_the_nearest_name():
    with pytest.raises(UnknownNameError, match="did you mean 'quick'"):
        load_recipe("quik")
