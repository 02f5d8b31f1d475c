"""Simulated domains: sizes, splits by video, class priors; the same on every reading."""

from collections import Counter

import numpy as np
import pytest

from msadg.corpora.simulated import SimulatedA, SimulatedB, SimulatedC, SimulatedCorpus

DOMAINS = [SimulatedA, SimulatedB, SimulatedC]


def read(domain: type[SimulatedCorpus]):
    return list(domain().all_utterances())


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_domain_has_the_sizes_it_states(domain: type[SimulatedCorpus]):
    assert Counter(u.split for u in read(domain)) == {"train": 600, "dev": 150, "test": 300}


@pytest.mark.parametrize("domain", DOMAINS)
def test_no_video_is_in_two_splits_and_each_has_five_clips(domain: type[SimulatedCorpus]):
    clips = Counter((u.split, u.video_id) for u in read(domain))
    assert set(clips.values()) == {5}
    assert len({video for _, video in clips}) == len(clips) == 210


@pytest.mark.parametrize(
    ("domain", "prior"),
    [(SimulatedA, (1 / 3, 1 / 3, 1 / 3)), (SimulatedB, (0.25, 0.35, 0.4)), (SimulatedC, (0.3, 0.5, 0.2))],
)
def test_classes_follow_the_prior_of_the_domain(domain: type[SimulatedCorpus], prior):
    met = np.bincount([u.sentiment for u in read(domain)], minlength=3) / 1_050
    assert met == pytest.approx(prior, abs=4 * np.sqrt(0.25 / 1_050))


def test_ids_are_unique_over_domains_and_name_domain_split_and_video():
    utterances = [u for domain in DOMAINS for u in read(domain)]
    assert len({u.clip_id for u in utterances}) == 3_150
    assert utterances[17].clip_id == "simulated-a/train/v003[2]"
    assert utterances[17].text == "simulated clip 17"


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_card_states_the_counts(domain: type[SimulatedCorpus]):
    assert domain().check().differences == ()
    assert domain.card.num_utterances == {"train": 600, "dev": 150, "test": 300}
    assert not domain().has_polarity


def test_two_readings_are_the_same_and_a_split_alone_equals_its_part():
    assert read(SimulatedB) == read(SimulatedB)
    test = list(SimulatedB(labels="sign").utterances("test"))
    assert test == [u for u in read(SimulatedB) if u.split == "test"]
