"""Recovery and order of learning on simulated domains: masks set by hand, so that the truth of each number is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score

from msadg.analysis import recovery_order, recovery_table
from msadg.analysis.recovery_order_runs import Cell, predictions_by_target
from msadg.analysis.recovery_order_words import alternative_of, caption_of
from msadg.analysis.recovery_runs import middle_of, redundancy_of, short_order
from msadg.protocols.features import DataConfig, feature_kinds, feature_manifests, simulated_world
from msadg.report.figures import recovery as recovery_figure
from msadg.report.figures import recovery_order as order_figure
from msadg.report.measurement_files import has_figure
from tests.analysis.simulated_runs import TARGETS, data_of, make_stores, simulated_run

INVARIANT = ("invariant", "redundant", "complementary")


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores")
    make_stores(folder)
    return folder


@pytest.fixture(scope="module")
def compared(stores):
    """T>V keeps what is invariant in text and what is complementary in video; T&V and ERM keep everything."""
    careful = lambda kind: kind in ("invariant", "complementary")  # noqa: E731
    runs = []
    for redundancy in (0.0, 0.5):
        for seed in (0, 1):
            runs.append(simulated_run(stores, "text>video", redundancy=redundancy, seed=seed, keep=careful))
            runs.append(simulated_run(stores, "text&video", redundancy=redundancy, seed=seed))
            runs.append(simulated_run(stores, None, redundancy=redundancy, seed=seed))
    return runs


@pytest.fixture(scope="module")
def ordered(compared):
    return recovery_order.measure(compared)


def shares_of(measurement, modality: str, order: str = "T>V") -> dict[str, tuple[float, float]]:
    table = measurement.table
    part = table[(table["modality"] == modality) & (table["order"] == order)]
    return {row["share"]: (row["value"], row["by_chance"]) for row in part.to_dict("records")}


def test_the_redundancy_of_a_run_is_that_of_its_video(stores):
    assert redundancy_of(simulated_run(stores, "text>video", redundancy=0.0).experiment) == 0.0
    assert redundancy_of(simulated_run(stores, "text>video").experiment) == 0.5
    world = simulated_world(data_of(stores, 0.0), "simulated-a", "video")
    assert world is not None and world.kinds("video") == feature_kinds(data_of(stores, 0.0), "simulated-a", "video")


def test_redundancy_makes_other_features_and_shift_makes_other_clips_of_the_same(stores):
    domains = ["simulated-a", *TARGETS]
    none, half = (feature_manifests(data_of(stores, redundancy), domains) for redundancy in (0.0, 0.5))
    assert none["text"] == half["text"]
    assert none["video"]["digest"] != half["video"]["digest"] and none["video"]["simulated"]
    # The digest of the default redundancy is that of plain "simulated", in records from before it had a name.
    assert half["video"]["digest"].startswith("8b6427a6dcbea823b4503b00d0e4bf93")
    assert len(set(half["video"]["inputs"].values())) == 3


def test_a_mask_that_keeps_what_is_invariant_and_no_more_recovers_all(stores):
    run = simulated_run(stores, "text>video", keep=lambda kind: kind in INVARIANT, sparsity_weight=1e-2)
    measured = recovery_table.measure([run])
    # 12 of 32 features are invariant, 8 are spurious; of the 12 of video 6 complement text.
    for modality in ("text", "video"):
        shares = shares_of(measured, modality)
        assert shares["precision"] == (1, 12 / 32) and shares["recall"] == (1, 12 / 32)
        assert shares["spurious_rejected"] == (1, 20 / 32)
    assert shares_of(measured, "video")["complementary_share"] == (0.5, 0.5)
    assert "complementary_share" not in shares_of(measured, "text")


def test_the_caption_says_that_the_shortcut_is_kept_where_it_is(stores):
    runs = [
        simulated_run(stores, order, seed=seed, keep=lambda kind: kind == "spurious", sparsity_weight=alpha)
        for order in ("text>video", "text&video")
        for alpha in (1e-3, 1e-2)
        for seed in (0, 1)
    ]
    measured = recovery_table.measure(runs)
    assert "above chance in 0 and below it in 8 of 8 cells" in measured.caption
    assert "Of the shortcut's features 0 % are rejected, by chance 75 %" in measured.caption
    assert "because they are invariant is not supported." in measured.caption
    assert (
        "8 runs trained on simulated-a with redundancy 0.5" in measured.caption and "150 dev clips" in measured.caption
    )
    part, axis = recovery_table.shown(measured.table)
    assert axis == "alpha" and len(part) == len(measured.table)
    axes = recovery_figure.draw(measured).axes
    # precision and recall of two modalities, for two orders; a complementary share of nothing is not drawn
    assert len(axes) == 8 and [a.get_title() for a in axes[:2]] == ["T>V", "T&V"]
    precision = axes[0].lines[0].get_ydata()
    assert list(precision) == [0, 0]


def test_one_seed_neither_supports_nor_refutes(stores):
    run = simulated_run(stores, "text>video", keep=lambda kind: kind in INVARIANT, sparsity_weight=1e-2)
    caption = recovery_table.measure([run]).caption
    assert "precision is 100 % in the mean (38 % by chance), without an interval" in caption
    assert "because they are invariant cannot be told, for no cell has two seeds with a precision." in caption


def test_the_shortcut_is_kept_above_all_only_where_more_of_it_is_kept_than_of_what_is_invariant(stores):
    def caption(keep):
        runs = [simulated_run(stores, "text>video", seed=seed, keep=keep, sparsity_weight=1e-2) for seed in (0, 1)]
        return recovery_table.measure(runs).caption

    both = caption(lambda kind: kind != "noise")  # all of both are kept, and the noise is not
    assert "the shortcut too: " in both and "because they are invariant is supported." in both
    assert "the shortcut above all: " in caption(lambda kind: kind == "spurious")
    assert "at least as often as chance" in caption(lambda kind: kind in INVARIANT)


def test_two_runs_of_one_place_are_not_two_seeds(stores):
    runs = [simulated_run(stores, "text>video", sparsity_weight=1e-2, dropout=rate) for rate in (0.1, 0.2)]
    measured = recovery_table.measure(runs)
    assert set(recovery_table.cells(measured.table)["num_seeds"]) == {1}
    assert any("another run of its order, schedule, alpha" in warning for warning in measured.warnings)


def test_text_first_is_told_to_complement_where_it_does(stores):
    careful = lambda kind: kind in ("invariant", "complementary")  # noqa: E731
    runs = [simulated_run(stores, "text>video", seed=seed, keep=careful) for seed in (0, 1)]
    runs += [simulated_run(stores, "text&video", seed=seed) for seed in (0, 1)]
    caption = recovery_table.measure(runs).caption
    assert "T>V 100 % and T&V 50 % (50 % by chance)" in caption
    assert "video complements it more than in the other orders (+50 points, +50 to +50 over seeds)" in caption


def test_orders_are_compared_only_where_both_selected_something(stores):
    careful = lambda kind: kind in ("invariant", "complementary")  # noqa: E731
    runs = []
    for seed in (0, 1):
        runs += [simulated_run(stores, o, seed=seed, sparsity_weight=1e-3) for o in ("text>video", "video>text")]
        runs.append(simulated_run(stores, "text>video", seed=seed, sparsity_weight=0.1, keep=lambda _: False))
        runs.append(simulated_run(stores, "video>text", seed=seed, sparsity_weight=0.1, keep=careful))
    caption = recovery_table.measure(runs).caption
    # At alpha .1 video first has 100 %, and text first nothing that it could be held against.
    assert "where text first can be compared with another: T>V 50 % and V>T 50 % (50 % by chance)" in caption
    assert "neither more nor less, as far as these seeds tell, than in the other orders (+0 points" in caption


def test_a_mask_that_kept_nothing_has_no_precision_and_says_so(stores):
    measured = recovery_table.measure([simulated_run(stores, "text>video", keep=lambda _: False)])
    precision = shares_of(measured, "video")["precision"]
    assert np.isnan(precision).all() and shares_of(measured, "video")["recall"][0] == 0
    assert any("the mask of video kept nothing: it has no precision" in warning for warning in measured.warnings)


def test_runs_without_a_selection_say_why_and_those_on_real_features_are_none_of_this(stores):
    runs = [
        simulated_run(stores, None),
        simulated_run(stores, "text>video", mask="none"),
        simulated_run(stores, "text>video", intervention="noise"),
    ]
    measured = recovery_table.measure(runs)
    assert measured.table.empty and len(measured.warnings) == 3
    assert not has_figure(measured)
    real = replace(runs[0].experiment, data=DataConfig(features={"text": "minilm"}))
    assert recovery_table.measure([replace(runs[0], experiment=real)]) is None
    assert recovery_order.measure([replace(runs[0], experiment=real)]) is None


def test_scores_are_means_over_seeds_of_scikit_learn_s(compared, ordered):
    scores = ordered.table[ordered.table["measure"] == "f1_macro"]
    assert set(scores["target"]) == set(TARGETS) and len(scores) == 3 * 2 * 2
    runs = [r for r in compared if r.experiment.row == "text>video, redundancy 0.5"]
    for target in TARGETS:
        said = [predictions_by_target(run)[target] for run in runs]
        expected = [f1_score(p.sentiment, p.predicted, average="macro") for p in said]
        met = scores[(scores["row"] == "T>V") & (scores["redundancy"] == 0.5) & (scores["target"] == target)].iloc[0]
        assert met["mean"] == pytest.approx(np.mean(expected), abs=1e-12) and met["num_seeds"] == 2


def test_targets_have_the_shift_of_their_names_against_their_sources(ordered):
    # rho is .9 in simulated-a alone: (1 - .8 / .9) / 2 and (1 + .8 / .9) / 2.
    shifts = ordered.table.dropna(subset=["shift"]).groupby("target")["shift"].first()
    assert shifts["simulated-shift-0"] == pytest.approx(0.5 - 4 / 9)
    assert shifts["simulated-shift-100"] == pytest.approx(0.5 + 4 / 9)


def test_differences_are_those_of_the_means_and_adjusted_together(ordered):
    table = ordered.table
    differences = table[table["measure"] == "f1_macro_difference"]
    assert set(zip(differences["row"], differences["against"], strict=True)) == {("T>V", "T&V"), ("T>V", "ERM")}
    assert len(differences) == 2 * 2 * 2
    means = table[table["measure"] == "f1_macro"].set_index(["row", "redundancy", "target"])["mean"]
    for row in differences.to_dict("records"):
        place = (row["redundancy"], row["target"])
        assert row["mean"] == pytest.approx(means[("T>V", *place)] - means[(row["against"], *place)], abs=1e-12)
        assert row["videos_low"] <= row["mean"] <= row["videos_high"]
        assert row["p_holm"] >= row["p"]
    assert (differences["p_holm"] == np.minimum(1, differences["p_holm"])).all()
    assert differences.sort_values("p")["p_holm"].iloc[0] == pytest.approx(min(1, 8 * differences["p"].min()))


def test_complementary_shares_stand_beside_chance(ordered):
    shares = ordered.table[ordered.table["measure"] == "complementary_share of video"]
    met = shares.set_index(["row", "redundancy"])[["mean", "by_chance"]]
    assert list(met.loc[("T>V", 0.5)]) == [1, 0.5] and list(met.loc[("T&V", 0.5)]) == [0.5, 0.5]
    assert list(met.loc[("T>V", 0.0)]) == [1, 1]
    assert "T>V +50 points and T&V +0 points" in ordered.caption


def test_the_figure_has_a_column_for_each_target_and_says_what_it_shows(ordered):
    axes = order_figure.draw(ordered).axes
    assert [a.get_title() for a in axes] == ["shift 0.056", "", "shift 0.94", "", "", ""]
    assert "T>V minus T&V" in ordered.caption and "up to 300 each" in ordered.caption
    assert ordered.alternative.startswith("One column of panels for each target")


def lines_of(measurement):
    return [line for axes in order_figure.draw(measurement).axes for line in axes.lines]


def test_the_sources_with_most_scores_are_drawn_and_told_of_and_the_others_named(ordered):
    other = ordered.table[ordered.table["row"] == "T>V"].assign(
        sources="simulated-b", mean=0.7, shift=0.2, p_holm=0.001
    )
    table = pd.concat([other, ordered.table], ignore_index=True)
    both = replace(ordered, table=table)
    assert [axes.get_title() for axes in order_figure.draw(both).axes] == ["shift 0.056", "", "shift 0.94", "", "", ""]
    for line, alone in zip(lines_of(both), lines_of(ordered), strict=True):
        np.testing.assert_array_equal(line.get_xydata(), alone.get_xydata())
    more = " In the table alone: runs trained on simulated-b."
    assert more in caption_of(table, 300) and caption_of(table, 300).replace(more, "") == ordered.caption
    assert alternative_of(table) == ordered.alternative


def test_a_target_whose_shift_differs_between_runs_has_a_column_for_each(ordered):
    table = ordered.table.copy()
    turned = (table["target"] == TARGETS[0]) & (table["redundancy"] == 0.5)
    table.loc[turned, "shift"] = 0.3
    axes = order_figure.draw(replace(ordered, table=table)).axes
    assert [a.get_title() for a in axes if a.get_title()] == ["shift 0.056", "shift 0.3", "shift 0.94"]
    assert [len(a.lines[0].get_xdata()) for a in axes if a.get_title()] == [1, 1, 2]


def test_audio_does_not_mix_with_video_below(ordered):
    shares = ordered.table[ordered.table["measure"] == "complementary_share of video"]
    audio = shares.assign(measure="complementary_share of audio", mean=0.1)
    table = pd.concat([audio, ordered.table], ignore_index=True)
    for line, alone in zip(lines_of(replace(ordered, table=table)), lines_of(ordered), strict=True):
        np.testing.assert_array_equal(line.get_xydata(), alone.get_xydata())
    assert "Complementary share of video above chance" in caption_of(table, 300)
    assert "T>V +50 points and T&V +0 points" in caption_of(table, 300)
    assert "In the table alone: the complementary share of audio." in caption_of(table, 300)
    alone = pd.concat([audio, ordered.table.drop(shares.index)], ignore_index=True)
    assert "of the selected audio features" in caption_of(alone, 300)


def test_one_redundancy_is_no_comparison(compared):
    assert recovery_order.measure([run for run in compared if run.experiment.row.endswith("0.5")]) is None


def test_without_something_learned_at_once_only_the_scores_are_there(compared):
    alone = [run for run in compared if run.experiment.row.startswith("text>video")]
    measured = recovery_order.measure(alone)
    assert set(measured.table["measure"]) == {"f1_macro", "complementary_share of video"}
    assert any("add runs of ERM, or of S2LIF" in warning for warning in measured.warnings)
    assert len(order_figure.draw(measured).axes) == 6


def test_a_method_that_reads_less_is_no_reference():
    erm = Cell(
        label="ERM", in_order=False, masks="", modalities=("text", "video"), sources=("simulated-a",), redundancy=0.5
    )
    ordered = replace(erm, label="T>V", in_order=True, masks="learned mask, alpha 0.01")
    assert erm.is_reference_of(ordered)
    assert not erm.is_reference_of(replace(ordered, modalities=("text", "audio", "video")))


def test_a_second_run_of_the_same_cell_and_seed_is_left_out_and_named(compared):
    measured = recovery_order.measure([*compared, compared[0]])
    assert any("another run of the same order" in warning for warning in measured.warnings)


def test_short_orders_and_the_middle():
    assert short_order("text>audio&video") == "T>A&V"
    assert middle_of([0.0, 0.75, 0.25]) == 0.25 and np.isnan(middle_of([float("nan")]))


def test_rows_that_share_their_weights_are_measured_once(stores):
    run = simulated_run(stores, "text>video")
    named = replace(run, experiment=replace(run.experiment, row="the same by another name"))
    measured = recovery_table.measure([run, named])
    assert set(measured.table["row"]) == {"text>video, redundancy 0.5"}
    assert any("the same by another name" in warning for warning in measured.warnings)


def test_what_was_learned_at_one_redundancy_only_is_no_part_of_the_comparison(compared, ordered, stores):
    other = simulated_run(stores, "text>video", sparsity_weight=0.5)
    measured = recovery_order.measure([*compared, other])
    assert measured.table.equals(ordered.table)
