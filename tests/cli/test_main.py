"""The command as its user meets it: help, mistakes, and the whole way on simulated domains."""

import json
import subprocess
import sys
import warnings

import pytest

from msadg.cli import VERBS, main
from msadg.errors import MsadgWarning

SMALL = [
    "--text", "simulated", "--set", "training.epochs=2", "--set", "training.batch_size=64",
    "--set", "methods.s2lif.dim=8", "--set", "methods.s2lif.heads=2", "--set", "methods.erm.dim=8",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MSADG_DATA", raising=False)
    warnings.simplefilter("default", MsadgWarning)  # the command prints them; the outer fixture restores


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from msadg.cli import parser; parser().format_help();"
        "print(sorted({'torch', 'numpy', 'pandas', 'sklearn', 'scipy', 'transformers', 'pyarrow', 'rich', 'pydantic'}"
        " & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([verb, "--help"])
    assert stopped.value.code == 0
    assert "usage: msadg " + verb in capsys.readouterr().out


def test_the_version_is_printed(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("msadg ")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["train", "--source", "mossi"], "unknown corpus 'mossi'; did you mean 'mosi'?"),
        (
            ["train", "--method", "s2lfi", "--source", "simulated-a"],
            "unknown method or row 's2lfi'; did you mean 's2lif'?",
        ),
        (["train", "--setting", "single-D"], "unknown setting 'single-D'; did you mean 'single-"),
        (["train"], "no source domain was named"),
        (["train", "--source", "simulated-a", "--target", "simulated-a"], "as source and as target"),
        (["train", "--source", "simulated-a", "--recipe", "qiuck"], "did you mean 'quick'?"),
        (["train", "--source", "simulated-a", "--set", "training.epoch=1"], "did you mean 'epochs'?"),
        (["train", "--source", "simulated-a", "--set", "methods.s2lif.oder=text"], "did you mean 'order'?"),
        (["benchmark", "--seeds", "many"], "--seeds 'many': expected how many (5) or which"),
        (["benchmark", "--target", "meld"], "--target goes with --source"),
    ],
)
def test_what_cannot_be_is_one_clear_sentence(command: list[str], said: str, capsys):
    if command[0] == "train" and "--text" not in command:
        command = [*command, "--text", "simulated"]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


def test_a_warning_is_told_once_a_command_however_often_it_is_met(capsys, monkeypatch):
    def run(arguments) -> int:
        for met in ("too long", "too short", "too long"):
            with warnings.catch_warnings():  # which makes Python forget what it has told
                warnings.warn(MsadgWarning(met), stacklevel=1)
        return 0

    monkeypatch.setattr("msadg.cli.report.run", run)
    for _ in range(2):
        assert main(["report", "results"]) == 0
        assert capsys.readouterr().err.splitlines() == ["warning: too long", "warning: too short"]


@pytest.mark.parametrize(("verb", "kept"), [(["archive", "r"], False), (["restore", "f"], True)])
def test_what_is_stopped_says_whether_anything_is_kept(verb: list[str], kept: bool, capsys, monkeypatch):
    def stopped(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"msadg.cli.{verb[0]}.run", stopped)
    assert main(verb) == 130
    told = capsys.readouterr().err
    assert told.startswith(f"msadg {verb[0]}: stopped") and ("saved" in told) == kept


