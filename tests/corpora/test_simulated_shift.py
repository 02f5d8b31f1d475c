"""Simulated domains that differ by how far the shortcut has turned."""

from collections import Counter

import numpy as np
import pytest

from msadg.corpora.catalog import CORPORA, open_corpus
from msadg.corpora.simulated import SimulatedCorpus
from msadg.corpora.simulated_shift import SHIFTED
from msadg.extraction.simulated import SimulatedFeatures
from msadg.extraction.simulated_truth import SPURIOUS_STRENGTH, SimulationConfig

SHIFTS = {"simulated-shift-0": 0.0, "simulated-shift-25": 0.25, "simulated-shift-50": 0.5} | {
    "simulated-shift-75": 0.75,
    "simulated-shift-100": 1.0,
}


@pytest.mark.parametrize("domain", SHIFTED)
def test_the_card_states_the_counts(domain: type[SimulatedCorpus]):
    assert domain().check().differences == ()
    assert domain.card.num_utterances == {"train": 600, "dev": 150, "test": 300}


@pytest.mark.parametrize("name", SHIFTS)
def test_a_domain_is_opened_by_its_name_and_has_equal_classes(name: str):
    utterances = list(open_corpus(name).all_utterances())
    assert CORPORA[name].name == name and utterances[0].clip_id == f"{name}/train/v000[0]"
    shares = np.array(list(Counter(u.sentiment for u in utterances).values())) / len(utterances)
    assert shares == pytest.approx(np.full(3, 1 / 3), abs=4 * np.sqrt(2 / 9 / 1_050))


def test_a_name_says_how_far_the_shortcut_has_turned():
    config = SimulationConfig()
    at_home = (config.strength_of("simulated-a") + config.strength_of("simulated-b")) / 2
    turned = {name: (1 - config.strength_of(name) / at_home) / 2 for name in SHIFTS}
    assert turned == pytest.approx(SHIFTS, abs=1e-12)


@pytest.mark.parametrize(("domain", "rho"), [(SHIFTED[0], 0.8), (SHIFTED[2], 0.0), (SHIFTED[4], -0.8)])
def test_the_shortcut_shows_the_class_as_strongly_as_the_domain_says(domain: type[SimulatedCorpus], rho: float):
    is_spurious = np.array(SimulationConfig().kinds("video")) == "spurious"
    loadings = SimulationConfig().loadings("video")[is_spurious]
    clips = list(domain().utterances("train"))
    drawn = np.stack([f.values[0].astype(np.float64) for f in SimulatedFeatures("video").extract(clips)])
    sentiment = np.array([u.sentiment for u in clips])
    met = np.array([np.corrcoef(column, sentiment)[0, 1] for column in drawn[:, is_spurious].T])
    expected = rho * np.abs(loadings) * np.sqrt(2 / 3) / np.sqrt(2 / 3 + 0.25)
    assert np.mean(np.sign(loadings) * met) == pytest.approx(expected.mean(), abs=3 / np.sqrt(600))


def test_shifted_domains_are_no_part_of_a_world_s_settings():
    # Or the digests of stores from before there were these domains would change.
    assert not set(SHIFTS) & set(SPURIOUS_STRENGTH)
    assert SimulatedFeatures("video").settings["config"]["spurious_strength"] == dict(SPURIOUS_STRENGTH)


def test_a_strength_that_is_named_in_the_settings_comes_first():
    config = SimulationConfig(spurious_strength={"simulated-shift-0": -0.3})
    assert config.strength_of("simulated-shift-0") == -0.3
    assert config.strength_of("simulated-shift-100") == -0.8
    assert config.strength_of("elsewhere") == 0.0
