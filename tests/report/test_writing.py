"""A results folder becomes a report, and significance comes from its predictions."""

import numpy as np
import pandas as pd
import pytest

from msadg.errors import RunError, UnknownNameError
from msadg.metrics.classification import classification_metrics
from msadg.report.writing import build_tables, load_results, write_report
from msadg.results.journal import append_record
from msadg.results.predictions import write_predictions


@pytest.fixture
def results(tmp_path, make_record, make_predictions):
    """linear guesses, erm mostly knows: 90 clips in 30 videos of one target, two seeds; single and multi."""
    chance = np.random.default_rng(0)
    sentiment = np.arange(90) % 3
    for sources, setting in ((("mosei",), "single-A"), (("mosei", "meld"), "multi-C")):
        for row, skill in (("linear", 0.0), ("erm", 0.9)):
            for seed in range(2):
                predicted = np.where(chance.random(90) < skill, sentiment, chance.integers(0, 3, 90))
                predictions = make_predictions(predicted, sentiment, np.arange(90) // 3)
                metrics = {"mosi": classification_metrics(predictions.probabilities, sentiment)}
                record = make_record(row, seed, setting=setting, sources=sources, targets=("mosi",), metrics=metrics)
                write_predictions(tmp_path / "runs" / record.key / "predictions.parquet", predictions)
                append_record(tmp_path / "records.jsonl", record)
    return tmp_path


def test_every_metric_has_a_table_for_single_and_for_multi_source(results):
    tables = build_tables(*load_results(results), metrics=["f1_macro", "nll"], against="linear", draws=200)
    assert [table.name for table in tables] == [
        *("single-source-f1_macro", "multi-source-f1_macro"),
        *("single-source-nll", "multi-source-nll"),
    ]
    f1, nll = tables[0], tables[2]
    assert [row.cells[1].differs for row in f1.rows] == [False, True]
    assert not any(row.cells[1].differs for row in nll.rows)
    assert "differs" not in nll.caption


def test_the_files_are_those_asked_for_and_scores_hold_every_metric(results, tmp_path):
    records, load = load_results(results)
    tables = build_tables(records, load, metrics=["accuracy"])
    write_report(records, tables, tmp_path / "one", formats=["md"])
    assert [file.name for file in (tmp_path / "one").iterdir()] == ["report.md"]
    write_report(records, tables, tmp_path / "all")
    assert sorted(file.name for file in (tmp_path / "all").iterdir()) == [
        *("multi-source-accuracy.csv", "multi-source-accuracy.tex", "report.md"),
        *("scores.csv", "single-source-accuracy.csv", "single-source-accuracy.tex"),
    ]
    scores = pd.read_csv(tmp_path / "all" / "scores.csv")
    assert {"ece", "brier", "nll", "recall_neutral", "balanced_accuracy"} <= set(scores["metric"])
    assert {"worst_target", "gap"} <= set(scores["domain"])
    exact = records[0].metrics["mosi"]["accuracy"], records[1].metrics["mosi"]["accuracy"]
    line = scores.query("row == 'linear' and setting == 'single-A' and metric == 'accuracy' and domain == 'mosi'")
    assert tuple(float(text) for text in line["values"].item().split()) == exact


def test_unknown_metrics_and_rows_are_told(results):
    records, load = load_results(results)
    with pytest.raises(UnknownNameError, match="unknown metric 'f1_macr'; did you mean 'f1_macro'"):
        build_tables(records, load, metrics=["f1_macr"])
    with pytest.raises(UnknownNameError, match="unknown row 'ERM'"):
        build_tables(records, load, against="ERM")


def test_missing_and_empty_results_are_told(tmp_path):
    with pytest.raises(RunError, match=r"records\.jsonl: there is no such file; expected a folder that"):
        load_results(tmp_path / "none")
    (tmp_path / "records.jsonl").touch()
    with pytest.raises(RunError, match="no run is recorded yet"):
        load_results(tmp_path)


def test_failures_alone_still_make_a_report(tmp_path, make_record):
    append_record(tmp_path / "records.jsonl", make_record(error="out of memory"))
    tables = build_tables(*load_results(tmp_path))
    assert [table.notes for table in tables] == [("Failed: ERM, seed 0: out of memory",)] * 2


def test_a_row_to_hold_against_is_also_held_against_in_the_mean_of_all_targets(tmp_path, make_record, make_predictions):
    from msadg.report.writing import overall_comparison

    truth, videos = np.arange(30) % 3, np.arange(30) // 2
    right, wrong = (make_predictions((truth + shift) % 3, truth, videos, "mosi") for shift in (0, 1))
    records = [
        make_record(row, setting=setting, sources=(source,), targets=("mosi",), metrics={"mosi": {"f1_macro": score}})
        for row, score in (("linear", 0.0), ("erm", 1.0))
        for setting, source in (("single-A", "mosei"), ("single-C", "meld"))
    ]
    (overall,) = overall_comparison(records, lambda r: right if r.row == "erm" else wrong, "linear", ["f1_macro"])
    write_report(records, [], tmp_path, ("md", "csv"), [overall])
    report = (tmp_path / "report.md").read_text()
    assert "### Mean over all targets: macro-F1" in report
    assert r"| ERM    |            2 | 1.000 |           .000 |   +1.000\* | +1.000 to +1.000 |  \< .001 |" in report
    assert (tmp_path / "overall-f1_macro.csv").read_text().count("\n") == 2
    assert overall_comparison(records, lambda r: right, None, ["f1_macro"]) == []
    assert overall_comparison(records, lambda r: right, "linear", ["ece"]) == []
