"""Figures 6 to 8 on features whose dependence is known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from msadg.analysis import dependence, hidden, label_dependence
from msadg.analysis.hidden import Hidden, HiddenClips
from tests.analysis.mask_runs import keep, toy_run

NUM_CLIPS = 300


@pytest.fixture
def run(tmp_path):
    return keep(toy_run(tmp_path), text=(0, 1, 2), video=(0, 1))


@pytest.fixture
def known(run):
    """Text 0 and video 0 follow the label, text 1 and video 1 each other; the rest is noise, text 7 constant."""
    chance = np.random.default_rng(0)
    label = np.arange(NUM_CLIPS) % 3
    text, video = (chance.normal(size=(NUM_CLIPS, 8)).astype(np.float32) for _ in range(2))
    text[:, 0] += 2 * label
    video[:, 0] += 2 * label
    video[:, 1] = text[:, 1] + 0.1 * video[:, 1]
    text[:, 7] = 0.3
    present = np.ones(NUM_CLIPS, bool)
    clips = HiddenClips(
        modalities={"text": Hidden(text, present), "video": Hidden(video, present)},
        sentiment=label, polarity=np.full(NUM_CLIPS, np.nan, np.float32), domain=np.zeros(NUM_CLIPS, np.int64),
        num_videos=30,
    )  # fmt: skip
    hidden.keep_hidden(run.method, clips)
    return clips


def row_of(table, **wanted):
    for name, value in wanted.items():
        table = table[table[name] == value]
    assert len(table) == 1
    return table.iloc[0]


def test_shares_and_sizes_are_those_of_the_pairs(run, known):
    table = dependence.measure_across([run]).table
    text, video = (known.modalities[m].values.astype(np.float64) for m in ("text", "video"))
    for feature in (0, 1, 2):
        r = [stats.pearsonr(text[:, feature], video[:, other]).statistic for other in (0, 1)]
        p = 2 * stats.norm.sf(np.abs(np.arctanh(r)) * np.sqrt(NUM_CLIPS - 3))
        row = row_of(table, given="nothing", group="selected", feature=feature)
        assert row["dependent"] == np.mean(p < 0.05) and row["independent"] == 1 - row["dependent"]
        assert row["mean_abs_r"] == pytest.approx(np.abs(r).mean()) and row["num_tested"] == 2
    assert row_of(table, given="nothing", group="selected", feature=0)["dependent"] == 0.5


def test_given_the_label_only_what_depends_otherwise_is_left(run, known):
    table = dependence.measure_across([run]).table
    assert row_of(table, given="label and domain", group="selected", feature=0)["dependent"] == 0
    assert row_of(table, given="label and domain", group="selected", feature=1)["dependent"] == 0.5
    assert set(table["num_given"]) == {0, 2}  # classes less one; a single domain says nothing


def test_a_constant_feature_is_said_and_is_neither_dependent_nor_independent(run, known):
    found = dependence.measure_across([run])
    row = row_of(found.table, given="nothing", group="rejected", feature=7)
    assert row["num_tested"] == 0 and np.isnan(row["dependent"]) and np.isnan(row["mean_abs_r"])
    assert any("1 of 5 rejected text features are the same for every clip" in said for said in found.warnings)


def test_within_a_modality_no_feature_is_held_against_itself(run, known):
    table = dependence.measure_within([run]).table
    row = row_of(table, given="nothing", group="selected", modality="text", feature=1)
    assert row["num_tested"] == 2 and row["max_abs_r"] < 0.5
    row = row_of(table, given="nothing", group="rejected", modality="text", feature=7)
    assert row["num_tested"] == 0


@pytest.mark.parametrize(("kept", "left"), [((), "rejected"), (range(8), "selected")])
def test_masks_that_kept_nothing_or_everything_leave_the_other_group_measured(run, known, kept, left: str):
    keep(run, text=kept, video=kept)
    for measure in (dependence.measure_across, dependence.measure_within):
        found = measure([run])
        assert set(found.table["group"]) == {left} and found.warnings
        assert "could be held" not in found.caption
    found = label_dependence.measure_shares([run])
    assert found.table["p_shares"].isna().all() and "No mask both keeps and rejects" in found.caption


def test_clips_without_the_modality_are_left_out_of_its_pairs(run, known):
    known.modalities["video"].present[:100] = False
    known.modalities["video"].values[:100] = 0
    assert set(dependence.measure_across([run]).table["num_clips"]) == {200}


def test_too_few_clips_are_told(run, known):
    known.modalities["video"].present[3:] = False
    found = dependence.measure_across([run])
    assert found.table.empty and any("it takes 4 clips at least" in said for said in found.warnings)


def test_a_run_without_video_has_nothing_across_and_something_within(tmp_path):
    run = keep(toy_run(tmp_path, order="text"), text=(0, 1, 2))
    across, within = dependence.measure_across([run]), dependence.measure_within([run])
    assert across.table.empty
    assert across.warnings == ("s2lif (1 run): has a mask on text alone: nothing to compare it with",)
    assert set(within.table["modality"]) == {"text"}


def test_a_store_that_is_gone_costs_its_run_and_no_other(tmp_path, run, known):
    gone = toy_run(tmp_path / "gone")
    data = replace(gone.experiment.data, stores=tmp_path / "gone" / "nowhere")
    gone = replace(gone, experiment=replace(gone.experiment, data=data))
    found = dependence.measure_across([gone, run])
    assert set(found.table["num_clips"]) == {NUM_CLIPS}
    (said,) = [said for said in found.warnings if "cannot be read" in said]
    assert "nothing of them is measured" in said and str(tmp_path / "gone") in said


def test_the_label_s_share_of_each_feature_is_scipys_and_groups_are_held_against_each_other(run, known):
    effects = label_dependence.measure([run]).table
    shares = label_dependence.measure_shares([run])
    label, text = known.sentiment, known.modalities["text"].values.astype(np.float64)
    rows = effects[effects["modality"] == "text"]
    expected = stats.f_oneway(*[text[label == k][:, :7] for k in range(3)]).pvalue
    assert rows["p"].to_numpy()[:7] == pytest.approx(expected, rel=1e-6) and np.isnan(rows["p"].to_numpy()[7])
    row = row_of(shares.table, modality="text")
    assert (row["num_selected"], row["num_rejected"]) == (3, 4)  # the constant one is in neither
    selected, rejected = (rows["eta_squared"].to_numpy()[at] for at in (slice(3), slice(3, 7)))
    test = stats.mannwhitneyu(selected, rejected)
    assert row["p_effects"] == pytest.approx(test.pvalue)
    assert row["rank_biserial"] == pytest.approx(np.sign(selected[:, None] - rejected).mean())
    counts = [[(expected[:3] < 0.05).sum(), (expected[:3] >= 0.05).sum()]]
    counts += [[(expected[3:] < 0.05).sum(), (expected[3:] >= 0.05).sum()]]
    assert row["p_shares"] == pytest.approx(stats.fisher_exact(counts).pvalue)
    assert "1 of 8 text features are the same for every clip" in " ".join(label_dependence.measure([run]).warnings)


def test_what_was_not_conditioned_on_is_no_verdict(run, known):
    follows = known.modalities["text"].values[:, :2]
    known.modalities["video"].values[:, :2] = follows + 0.1 * known.modalities["video"].values[:, :2]
    assert "; given label and domain it is not supported either" in dependence.measure_across([run]).caption
    # A regression whose clips have no polarity has nothing to condition on.
    regression = replace(run, experiment=replace(run.experiment, task="regression"))
    found = dependence.measure_across([regression])
    assert set(found.table["given"]) == {"nothing"} and any("have no polarity" in said for said in found.warnings)
    assert "is not supported here" in found.caption and "given" not in found.caption


@pytest.fixture
def sparse(tmp_path):
    """A run whose 64 video features are the sums of two text features each, so that few pairs are dependent."""
    run = keep(toy_run(tmp_path, dim=64), text=range(64), video=range(64))
    chance = np.random.default_rng(0)
    text, noise = (chance.normal(size=(1871, 64)).astype(np.float32) for _ in range(2))
    video = (text + np.roll(text, 1, axis=1) + 0.9 * noise).astype(np.float32)
    present = np.ones(len(text), bool)
    clips = HiddenClips(
        modalities={"text": Hidden(text, present), "video": Hidden(video, present)},
        sentiment=np.arange(len(text)) % 3, polarity=np.full(len(text), np.nan, np.float32),
        domain=np.zeros(len(text), np.int64), num_videos=30,
    )  # fmt: skip
    hidden.keep_hidden(run.method, clips)
    return run, clips


def test_few_pairs_that_are_strongly_dependent_contradict_independence(sparse):
    run, _ = sparse
    found = dependence.measure_across([run])
    alone = found.table[found.table["given"] == "nothing"]
    # 2 of each feature's 64 pairs, and what chance adds: hardly more before the correction than chance alone calls so.
    assert alone["dependent"].mean() <= 0.1 and alone["max_abs_r"].min() > 0.55
    assert 128 <= round((alone["dependent_bh"] * 64).sum()) < 140
    assert "is not supported here" in found.caption and "not contradicted" not in found.caption
    assert f"{100 * alone['dependent_bh'].mean():.1f} % after correction" in found.caption
    assert f"the largest |r| being {alone['max_abs_r'].max():.2f};" in found.caption


def test_few_pairs_that_are_strongly_dependent_given_the_label_contradict_that_too(sparse):
    run, clips = sparse
    for features in clips.modalities.values():
        features.values[:] += 2 * clips.sentiment[:, None]
    caption = dependence.measure_across([run]).caption
    assert "given label and domain it is not supported either (up to" in caption and "not contradicted" not in caption


def test_noise_does_not_contradict_independence(sparse):
    run, clips = sparse
    clips.modalities["video"].values[:] = np.random.default_rng(1).normal(size=(1871, 64))
    caption = dependence.measure_across([run]).caption
    assert "is not contradicted" in caption and "none is after correction" in caption


def test_the_caption_says_which_pairs_are_corrected_together(run, known):
    together = "Benjamini-Hochberg over the pairs of one run, {}, group (selected, rejected) and conditioning set"
    assert together.format("pair of modalities") in dependence.measure_across([run]).caption
    assert together.format("modality") in dependence.measure_within([run]).caption


def test_what_is_said_of_a_run_several_times_is_of_one_run(run, known):
    known.modalities["video"].present[3:] = False
    told = dependence.measure_across([run]).warnings
    assert next(said for said in told if "z-test of 3 clips, given 0" in said).startswith("s2lif (1 run): ")


def test_the_captions_on_the_label_say_that_clips_and_features_are_not_independent(run, known):
    for measure in (label_dependence.measure, label_dependence.measure_shares):
        assert "Clips of one video are not independent, nor are features of one run" in measure([run]).caption
