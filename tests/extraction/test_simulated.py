"""The moments of simulated features, against the closed forms of the module's docstring."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import floats, integers

from msadg.errors import FeatureError, SettingsError, UnknownNameError
from msadg.extraction.extractor import Extractor
from msadg.extraction.simulated import SimulatedFeatures, TextEvidence, text_evidence
from msadg.extraction.simulated_truth import (
    SPURIOUS_STRENGTH,
    KindCounts,
    SimulationConfig,
    generator_named,
)
from msadg.types import Utterance

NUM_CLIPS = 3_000
# Four standard errors of a correlation or of a mean over 3,000 independent clips: 4 / sqrt(3000) = 0.073.
TOLERANCE = 0.075
SMALL = KindCounts(invariant=4, spurious=3, noise=3)
CONFIG = SimulationConfig(text=SMALL, video=SMALL, steps=(6, 6), persistence=0.7)


def clips_of(domain: str, num: int = NUM_CLIPS) -> list[Utterance]:
    """Clips of one domain with equal classes, in turn."""
    return [
        Utterance(clip_id=f"{domain}/train/v{i}[0]", video_id=f"v{i}", text="x", split="train", sentiment=i % 3)
        for i in range(num)
    ]


def values_of(modality: str, domain: str, config: SimulationConfig = CONFIG):
    """An array (clip, time, feature) of one domain."""
    return _drawn(modality, domain) if config is CONFIG else _draw(modality, domain, config)


def _draw(modality: str, domain: str, config: SimulationConfig):
    drawn = SimulatedFeatures(modality, config).extract(clips_of(domain))
    return np.stack([features.values.astype(np.float64) for features in drawn])


@cache
def _drawn(modality: str, domain: str):
    return _draw(modality, domain, CONFIG)


def signal(num: int = NUM_CLIPS):
    return np.arange(num) % 3 - 1.0


def of_kind(kind: str, modality: str, config: SimulationConfig = CONFIG):
    return np.flatnonzero(np.array(config.kinds(modality)) == kind)


def correlations(values, with_):
    """Pearson r of each column of values with one vector."""
    return np.array([np.corrcoef(column, with_)[0, 1] for column in values.T])


def text_error(domain: str, config: SimulationConfig = CONFIG):
    """eta_text of each clip, read off a world whose text features are all loading and hardly any noise."""
    values = values_of("text", domain, config)[:, :, of_kind("invariant", "text", config)].mean(axis=1)
    evidence = values @ config.loadings("text")[of_kind("invariant", "text", config)]
    return evidence - np.polyval(np.polyfit(signal(), evidence, 1), signal())


def test_counts_of_kinds_are_those_of_the_configuration():
    kinds = SimulationConfig(redundancy=0.25).kinds("video")
    counted = {kind: kinds.count(kind) for kind in set(kinds)}
    assert counted == {"redundant": 3, "complementary": 9, "spurious": 8, "noise": 12}
    assert set(SimulationConfig().kinds("text")) == {"invariant", "spurious", "noise"}


def test_positions_of_kinds_are_shuffled_by_the_world_and_alike_for_every_domain():
    here, there = SimulationConfig(world_seed=0).kinds("video"), SimulationConfig(world_seed=1).kinds("video")
    assert here != there
    assert here != sorted(here)
    assert sorted(here) == sorted(there)


@pytest.mark.parametrize("modality", ["text", "video"])
@pytest.mark.parametrize("domain", ["simulated-a", "simulated-c"])
def test_every_feature_of_every_kind_has_variance_one_in_every_domain(modality: str, domain: str):
    variance = values_of(modality, domain).var(axis=(0, 1))
    # Steps of one clip are not independent: the error is that of 3,000 squared normals, sqrt(2 / 3000).
    assert variance == pytest.approx(np.ones(10), abs=4 * np.sqrt(2 / NUM_CLIPS))


def test_correlation_of_invariant_features_with_the_sentiment_is_the_closed_form_in_all_domains():
    for modality, kinds in {"text": ["invariant"], "video": ["redundant", "complementary"]}.items():
        columns = np.concatenate([of_kind(kind, modality) for kind in kinds])
        # sqrt(2/3) / sqrt(2/3 + 1) = .632: a cue of standard error 1 on a signal of variance 2/3.
        expected = 0.6325 * CONFIG.loadings(modality)[columns]
        for domain in ["simulated-a", "simulated-b", "simulated-c", "elsewhere"]:
            met = correlations(values_of(modality, domain)[:, 0, columns], signal())
            assert met == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize(("domain", "rho"), [("simulated-a", 0.9), ("simulated-c", -0.5), ("elsewhere", 0.0)])
def test_correlation_of_spurious_features_follows_the_strength_of_the_domain(domain: str, rho: float):
    columns = of_kind("spurious", "video")
    # sqrt(2/3) / sqrt(2/3 + .25) = .853, times rho.
    expected = 0.8528 * rho * CONFIG.loadings("video")[columns]
    assert correlations(values_of("video", domain)[:, 0, columns], signal()) == pytest.approx(expected, abs=TOLERANCE)


def test_noise_features_say_nothing_about_the_sentiment():
    means = values_of("video", "simulated-a").mean(axis=1)[:, of_kind("noise", "video")]
    assert correlations(means, signal()) == pytest.approx(np.zeros(3), abs=TOLERANCE)


@pytest.mark.parametrize("lag", [1, 2, 3])
def test_autocorrelation_of_noise_is_the_persistence_to_the_power_of_the_lag(lag: int):
    values = values_of("video", "simulated-a")[:, :, of_kind("noise", "video")]
    met = np.mean(values[:, lag:] * values[:, :-lag]) / values.var()
    assert met == pytest.approx(0.7**lag, abs=0.02)  # 9,000 sequences


def test_autocorrelation_of_a_feature_with_signal_is_that_of_a_constant_and_noise():
    column = of_kind("complementary", "video")[0]
    loading = CONFIG.loadings("video")[column]
    values = values_of("video", "simulated-a")[:, :, column]
    expected = loading**2 + (1 - loading**2) * 0.7**5
    assert np.corrcoef(values[:, 0], values[:, 5])[0, 1] == pytest.approx(expected, abs=TOLERANCE)


def test_redundant_features_repeat_the_error_of_text_and_complementary_ones_do_not():
    # Long clips without persistence: the mean over time has hardly any noise, so text's error can be read.
    config = replace(CONFIG, steps=(60, 60), persistence=0.0, text=KindCounts(invariant=8, spurious=1, noise=1))
    error = text_error("simulated-a", config)
    video = values_of("video", "simulated-a", config).mean(axis=1)
    redundant = np.abs(correlations(video[:, of_kind("redundant", "video")], error))
    others = np.concatenate([of_kind(kind, "video") for kind in ["complementary", "spurious", "noise"]])
    # Share of text's error in the evidence: 1 / (2/3 + 1) of its variance, so r near sqrt(.6) = .77.
    assert redundant == pytest.approx(np.full(2, 0.77), abs=TOLERANCE)
    assert correlations(video[:, others], error) == pytest.approx(np.zeros(8), abs=TOLERANCE)


def test_redundant_features_repeat_real_text_where_there_is_some():
    clips = clips_of("mosi")
    said = dict(zip([clip.clip_id for clip in clips], np.random.default_rng(0).standard_normal(NUM_CLIPS), strict=True))
    drawn = SimulatedFeatures("video", CONFIG, text_evidence=TextEvidence(lambda: said, "x")).extract(clips)
    first = np.stack([features.values[0].astype(np.float64) for features in drawn])
    met = correlations(first, np.array(list(said.values())))
    expected = np.zeros(10)
    expected[of_kind("redundant", "video")] = CONFIG.loadings("video")[of_kind("redundant", "video")]
    assert met == pytest.approx(expected, abs=TOLERANCE)


def test_a_clip_without_evidence_of_its_real_text_is_named():
    features = SimulatedFeatures("video", CONFIG, text_evidence=TextEvidence(lambda: {"mosi/train/v0[0]": 0.1}, "x"))
    with pytest.raises(FeatureError, match=r"mosi/train/v1\[0\].*not among the 1"):
        list(features.extract(clips_of("mosi", 2)))


def test_label_noise_weakens_every_cue_by_the_closed_form():
    config = replace(CONFIG, label_noise=0.4)  # E[u | y] falls to 1 - 3/2 * .4 = .4 of u
    columns = of_kind("invariant", "text")
    expected = 0.4 * 0.6325 * CONFIG.loadings("text")[columns]
    met = correlations(values_of("text", "simulated-a", config)[:, 0, columns], signal())
    assert met == pytest.approx(expected, abs=TOLERANCE)


def test_a_clip_has_the_same_features_in_any_order_and_any_company():
    clips = clips_of("simulated-a", 20)
    together = list(SimulatedFeatures("video").extract(clips))
    backwards = list(SimulatedFeatures("video").extract(clips[::-1]))[::-1]
    alone = [next(SimulatedFeatures("video").extract([clip])) for clip in clips]
    for one, two, three in zip(together, backwards, alone, strict=True):
        assert one.values.tobytes() == two.values.tobytes() == three.values.tobytes()


def test_a_generator_depends_on_its_names_and_their_borders():
    def first(*names):
        return generator_named(*names).random()

    assert first("a", 1) == first("a", 1)
    assert len({first("a", 1), first("a1"), first("a", 2), first(1, "a")}) == 4


def test_another_world_and_another_modality_draw_other_features():
    clips = clips_of("simulated-a", 1)
    fixed = SimulationConfig(steps=(6, 6))
    drawn = [
        SimulatedFeatures(modality, replace(fixed, world_seed=seed))
        for modality, seed in [("text", 0), ("video", 0), ("audio", 0), ("video", 1)]
    ]
    assert len({next(each.extract(clips)).values.tobytes() for each in drawn}) == 4


def test_lengths_lie_in_the_range_and_every_step_is_valid():
    drawn = list(SimulatedFeatures("video").extract(clips_of("simulated-a", 200)))
    assert {len(features.values) for features in drawn} == set(range(12, 21))
    assert all(features.valid.all() and features.values.dtype == np.float16 for features in drawn)
    assert {features.values.shape[1] for features in drawn} == {32} == {SimulatedFeatures("video").dim}


def test_an_extractor_of_simulated_features_is_an_extractor():
    extractor: Extractor = SimulatedFeatures("video")  # checked by the type checker
    assert (extractor.name, extractor.modality, extractor.dim) == ("video-simulated", "video", 32)
    assert extractor.dtype == "float16"


def test_settings_carry_the_truth_through_json():
    stored = SimulatedFeatures("video").settings
    assert json.loads(json.dumps(stored)) == stored
    assert stored["simulated"] is True
    assert stored["kinds"] == SimulationConfig().kinds("video")
    assert stored["config"]["spurious_strength"] == dict(SPURIOUS_STRENGTH)


def test_the_input_of_a_clip_changes_with_its_label_and_its_evidence():
    clip = clips_of("mosi", 1)[0]
    inputs = {
        SimulatedFeatures("video").input_of(clip),
        SimulatedFeatures("video").input_of(replace(clip, sentiment=2)),
        SimulatedFeatures("video", text_evidence=TextEvidence(dict, "fitted to this")).input_of(clip),
        SimulatedFeatures("video", text_evidence=TextEvidence(dict, "fitted to that")).input_of(clip),
    }
    assert len(inputs) == 4


def test_a_classifier_that_uses_the_shortcut_wins_in_the_source_and_loses_where_it_is_reversed():
    from sklearn.linear_model import LogisticRegression

    kinds = np.array(SimulationConfig().kinds("video"))
    careful = np.isin(kinds, ["redundant", "complementary"])
    means = {
        domain: np.stack([f.values.astype(np.float64).mean(0) for f in SimulatedFeatures("video").extract(clips)])
        for domain, clips in ((name, clips_of(name, 1_500)) for name in ["simulated-a", "simulated-c"])
    }
    sentiment = np.arange(1_500) % 3

    def accuracy(columns, domain):
        model = LogisticRegression(max_iter=500).fit(means["simulated-a"][:1_000, columns], sentiment[:1_000])
        return model.score(means[domain][1_000:, columns], sentiment[1_000:])

    everything = np.ones_like(careful)
    assert accuracy(everything, "simulated-a") > accuracy(careful, "simulated-a") + 0.05
    assert accuracy(everything, "simulated-c") < accuracy(careful, "simulated-c") - 0.15


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"redundancy": 1.2}, "redundancy is 1.2"),
        ({"signal": 0.9}, "signal is 0.9, expected 0 to 0.8"),
        ({"spurious_strength": {"mosi": -1.5}}, "'mosi'"),
        ({"persistence": 1.0}, "persistence is 1.0"),
        ({"steps": (5, 3)}, r"steps is \(5, 3\)"),
        ({"label_noise": float("nan")}, "label_noise is nan"),
    ],
)
def test_a_setting_out_of_range_is_named(wrong, says):
    with pytest.raises(SettingsError, match=says):
        SimulationConfig(**wrong)


def test_an_unknown_modality_and_no_features_at_all_are_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'video'"):
        SimulatedFeatures("vidio")
    with pytest.raises(SettingsError, match="at least one"):
        KindCounts(invariant=0, spurious=0, noise=0)


@settings(max_examples=30, deadline=None)
@given(
    redundancy=floats(0, 1), signal_=floats(0, 0.8), rho=floats(-1, 1), persistence=floats(0, 0.99),
    world=integers(0, 10**6),
)  # fmt: skip
def test_any_world_draws_finite_features(redundancy, signal_, rho, persistence, world):
    config = SimulationConfig(
        world_seed=world, redundancy=redundancy, signal=signal_, spurious_signal=signal_,
        persistence=persistence, spurious_strength={"d": rho}, evidence_noise=0.0,
    )  # fmt: skip
    assert np.abs(config.loadings("video")).max() < 1
    assert config.kinds("video").count("redundant") == round(12 * redundancy)
    assert all(np.isfinite(f.values).all() for f in SimulatedFeatures("video", config).extract(clips_of("d", 3)))


def words_that_show(sentiment, clarity: float, seed: int = 0):
    """Mean text features of which the first shows the sentiment and nine do not."""
    features = np.random.default_rng(seed).standard_normal((len(sentiment), 10))
    features[:, 0] += clarity * (sentiment - 1.0)
    return features


def test_text_evidence_has_the_scale_of_simulated_evidence_and_follows_the_sentiment():
    sentiment = np.arange(600) % 3
    videos = [f"v{i // 5}" for i in range(600)]
    evidence = text_evidence(words_that_show(sentiment, 3.0), sentiment, videos)
    assert evidence.mean() == pytest.approx(0, abs=1e-12)
    assert evidence.std() == pytest.approx(1)
    assert np.corrcoef(evidence, sentiment)[0, 1] > 0.85


def test_text_evidence_of_a_clip_does_not_read_the_labels_of_its_own_video():
    sentiment = np.random.default_rng(1).integers(0, 3, 600)
    videos = [f"v{i // 5}" for i in range(600)]
    nothing_to_learn = np.random.default_rng(2).standard_normal((600, 100))
    evidence = text_evidence(nothing_to_learn, sentiment, videos)
    # Fitted and scored on the same 600 clips, 100 features of noise reach r = .4; crossed, 0 +- 1/sqrt(600).
    assert abs(np.corrcoef(evidence, sentiment)[0, 1]) < 4 / np.sqrt(600)


def test_text_that_never_varies_has_no_evidence():
    sentiment = np.tile([0, 1, 2], 10)
    evidence = text_evidence(np.ones((30, 2)), sentiment, [f"v{i // 6}" for i in range(30)])
    # Each fold leaves the others with a prior of its own, unless the folds are alike: here all are.
    assert evidence == pytest.approx(np.zeros(30))


def test_text_evidence_needs_several_videos_and_several_classes():
    with pytest.raises(FeatureError, match="at least 2 videos, met 1"):
        text_evidence(np.ones((4, 2)), np.array([0, 1, 2, 0]), ["v"] * 4)
    with pytest.raises(FeatureError, match="one class"):
        text_evidence(np.ones((4, 2)), np.array([1, 1, 1, 1]), ["a", "b", "c", "d"])
