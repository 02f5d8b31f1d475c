"""Records become the first paper's tables: its rows and columns, its numbers beside ours, what we did otherwise."""

import csv
import io

import numpy as np
import pytest

from msadg.errors import RunError, UnknownNameError
from msadg.metrics.classification import classification_metrics
from msadg.protocols.domains import SETTINGS, paper_setting
from msadg.report.csv_table import to_csv
from msadg.report.latex import to_latex
from msadg.report.markdown import to_markdown
from msadg.report.paper_tables import build_paper_tables, records_of_table

TEXT = {"text": {"extractor": "text-minilm", "version": "1"}}
BOTH = TEXT | {"video": {"extractor": "video-simulated", "version": "1", "simulated": True}}
QUICK = {"training": {"learning_rate": 1e-3, "batch_size": 16, "epochs": 6, "warmup_epochs": 0.5}}
EXACT = {"training": {"learning_rate": 7e-5, "batch_size": 16, "epochs": 200, "warmup_epochs": 3.0}}


@pytest.fixture
def run(make_record):
    """A run of a row in one of the paper's settings; scores by domain, or one for all."""

    def make(row="erm (T, frozen)", setting="single-A", seed=0, accuracy=0.5, **change):
        split = paper_setting(setting)
        by_domain = accuracy if isinstance(accuracy, dict) else dict.fromkeys(split.all_domains, accuracy)
        metrics = {domain: {"accuracy": a, "f1_macro": a - 0.1} for domain, a in by_domain.items()}
        change = {"features": BOTH, "settings": QUICK, "extra": {"epochs": 6}, "metrics": metrics} | change
        domains = {"sources": split.source_domains, "targets": split.target_domains}
        return make_record(row, seed, setting=setting, **domains, **change)

    return make


def tables(records, number, **how):
    return build_paper_tables(records_of_table(records, number), lambda record: None, number, **how)


def rows_of(table):
    return [(row.category, row.name) for row in table.rows]


def test_rows_follow_the_paper_whatever_the_order_of_the_runs(run):
    names = ["s2lif (T > V, frozen)", "erm (M, frozen)", "mad (V)", "mult (M, frozen)", "linear (T)", "constant"]
    table, _ = tables([run(name) for name in names], 1)
    assert rows_of(table) == [
        ("", "constant"),
        ("MSA", "mult (M, frozen)"),
        ("OOD", "mad (V)"),
        ("S2LIF", "s2lif (T > V, frozen)"),
        ("not in the paper", "erm (M, frozen)"),
        ("not in the paper", "linear (T)"),
    ]


def test_columns_follow_the_paper_as_far_as_there_are_runs(run):
    accuracy, f1 = tables([run(setting="single-B"), run(setting="single-A")], 1)
    assert [(c.group, c.domain, c.role) for c in accuracy.columns] == [
        *(("A", "mosei", "source"), ("A", "mosi", "target"), ("A", "meld", "target")),
        *(("B", "mosi", "source"), ("B", "meld", "target"), ("B", "mosei", "target")),
    ]
    assert f1.columns[:-2] == accuracy.columns
    assert [(c.domain, c.role) for c in f1.columns[-2:]] == [("mean_target", "summary"), ("worst_target", "summary")]
    assert [table.name for table in (accuracy, f1)] == ["table-1-accuracy", "table-1-f1_macro"]
    assert accuracy.title == "Table 1 (single-source): accuracy"


def test_the_second_layout_has_the_worst_target(run):
    _, f1 = tables([run(accuracy={"mosei": 0.7, "mosi": 0.6, "meld": 0.3})], 1)
    mean, worst = f1.rows[0].cells[-2:]
    assert (mean.interval.mean, worst.interval.mean) == (pytest.approx(0.35), pytest.approx(0.2))