def test_data_that_is_not_there_says_where_to_put_it(capsys):
    assert main(["train", "--source", "mosi"]) == 1
    assert "MSADG_DATA is not set" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_one_sentence(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    command = ["train", "--source", "simulated-a", "-o", "file/run", *SMALL]
    assert main(command) == 1
    error = capsys.readouterr().err
    assert "file/run" in error and "Traceback" not in error
    assert main([*command[: -len(SMALL) - 1], "file", *SMALL]) == 1
    assert "file is there already, as a file; name a folder" in capsys.readouterr().err


def test_from_training_to_tables_on_simulated_domains(capsys, tmp_path):
    train = ["train", "--source", "simulated-a", "--target", "simulated-c", "-o", "runs/one", *SMALL]
    assert main([*train, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert set(record["metrics"]) == {"simulated-a", "simulated-c"}
    assert 0 <= record["extra"]["recovery"]["text"]["recall"] <= 1
    assert (tmp_path / "runs/one/runs" / record["key"] / "predictions.parquet").exists()
    assert list((tmp_path / "runs/one/tensorboard").iterdir())

    assert main(train) == 1
    assert "exists already; choose another folder" in capsys.readouterr().err
    assert main([*train, "--resume"]) == 0

    assert main(["evaluate", "runs/one", "--target", "simulated-a"]) == 2
    assert "not domain generalisation" in capsys.readouterr().err
    assert main(["evaluate", "runs/one", "--target", "simulated-b", "--json"]) == 0
    assert "simulated-b" in json.loads(capsys.readouterr().out)["metrics"]
    # Scored on one target, then on another: the report has both.
    assert main(["report", "runs/one"]) == 0
    table = capsys.readouterr().out
    assert "simulated-b" in table and "simulated-c" in table and "\N{EN DASH}" not in table
    assert main(["evaluate", "runs/one", "--intervention", "rejected", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["extra"]["intervention"] == "rejected"


def test_a_grid_is_planned_run_completed_and_reported(capsys):
    grid = ["benchmark", "--leave-one-out", "simulated-a", "simulated-b", "simulated-c", "--methods", "constant", "erm"]
    grid += ["--seeds", "1", "--jobs", "1", "-o", "results", *SMALL]
    assert main([*grid, "--dry-run"]) == 0
    planned = capsys.readouterr().out.strip().splitlines()
    assert planned == [f"{row}, to-simulated-{d}, seed 0" for row in ("constant", "erm") for d in "abc"]
    assert main(grid) == 0
    capsys.readouterr()
    assert main([*grid, "--dry-run"]) == 0
    planned, told = capsys.readouterr()
    assert planned == "" and "0 of 6 runs are missing in results" in told
    assert main(["report", "results", "--draws", "100"]) == 0
    table = capsys.readouterr().out
    assert "| Constant" in table and "| ERM" in table and "simulated-c" in table
    assert "simulated text" in table


def test_a_failing_run_fails_the_command_but_not_the_others(capsys):
    grid = [
        "benchmark",
        "--source",
        "simulated-a",
        "--target",
        "simulated-c",
        "--methods",
        "s2lif",
        "erm",
        "--seeds",
        "1",
    ]
    grid += ["--jobs", "1", *SMALL, "--set", "methods.s2lif.order=audio"]
    assert main(grid) == 1
    error = capsys.readouterr().err
    assert "failed: s2lif" in error and "add audio features" in error
    assert "1 runs are recorded" in error


def test_a_user_s_own_manifest_with_real_text(capsys, tmp_path, offline_encoder):
    rows = ["clip_id,video_id,text,sentiment,split"]
    words = {"negative": "this is dreadful", "neutral": "it is a box", "positive": "this is wonderful"}
    for split in ("train", "dev", "test"):
        rows += [f"{split}{i}{s},{split}{i},{t} {i},{s},{split}" for i in range(6) for s, t in words.items()]
    (tmp_path / "mine.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    command = ["train", "--method", "linear", "--source", "mine=mine.csv", "--text", offline_encoder, "--json"]
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["mine"]["accuracy"] > 0.8


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a,v,hello,happy,train", "happy"),
        ("x,v,,neutral,train", "line 3"),
        ("c0,v,again,neutral,train", "c0"),
        ("y,v0,shared,neutral,test", "v0"),
    ],
)
def test_a_manifest_that_is_wrong_is_named_with_its_line(line: str, said: str, capsys, tmp_path):
    rows = "clip_id,video_id,text,sentiment,split\nc0,v0,hello there,neutral,train\n" + line + "\n"
    (tmp_path / "mine.csv").write_text(rows, encoding="utf-8")
    assert main(["train", "--source", "mine=mine.csv", "--text", "simulated"]) == 1
    error = capsys.readouterr().err
    assert "mine.csv" in error and said in error
