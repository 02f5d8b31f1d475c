"""Figures 4 and 5: what runs select, what they have in common, and how the keep ratio went."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import hypergeom

from msadg.analysis import keep_ratio, selected_features, selection_overlap
from msadg.protocols.checkpoint import TrainingState
from tests.analysis.mask_runs import keep, toy_run


@pytest.fixture
def runs(tmp_path):
    """One row on two domains with two seeds; what is kept is chosen."""
    kept = {("a", 0): (0, 1, 2), ("b", 0): (1, 2, 3, 4), ("a", 1): (5, 6), ("b", 1): (6,)}
    return [keep(toy_run(tmp_path, sources=s, seed=seed), text=k, video=range(8)) for (s, seed), k in kept.items()]


def test_every_feature_of_every_mask_is_in_the_table(runs):
    found = selected_features.measure(runs)
    table = found.table
    assert len(table) == 4 * 2 * 8
    first = table[(table["sources"] == "a") & (table["seed"] == 0) & (table["modality"] == "text")]
    assert first["feature"][first["selected"]].tolist() == [0, 1, 2]
    assert first["weight"].tolist() == [1, 1, 1, 0, 0, 0, 0, 0]
    assert "31 % of text (12 % to 50 %) and 100 % of video" in found.caption
    assert found.warnings == ("s2lif (4 runs): the video mask kept everything, so no feature of video is rejected",)


def test_runs_of_one_seed_are_compared_between_domains_and_of_one_domain_between_seeds(runs):
    found = selection_overlap.measure(runs)
    table = found.table[found.table["modality"] == "text"].set_index(["compared", "between"])
    assert set(table.index) == {
        ("two domains", "a & b"), ("two seeds", "seed 0 & seed 1"),
    }  # fmt: skip
    pairs = table.loc["two domains"]
    assert pairs["seed"].tolist() == [0, 1]
    assert pairs["shared"].tolist() == [2, 1] and pairs["jaccard"].tolist() == [2 / 5, 1 / 2]
    assert pairs["expected"].tolist() == pytest.approx([3 * 4 / 8, 2 * 1 / 8])
    assert pairs["p"].tolist() == pytest.approx([hypergeom.sf(1, 8, 3, 4), 2 / 8])
    assert table.loc["two seeds", "shared"].tolist() == [0, 0]
    assert "is not supported: 0 %" in found.caption and "more than its mean in 2 of 2" in found.caption
    assert "video 8.0 positions" in found.caption and "its mean in 0 of 0" in found.caption
    assert "s2lif (4 runs): the video mask kept everything: its overlap with any other is no choice" in found.warnings


def test_a_pair_is_called_the_same_whichever_run_came_first(runs):
    between = [set(selection_overlap.measure(given).table["between"]) for given in (runs, runs[::-1])]
    assert "a & b" in between[0] & between[1] and "b & a" not in between[1]


def test_what_leaves_chance_no_choice_does_not_count_in_the_verdict(tmp_path):
    kept = {"a": range(4), "b": range(4)}
    found = selection_overlap.measure(
        [keep(toy_run(tmp_path, sources=s), text=k, video=range(8)) for s, k in kept.items()]
    )
    assert found.table["p"].isna().tolist() == [False, True]  # video kept everything
    assert "is supported: 100 % of the comparisons" in found.caption


def test_masks_that_learn_nothing_are_no_selection_of_a_domain(tmp_path):
    settings = {"mask": "random", "keep_ratio": {"text": 0.5, "video": 0.25}}
    runs = [toy_run(tmp_path, sources=s, row="random", **settings) for s in "ab"]
    assert torch.equal(*(run.method.masks["text"].mask for run in runs))  # drawn from the seed, whatever the domain
    for measure in (selection_overlap.measure, selected_features.measure, keep_ratio.measure):
        assert measure(runs).table.empty
    assert selected_features.measure(runs).warnings == (
        "random (2 runs): its masks are a control, which learns no selection",
    )


def test_three_domains_are_also_compared_at_once(tmp_path):
    kept = {"a": (0, 1, 2), "b": (1, 2, 3), "c": (2, 3, 4)}
    found = selection_overlap.measure([keep(toy_run(tmp_path, sources=s), text=k) for s, k in kept.items()])
    together = found.table[found.table["compared"] == "all domains"].iloc[0]
    assert (together["between"], together["shared"], together["expected"]) == ("a & b & c", 1, pytest.approx(27 / 64))


def test_runs_of_different_widths_are_not_compared_but_told(tmp_path):
    wide = keep(toy_run(tmp_path, sources="b", dim=12), text=(0,), video=(0,))
    found = selection_overlap.measure([keep(toy_run(tmp_path, sources="a"), text=(0,), video=(0,)), wide])
    assert found.table.empty
    assert any("a and b have text masks of 8 and 12 features" in warning for warning in found.warnings)


def test_a_single_run_is_told_that_overlap_takes_two(runs):
    found = selection_overlap.measure(runs[:1])
    assert found.table.empty and "no two runs have the same row and seed and different source" in found.warnings[-1]


def test_runs_without_masks_and_runs_scored_under_a_control_are_left_out_with_a_word(tmp_path, runs):
    other = toy_run(tmp_path, row="erm")
    control = replace(runs[0], experiment=replace(runs[0].experiment, row="noise", intervention="noise"))
    found = selected_features.measure([other, control])
    assert found.table.empty and found.caption.startswith("No run selects features")
    assert any(warning.startswith("erm (1 run): has no feature masks") for warning in found.warnings)
    assert any(warning.startswith("noise (1 run): scored under a control") for warning in found.warnings)


def history(ratios: list[float], best: int) -> list[dict]:
    return [
        {"phase": "all", "measurements": {"keep_text": r, "keep_video": 1.0}, "is_best": at == best}
        for at, r in enumerate(ratios)
    ]


def test_the_keep_ratio_of_every_epoch_is_the_history_s(tmp_path):
    runs = [
        replace(toy_run(tmp_path, seed=seed), state=TrainingState(history=history(ratios, 1)))
        for seed, ratios in enumerate([[1.0, 0.5, 0.25], [1.0, 0.25]])
    ]
    found = keep_ratio.measure([*runs, toy_run(tmp_path, row="erm")])
    text = found.table[found.table["modality"] == "text"]
    assert text["keep_ratio"].tolist() == [1.0, 0.5, 0.25, 1.0, 0.25] and text["epoch"].tolist() == [1, 2, 3, 1, 2]
    assert text["keep_ratio"][text["is_kept"]].tolist() == [0.5, 0.25]
    assert "text 100 % after the first epoch, 38 % at the epoch that was kept, 25 % after the last" in found.caption
    (said,) = found.warnings
    assert said.startswith("erm (1 run): has no feature masks")
    assert np.isfinite(found.table["keep_ratio"]).all()
