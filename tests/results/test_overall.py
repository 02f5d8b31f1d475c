"""The mean over all target cells: what is drawn together, what is shared, and Holm over the rows."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from msadg.errors import MsadgWarning, RunError, UnknownNameError
from msadg.metrics.confusion import SCORES_OF_COUNTS
from msadg.results.overall import compare_means
from msadg.results.statistics import holm, paired_cluster_bootstrap, seed_of, t_interval, times_drawn

TRUTH, VIDEOS = np.arange(30) % 3, np.arange(30) // 3


@pytest.fixture
def chance():
    return np.random.default_rng(0)


def answers(chance, skill: float):
    return np.where(chance.random(30) < skill, TRUTH, (TRUTH + 1) % 3)


def macro_f1(run, times) -> float:
    counts = np.zeros((3, 3))
    for video in range(10):
        for clip in np.flatnonzero(video == VIDEOS):
            counts[TRUTH[clip], run.predicted[clip]] += times[video]
    return float(SCORES_OF_COUNTS["f1_macro"](counts[None, None])[0, 0])


def test_a_domain_in_two_settings_is_drawn_alike_in_both(chance, make_record, make_predictions):
    settings = [("single-A", ("mosei",)), ("single-C", ("meld",))]
    stored, records = {}, []
    for row, skill in (("linear", 0.3), ("erm", 0.8)):
        for name, sources in settings:
            run = make_predictions(answers(chance, skill), TRUTH, VIDEOS, "mosi")
            score = {"mosi": {"f1_macro": macro_f1(run, np.ones(10))}}
            record = make_record(row, setting=name, sources=sources, targets=("mosi",), metrics=score, key=row + name)
            stored[record.key] = run
            records.append(record)
    (line,) = compare_means(records, lambda r: stored[r.key], "linear", draws=200).itertuples()
    drawn = [
        np.mean([macro_f1(stored["erm" + n], times) - macro_f1(stored["linear" + n], times) for n, _ in settings])
        for times in times_drawn(10, 200, seed_of(stored["ermsingle-A"], 0))
    ]
    assert line.num_cells == 2
    assert_allclose([line.low, line.high], np.quantile(drawn, [0.025, 0.975]))
    assert_allclose(line.difference, line.mean - line.baseline_mean)
    assert line.p == min(1.0, 2 * (1 + min(sum(d <= 0 for d in drawn), sum(d >= 0 for d in drawn))) / 201)


def test_other_test_sets_are_drawn_independently_however_many_videos_they_have(chance, make_record, make_predictions):
    """Mirror images: were they drawn alike, what one gains in a draw the other would lose."""
    predicted = {
        "mosi": np.where(VIDEOS < 5, TRUTH, (TRUTH + 1) % 3),
        "meld": np.where(VIDEOS < 5, (TRUTH + 1) % 3, TRUTH),
    }
    stored, records = {}, []
    for row, sets in (("linear", dict(zip(predicted, reversed(predicted.values()), strict=True))), ("erm", predicted)):
        for domain, answer in sets.items():
            run = make_predictions(answer, TRUTH, VIDEOS, domain)
            score = {domain: {"f1_macro": macro_f1(run, np.ones(10))}}
            record = make_record(row, setting=domain, targets=(domain,), metrics=score, key=row + domain)
            stored[record.key] = run
            records.append(record)
    (line,) = compare_means(records, lambda r: stored[r.key], "linear", draws=500).itertuples()
    assert abs(line.difference) < 1e-9
    assert line.high - line.low > 0.1


def test_one_cell_is_the_paired_bootstrap_and_cells_of_one_row_alone_do_not_count(
    chance, make_record, make_predictions
):
    runs = {
        row: make_predictions(answers(chance, s), TRUTH, VIDEOS, "mosi") for row, s in (("linear", 0.2), ("erm", 0.9))
    }
    scored = {"targets": ("mosi",), "metrics": {"mosi": {"f1_macro": 0.5}}}
    records = [make_record(row, **scored) for row in runs]
    records.append(make_record("erm", setting="single-C", sources=("meld",), key="alone", **scored))
    (line,) = compare_means(records, lambda r: runs[r.row], "linear", draws=300).itertuples()
    expected = paired_cluster_bootstrap([runs["erm"]], [runs["linear"]], draws=300)
    assert (line.num_cells, line.difference, line.low, line.high, line.p) == (
        *(1, expected.mean, expected.low, expected.high),
        expected.p,
    )


def test_seeds_that_all_cells_have_are_compared_seed_by_seed(chance, make_record, make_predictions):
    run = make_predictions(answers(chance, 0.5), TRUTH, VIDEOS, "mosi")
    scores = {
        ("erm", "single-A"): {0: 0.5, 1: 0.7, 2: 0.9},
        ("erm", "single-C"): {0: 0.6, 1: 0.6},
        ("linear", "single-A"): {0: 0.4, 1: 0.5, 2: 0.1},
        ("linear", "single-C"): {0: 0.5, 1: 0.4, 2: 0.1},
    }
    records = [
        make_record(
            row, seed, setting=setting, sources=("mosei",) if setting == "single-A" else ("meld",), targets=("mosi",),
            metrics={"mosi": {"f1_macro": score}},
        )
        for (row, setting), by_seed in scores.items()
        for seed, score in by_seed.items()
    ]  # fmt: skip
    (line,) = compare_means(records, lambda _: run, "linear", draws=100).itertuples()
    expected = t_interval([0.1, 0.2])
    assert line.num_seeds == 2
    assert_allclose((line.seed_low, line.seed_high), (0.15 - expected.half, 0.15 + expected.half))
    (alone,) = compare_means(
        [record for record in records if record.seed == 0], lambda _: run, "linear", draws=100
    ).itertuples()
    assert alone.num_seeds == 1 and np.isnan([alone.seed_low, alone.seed_high]).all()


def test_holm_is_over_the_rows(chance, make_record, make_predictions):
    runs = {
        row: make_predictions(answers(chance, s), TRUTH, VIDEOS, "mosi")
        for row, s in zip("abcd", (0.3, 0.5, 0.6, 0.9), strict=True)
    }
    records = [make_record(row, targets=("mosi",), metrics={"mosi": {"f1_macro": 0.5}}) for row in runs]
    found = compare_means(records, lambda r: runs[r.row], "a", draws=300)
    assert found["row"].tolist() == ["b", "c", "d"]
    assert found["p_adjusted"].tolist() == holm(found["p"].tolist())


def test_a_row_that_is_not_there_is_told(make_record):
    with pytest.raises(UnknownNameError, match="unknown row 'liner'"):
        compare_means([make_record("linear")], lambda r: None, "liner")


def test_a_row_without_predictions_has_its_difference_and_its_seeds_but_no_test(chance, make_record, make_predictions):
    run = make_predictions(answers(chance, 0.5), TRUTH, VIDEOS, "mosi")
    scores = {"erm": (0.6, 0.8), "mad": (0.7, 0.8), "linear": (0.5, 0.6)}
    records = [
        make_record(row, seed, targets=("mosi",), metrics={"mosi": {"f1_macro": score}}, key=f"{row}{seed}")
        for row, by_seed in scores.items()
        for seed, score in enumerate(by_seed)
    ]

    def load(record):
        if record.key == "mad1":
            raise RunError("lost")
        return run

    with pytest.warns(MsadgWarning, match=r"1 of 2 rows not tested against linear .*first: mad on mosi: lost"):
        found = compare_means(records, load, "linear", draws=100).set_index("row")
    assert_allclose(found.loc["mad", ["difference", "mean", "baseline_mean"]].astype(float), [0.2, 0.75, 0.55])
    expected = t_interval([0.2, 0.2])
    assert_allclose(
        found.loc["mad", ["seed_low", "seed_high"]].astype(float), [0.2 - expected.half, 0.2 + expected.half]
    )
    assert found.loc["mad", ["low", "high", "p", "p_adjusted"]].isna().all()
    assert found.loc["erm", "p_adjusted"] == found.loc["erm", "p"], "what is not tested is not counted by Holm"
