"""`msadg stress`: from run folders to files, a table and clear words about what cannot be."""

import csv
import json
import warnings
from pathlib import Path

import pytest

from msadg.cli import main
from msadg.errors import MsadgWarning

TRAIN = [
    "train", "--method", "erm", "--source", "simulated-a", "--target", "simulated-c", "--text", "simulated",
    "--video", "simulated", "--set", "training.epochs=1", "--set", "training.batch_size=64", "--set",
    "methods.erm.dim=8", "--set", 'methods.erm.modalities=["text","video"]', "--json",
]  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MsadgWarning)
        for seed in (0, 1):
            stores = ["--stores", str(folder / "stores")]
            assert main([*TRAIN, "--seed", str(seed), "-o", str(folder / str(seed)), *stores]) == 0
    return folder


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MSADG_DATA", raising=False)
    warnings.simplefilter("default", MsadgWarning)


def test_two_seeds_of_a_row_give_one_curve_in_every_file(trained, tmp_path, capsys):
    runs = [str(trained / "0"), str(trained / "1")]
    assert main(["stress", *runs, "--kinds", "drop,missing", "--rates", "0.5", "--repeats", "2"]) == 0
    printed, told = capsys.readouterr()
    assert "| ERM " in printed and "drop 50 %" in printed and "stress: stress" in told
    assert sorted(path.name for path in Path("stress").iterdir()) == [
        "stress-f1_macro.png", "stress-f1_macro.svg", "stress-f1_macro_change.png", "stress-f1_macro_change.svg",
        "stress-js_distance.png", "stress-js_distance.svg", "stress.csv", "stress.md",
    ]  # fmt: skip
    with Path("stress/stress.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["seed"] for row in rows} == {"0", "1"} and {row["domain"] for row in rows} == {"simulated-c"}
    # What was scored at rate 0 is what training wrote down, to the last digit.
    for seed in ("0", "1"):
        record = json.loads((trained / seed / "records.jsonl").read_text().splitlines()[0])
        at_0 = {r["measure"]: float(r["value"]) for r in rows if r["seed"] == seed and r["rate"] == "0.0"}
        assert at_0["f1_macro"] == record["metrics"]["simulated-c"]["f1_macro"]
        assert at_0["accuracy"] == record["metrics"]["simulated-c"]["accuracy"]
    assert "t-interval over seeds" in Path("stress/stress.md").read_text()


def test_runs_can_be_named_and_the_curves_be_had_as_json(trained, tmp_path, capsys):
    runs = [f"one={trained / '0'}", f"two={trained / '1'}"]
    options = ["--kinds", "missing", "--modalities", "text", "--target", "simulated-b", "-o", "here", "--json"]
    assert main(["stress", *runs, *options]) == 0
    curves = json.loads(capsys.readouterr().out)
    assert [curve["label"] for curve in curves if curve["measure"] == "js_distance"] == ["one", "two"]
    (f1,) = [c["points"][1] for c in curves if (c["label"], c["measure"]) == ("one", "f1_macro")]
    assert f1["low"] is None and 0 < f1["mean"] < 1
    assert Path("here/stress.csv").read_text().count("simulated-b") == 2 * 2 * 7


def test_a_single_run_keeps_its_stress_in_its_own_folder(trained, capsys):
    run = trained / "0"
    assert main(["stress", str(run), "--kinds", "missing"]) == 0
    assert (run / "stress" / "stress.csv").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--kinds", "dorp"], "unknown kind of perturbation 'dorp'; did you mean 'drop'?"),
        (["--rates", "10,30"], "rate = 10.0; expected 1 or less"),
        (["--rates", "some"], "--rates 'some': expected numbers over 0, up to 1"),
        (["--modalities", "audio"], "the run has text, video features, and audio was to be disturbed"),
        (["--modalities", "text", "--kinds", "jitter"], "of text there are drop, noise, missing"),
        (["--target", "simulated-z"], "simulated-z"),
        (["--repeats", "0"], "repeats = 0; expected 1 or more"),
    ],
)
def test_what_cannot_be_is_one_clear_sentence(trained, options: list[str], said: str, capsys):
    assert main(["stress", str(trained / "0"), *options]) in (1, 2)
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error
    assert not (trained / "0" / "stress-").exists()


def test_a_folder_that_is_no_run_and_a_run_given_twice_are_told(trained, tmp_path, capsys):
    assert main(["stress", "nowhere"]) == 1
    assert "nowhere is not a run" in capsys.readouterr().err
    run = str(trained / "0")
    assert main(["stress", run, run, "--kinds", "missing"]) == 2
    assert "two runs are called erm and have seed 0" in capsys.readouterr().err


