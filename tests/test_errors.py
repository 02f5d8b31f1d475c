"""The nearest name is found, whatever its case."""

import pytest

from msadg.errors import UnknownNameError, nearest_name


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("single-a", ["single-A", "single-C"], "did you mean 'single-A'? "),
        ("mossi", ["meld", "mosi"], "did you mean 'mosi'? "),
        ("zzz", ["meld", "mosi"], ""),
    ],
)
def test_the_nearest_name(name: str, known: list[str], expected: str):
    assert nearest_name(name, known) == expected


def test_an_unknown_name_lists_the_known_ones():
    assert str(UnknownNameError("corpus", "q", ["b", "a"])) == "unknown corpus 'q'; known: a, b"
