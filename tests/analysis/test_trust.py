"""Reliability, coverage and shift scores of runs on toy domains: each number from elsewhere."""

from copy import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from msadg.analysis import calibration, coverage, faithfulness, shift_errors, temperature
from msadg.analysis.calibration_scored import decided_parts, scored_domains, told_undecided
from msadg.analysis.shift_errors_features import pooled_features
from msadg.errors import StoreError
from msadg.metrics.classification import classification_metrics
from msadg.nn.steps import mean_over_valid
from msadg.protocols.distance import SourceDistance
from msadg.protocols.evaluate import predict_logits, softmax
from msadg.protocols.features import load_clips
from msadg.protocols.fit import source_clips
from tests.analysis.mask_runs import keep, toy_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """An S2LIF that keeps features 0 to 2 of text and every one of video."""
    found = keep(toy_run(tmp_path_factory.mktemp("trusted")), text=range(3), video=range(8))
    with torch.no_grad():
        for head in found.method.heads.values():
            head.weight.mul_(5)
    return found


@pytest.fixture(scope="module")
def target(run):
    clips = load_clips(run.experiment.data, run.experiment.domains.target_domains[0], "test")
    return clips, softmax(predict_logits(run.method, clips)["logits"])


def test_the_reliability_of_each_domain_has_its_calibration_error(run, target):
    found = calibration.measure([run])
    clips, probabilities = target
    part = found.table[found.table["domain"] == "c"]
    assert part["num_clips"].sum() == 24 and set(part["role"]) == {"target"}
    assert set(part["ece"]) == {classification_metrics(probabilities, clips.sentiment)["ece"]}
    weighted = (part["confidence"] * part["num_clips"]).sum() / 24
    assert weighted == pytest.approx(probabilities.max(axis=1).mean())


def test_at_full_coverage_a_run_scores_what_it_scores(run, target):
    found = coverage.measure([run]).table
    clips, probabilities = target
    part = found[(found["domain"] == "c")]
    whole = part[part["coverage"] == 1.0].set_index("measure")["value"]
    scores = classification_metrics(probabilities, clips.sentiment)
    assert whole["accuracy"] == pytest.approx(scores["accuracy"])
    assert whole["f1_macro"] == pytest.approx(scores["f1_macro"])
    half = part[(part["coverage"] == 0.5) & (part["measure"] == "accuracy")]
    surest = np.argsort(-probabilities.max(axis=1))[:12]
    assert half["num_clips"].item() == 12
    assert half["value"].item() == pytest.approx((probabilities.argmax(axis=1) == clips.sentiment)[surest].mean())


def test_what_was_said_once_is_not_asked_again(run, monkeypatch):
    first = scored_domains(run)
    monkeypatch.setattr("msadg.analysis.calibration_scored.predict_logits", None)
    assert [part.logits is again.logits for part, again in zip(first, scored_domains(run), strict=True)] == [True] * 3


def test_the_features_are_split_by_the_mask_and_read_before_it(run):
    clips = source_clips(run.experiment, "dev")[0]
    found = pooled_features(run.method, clips, np.array([5, 0, 7]))
    steps = clips.batch([5, 0, 7]).steps["text"]
    with torch.no_grad():
        hidden = mean_over_valid(run.method.encoders["text"](steps.values, steps.valid), steps.valid).double().numpy()
    np.testing.assert_allclose(found["selected", "text"], hidden[:, :3], atol=1e-6)
    np.testing.assert_allclose(found["rejected", "text"], hidden[:, 3:], atol=1e-6)
    np.testing.assert_allclose(found["input", "text"], mean_over_valid(steps.values, steps.valid).numpy(), atol=1e-6)
    assert set(found) == {("input", m) for m in ("text", "video")} | {
        ("selected", "text"),
        ("rejected", "text"),
        ("selected", "video"),
    }


def test_a_shift_s_area_is_that_of_the_distance_from_the_sources(run, target):
    measured = shift_errors.measure([run])
    clips, probabilities = target
    is_wrong = probabilities.argmax(axis=1) != clips.sentiment

    def means(clip_set) -> np.ndarray:
        steps = clip_set.batch(range(len(clip_set))).steps["text"]
        return mean_over_valid(steps.values, steps.valid).double().numpy()

    fitted = SourceDistance.fit(np.concatenate([means(c) for c in source_clips(run.experiment, "train")]))
    of_dev = fitted(np.concatenate([means(c) for c in source_clips(run.experiment, "dev")]))
    distance = fitted(means(clips))
    row = measured.table.query("domain == 'c' and score == 'input' and modality == 'text'").iloc[0]
    assert row["auroc"] == pytest.approx(roc_auc_score(is_wrong, distance))
    assert row["low"] <= row["auroc"] <= row["high"] and row["num_errors"] == is_wrong.sum()
    assert row["share_far"] == pytest.approx((distance > np.quantile(of_dev, 0.95, method="higher")).mean())
    assert row["median_ratio"] == pytest.approx(np.median(distance) / np.median(of_dev))
    doubt = measured.table.query("domain == 'c' and score == 'doubt'").iloc[0]
    assert doubt["auroc"] == pytest.approx(roc_auc_score(is_wrong, -probabilities.max(axis=1)))