def test_each_table_takes_its_own_settings_and_rows(run, make_record):
    own = run("s2lif, no keyframes (frozen)", "multi-A")
    records = [
        *(run("s2lif (T > V, frozen)", setting) for setting in SETTINGS),
        *(own, run("linear (T)", "multi-A"), run("constant", "multi-A")),
        make_record("erm", setting="single-A", sources=("films",), metrics={"films": {"accuracy": 0.1}}),
        make_record("erm", setting=None, sources=("mosei",), metrics={"mosi": {"accuracy": 0.1}}),
    ]
    assert [r.row for r in records_of_table(records, 1)] == ["s2lif (T > V, frozen)"] * 3
    assert own not in records_of_table(records, 2)
    assert rows_of(tables(records, 3)[0]) == [
        *(("", "constant"), ("Ablation", "s2lif, no keyframes (frozen)"), ("S2LIF", "s2lif (T > V, frozen)")),
    ]
    assert [c.group for c in tables(records, 3)[0].columns] == ["", "", ""]


def test_the_papers_numbers_stand_in_brackets_and_alone_where_there_is_no_run(run):
    records = [run("mult (M, frozen)", seed=s, accuracy={"mosei": a, "mosi": a}) for s, a in enumerate((0.6, 0.62))]
    accuracy, f1 = tables([*records, run("constant")], 1, published=True)
    assert [len(table.rows) for table in (accuracy, f1)] == [1 + 29, 2]
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in to_markdown(accuracy).splitlines()[2:34]]
    assert lines[0][:6] == ["category", "method", "A: MOSEI (source)", "A: MOSI", "A: MELD", "B: MOSI (source)"]
    # Two values .02 apart: half width 12.7062 * .01.
    dash = "\N{EN DASH}"
    assert lines[2] == ["", "Constant (simulated video)", ".500", ".500", ".500", *[dash] * 6]
    assert lines[3] == [
        *("MSA", "MulT (M, frozen) (simulated video)", ".610 ± .127 [.644]", "**.610 ± .127** [.693]", "[.516]"),
        *("[.609]", "[.344]", "[.452]", "[.663]", "[.258]", "[.435]"),
    ]
    assert lines[4][:5] == ["", "MulT (M, fine-tuned)", "[.691]", "[.740]", "[.526]"]
    assert lines[-1][:5] == ["", "S2LIF (T > V, fine-tuned)".replace(">", r"\>"), "[.701]", "[.774]", "[.572]"]
    shown = [line[0] for line in lines[2:] if line[0]]
    assert shown == ["MSA", "MSA + mask", "OOD", "MLLM", "S2LIF"]
    assert "In brackets: what the paper prints" in accuracy.caption
    assert "In brackets" not in f1.caption


def test_a_row_that_was_selected_on_the_target_leaves_the_papers_number_to_a_row_of_its_own(run):
    (table, *_) = tables([run("mad (V)", selection="oracle")], 1, published=True)
    oracle, paper = [row for row in table.rows if row.name.startswith("mad (V)")]
    assert (oracle.name, oracle.published, oracle.category) == ("mad (V) (oracle)", (), "OOD")
    assert paper.cells == (None,) * len(table.columns) and None not in paper.published


def test_the_csv_has_the_papers_numbers_in_a_column_of_their_own(run):
    accuracy, f1 = tables([run("mult (M, frozen)", accuracy={"mosei": 0.6})], 1, published=True)
    lines = list(csv.DictReader(io.StringIO(to_csv(accuracy))))
    assert len(lines) == 29 * 9
    ours, other = lines[0], lines[1]
    assert (ours["category"], ours["row"], ours["mean"], ours["published"]) == (
        "MSA",
        "mult (M, frozen)",
        "0.6",
        "0.644",
    )
    assert (other["domain"], other["mean"], other["n"], other["published"]) == ("mosi", "", "0", "0.693")
    second = to_csv(f1).splitlines()
    assert second[0].endswith(",p_adjusted,category")
    assert second[1].endswith(",MSA")


def test_the_latex_has_a_category_column_with_rules_between_categories(run):
    accuracy, _ = tables([run("constant"), run("mult (M, frozen)"), run("mad (V)"), run("mad (M, frozen)")], 1)
    lines = to_latex(accuracy).splitlines()
    assert r"\begin{tabular}{llccc}" in lines
    assert lines[lines.index(r"\toprule") + 1] == r"category & method & MOSEI (source) & MOSI & MELD \\"
    body = lines[lines.index(r"\midrule") + 1 : lines.index(r"\bottomrule")]
    assert [line.split(" & ")[0] for line in body] == ["", r"\midrule", "MSA", r"\midrule", "OOD", ""]
    two, _ = tables([run(setting="single-A"), run("mult (M, frozen)", "single-C")], 1, published=True)
    text = to_latex(two)
    assert r" &  & \multicolumn{3}{c}{A} & \multicolumn{3}{c}{B} & \multicolumn{3}{c}{C} \\" in text
    assert r"\cmidrule(lr){3-5}\cmidrule(lr){6-8}\cmidrule(lr){9-11}" in text
    assert r".500 [.258]" in text


