"""Intervals and the bootstrap against scipy, literal loops, and null data."""

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, f1_score

from msadg.errors import MsadgError, RunError, UnknownNameError
from msadg.metrics.regression import regression_metrics
from msadg.results.statistics import holm, paired_cluster_bootstrap, seed_of, t_interval


def test_the_interval_is_scipys():
    values = [0.51, 0.55, 0.49, 0.6, 0.52]
    found = t_interval(values)
    low, high = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    assert_allclose([found.mean - found.half, found.mean + found.half], [low, high])
    assert_allclose(found.sd, np.std(values, ddof=1))
    assert t_interval(values, level=0.99).half > found.half


def test_one_value_has_no_interval_and_none_no_mean():
    assert t_interval([0.5]).mean == 0.5
    assert math.isnan(t_interval([0.5]).half)
    assert math.isnan(t_interval([]).mean)


def test_holm_by_hand():
    # sorted .01 .02 .04 .4: times 4, 3, 2, 1 = .04 .06 .08 .4
    assert_allclose(holm([0.04, 0.01, 0.4, 0.02]), [0.08, 0.04, 0.4, 0.06])
    assert_allclose(holm([0.03, 0.02]), [0.04, 0.04])  # never below a smaller one
    assert_allclose(holm([0.9, 0.8]), [1.0, 1.0])
    assert holm([]) == []


def test_holm_does_not_count_what_was_not_tested():
    adjusted = holm([0.01, math.nan, 0.02])
    assert_allclose([adjusted[0], adjusted[2]], [0.02, 0.02])
    assert math.isnan(adjusted[1])


def small_task(make, seed=0, clips=24, videos=6, skill=0.6, runs=2):
    """Two methods, each with some seeds, on the same clips."""
    chance = np.random.default_rng(seed)
    video, sentiment = np.sort(chance.integers(0, videos, clips)), chance.integers(0, 3, clips)

    def one(skill):
        guess = chance.integers(0, 3, clips)
        return make(np.where(chance.random(clips) < skill, sentiment, guess), sentiment, video)

    return [one(skill) for _ in range(runs)], [one(0.3) for _ in range(runs + 1)]


def literal(a, b, score, draws, seed):
    """Clip by clip: which videos are drawn, which clips that gives, what they score."""
    videos = sorted(set(a[0].video_id))
    times = np.random.default_rng(seed_of(a[0], seed)).multinomial(
        len(videos), [1 / len(videos)] * len(videos), size=draws
    )
    differences = []
    for drawn in times:
        places = [
            i
            for video, n in zip(videos, drawn, strict=True)
            for _ in range(n)
            for i in np.flatnonzero(a[0].video_id == video)
        ]
        means = [np.mean([score(run.sentiment[places], run.predicted[places]) for run in side]) for side in (a, b)]
        differences.append(means[0] - means[1])
    return np.array(differences)


SCORES = {
    "accuracy": lambda true, called: float((true == called).mean()),
    "f1_macro": lambda t, c: f1_score(t, c, labels=[0, 1, 2], average="macro", zero_division=0),
    "balanced_accuracy": balanced_accuracy_score,
}


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.parametrize("metric", sorted(SCORES))
def test_the_bootstrap_is_the_literal_one(make_predictions, metric):
    a, b = small_task(make_predictions)
    draws = 300
    found = paired_cluster_bootstrap(a, b, metric, draws=draws, seed=5)
    expected = literal(a, b, SCORES[metric], draws, seed=5)
    assert_allclose([found.low, found.high], np.quantile(expected, [0.025, 0.975]), atol=1e-12)
    tail = min((expected <= 1e-12).sum(), (expected >= -1e-12).sum())
    assert_allclose(found.p, min(1, 2 * (1 + tail) / (draws + 1)))
    whole = [np.mean([SCORES[metric](run.sentiment, run.predicted) for run in side]) for side in (a, b)]
    assert_allclose(found.mean, whole[0] - whole[1])
    assert found.num_videos == len(set(a[0].video_id))


def test_the_same_seed_gives_the_same_and_sides_mirror(make_predictions):
    a, b = small_task(make_predictions)
    once, twice = (paired_cluster_bootstrap(a, b, seed=1, draws=500) for _ in range(2))
    assert once == twice != paired_cluster_bootstrap(a, b, seed=2, draws=500)
    mirrored = paired_cluster_bootstrap(b, a, seed=1, draws=500)
    assert_allclose([mirrored.mean, mirrored.low, mirrored.high], [-once.mean, -once.high, -once.low], atol=1e-12)
    assert mirrored.p == once.p


