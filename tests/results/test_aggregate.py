"""Cells are made of the runs that belong together, and of no others."""

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from msadg.errors import MsadgWarning, RunError, UnknownNameError
from msadg.results.aggregate import Setting, compare, group_runs, to_frame
from msadg.results.predictions import joined_predictions
from msadg.results.statistics import holm, paired_cluster_bootstrap

A = Setting("single-A", ("mosei",))


def scores(mosei, mosi, meld):
    return {"mosei": {"f1_macro": mosei}, "mosi": {"f1_macro": mosi}, "meld": {"f1_macro": meld}}


def test_runs_group_by_row_and_setting_and_failed_ones_are_left_out(make_record):
    records = [make_record(seed=1), make_record(seed=0), make_record("linear"), make_record(seed=2, error="diverged")]
    groups = group_runs(records)
    assert {group: [run.seed for run in runs] for group, runs in groups.items()} == {
        ("erm", A): [0, 1],
        ("linear", A): [0],
    }


def test_an_oracle_run_never_shares_a_row_with_an_honest_one(make_record):
    groups = group_runs([make_record(), make_record(selection="oracle", key="o")])
    assert [row for row, _ in groups] == ["erm", "erm (oracle)"]


def test_of_two_runs_in_one_place_the_later_counts_and_the_other_is_told(make_record):
    early = make_record(key="1", finished_at="2025-01-01T00:00:00+00:00")
    late = make_record(key="2", finished_at="2025-01-02T00:00:00+00:00")
    for records in ([early, late], [late, early]):
        with pytest.warns(MsadgWarning, match=r"1 runs left out.*first: erm, mosei, seed 0"):
            assert group_runs(records) == {("erm", A): [late]}


def test_a_frame_has_the_mean_and_the_spread_of_every_cell(make_record):
    frame = to_frame([make_record(seed=s, metrics=scores(0.7, 0.5 + 0.1 * s, 0.3)) for s in range(3)])
    cells = frame.set_index(["domain", "role"])
    mosi = cells.loc["mosi", "target"]
    assert mosi["values"] == (0.5, 0.6, 0.7)
    assert_allclose([mosi["mean"], mosi["sd"], mosi["half"]], [0.6, 0.1, 4.302652730 * 0.1 / math.sqrt(3)])
    assert cells.loc["mosei", "source"]["mean"] == pytest.approx(0.7)
    assert cells.loc["mean_target", "summary"]["mean"] == pytest.approx(0.45)
    assert cells.loc["worst_target", "summary"]["mean"] == pytest.approx(0.3)
    assert cells.loc["gap", "summary"]["mean"] == pytest.approx(0.25)
    assert set(frame["row"]) == {"erm"}
    assert set(frame["n"]) == {3}


def test_no_records_make_an_empty_frame():
    assert to_frame([]).empty


@pytest.fixture
def grid(make_record, make_predictions):
    """Rows erm and linear in one setting, two seeds, two targets of 30 clips in 10 videos."""
    chance = np.random.default_rng(0)
    records, stored = [], {}
    for row, skill in (("linear", 0.2), ("erm", 0.9)):
        for seed in range(2):
            record = make_record(row, seed, metrics=scores(0.0, 0.0, 0.0))
            parts = []
            for domain in ("mosi", "meld"):
                sentiment = np.arange(30) % 3
                predicted = np.where(chance.random(30) < skill, sentiment, (sentiment + 1) % 3)
                parts.append(make_predictions(predicted, sentiment, np.arange(30) // 3, domain))
            both = joined_predictions(parts)
            records.append(record)
            stored[record.key] = both
    return records, stored


def test_every_target_is_compared_and_holm_counts_them_all(grid):
    records, stored = grid
    frame = compare(records, lambda record: stored[record.key], "linear", draws=300)
    assert frame[["row", "setting", "domain"]].values.tolist() == [["erm", A, "mosi"], ["erm", A, "meld"]]
    for line in frame.itertuples():
        runs = {
            row: [stored[r.key].of_domain(line.domain) for r in records if r.row == row] for row in ("erm", "linear")
        }
        expected = paired_cluster_bootstrap(runs["erm"], runs["linear"], draws=300)
        assert (line.difference, line.low, line.high, line.p) == (
            expected.mean,
            expected.low,
            expected.high,
            expected.p,
        )
    assert frame["p_adjusted"].tolist() == holm(frame["p"].tolist())


def test_each_run_is_loaded_once(grid):
    records, stored = grid
    loaded = []
    compare(records, lambda record: loaded.append(record.key) or stored[record.key], "linear", draws=100)
    assert sorted(loaded) == sorted(stored)


def test_cells_without_predictions_are_left_out_and_counted(grid, make_record):
    records, stored = grid
    records = [*records, replace(records[2], row="mult", key="lost")]

    def load(record):
        if record.key == "lost":
            raise RunError("predictions.parquet: there is no such file")
        return stored[record.key]

    with pytest.warns(MsadgWarning, match=r"2 of 4 cells not compared with linear .first: mult on mosi: predictions"):
        frame = compare(records, load, "linear", draws=100)
    assert frame["row"].tolist() == ["erm", "erm"]


def test_a_row_that_is_not_there_is_told(grid):
    with pytest.raises(UnknownNameError, match="unknown row 'liner'; did you mean 'linear'"):
        compare(grid[0], lambda record: grid[1][record.key], "liner")


def test_one_training_that_was_scored_twice_is_one_run(make_record):
    first = make_record(metrics={"mosei": {"f1_macro": 0.6}, "mosi": {"f1_macro": 0.5}}, targets=("mosi",))
    second = make_record(metrics={"mosei": {"f1_macro": 0.6}, "meld": {"f1_macro": 0.4}}, targets=("meld",), key="k2")
    first, second = (replace(r, extra={"training_key": "t"}) for r in (first, second))
    ((run,),) = group_runs([first, second]).values()
    assert run.target_domains == ("mosi", "meld")
    assert {domain: scores["f1_macro"] for domain, scores in run.metrics.items()} == {
        "mosei": 0.6,
        "mosi": 0.5,
        "meld": 0.4,
    }
    assert run.extra["keys_by_domain"] == {"mosei": "k2", "mosi": first.key, "meld": "k2"}


def test_there_are_enough_draws_for_the_cells_that_are_compared(make_record, make_predictions):
    """54 cells that all differ plainly: with 2,000 draws, Holm would leave none of them below .05."""
    truth = np.tile([0, 1, 2], 20)
    videos = np.repeat(np.arange(20), 3)
    good = make_predictions(truth, truth, videos)
    bad = make_predictions((truth + 1) % 3, truth, videos)
    rows = [f"erm {n}" for n in range(54)]
    scored = {"targets": ("mosi",), "metrics": {"mosi": {"f1_macro": 0.5}}}
    records = [make_record(row, **scored) for row in ["linear", *rows]]
    found = compare(records, lambda record: bad if record.row == "linear" else good, "linear", draws=100)
    assert len(found) == 54
    assert (found["p_adjusted"] < 0.05).all()
