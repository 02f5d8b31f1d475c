"""`msadg report` prints the first table, writes the rest, and says what is missing."""

import argparse
import subprocess
import sys

import pytest

from msadg.cli import report
from msadg.errors import RunError, UsageError
from msadg.results import Record, append_record


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    report.add_arguments(parser)
    return parser.parse_args(words)


@pytest.fixture
def results(tmp_path):
    record = Record(
        key="k",
        row="erm",
        method="erm",
        settings={},
        setting="single-B",
        source_domains=("mosi",),
        target_domains=("meld",),
        selection="dev",
        seed=0,
        revision="r",
        features={},
        metrics={"mosi": {"f1_macro": 0.6, "accuracy": 0.7}, "meld": {"f1_macro": 0.4, "accuracy": 0.5}},
    )
    append_record(tmp_path / "records.jsonl", record)
    return tmp_path


def test_the_first_table_goes_to_standard_output_and_the_place_to_standard_error(results, capsys):
    assert report.run(parse(str(results))) == 0
    printed, told = capsys.readouterr()
    assert printed.startswith("### Single-source: macro-F1\n\n| method | MOSI (source) | ")
    assert "accuracy" not in printed
    assert told == f"report: {results / 'report'}\n"
    assert len(list((results / "report").iterdir())) == 6  # report.md, scores.csv, 2 tables in 2 formats


def test_place_metric_and_format_can_be_chosen(results, tmp_path, capsys):
    report.run(parse(str(results), "-o", str(tmp_path / "here"), "--metric", "accuracy", "--format", "tex"))
    assert capsys.readouterr().out.startswith("### Single-source: accuracy")
    assert [file.name for file in (tmp_path / "here").iterdir()] == ["single-source-accuracy.tex"]


def test_what_cannot_be_is_told(results, tmp_path):
    with pytest.raises(UsageError, match="--draws is 5; expected at least 100"):
        report.run(parse(str(results), "--draws", "5"))
    with pytest.raises(RunError, match="there is no such file"):
        report.run(parse(str(tmp_path / "none")))


def test_asking_for_help_imports_nothing_heavy():
    code = "import sys, msadg.cli.report as r; print([m for m in ('torch', 'numpy', 'pandas') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_an_output_that_ends_in_html_is_one_page(results, tmp_path, capsys):
    path = tmp_path / "here" / "report.html"
    assert report.run(parse(str(results), "-o", str(path), "--title", "Mine & <yours>", "--no-measurements")) == 0
    told = capsys.readouterr().err
    page = path.read_text(encoding="utf-8")
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert "<h1>Mine &amp; &lt;yours&gt;</h1>" in page
    assert '<th scope="row">ERM</th><td>.600</td>' in page
    # There are no weights, so there is no more than the records say; that is told on the page and beside it.
    assert "The weights of 1 of 1 run could not be read" in page
    assert "The weights of 1 of 1 run could not be read" in told
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_several_folders_are_for_one_page(results, tmp_path):
    with pytest.raises(UsageError, match=r"2 folders were given; several go on one page: add -o report\.html"):
        report.run(parse(str(results), str(tmp_path / "b")))
    with pytest.raises(UsageError, match="a folder was named twice"):
        report.run(parse(str(results), str(results), "-o", str(tmp_path / "x.html")))


def test_options_of_a_page_and_of_a_folder_are_kept_apart(results, tmp_path):
    with pytest.raises(UsageError, match=r"--no-cases is for one page; add -o report\.html"):
        report.run(parse(str(results), "--no-cases"))
    with pytest.raises(UsageError, match="--format is for a folder of files"):
        report.run(parse(str(results), "-o", str(tmp_path / "x.html"), "--format", "md"))
    with pytest.raises(UsageError, match="leave one of them out"):
        report.run(parse(str(results), "-o", str(tmp_path / "x.html"), "--no-cases", "--show-transcripts"))