def test_order_of_clips_and_runs_changes_nothing(make_predictions):
    a, b = small_task(make_predictions, runs=3)
    shuffled = [run.take(np.random.default_rng(0).permutation(len(run))) for run in reversed(a)]
    one, other = paired_cluster_bootstrap(a, b, draws=200), paired_cluster_bootstrap(shuffled, b, draws=200)
    assert_allclose([one.mean, one.low, one.high, one.p], [other.mean, other.low, other.high, other.p])


def test_a_method_does_not_differ_from_itself(make_predictions):
    a, _ = small_task(make_predictions, runs=3)
    found = paired_cluster_bootstrap(a, [a[2], a[0], a[1]], draws=200)
    assert (found.mean, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)


def test_the_smallest_p_is_two_in_draws_plus_one(make_predictions):
    sentiment = np.arange(300) % 3
    video = np.arange(300) // 10
    a, b = [make_predictions((sentiment + wrong) % 3, sentiment, video) for wrong in (0, 1)]
    found = paired_cluster_bootstrap([a], [b], draws=999)
    assert (found.mean, found.p) == (1.0, 2 / 1000)


@pytest.mark.parametrize("videos", [2, 3, 6, 9])
def test_few_videos_give_no_smaller_p_than_their_signs_could(make_predictions, videos: int):
    sentiment, video = np.arange(90) % 3, np.arange(90) % videos
    a, b = [make_predictions((sentiment + wrong) % 3, sentiment, video) for wrong in (0, 1)]
    found = paired_cluster_bootstrap([a], [b], draws=9999)
    assert (found.mean, found.p) == (1.0, 0.5 ** (videos - 1))


def test_p_is_about_uniform_where_there_is_no_difference(make_predictions):
    ps = []
    for seed in range(300):
        (a, *_), (b, *_) = small_task(make_predictions, seed, clips=240, videos=60, skill=0.3, runs=1)
        ps.append(paired_cluster_bootstrap([a], [b], "accuracy", draws=400).p)
    ps = np.array(ps)
    # 300 trials: the standard error of a share of .05 is .013, of .5 it is .029; four of them either way.
    assert 0.0 < (ps < 0.05).mean() < 0.05 + 4 * 0.013
    assert abs((ps < 0.5).mean() - 0.5) < 4 * 0.029


def test_more_clips_of_the_same_videos_are_no_more_evidence(make_predictions):
    (a, *_), (b, *_) = small_task(make_predictions, clips=60, videos=12)
    narrow = paired_cluster_bootstrap([a], [b], "accuracy")

    def doubled(run):
        ids = [f"{name}{copy}" for copy in "xy" for name in run.clip_id]
        return make_predictions(
            np.tile(run.predicted, 2), np.tile(run.sentiment, 2), np.tile(run.video_id, 2), clip_id=ids
        )

    wide = paired_cluster_bootstrap([doubled(a)], [doubled(b)], "accuracy")
    assert_allclose([wide.mean, wide.low, wide.high, wide.p], [narrow.mean, narrow.low, narrow.high, narrow.p])


def test_one_video_is_no_evidence_at_all(make_predictions):
    found = paired_cluster_bootstrap(
        [make_predictions([0, 1, 2], [0, 1, 2], "aaa")], [make_predictions([1, 1, 1], [0, 1, 2], "aaa")]
    )
    assert found.mean > 0.5
    assert all(math.isnan(value) for value in (found.low, found.high, found.p))


def test_the_same_video_id_in_two_corpora_is_two_videos(make_predictions):
    sentiment, video = np.arange(20) % 3, np.arange(20) // 2
    mosi, mosei = (make_predictions(sentiment, sentiment, video, domain) for domain in ("mosi", "mosei"))
    both = make_predictions(np.tile(sentiment, 2), np.tile(sentiment, 2), np.tile(video, 2))
    both = type(both)(**{**vars(both), "domain": np.r_[mosi.domain, mosei.domain]})
    assert paired_cluster_bootstrap([both], [both], draws=100).num_videos == 20


