"""`msadg benchmark --table N` plans the paper's tables, and `msadg report --table N` lays them out."""

import argparse

import pytest

from msadg.cli import benchmark, report
from msadg.cli.paper_table import rows_of_table, splits_of_table
from msadg.cli.rows import with_trained_text
from msadg.errors import RunError, UnknownNameError, UsageError
from msadg.protocols.domains import paper_setting
from msadg.protocols.recipe import Recipe, load_recipe
from msadg.report.published import published_table
from msadg.results.journal import append_record
from tests.records import record_of

SINGLE = [paper_setting(f"single-{name}") for name in "ABC"]
MULTI = [paper_setting(f"multi-{name}") for name in "ABC"]


def parse(verb, *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    return parser.parse_args(words)


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load_recipe("tables")


def test_a_table_has_its_settings_or_those_of_them_that_are_named():
    assert splits_of_table(parse(benchmark, "--table", "1")) == SINGLE
    assert splits_of_table(parse(benchmark, "--table", "2", "--settings", "all")) == MULTI
    assert splits_of_table(parse(benchmark, "--table", "3")) == MULTI[:1]
    assert splits_of_table(parse(benchmark, "--table", "2", "--settings", "multi-C")) == MULTI[2:]
    with pytest.raises(UnknownNameError, match=r"unknown setting of Table 1 \(single-source\) 'multi-A'"):
        splits_of_table(parse(benchmark, "--table", "1", "--settings", "multi-A"))
    with pytest.raises(UsageError, match="--table 1 is on the paper's domains"):
        splits_of_table(parse(benchmark, "--table", "1", "--source", "mosi", "--target", "meld"))


def test_all_rows_are_the_papers_and_ours_without_what_cannot_run_here_which_is_told(recipe, capsys):
    rows = rows_of_table(1, recipe, None, SINGLE)
    told = capsys.readouterr().err
    assert rows[0] == "constant"
    paper = [row for row, category in published_table(1).categories.items() if category != "MLLM"]
    assert set(paper) <= set(rows)
    left_out = set(recipe.rows) - set(rows) - set(published_table(3).rows)
    assert {recipe.row(row).method for row in left_out} == {"coral", "groupdro", "vrex", "irm", "mllm"}
    assert all(row in told for row in left_out)
    assert not any(row.endswith("(frozen)") for row in rows)  # Table 3's own


def test_with_two_sources_methods_that_compare_them_join_and_language_models_where_all_are_named(recipe, capsys):
    rows = rows_of_table(2, recipe, ["all"], MULTI)
    assert set(recipe.rows) - set(rows) == set(published_table(3).rows) - {"s2lif (T > V, frozen)"}
    assert capsys.readouterr().err == ""


def test_table_3_is_the_constant_and_the_papers_four_rows(recipe):
    assert set(rows_of_table(3, recipe, None, MULTI[:1])) == {"constant", *published_table(3).rows}


def test_rows_can_be_named_as_long_as_the_table_shows_them(recipe):
    assert rows_of_table(1, recipe, ["linear (T)", "linear (T)", "mad (V)"], SINGLE) == ["linear (T)", "mad (V)"]
    assert rows_of_table(1, recipe, ["mllm (BLIP-2)"], SINGLE) == ["mllm (BLIP-2)"]
    with pytest.raises(UnknownNameError, match=r"unknown row of Table 3 \(.*\) 'linear \(T\)'"):
        rows_of_table(3, recipe, ["linear (T)"], MULTI[:1])
    with pytest.raises(UnknownNameError, match=r"unknown method or row 'mad \(W\)'; did you mean 'mad \(V\)'"):
        rows_of_table(1, recipe, ["mad (W)"], SINGLE)


def test_another_text_encoder_is_also_the_one_that_is_trained(recipe):
    changed = with_trained_text(load_recipe("tables", ["data.features.text=electra"]), "electra")
    found = {
        row: changed.experiment(row, MULTI[0], 0).data.features.get("text")
        for row in ("mult (M, frozen)", "mult (M, fine-tuned)", "ridg (T, fine-tuned)")
    }
    assert list(found.values()) == ["electra", "electra-tokens", "electra-tokens"]
    assert with_trained_text(recipe, None) is recipe
    layered = with_trained_text(recipe, "minilm:layer=3")  # what is trained begins with token ids, whatever is frozen
    assert layered.row("ridg (T, fine-tuned)").features["text"] == "minilm-tokens"
    assert with_trained_text(recipe, "mllm:model=llava-1.5-7b") is recipe


@pytest.mark.parametrize("modality", ["video", "audio"])
def test_other_features_reach_the_rows_that_read_them_and_no_others(modality):
    changed = load_recipe("tables", [f"data.features.{modality}=mine"])
    for row in changed.rows:
        experiment = changed.experiment(row, MULTI[0], 0)
        read = experiment.method.settings.get("modalities", ())
        if "(M" in row:
            assert experiment.data.features[modality] == "mine"
            assert not read
        if "(T" in row and ">" not in row and "&" not in row:
            assert experiment.data.features.get("video") is None or modality == "audio"
            assert experiment.method.name in ("s2lif", "s2lif_plus") or list(read) == ["text"]


def test_the_benchmark_plans_the_tables_grid(monkeypatch, tmp_path):
    planned = {}

    def plan_only(recipe, rows, splits, seeds, folder, **how):
        planned.update(recipe=recipe.description, rows=rows, splits=splits, seeds=seeds)
        return []

    monkeypatch.setattr(benchmark, "run_grid_shown", plan_only)
    words = ("--table", "2", "--settings", "multi-B", "--methods", "mad (V)", "erm (M, frozen)", "--seeds", "2")
    assert benchmark.run(parse(benchmark, *words, "-o", str(tmp_path))) == 0
    assert planned == {
        "recipe": load_recipe("tables").description,
        "rows": ["mad (V)", "erm (M, frozen)"],
        "splits": MULTI[1:2],
        "seeds": [0, 1],
    }
    assert benchmark.run(parse(benchmark, "--methods", "erm", "--settings", "single-A", "-o", str(tmp_path))) == 0
    assert planned["recipe"] == load_recipe("quick").description


@pytest.fixture
def results(tmp_path):
    for row, setting, accuracy in (("constant", "multi-A", 0.34), ("s2lif (T > V, frozen)", "multi-A", 0.61)):
        split = paper_setting(setting)
        metrics = {domain: {"accuracy": accuracy, "f1_macro": accuracy / 2} for domain in split.all_domains}
        domains = {"sources": split.source_domains, "targets": split.target_domains}
        append_record(tmp_path / "records.jsonl", record_of(row, setting=setting, metrics=metrics, **domains))
    return tmp_path


def test_the_report_prints_accuracy_first_and_writes_the_second_layout_too(results, capsys):
    assert report.run(parse(report, str(results), "--table", "3", "--published")) == 0
    printed, told = capsys.readouterr()
    assert printed.startswith("### Table 3 (ablation on multi-source A): accuracy\n\n| category | ")
    assert "**.610** [.674]" in printed
    assert "[.341]" in printed  # rejected features, which nobody ran
    assert told == f"report: {results / 'table-3'}\n"
    assert sorted(file.name for file in (results / "table-3").iterdir()) == [
        *("report.md", "scores.csv", "table-3-accuracy.csv", "table-3-accuracy.tex"),
        *("table-3-f1_macro.csv", "table-3-f1_macro.tex"),
    ]
    assert "worst target" in (results / "table-3" / "report.md").read_text()


def test_what_a_report_cannot_show_is_told(results):
    with pytest.raises(UsageError, match="--published shows the paper's numbers in a table of its own"):
        report.run(parse(report, str(results), "--published"))
    with pytest.raises(UsageError, match="the paper prints accuracy alone"):
        report.run(parse(report, str(results), "--table", "3", "--published", "--metric", "f1_macro"))
    with pytest.raises(RunError, match="msadg benchmark --table 1"):
        report.run(parse(report, str(results), "--table", "1"))
