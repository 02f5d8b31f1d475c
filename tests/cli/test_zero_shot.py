"""A zero-shot row from the command line: asked once, scored everywhere, called by what it was shown."""

import dataclasses
import json
import shutil

import pytest

from msadg.cli import main
from msadg.results.journal import append_record, read_records
from msadg.store.reader import Store
from tests.extraction.zero_shot.tiny import saved
from tests.protocols.helpers import SIZES, toy_domain


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return saved("llava", tmp_path_factory.mktemp("models") / "llava")


@pytest.fixture
def recipe(tmp_path, monkeypatch, model):
    monkeypatch.chdir(tmp_path)
    answers = f"mllm:model={model},precision=float32,device=cpu,batch_size=64"
    path = tmp_path / "zero.toml"
    row = f'method = "mllm"\nfeatures = {{ text = "{answers}" }}\n'
    path.write_text(
        f'[rows."mllm, tiny"]\n{row}[rows."mllm, calibrated"]\n{row}settings = {{ calibrated = true }}\n',
        encoding="utf-8",
    )
    return path


def test_it_is_a_row_of_the_benchmark(tmp_path, recipe, capsys):
    a, b = (toy_domain(tmp_path, name, offset=100 * at) for at, name in enumerate("ab"))
    grid = ["benchmark", "--recipe", str(recipe), "--source", a, "--target", b, "--seeds", "3", "--jobs", "1"]
    rows = ["--methods", "mllm, tiny", "mllm, calibrated", "-o", "results"]
    assert main([*grid, *rows]) == 0
    records = read_records(tmp_path / "results/records.jsonl")
    assert [record.row for record in records] == ["mllm, tiny", "mllm, calibrated"], "one seed stands for all"
    for record in records:
        assert record.error is None
        assert set(record.metrics) == {"a", "b"}
        assert record.features["text"]["row_note"] == "transcript only"

    # Each clip of dev and test was asked about once, none of train; the likelihoods are the predictions.
    (folder,) = (tmp_path / "stores" / "b").iterdir()
    store = Store(folder)
    assert store.manifest.clips == SIZES["dev"] + SIZES["test"]
    assert store.manifest.settings["precision"] == "float32"

    # The same grid again asks and runs nothing.
    written = (tmp_path / "results/records.jsonl").read_bytes()
    assert main([*grid, *rows]) == 0
    assert (tmp_path / "results/records.jsonl").read_bytes() == written

    assert main(["report", "results"]) == 0
    said = capsys.readouterr().out
    assert "MLLM, tiny (transcript only)" in said and "MLLM, calibrated (transcript only)" in said


def test_a_model_that_cannot_be_had_does_not_stop_the_other_rows(tmp_path, recipe, model, capsys):
    cut = shutil.copytree(model, tmp_path / "cut")
    weights = cut / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    away = f'[rows."mllm, away"]\nmethod = "mllm"\nfeatures = {{ text = "mllm:model={cut},device=cpu" }}\n'
    recipe.write_text(recipe.read_text() + away)
    a, b = (toy_domain(tmp_path, name, offset=100 * at) for at, name in enumerate("ab"))
    grid = [
        "benchmark",
        "--recipe",
        str(recipe),
        "--source",
        a,
        "--target",
        b,
        "--seeds",
        "1",
        "--jobs",
        "1",
        "-o",
        "r",
    ]
    assert main([*grid, "--methods", "mllm, away", "mllm, tiny"]) == 1, "not all that was asked for is there"
    told = capsys.readouterr().err
    assert "not run: mllm, away: its features cannot be had: " in told and str(cut) in told
    assert [(record.row, record.error) for record in read_records(tmp_path / "r/records.jsonl")] == [
        ("mllm, tiny", None)
    ]
    # One that is recorded, made or restored elsewhere, is not told to be lacking.
    journal = tmp_path / "r/records.jsonl"
    here = journal.read_bytes()
    (record,) = read_records(journal)
    append_record(journal, dataclasses.replace(record, row="mllm, away", key="0" * 16))
    assert main([*grid, "--methods", "mllm, away", "mllm, tiny"]) == 0
    assert "not run" not in capsys.readouterr().err
    journal.write_bytes(here)
    # Where nothing else was asked for, that is the error of the command.
    assert main([*grid, "--methods", "mllm, away"]) != 0
    assert "msadg benchmark: " in capsys.readouterr().err


def test_it_is_extracted_like_any_features_and_predicts(tmp_path, recipe, model, capsys):
    a = toy_domain(tmp_path, "a")
    answers = f"mllm:model={model},precision=float32,device=cpu,batch_size=64"
    assert main(["extract", a, "--text", answers, "-o", "stores"]) == 0
    assert main(["train", "--recipe", str(recipe), "--method", "mllm, tiny", "--source", a, "-o", "run"]) == 0
    capsys.readouterr()
    assert main(["predict", "run", "--text", "I loved it", "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert verdict


def test_without_its_features_it_says_which_extractor_makes_them(tmp_path, recipe, offline_encoder, capsys):
    a = toy_domain(tmp_path, "a")
    assert main(["train", "--method", "mllm", "--source", a, "-o", "run"]) == 2
    assert "mllm:model=llava-1.5-7b" in capsys.readouterr().err


def test_a_model_that_would_need_code_of_the_hub_is_refused(tmp_path, recipe, capsys):
    a = toy_domain(tmp_path, "a")
    assert main(["train", "--method", "mllm", "--text", "mllm:model=qwen-vl", "--source", a, "-o", "run"]) == 2
    assert "never runs code from a hub" in capsys.readouterr().err
