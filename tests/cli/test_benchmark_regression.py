"""A grid that predicts polarity: rows it has no meaning for, what its progress says, and a report of differences."""

import pytest

from msadg.cli import main
from msadg.cli.benchmark import _said
from tests.protocols.helpers import toy_domain
from tests.records import record_of

SMALL = [
    "--text", "simulated", "--set", "training.epochs=1", "--set", "methods.erm.dim=8", "--set", "methods.s2lif.dim=8",
    "--set", "training.device=cpu", "--seeds", "1", "--jobs", "1",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def domains(tmp_path):
    a, c = (toy_domain(tmp_path, name, offset=offset, polarity=True) for name, offset in (("a", 0), ("c", 200)))
    return ["--source", a, "--target", c]


def test_rows_with_a_class_prior_are_left_out_of_all_rows_in_one_sentence(domains, capsys):
    grid = ["benchmark", "--recipe", "quick", "--task", "regression", *domains, *SMALL, "--dry-run"]
    assert main(grid) == 0
    said = capsys.readouterr()
    assert "erm, a, seed 0" in said.out and "uniform" not in said.out
    sentence = [line for line in said.err.splitlines() if "uniform prior" in line]
    assert sentence == [
        "left out: linear, uniform prior; erm, uniform prior; s2lif, uniform prior: a class prior is about the shares "
        "of classes, and a regression predicts polarity"
    ]


def test_such_a_row_that_is_named_is_an_error(domains, capsys):
    grid = ["benchmark", "--recipe", "quick", "--task", "regression", *domains, *SMALL]
    assert main([*grid, "--methods", "erm, uniform prior"]) == 2
    assert "row 'erm, uniform prior': training.class_prior = 'uniform'" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:the .* mask (never rejected|rejects nothing)")
def test_differences_of_polarities_are_tested_and_a_constant_s_correlation_is_not(domains, tmp_path, capsys):
    grid = ["benchmark", "--recipe", "regression", *domains, *SMALL, "-o", "grid", "--methods", "constant", "linear"]
    assert main([*grid, "erm"]) == 0
    assert main(["report", "grid", "--against", "linear", "--draws", "200"]) == 0
    printed = capsys.readouterr().out
    assert "differs from Linear (paired bootstrap over videos; Holm-adjusted over 2 cells" in printed
    for metric, tested in (("mae", {"constant", "erm"}), ("corr", {"erm"}), ("acc7", {"constant", "erm"})):
        header, *lines = (tmp_path / f"grid/report/single-source-{metric}.csv").read_text().splitlines()
        place = header.split(",").index("p_adjusted")
        assert {line.split(",")[0] for line in lines if line.split(",")[place] not in ("", "nan")} == tested


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ({"mosi": {"mae": 0.9, "f1_macro": 0.4}, "meld": {"f1_macro": 0.2}}, "worst target MAE 0.900"),
        ({"mosi": {"mae": 0.9}, "meld": {"mae": 1.25}}, "worst target MAE 1.250"),
        ({"mosi": {"f1_macro": 0.4}, "meld": {"f1_macro": 0.25}}, "worst target F1 0.250"),
        ({}, "done"),
    ],
)
def test_progress_names_the_worst_target_by_the_metric_of_the_task(metrics: dict, said: str):
    assert _said(record_of(metrics=metrics)) == said
    assert _said(record_of(metrics=metrics, error="RunError: no")) == "failed"