def test_what_was_done_otherwise_than_in_the_paper_is_read_from_the_records(run):
    records = [
        run("constant", features=BOTH, settings={}, extra={}),
        run("mult (M, frozen)"),
        run("linear (T)", features=TEXT, extra={"epochs": 0}, settings={"training": {"epochs": 50}}),
    ]
    (table, _) = tables(records, 1)
    assert table.notes == (
        "Otherwise than in the paper: text is minilm in 2 of 2 rows that are given any (paper: ELECTRA)",
        "Otherwise than in the paper: video is simulated in 1 of 1 rows that are given any "
        "(paper: VGGFace2 embeddings of the speaker's face)",
        "Otherwise than in the paper: learning rate 0.001 (paper: 7e-05), epochs 6 (paper: 200), warmup epochs 0.5 "
        "(paper: 3)",
    )


def test_nothing_is_noted_of_runs_that_do_as_the_paper_did(run):
    features = {"text": {"extractor": "text-electra"}, "video": {"extractor": "video-vggface2-rate=5"}}
    same = run("mult (M, frozen)", features=features, settings=EXACT | {"data": {"labels": "round"}})
    tokens = run(
        "mult (M, fine-tuned)", features=features | {"text": {"extractor": "text-electra-tokens"}}, settings=EXACT
    )
    assert tables([same, tokens], 1)[0].notes == ()
    other = run("mult (M, frozen)", features=features, settings=EXACT | {"data": {"labels": "sign"}})
    assert tables([other], 1)[0].notes == (
        "Otherwise than in the paper: a polarity becomes a class by sign (paper: round)",
    )


def test_failed_runs_are_noted_and_their_row_keeps_the_papers_number(run):
    failed = run("mad (V)", metrics={}, error="out of memory", features={})
    table, _ = tables([run("constant"), failed], 1, published=True)
    assert table.notes[-1] == "Failed: MAD (V), A, seed 0: out of memory"
    (row,) = [row for row in table.rows if row.name == "mad (V)"]
    assert row.cells[0] is None
    assert row.published[0] == 0.450


def test_significance_is_marked_as_in_the_other_tables(run, make_predictions):
    chance = np.random.default_rng(0)
    sentiment = np.arange(90) % 3
    records, predictions = [], {}
    for row, skill in (("linear (T)", 0.0), ("ridg (T, frozen)", 0.9)):
        for seed in range(2):
            predicted = np.where(chance.random(90) < skill, sentiment, chance.integers(0, 3, 90))
            made = make_predictions(predicted, sentiment, np.arange(90) // 3)
            scores = classification_metrics(made.probabilities, sentiment)
            records.append(run(row, seed=seed, metrics={"mosi": scores}))
            predictions[records[-1].key] = made
    both = build_paper_tables(
        records, lambda record: predictions[record.key], 1, published=True, against="linear (T)", draws=200
    )
    for table in both:
        (ridg,) = [row for row in table.rows if row.name == "ridg (T, frozen)"]
        assert [cell.differs for cell in ridg.cells if cell and cell.comparison] == [True]
        assert "*: differs from Linear (T)" in table.caption
    assert r"\* [.384]" in to_markdown(both[0])


def test_what_cannot_be_is_told(run):
    records = [run("erm (T, frozen)", "single-A")]
    with pytest.raises(
        RunError, match=r"no run of Table 2 \(multi-source\) is recorded here: it shows multi-A, .*single-A"
    ):
        records_of_table(records, 2)
    with pytest.raises(UnknownNameError, match="unknown metric 'acuracy'; did you mean 'accuracy'"):
        tables(records, 1, metrics=["acuracy"])
    with pytest.raises(UnknownNameError, match=r"unknown row 'mad \(V\)'"):
        tables(records, 1, against="mad (V)")
