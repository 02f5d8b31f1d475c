"""A regression from the command line: trained, scored elsewhere, reported; refused where there is no polarity."""

import json

import pytest

from msadg.cli import main
from tests.protocols.helpers import toy_domain

SMALL = [
    "--task", "regression", "--text", "simulated", "--set", "training.epochs=2", "--set", "methods.erm.dim=8",
    "--set", "training.device=cpu",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def domain(tmp_path, name: str, *, offset: int, polarity: bool = True) -> str:
    return toy_domain(tmp_path, name, offset=offset, polarity=polarity)


def test_from_training_to_a_report(tmp_path, capsys):
    a, c, m = (domain(tmp_path, n, offset=i, polarity=n != "m") for n, i in (("a", 0), ("c", 200), ("m", 300)))
    train = ["train", "--method", "erm", "--source", a, "-o", "run", *SMALL]
    assert main([*train, "--target", c]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split() == ["domain", "role", "MAE", "r", "Acc-2", "has0", "Acc-2", "non0", "Acc-7", "macro-F1"]
    assert [line.split()[:2] for line in printed[1:3]] == [["a", "source"], ["c", "target"]]

    assert main(["evaluate", "run", "--target", m]) == 0
    last = capsys.readouterr().out.splitlines()[2].split()
    assert last[:2] == ["m", "target"]
    assert last[2:7] == ["-"] * 5  # its labels are classes
    assert 0 <= float(last[7]) <= 1

    assert main(["report", "run"]) == 0
    assert "mean absolute error" in capsys.readouterr().out
    assert (tmp_path / "run/report/single-source-corr.csv").exists()
    assert main(["evaluate", "run", "--target", c, "--json"]) == 0
    metrics = json.loads(capsys.readouterr().out)["metrics"]["c"]
    assert {"mae", "corr", "acc2_has0", "acc2_non0", "acc5", "acc7", "f1_weighted_non0", "accuracy"} <= metrics.keys()
    assert "nll" not in metrics


@pytest.mark.parametrize("verb", ["train", "benchmark"])
def test_a_source_of_classes_only_is_one_clear_sentence(tmp_path, capsys, verb: str):
    m, c = domain(tmp_path, "m", offset=0, polarity=False), domain(tmp_path, "c", offset=200)
    method = ["--method" if verb == "train" else "--methods", "erm"]
    assert main([verb, *method, "--source", m, "--target", c, "-o", "out", *SMALL]) == 1
    error = capsys.readouterr().err
    assert "66 of 66 clips of train and dev have a class but no polarity" in error
    assert "Traceback" not in error


def test_uniform_class_shares_are_no_matter_of_a_regression(tmp_path, capsys):
    c = domain(tmp_path, "c", offset=200)
    assert main(["train", "--source", c, *SMALL, "--set", "training.class_prior=uniform"]) == 2
    assert "a regression predicts polarity; leave it out" in capsys.readouterr().err
