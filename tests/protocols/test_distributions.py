"""Distributions: their quantiles are SciPy's, their draws depend on names alone, mistakes are told."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from msadg.errors import SettingsError
from msadg.protocols.distributions import Distribution, distribution_from

SHARES = np.linspace(0.001, 0.999, 200)


@pytest.mark.parametrize(
    ("kind", "low", "high", "known"),
    [
        ("uniform", 0.2, 0.9, stats.uniform(0.2, 0.7)),
        ("uniform", -3, 2, stats.uniform(-3, 5)),
        ("log_uniform", 1e-6, 1e-1, stats.loguniform(1e-6, 1e-1)),
        ("log_uniform", 0.3, 3.0, stats.loguniform(0.3, 3.0)),
    ],
)
def test_quantiles_of_ranges_are_those_of_scipy_to_four_digits(kind: str, low: float, high: float, known):
    distribution = distribution_from({kind: [low, high]}, "here")
    np.testing.assert_allclose([distribution.at(share) for share in SHARES], known.ppf(SHARES), rtol=5.01e-4)


def test_whole_numbers_are_equally_likely_with_both_ends():
    distribution = distribution_from({"int": [2, 6]}, "here")
    assert [distribution.at(share) for share in SHARES] == list(stats.randint(2, 7).ppf(SHARES))


def test_logarithmic_whole_numbers_are_domainbed_s_batch_sizes():
    """int(2 ** U(3, 5.5)) of their registry; 45.25 is the end there, 46 here, the same whole numbers."""
    distribution = distribution_from({"log_int": [8, 45]}, "here")
    drawn = [distribution.at(share) for share in np.linspace(0, 1, 20_000, endpoint=False)]
    assert (min(drawn), max(drawn)) == (8, 45)
    for number in (8, 20, 45):
        expected = np.log((number + 1) / number) / np.log(46 / 8)
        assert np.mean(np.array(drawn) == number) == pytest.approx(expected, abs=1e-4)


def test_a_choice_takes_each_value_equally_often_and_as_it_is():
    distribution = distribution_from({"choice": [0.0, "text>video", ["audio"]]}, "here")
    assert [distribution.at(share) for share in (0.0, 0.33, 0.34, 0.66, 0.67, 0.99)] == [
        0.0, 0.0, "text>video", "text>video", ["audio"], ["audio"],
    ]  # fmt: skip


@given(share=st.floats(0, 1, exclude_max=True), low=st.floats(1e-6, 10), factor=st.floats(1.01, 1e6))
def test_what_is_drawn_lies_in_its_range_and_has_four_digits(share: float, low: float, factor: float):
    value = Distribution("log_uniform", (low, low * factor)).at(share)
    assert low <= value <= low * factor
    assert value in (low, low * factor) or float(f"{value:.4g}") == value


def test_draws_depend_on_their_names_alone():
    wide = Distribution("uniform", (0.0, 1.0))
    first = wide.draw(3, "draw", "erm", 5, "training.learning_rate")
    wide.draw(3, "draw", "erm", 6, "training.learning_rate")
    assert wide.draw(3, "draw", "erm", 5, "training.learning_rate") == first
    others = [
        wide.draw(4, "draw", "erm", 5, "x"),
        wide.draw(3, "draw", "s2lif", 5, "x"),
        wide.draw(3, "draw", "erm", 4),
    ]
    assert len({first, *others}) == 4


def test_draws_follow_the_distribution():
    drawn = [Distribution("log_uniform", (1e-4, 1e-1)).draw(0, "draw", "erm", n, "x") for n in range(400)]
    assert stats.kstest(drawn, stats.loguniform(1e-4, 1e-1).cdf).pvalue > 0.01


def test_a_setting_that_is_a_list_gets_as_many_values_as_asked_for():
    drawn = distribution_from({"uniform": [0, 1], "size": 3}, "here").draw(0, "x")
    assert len(drawn) == len(set(drawn)) == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            {"loguniform": [1, 2]},
            r"here: there is no distribution 'loguniform'; did you mean 'log_uniform'\? known: unif",
        ),
        (0.1, r"here = 0.1; expected a distribution, such as \{ log_uniform"),
        ({}, "here has 0 distributions"),
        ({"uniform": [0, 1], "choice": [1]}, r"here has 2 distributions \(uniform, choice\); expected one"),
        ({"uniform": [1, 0]}, r"uniform = \[1, 0\] is an empty range; the lower end comes first"),
        ({"uniform": [1, 1]}, "is an empty range.*leave the distribution out and set it in the recipe"),
        ({"uniform": [1, 2, 3]}, "expected two numbers, the lower end and the upper"),
        ({"uniform": [0, float("inf")]}, "expected two numbers"),
        ({"uniform": [False, True]}, "expected two numbers"),
        ({"int": [0.5, 2]}, "expected two whole numbers"),
        ({"log_uniform": [0, 1]}, "a logarithmic range begins above 0"),
        ({"log_int": [0, 8]}, "a logarithmic range begins above 0"),
        ({"choice": []}, r"choice = \[\]; expected at least one value"),
        ({"choice": "ab"}, "choice = 'ab'; expected a list"),
        ({"choice": [1], "size": 0}, "size = 0; expected how many values are drawn, 1 or more"),
    ],
)
def test_a_wrong_distribution_is_told(content, said: str):
    with pytest.raises(SettingsError, match=said):
        distribution_from(content, "here")