def test_a_mask_that_keeps_everything_is_told_of(run):
    (told,) = [w for w in shift_errors.measure([run]).warnings if "mask" in w]
    assert told.startswith("s2lif, seed 0: the video mask keeps every feature")


def equally_sure(folder, **settings):
    """An ERM that gives every clip the same answer."""
    run = toy_run(folder, row="erm", **settings)
    with torch.no_grad():
        run.method.head.weight.zero_()
    return run


def test_a_run_that_is_equally_sure_of_all_clips_has_no_area_and_says_so(run, tmp_path):
    even = equally_sure(tmp_path)
    found = shift_errors.measure([even])
    assert found.table.query("score == 'doubt'")["auroc"].isna().all()
    assert found.warnings[-1].startswith("erm (3 of 3 cells of run and domain): equally sure of all clips")
    assert "left out" not in found.warnings[-1]  # there is nothing else for the caption to be about
    assert calibration.measure([even]).table.groupby("domain")["bin"].max().eq(0).all()
    areas = coverage.areas_of(coverage.measure([even]).table)
    np.testing.assert_allclose(areas["aurc"], areas["aurc_random"])


@pytest.mark.parametrize("measure", [calibration.measure, coverage.measure, shift_errors.measure, faithfulness.measure])
def test_a_run_whose_store_is_gone_costs_itself_alone(run, tmp_path, measure):
    gone = toy_run(tmp_path, row="erm")
    data = replace(gone.experiment.data, stores=tmp_path / "nowhere")
    gone = replace(gone, experiment=replace(gone.experiment, data=data))
    found = measure([gone, run])
    assert set(found.table["row"]) == {"s2lif"}
    assert found.warnings[0].startswith("erm (1 run): its clips cannot be read, so nothing of it is measured")
    with pytest.raises(StoreError, match="nowhere"):
        measure([gone])


@pytest.mark.parametrize("measure", [calibration.measure, coverage.measure, temperature.measure, shift_errors.measure])
def test_a_seed_that_is_equally_sure_of_all_clips_costs_its_row_no_other_seed(tmp_path, measure):
    alone = toy_run(tmp_path, row="erm")
    both = measure([alone, equally_sure(tmp_path, seed=1)])
    assert both.caption == measure([alone]).caption and " for 1 run" in both.caption
    (told,) = [said for said in both.warnings if "equally sure" in said]
    assert told.startswith("erm (3 of 6 cells of run and domain): ") and told.endswith(
        "left out of what the caption says"
    )


def test_of_one_clip_nothing_is_told_apart(run):
    parts = scored_domains(run)
    clip = copy(parts[-1].clips)
    clip.clip_ids = clip.clip_ids[:1]
    one = replace(parts[-1], clips=clip, logits=parts[-1].logits[:1])
    even = replace(parts[0], logits=np.zeros_like(parts[0].logits))
    assert decided_parts([even, parts[1], one]) == [parts[1], one]
    assert told_undecided([parts[0], one]) == []


def test_each_kind_of_shift_is_held_against_the_doubt_of_its_own_cells(run, tmp_path, monkeypatch):
    areas = {"erm": {"doubt": 0.55, "input": 0.6}, "s2lif": {"doubt": 0.75, "input": 0.6, "selected": 0.68}}

    def rows(part, fitted):
        same = part.columns | {"modality": "text", "num_errors": 1, "num_clips": 2}
        return [same | {"score": score, "auroc": area} for score, area in areas[part.columns["row"]].items()]

    monkeypatch.setattr(shift_errors, "_rows", rows)
    caption = shift_errors.measure([toy_run(tmp_path, row="erm"), run]).caption
    assert "input 0.600 (doubt 0.650, 2 cells), selected 0.680 (doubt 0.750, 1 cell)" in caption
    assert "above doubt in the mean: none." in caption
    areas["s2lif"]["selected"] = 0.8
    caption = shift_errors.measure([toy_run(tmp_path, row="erm"), run]).caption
    assert "above doubt in the mean: selected." in caption
