"""Both readings of a polarity, against their definitions."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msadg.corpora.corpus import sentiment_of_polarity
from msadg.corpora.labels import polarity_of, split_of_name
from msadg.errors import CorpusError
from msadg.types import SENTIMENTS

POLARITIES = st.floats(-3, 3)


@pytest.mark.parametrize(
    ("polarity", "rounded", "signed"),
    [
        (-3.0, "negative", "negative"),
        (-0.6, "negative", "negative"),
        (-0.5, "neutral", "negative"),
        (-0.2, "neutral", "negative"),
        (0.0, "neutral", "neutral"),
        (-0.0, "neutral", "neutral"),
        (0.5, "neutral", "positive"),
        (0.500001, "positive", "positive"),
        (3.0, "positive", "positive"),
    ],
)
def test_each_reading_draws_its_own_border(polarity: float, rounded: str, signed: str):
    assert SENTIMENTS[sentiment_of_polarity(polarity, "round")] == rounded
    assert SENTIMENTS[sentiment_of_polarity(polarity, "sign")] == signed


@given(POLARITIES)
def test_round_is_neutral_exactly_within_half(polarity):
    assert (sentiment_of_polarity(polarity, "round") == 1) == (abs(polarity) <= 0.5)


@given(POLARITIES)
def test_sign_is_neutral_exactly_at_zero(polarity):
    assert sentiment_of_polarity(polarity, "sign") == 1 + int(math.copysign(1, polarity) if polarity else 0)


@given(POLARITIES, POLARITIES, st.sampled_from(["round", "sign"]))
def test_a_higher_polarity_is_never_a_lower_class(one, other, labels):
    low, high = sorted((one, other))
    assert sentiment_of_polarity(low, labels) <= sentiment_of_polarity(high, labels)


@given(POLARITIES, st.sampled_from(["round", "sign"]))
def test_the_readings_mirror(polarity, labels):
    assert sentiment_of_polarity(polarity, labels) == 2 - sentiment_of_polarity(-polarity, labels)


@given(POLARITIES)
def test_where_the_readings_differ_one_says_neutral(polarity):
    rounded, signed = (sentiment_of_polarity(polarity, labels) for labels in ("round", "sign"))
    assert rounded in (signed, 1)


def test_a_word_is_no_polarity():
    assert polarity_of("positive", "here") is None


@pytest.mark.parametrize("label", ["3.01", "-4", "inf", "-inf"])
def test_a_polarity_outside_the_scale_is_refused_with_its_place(label: str):
    with pytest.raises(CorpusError, match=r"clips\.csv, line 7: polarity .* outside \[-3, 3\]"):
        polarity_of(label, "clips.csv, line 7")


@pytest.mark.parametrize("name", ["dev", "val", "valid", "Validation"])
def test_the_split_between_has_one_name_here(name: str):
    assert split_of_name(name, "here") == "dev"


@pytest.mark.parametrize("label", ["1_0e-1", "0_1", " -1_0e-1"])
def test_a_number_as_a_program_writes_it_is_no_polarity(label: str):
    with pytest.raises(CorpusError, match=r"line 7: the label is .* without underscores"):
        polarity_of(label, "clips.csv, line 7")
    assert polarity_of("very_negative", "line 7") is None