def test_a_benchmark_s_rows_are_put_under_stress_together(trained, capsys):
    settings = ["--set", "training.epochs=1", "--set", "methods.erm.dim=8", "--set", "training.batch_size=64"]
    features = ["--text", "simulated", "--video", "simulated", "--stores", str(trained / "stores")]
    domains = ["--source", "simulated-a", "--target", "simulated-c"]
    rows = ["--methods", "constant", "erm", "--seeds", "2"]
    grid = ["benchmark", *rows, *domains, *features, *settings, "--jobs", "1", "-o", "grid"]
    assert main(grid) == 0
    options = ["--kinds", "missing", "--modalities", "text", "--json"]
    assert main(["stress", "grid", "--rows", "erm", *options]) == 0
    capsys.readouterr()
    assert main(["stress", "grid", *options]) == 0  # a constant reads nothing, so it is left out
    curves = json.loads(capsys.readouterr().out)
    assert {curve["label"] for curve in curves} == {"erm"}
    (f1,) = [curve for curve in curves if curve["measure"] == "f1_macro"]
    records = [json.loads(line) for line in Path("grid/records.jsonl").read_text().splitlines()]
    scored = [r["metrics"]["simulated-c"]["f1_macro"] for r in records if r["row"] == "erm"]
    assert f1["points"][0]["values"] == scored and len(scored) == 2
    comparison = ["--compare", "erm", "constant", "--rows", "erm", "constant"]
    assert main(["stress", "grid", "--kinds", "missing", "--modalities", "text", *comparison, "-o", "pairs"]) == 2
    assert "share 1 seed" in capsys.readouterr().err
    for wrong in ("emr", "erms"):
        assert main(["stress", "grid", *options, "--compare", "erm", wrong]) == 2
        assert f"unknown curve to compare '{wrong}'; did you mean 'erm'?" in capsys.readouterr().err
    assert main(["stress", "grid", "--rows", "ermm", *options]) == 2
    assert "did you mean 'erm'?" in capsys.readouterr().err


def test_rows_of_several_settings_are_compared_in_each(trained, capsys):
    grid = [
        "benchmark", "--recipe", "simulated", "--leave-one-out", "simulated-a", "simulated-b", "--methods",
        "s2lif, no mask", "erm", "--seeds", "2", "--set", "training.epochs=1", "--set", "training.batch_size=128",
        "--set", "methods.erm.dim=8", "--set", "methods.erm.layers=0", "--stores", str(trained / "stores"), "--jobs",
        "1", "-o", "both",
    ]  # fmt: skip
    assert main(grid) == 0
    options = ["--kinds", "missing", "--modalities", "text", "--compare", "erm", "s2lif, no mask"]
    assert main(["stress", "both", *options]) == 0
    with Path("both/stress/stress-pairs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {(row["label"], row["against"]) for row in rows} == {
        (f"erm, {place}", f"s2lif, no mask, {place}")
        for place in ("simulated-a to simulated-b", "simulated-b to simulated-a")
    }


def test_no_clip_is_scored_for_a_comparison_that_cannot_be(trained, monkeypatch, capsys):
    import msadg.analysis.stress

    monkeypatch.setattr(msadg.analysis.stress, "stress_run", lambda *_, **__: pytest.fail("it was scored"))
    assert main(["stress", str(trained / "0"), str(trained / "1"), "--compare", "erm", "erm, a to b"]) == 2
    assert "unknown curve to compare" in capsys.readouterr().err
    assert main(["stress", f"one={trained / '0'}", f"two={trained / '1'}", "--compare", "one", "two"]) == 2
    assert "one and two share 0 seeds" in capsys.readouterr().err


def test_rows_are_for_a_benchmark_s_folder(trained, capsys):
    assert main(["stress", str(trained / "0"), "--rows", "erm"]) == 2
    assert "none was named" in capsys.readouterr().err


def test_rows_are_held_against_each_other_seed_by_seed(trained, tmp_path, capsys):
    runs = [f"{name}={trained / seed}" for name in ("one", "two") for seed in ("0", "1")]
    options = ["--kinds", "missing,noise", "--rates", "0.5", "--modalities", "text", "--repeats", "1"]
    assert main(["stress", *runs, *options, "--compare", "one", "two"]) == 0
    assert "## one against two" in capsys.readouterr().out
    assert "## one against two" in Path("stress/stress.md").read_text()
    with Path("stress/stress-pairs.csv").open() as file:
        rows = list(csv.DictReader(file))
    # The same runs under two names do not differ at all.
    assert rows and all(row["first"] == row["second"] and float(row["low"]) == 0 for row in rows)
    assert {row["num_seeds"] for row in rows} == {"2"}
