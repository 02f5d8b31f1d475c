"""The paper's own numbers, held against what was read off its pages a second time."""

import pytest

from msadg.errors import UsageError
from msadg.report.published import TABLES, published_table
from msadg.report.published_notes import is_printed_as, notes_on_published


@pytest.mark.parametrize(
    ("number", "row", "accuracies"),  # A line of the paper each, and how many lines there are.
    [
        (1, "mult (M, fine-tuned)", [0.691, 0.740, 0.526, 0.736, 0.400, 0.506, 0.687, 0.453, 0.493]),
        (1, "almt + mask (M, frozen)", [0.642, 0.693, 0.509, 0.574, 0.472, 0.473, 0.697, 0.376, 0.460]),
        (1, "s2lif (T > V, fine-tuned)", [0.701, 0.774, 0.572, 0.762, 0.556, 0.613, 0.692, 0.580, 0.519]),
        (2, "mad (M, fine-tuned)", [0.485, 0.672, 0.297, 0.484, 0.676, 0.305, 0.445, 0.511, 0.383]),
        (2, "mllm (Qwen-VL)", [0.455, 0.536, 0.250, 0.536, 0.455, 0.250, 0.250, 0.455, 0.536]),
        (2, "s2lif (T > V, fine-tuned)", [0.687, 0.710, 0.687, 0.759, 0.723, 0.581, 0.791, 0.687, 0.578]),
        (3, "s2lif, no keyframes (frozen)", [0.642, 0.695, 0.663]),
    ],
)
def test_lines_are_those_of_the_paper(number, row, accuracies):
    table = published_table(number)
    assert [table.accuracy[row, *place] for place in table.places] == accuracies


@pytest.mark.parametrize(("number", "num_rows", "num_columns"), [(1, 29, 9), (2, 29, 9), (3, 4, 3)])
def test_no_number_is_missing(number, num_rows, num_columns):
    table = published_table(number)
    assert (len(table.rows), len(table.places)) == (num_rows, num_columns)
    assert len(table.accuracy) == num_rows * num_columns
    assert all(0 < accuracy < 1 for accuracy in table.accuracy.values())


def test_columns_stand_as_in_the_paper_and_sources_before_targets():
    first, second, third = map(published_table, TABLES)
    assert [domain for _, domain in first.places] == [
        *("mosei", "mosi", "meld"), *("mosi", "meld", "mosei"), *("meld", "mosi", "mosei"),
    ]  # fmt: skip
    assert [domain for _, domain in second.places] == [
        *("mosei", "meld", "mosi"), *("mosi", "meld", "mosei"), *("mosi", "mosei", "meld"),
    ]  # fmt: skip
    assert third.places == second.places[:3]
    assert [first.is_source(place) for place in first.places] == [True, False, False] * 3
    assert [second.is_source(place) for place in second.places] == [True, True, False] * 3


def test_a_language_model_has_one_number_for_a_domain_whatever_the_setting_but_for_the_slip_that_is_noted():
    for number in (1, 2):
        table = published_table(number)
        for row in (row for row, category in table.categories.items() if category == "MLLM"):
            found = {(d, table.accuracy[row, s, d]) for s, d in table.places}
            slips = (number, row) == (2, "mllm (Qwen-VL)")
            assert (len(found) == 3) != slips, row
    assert "Qwen-VL" in notes_on_published(published_table(2))[0]
    assert not any("Qwen-VL" in note for note in notes_on_published(published_table(1)))


def test_rows_of_one_answer_are_told():
    # Of MOSI's 686 test clips 347 are negative, 106 neutral, 233 positive; of MELD's 2,610, 833, 1,256 and 521.
    # A third of a thousandth apart is another number; to cut .33965 gives .339, to round it .340.
    assert [is_printed_as(233 / 686, a) for a in (0.339, 0.340, 0.338, 0.341)] == [True, True, False, False]
    (note,) = notes_on_published(published_table(3))
    assert "S2LIF, noise for selected (frozen) in multi-A, MOSEI .367 (positive), MELD .199 (positive)" in note
    assert "MOSI .339 (positive)" in note
    assert "rejected" not in note
    told = notes_on_published(published_table(1))[0]
    assert "RIDG (M, frozen) in single-B, MOSI .505 (negative)" in told


def test_there_is_no_fourth_table():
    with pytest.raises(UsageError, match="--table 4: expected one of 1, 2, 3"):
        published_table(4)
