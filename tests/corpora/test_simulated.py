"""Simulated domains: sizes, splits by video, class priors, polarities; the same on every reading."""

import hashlib
from collections import Counter

import numpy as np
import pytest
from scipy.stats import kstest

from msadg.corpora.simulated import SimulatedA, SimulatedB, SimulatedC, SimulatedCorpus
from msadg.extraction.simulated import SimulatedFeatures

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
    assert domain().has_polarity


def test_two_readings_are_the_same_and_a_split_alone_equals_its_part():
    assert read(SimulatedB) == read(SimulatedB)
    test = list(SimulatedB(labels="sign").utterances("test"))
    assert test == [u for u in read(SimulatedB) if u.split == "test"]


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("labels", ["round", "sign"])
def test_a_polarity_read_as_a_class_is_the_clip_s_class(domain: type[SimulatedCorpus], labels: str):
    for u in domain(labels=labels).all_utterances():
        value = round(u.polarity) if labels == "round" else u.polarity
        assert u.sentiment == 1 + int(np.sign(value))
        assert np.float32(u.polarity) == u.polarity  # nothing is lost in single precision


def test_a_polarity_is_half_to_three_and_as_likely_everywhere_between():
    utterances = [u for domain in DOMAINS for u in read(domain)]
    by_class = [np.array([u.polarity for u in utterances if u.sentiment == index]) for index in range(3)]
    assert set(by_class[1]) == {0.0}
    for strength in (-by_class[0], by_class[2]):
        assert 0.5 < strength.min() < 0.52 and 2.98 < strength.max() <= 3.0
        assert kstest(strength, "uniform", args=(0.5, 2.5)).pvalue > 0.01
        # The median is 7/4, and clips lie 5/8 from it on average; the standard error of either is about .02.
        assert np.median(strength) == pytest.approx(1.75, abs=0.08)
        assert np.abs(strength - 1.75).mean() == pytest.approx(0.625, abs=0.05)


def test_polarity_says_no_more_of_a_clip_than_its_class_and_its_id():
    # One worked by hand: SHA-256 of the sentence, its first 16 bits plus one, over 2^16.
    clip = next(u for u in read(SimulatedA) if u.sentiment == 2)
    first = int.from_bytes(hashlib.sha256(f"strength of {clip.clip_id}".encode()).digest()[:2], "big")
    assert clip.polarity == 0.5 + 2.5 * (first + 1) / 65_536


def test_clips_and_classes_are_those_from_before_there_was_a_polarity():
    # The digest was made by the code that knew no polarity.
    digest = hashlib.sha256()
    for domain in DOMAINS:
        for labels in ("round", "sign"):
            for u in domain(labels=labels).all_utterances():
                digest.update(repr((u.clip_id, u.video_id, u.split, u.sentiment, u.text)).encode())
    assert digest.hexdigest() == "f210ceaa24c6a610b37733c09a5e603efae9b8677807ca676159a38526acd8c6"


def test_features_are_those_from_before_there_was_a_polarity():
    # So was this one: half precision, so the last bit of a machine's arithmetic does not show.
    digest = hashlib.sha256()
    for domain in DOMAINS:
        clips = read(domain)[:40]
        for modality in ("text", "audio", "video"):
            for features in SimulatedFeatures(modality).extract(clips):
                digest.update(features.values.astype("float32").tobytes())
    assert digest.hexdigest() == "9ab829c34af3903ebdf10eff572ece69deb5a37d2e95c1be8fccf267c8127442"
