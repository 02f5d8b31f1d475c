"""Numbers and names as printed."""

import pytest

from msadg.report.names import number, printed, spread


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, ".000"),
        (1.0, "1.000"),
        (0.9996, "1.000"),
        (-0.0625, "-.062"),
        (10.05, "10.050"),
        (float("nan"), "\N{EN DASH}"),
    ],
)
def test_numbers_have_three_digits_and_no_leading_zero(value, text):
    assert number(value) == text


def test_a_single_value_has_no_interval():
    assert spread(0.5, float("nan")) == ".500"
    assert spread(0.5, 0.0) == ".500 ± .000"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("groupdro", "GroupDRO"),
        ("invariant_fusion, no gate", "Invariant fusion, no gate"),
        ("mult + mask", "MulT + mask"),
        ("multitask", "multitask"),
        ("Mine", "Mine"),
        ("", ""),
    ],
)
def test_known_first_words_are_spelled_as_in_the_papers(name, text):
    assert printed(name) == text