def test_runs_on_other_clips_or_labels_are_not_compared(make_predictions):
    a = make_predictions([0, 1, 2], [0, 1, 2], "abc")
    with pytest.raises(RunError, match=r"different clips: 3 and 2, 1 of them in one run only .first: mosi/test/0002"):
        paired_cluster_bootstrap([a], [a.take(np.array([0, 1]))])
    with pytest.raises(RunError, match="disagree on the label or video of mosi/test/0001"):
        paired_cluster_bootstrap([a], [make_predictions([0, 1, 2], [0, 2, 2], "abc")])
    with pytest.raises(RunError, match=r"1 clips are predicted twice in one run .first: mosi/test/0001"):
        paired_cluster_bootstrap([a], [a.take(np.array([0, 1, 1]))])
    with pytest.raises(MsadgError, match="no predictions on this domain"):
        paired_cluster_bootstrap([a.of_domain("meld")], [a.of_domain("meld")])


def test_a_metric_that_counts_do_not_give_is_refused(make_predictions):
    a = [make_predictions([0, 1, 2], [0, 1, 2], "abc")]
    with pytest.raises(UnknownNameError, match="unknown metric to bootstrap 'nll'"):
        paired_cluster_bootstrap(a, a, "nll")


def polarities(run, seed, skill=1.0):
    """The same clips as a regression: polarities that their classes agree with, and what is predicted of them."""
    truth = (run.sentiment - 1) * (0.5 + 2.5 * np.random.default_rng(9).random(len(run)))
    said = skill * truth + np.random.default_rng(seed).standard_normal(len(run))
    return replace(
        run,
        polarity=truth,
        probabilities=None,
        predicted_polarity=said,
        predicted_sentiment=np.sign(said).astype(int) + 1,
    )


@pytest.fixture
def regressions(make_predictions):
    run = small_task(make_predictions, clips=60, videos=8)[0][0]
    return [polarities(run, seed) for seed in (1, 2)], [polarities(run, seed, 0.2) for seed in (3, 4, 5)]


def test_the_bootstrap_of_polarities_is_the_literal_one(regressions):
    a, b = regressions
    draws = 40
    names = sorted(set(a[0].video_id))
    times = np.random.default_rng(seed_of(a[0], 5)).multinomial(len(names), [1 / len(names)] * len(names), size=draws)
    expected = []  # by draw, all metrics at once; the first is the clips as they are
    for drawn in [np.ones(len(names), dtype=int), *times]:
        places = np.concatenate(
            [np.flatnonzero(a[0].video_id == name) for name, n in zip(names, drawn, strict=True) for _ in range(n)]
        )
        scores = [[regression_metrics(r.predicted_polarity[places], r.polarity[places]) for r in s] for s in (a, b)]
        first, second = ({m: np.mean([run[m] for run in side]) for m in side[0]} for side in scores)
        expected.append({metric: first[metric] - second[metric] for metric in first})
    for metric in expected[0]:
        found = paired_cluster_bootstrap(a, b, metric, draws=draws, seed=5)
        whole, drawn = expected[0][metric], np.array([scores[metric] for scores in expected[1:]])
        assert_allclose(found.mean, whole, rtol=1e-10)
        assert_allclose([found.low, found.high], np.quantile(drawn, [0.025, 0.975]), rtol=1e-10)
        tail = min((drawn <= 1e-12).sum(), (drawn >= -1e-12).sum())
        assert_allclose(found.p, min(1, 2 * (1 + tail) / (draws + 1)))


def test_a_constant_s_correlation_cannot_be_told_from_any_other(regressions):
    a, b = regressions
    constant = replace(a[0], predicted_polarity=np.full(len(a[0]), 0.3))
    found = paired_cluster_bootstrap([constant], b, "corr", draws=100)
    assert all(math.isnan(value) for value in (found.mean, found.low, found.high, found.p))
    assert paired_cluster_bootstrap([constant], b, "mae", draws=100).p <= 1


def test_classes_have_no_error_of_polarity(make_predictions, regressions):
    a, b = regressions
    classes = replace(make_predictions(a[0].sentiment, a[0].sentiment, a[0].video_id), polarity=a[0].polarity)
    with pytest.raises(RunError, match="mae is of predicted polarities, and a run to compare predicts classes"):
        paired_cluster_bootstrap(a, [classes], "mae")
    unlabelled = replace(a[0], polarity=np.full(len(a[0]), np.nan))
    with pytest.raises(RunError, match="mae is of polarities, and mosi has clips that have a class only"):
        paired_cluster_bootstrap([unlabelled], b, "mae")
    moved = replace(a[0], polarity=a[0].polarity + 0.1)
    with pytest.raises(RunError, match="disagree on the polarity of mosi/test/0000"):
        paired_cluster_bootstrap([moved], b, "mae")
