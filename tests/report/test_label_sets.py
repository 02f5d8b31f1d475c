"""Runs on other classes than the three sentiments have tables of their own."""

import numpy as np

from msadg.corpora.label_sets import HUMOUR
from msadg.metrics.classification import class_metrics
from msadg.report.markdown import to_markdown
from msadg.report.tables import build_table, split_by_sources
from msadg.report.writing import build_tables
from msadg.results.record import labelled_with


def test_sentiments_come_first_and_other_classes_have_their_name(make_record):
    humour = make_record(sources=("ur-funny",), targets=("shows",), setting=None, extra=labelled_with(HUMOUR))
    assert split_by_sources([humour, make_record()]) == {
        "Single-source": [make_record()],
        "Single-source humour": [humour],
    }


def humour_run(make_record, row: str, predicted: list[int]):
    metrics = {"shows": class_metrics(np.array(predicted), np.array([0, 0, 0, 1]), HUMOUR)}
    changes = {"sources": ("ur-funny",), "targets": ("shows",), "setting": None, "extra": labelled_with(HUMOUR)}
    return make_record(row, metrics=metrics, **changes)


def test_a_run_that_calls_everything_the_same_is_marked_in_its_own_words(make_record):
    records = [humour_run(make_record, "erm", [0, 0, 0, 0]), humour_run(make_record, "s2lif", [0, 0, 1, 1])]
    (table,) = build_tables(records, lambda record: None, metrics=["f1_macro"])
    assert table.name == "single-source-humour-f1_macro"
    printed = to_markdown(table)
    assert ".429‡" in printed  # F1 of 3 in 4: 6/7; of the other class 0
    assert "‡: one humour for every clip" not in printed
    assert "‡: one class of humour for every clip in some seed" in printed
    assert "1 of 1 seeds call every clip not humorous, which is exactly a constant classifier's score" in printed
    assert printed.count("- ‡") == 1  # S2LIF is not one


def test_a_recall_is_shown_where_its_class_is(make_record):
    sentiment = make_record(metrics={"mosi": class_metrics(np.array([0, 1, 2]), np.array([0, 1, 1]))})
    humour = humour_run(make_record, "erm", [0, 0, 1, 1])
    tables = build_tables([sentiment, humour], lambda record: None, metrics=["accuracy", "recall_humorous"])
    assert [table.name for table in tables] == [
        "single-source-accuracy",
        "single-source-humour-accuracy",
        "single-source-humour-recall_humorous",
    ]


def test_means_over_targets_never_mix_two_kinds_of_classes(make_record):
    """Macro-F1 over two classes and over three are not averaged."""
    humour = humour_run(make_record, "erm", [0, 0, 1, 1])
    sentiment = make_record(metrics={"mosi": {"f1_macro": 0.25}})
    table = build_table(split_by_sources([humour, sentiment])["Single-source"], "f1_macro", "Single-source")
    (row,) = table.rows
    at = [column.domain for column in table.columns].index("mean_target")
    assert row.cells[at].interval.mean == 0.25
