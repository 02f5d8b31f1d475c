"""Mean and worst target as a figure: every row of the table is in it, under its own name."""

from dataclasses import replace

from msadg.report.html.score_figure import draw_scores, scores_in_words
from msadg.report.writing import build_tables
from tests.records import record_of

DOMAINS = ("mosei", "mosi", "meld")


def record(row: str, score: float, selection: str = "source_dev"):
    made = record_of(row, 0, metrics={domain: {"f1_macro": score, "accuracy": score} for domain in DOMAINS})
    return replace(made, selection=selection)


def test_a_method_and_the_same_one_chosen_on_the_target_are_two_rows():
    records = [record("erm", 0.3), record("erm", 0.8, "oracle"), record("linear", 0.5)]
    (table,) = build_tables(records, lambda _: None, ["f1_macro"])
    (axes,) = draw_scores(table).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["ERM", "ERM†", "Linear"]
    assert list(axes.containers[0].lines[0].get_xdata()) == [0.3, 0.8, 0.5]
    words = scores_in_words(table)
    assert "ERM: mean target .300" in words and "ERM†: mean target .800" in words
