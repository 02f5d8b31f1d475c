"""`msadg tune` as its user meets it: from distributions to a recipe that `msadg benchmark` takes."""

import json
import warnings
from pathlib import Path

import pytest

from msadg.cli import main
from msadg.errors import FeatureError, MsadgWarning

DOMAINS = ["--source", "simulated-a", "simulated-b"]
SMALL = ["--text", "simulated", "--set", "training.epochs=1", "--set", "training.batch_size=256"]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MSADG_DATA", raising=False)
    warnings.simplefilter("default", MsadgWarning)


def test_from_a_search_to_a_table(capsys):
    search = [
        "tune",
        *DOMAINS,
        *SMALL,
        "--methods",
        "constant",
        "linear",
        "--draws",
        "3",
        "--seeds",
        "1",
        "--jobs",
        "1",
    ]
    assert main([*search, "--dry-run"]) == 0
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert lines[1] == "linear, draw 0, simulated-a+simulated-b, seed 0: the recipe itself"
    assert lines[2].startswith("linear, draw 1, simulated-a+simulated-b, seed 0: settings.inverse_regularisation=[")
    assert "4 of 4 runs are missing" in told.err
    assert not Path("tuned").exists()

    assert main(search) == 0
    told = capsys.readouterr()
    assert "### from simulated-a+simulated-b" in told.out
    told_next = "benchmark --recipe tuned/best.toml -o tuned --source simulated-a simulated-b --target DOMAIN\n"
    assert told_next in told.err
    assert {path.name for path in Path("tuned").iterdir()} >= {"tune.jsonl", "tune.json", "tune.md", "best.toml"}
    assert Path("tuned/tune.md").read_text() == told.out

    assert main([*search, "--json"]) == 0  # nothing is left to run
    said = json.loads(capsys.readouterr().out)
    assert (said["draws"], said["seeds"], said["search_seed"]) == (3, [0], 0)
    linear = said["choices"][1]
    best = max(linear["draws"], key=lambda draw: draw["dev_mean"])
    assert linear["best_draw"] == best["draw"]
    runs = [json.loads(line) for line in Path("tuned/tune.jsonl").read_text().splitlines()]
    assert [run["row"] for run in runs] == ["constant, draw 0", *(f"linear, draw {n}" for n in range(3))]
    assert all(set(run["metrics"]) == {"simulated-a", "simulated-b"} for run in runs)

    table = [
        "benchmark",
        *DOMAINS,
        "--target",
        "simulated-c",
        "--recipe",
        "tuned/best.toml",
        "--seeds",
        "1",
        "--jobs",
        "1",
    ]
    assert main([*table, "-o", "tuned"]) == 0
    constant, tuned = [json.loads(line) for line in Path("tuned/records.jsonl").read_text().splitlines()]
    assert (constant["row"], tuned["row"]) == ("constant", "linear")
    strengths = best["settings"].get("settings.inverse_regularisation", [0.01, 0.1, 1.0, 10.0])
    assert tuned["settings"]["method"]["settings"]["inverse_regularisation"] == strengths
    assert tuned["extra"]["training_key"] == runs[1 + best["draw"]]["extra"]["training_key"]


def test_a_recipe_s_own_distributions_go_on_top_and_a_failing_draw_is_said(capsys):
    own = ["--set", 'search.erm.modalities={choice=[["audio"]]}', "--set", "methods.erm.dim=8"]
    command = ["tune", *DOMAINS, *SMALL, *own, "--methods", "erm", "--draws", "2", "--seeds", "1", "--jobs", "1"]
    assert main(command) == 1
    told = capsys.readouterr()
    assert "failed: erm on simulated-a+simulated-b, 1 of 2 draws, left out of the choice\n" in told.err
    assert "ERM: 1 of 2 draws are left out of the choice; runs failed: 1 (first: draw 1, seed 0: " in told.out
    assert 'method = "erm"' in Path("tuned/best.toml").read_text()


def test_an_encoder_that_is_named_is_that_of_rows_which_train_it_too(capsys):
    search = ["tune", "--recipe", "tables", "--source", "vignettes-films", "--text", "electra", "--draws", "1"]
    rows = ["erm (T, frozen)", "erm (T, fine-tuned)", "linear (T), layer 3, uniform prior"]
    assert main([*search, "--methods", *rows, "--dry-run"]) == 0
    told = capsys.readouterr().err
    stores = [line.split()[5].rstrip(",") for line in told.splitlines() if line.startswith("to be extracted first")]
    assert sorted(stores) == ["text-electra", "text-electra-tokens", "text-minilm-layer3"]
    assert "--text electra does not reach rows that name their own: linear (T), layer 3, uniform prior" in told


def test_a_row_whose_features_cannot_be_had_leaves_the_others_to_be_searched(capsys, monkeypatch):
    from msadg.protocols import stores

    real = stores.prepare_stores

    def prepare_stores(data, *rest):
        if data.features["text"] == "electra":
            raise FeatureError("electra cannot be fetched")
        real(data, *rest)

    monkeypatch.setattr(stores, "prepare_stores", prepare_stores)
    away = ["--set", 'rows.away.method="erm"', "--set", 'rows.away.features.text="electra"']
    command = ["tune", *DOMAINS, *SMALL, *away, "--methods", "linear", "away", "--draws", "2", "--seeds", "1"]
    assert main([*command, "--jobs", "1"]) == 1
    told = capsys.readouterr()
    assert "not searched: away: its features cannot be had: electra cannot be fetched\n" in told.err
    assert "Linear" in told.out and "away" not in told.out
    assert "[rows.linear]" in Path("tuned/best.toml").read_text()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--methods", "lineer"], "unknown method or row 'lineer'; did you mean 'linear'?"),
        (["--draws", "0"], "0 draws cannot be compared"),
        (["--search", "serch"], "unknown recipe 'serch'; did you mean 'search'?"),
        (["--search", "quick"], "--search quick: the recipe has no [search] part"),
        (
            ["--set", "search.erm.dime={choice=[8]}"],
            "quick: [search.erm]: erm has no setting 'dime'; did you mean 'dim'?",
        ),
        (["--set", "search.erm.dim={int=[9,8]}"], "quick: [search.erm] settings.dim: int = [9, 8] is an empty range"),
        (["--set", "selection=oracle"], "selects on the target (oracle), and a search never reads one"),
        (["--seeds", "none"], "--seeds 'none': expected how many"),
    ],
)
def test_what_cannot_be_is_one_clear_sentence(more: list[str], said: str, capsys):
    assert main(["tune", *DOMAINS, *SMALL, "--methods", "erm", *more]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
