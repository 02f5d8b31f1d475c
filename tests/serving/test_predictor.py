"""From a run's folder to a verdict, whatever is missing."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from msadg.errors import MediaError, RunError, UsageError
from msadg.methods.build import MethodSpec
from msadg.protocols.evaluate import predict_logits, softmax
from msadg.protocols.features import load_clips
from msadg.protocols.run import load_run, train_run
from msadg.protocols.sources import SOURCES_FILE, read_sources
from msadg.serving import features
from msadg.serving.predictor import Predictor
from msadg.types import SENTIMENTS
from tests.protocols.helpers import Toy, toy_experiment
from tests.serving.helpers import toy_extractor_of, video_of

TRAINING = {"epochs": 3}
TEXT, VIDEO = "clip 205 class 1", "clip 205 class 1"


@pytest.fixture(autouse=True)
def _toy_extractors(monkeypatch):
    monkeypatch.setattr(features, "extractor_of", toy_extractor_of)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs by name, copied away from their corpora and stores, which are then deleted."""
    folder = tmp_path_factory.mktemp("serving")
    kinds = {
        "s2lif": ("s2lif", {}, TRAINING),
        "video first": ("s2lif", {"order": "video>text"}, TRAINING),
        "erm": ("erm", {}, TRAINING),
        "dropout": ("erm", {}, TRAINING | {"modality_dropout": 0.4}),
        "linear": ("linear", {}, {}),
        "constant": ("constant", {}, {}),
    }
    made, expected = {}, {}
    for name, (method, settings, training) in kinds.items():
        experiment = toy_experiment(folder / "data", method, settings=settings, training=training)
        trained = train_run(experiment, folder / "data" / name)
        clips = load_clips(experiment.data, experiment.domains.target_domains[0], "test")
        logits = predict_logits(trained.method, clips)
        expected[name] = {c: softmax(logits["logits"])[at] for at, c in enumerate(clips.clip_ids)}
        made[name] = shutil.copytree(folder / "data" / name, folder / name)
    utterances = {c: c for c in clips.clip_ids}
    shutil.rmtree(folder / "data")
    return made, expected, utterances


def of_target(clip_id: str) -> str:
    """What the toy clip says (the third domain's clips are numbered from 200)."""
    number = 200 + int(clip_id.rpartition("c")[2])
    return f"clip {number} class {number % 3}"


@pytest.mark.parametrize("name", ["s2lif", "video first", "erm", "dropout", "linear", "constant"])
def test_it_says_what_scoring_the_run_said_of_the_same_clips(runs, tmp_path, name: str):
    made, expected, _ = runs
    predictor = Predictor(made[name])
    for clip_id, probabilities in list(expected[name].items())[:4]:
        said = of_target(clip_id)
        verdict = predictor.predict(video_of(tmp_path, said), text=said)
        assert list(verdict.probabilities.values()) == pytest.approx(probabilities.tolist(), abs=1e-6)
        assert verdict.sentiment == SENTIMENTS[probabilities.argmax()]
        assert verdict.missing == {} and verdict.fallback is None
        assert verdict.sources == ("a", "b")


def test_without_video_s2lif_answers_by_its_text_stage(runs, tmp_path):
    predictor = Predictor(runs[0]["s2lif"])
    whole = predictor.predict(video_of(tmp_path, VIDEO), text=TEXT)
    alone = predictor.predict(text=TEXT)
    assert alone.fallback == "stage" and alone.modalities == ("text",)
    assert alone.missing == {"video": "no video was given"}
    assert alone.probabilities == alone.text_only == whole.text_only
    assert alone.multimodal is None and whole.multimodal == whole.probabilities != whole.text_only


def test_without_a_face_the_reason_is_given(runs, tmp_path):
    verdict = Predictor(runs[0]["s2lif"]).predict(video_of(tmp_path, "faceless"), text=TEXT)
    assert verdict.missing["video"].endswith("no face in 12 frames")
    assert verdict.how == "the verdict is that of the run's own stage that reads text only"
    assert verdict.warnings == verdict.not_read
    assert len(verdict.warnings) == 1 and verdict.warnings[0].startswith("video was given but not used: ")
    assert verdict.fallback == "stage" and verdict.key_frames == () and verdict.num_frames == 0


@pytest.mark.parametrize(("name", "how"), [("erm", "average"), ("dropout", "dropout"), ("linear", "average")])
def test_what_is_missing_is_done_without_as_the_run_can(runs, tmp_path, name: str, how: str):
    predictor = Predictor(runs[0][name])
    verdict = predictor.predict(text=TEXT)
    assert verdict.fallback == how and verdict.modalities == ("text",)
    assert sum(verdict.probabilities.values()) == pytest.approx(1.0)
    assert {step.modality for step in verdict.steps} == {"text"}
    video_only = predictor.predict(video_of(tmp_path, VIDEO))
    assert video_only.modalities == ("video",) and video_only.missing == {"text": "no text was given"}
    assert video_only.text_only is None
    # With both there, the text-only verdict is the one that text alone gets.
    assert predictor.predict(video_of(tmp_path, VIDEO), text=TEXT).text_only == verdict.probabilities


def test_a_missing_modality_is_never_scored_as_zeros_that_look_like_data(runs):
    """The mean over the sources' clips, by hand; not the answer to a video of zeros."""
    folder = runs[0]["linear"]
    method, sources = load_run(folder).method, read_sources(folder)
    (made,) = Toy("text", 6).extract([type("Clip", (), {"text": TEXT})])
    text = torch.from_numpy(made.values.astype("float32")).mean(dim=0)
    shown = sources.background["video"]
    video = torch.stack([v[ok].mean(dim=0) for v, ok in zip(shown.values, shown.valid, strict=True)])
    logits = (torch.cat([text.expand(len(video), -1), video], dim=1) - method.mean) @ method.weight.T + method.bias
    expected = logits.double().softmax(dim=-1).mean(dim=0)
    said = Predictor(folder).predict(text=TEXT).probabilities
    assert list(said.values()) == pytest.approx(expected.tolist(), abs=1e-6)


def test_key_frames_are_those_the_method_kept(runs, tmp_path):
    verdict = Predictor(runs[0]["s2lif"]).predict(video_of(tmp_path, VIDEO), text=TEXT)
    assert 1 <= len(verdict.key_frames) <= verdict.num_frames == 3 + 205 % 4
    assert sum(frame.weight for frame in verdict.key_frames) == pytest.approx(1.0, abs=1e-5)
    assert all(frame.seconds is None for frame in verdict.key_frames)  # toys know no times
    assert {s.step for s in verdict.steps if s.modality == "video"} <= {frame.step for frame in verdict.key_frames}


def test_a_clip_like_the_sources_is_not_warned_of_and_one_unlike_them_is(runs, tmp_path, monkeypatch):
    predictor = Predictor(runs[0]["s2lif"])
    usual = predictor.predict(video_of(tmp_path, "clip 7 class 1"), text="clip 7 class 1")
    assert usual.warnings == () and usual.shift["video"].beyond in (None, 0.5)
    real = Toy.extract

    def shifted(self, clips):
        for made in real(self, clips):
            yield replace(made, values=made.values + (6.0 if self.modality == "video" else 0.0))

    monkeypatch.setattr(Toy, "extract", shifted)
    far = predictor.predict(video_of(tmp_path, VIDEO), text=TEXT)
    # So few dev clips have no 99 % quantile: the clip lies beyond each of them.
    assert far.shift["video"].beyond == 1.0 and far.shift["text"].beyond != 1.0
    number = far.shift["video"].num_dev_clips
    assert 1 < number < 100
    told = f"video lies further from the sources than each of their {number} dev clips (distance "
    assert any(sentence.startswith(told) for sentence in far.warnings)


def test_the_verdict_is_plain_json(runs, tmp_path):
    verdict = Predictor(runs[0]["s2lif"]).predict(video_of(tmp_path, VIDEO), text=TEXT)
    content = json.loads(json.dumps(verdict.to_dict(), allow_nan=False))
    assert content["sentiment"] == verdict.sentiment
    assert content["steps"][0].keys() >= {"modality", "step", "share", "token", "start_seconds"}
    assert sum(map(abs, content["modality_shares"].values())) == pytest.approx(1.0)


def test_the_same_clip_gets_the_same_verdict(runs, tmp_path):
    path = video_of(tmp_path, VIDEO)
    first, second = (Predictor(runs[0]["erm"]).predict(path, text=TEXT) for _ in range(2))
    assert first == second


def test_other_features_than_the_run_learned_from_are_refused(runs, tmp_path, monkeypatch):
    class Newer(Toy):
        version = "2"

    monkeypatch.setattr(features, "extractor_of", lambda data, modality: Newer(modality, 6))
    with pytest.raises(RunError, match=r"text features of text-toy.*version is '1' there and '2' here.*or train again"):
        Predictor(runs[0]["s2lif"]).predict(text=TEXT)


def test_nothing_to_read_is_an_error_with_each_reason(runs, tmp_path):
    predictor = Predictor(runs[0]["s2lif"])
    with pytest.raises(UsageError, match=r"^this run reads text and video, and nothing was given; give text or video$"):
        predictor.predict()
    with pytest.raises(
        UsageError, match=r"reads text and video, and was given only audio: .* train a run that reads aud"
    ):
        predictor.predict(audio=video_of(tmp_path, "sound"))
    with pytest.raises(MediaError, match=r"text: the transcript is empty; video: .*no face in 12 frames$"):
        predictor.predict(video_of(tmp_path, "faceless"), text=" ")
    with pytest.raises(MediaError, match=r"missing.mp4: there is no such file"):
        predictor.predict(tmp_path / "missing.mp4", text=TEXT)
    with pytest.raises(MediaError, match=r": is a folder; expected one video or sound file"):
        predictor.predict(tmp_path, text=TEXT)


def test_modalities_are_named_in_one_order_whatever_the_order_of_the_method(runs, tmp_path):
    predictor = Predictor(runs[0]["video first"])
    verdict = predictor.predict(video_of(tmp_path, VIDEO), text=TEXT)
    assert list(verdict.modality_shares) == list(verdict.shift) == ["text", "video"]
    assert predictor.predict(text=TEXT).fallback == "average"
    verdict = predictor.predict(video_of(tmp_path, VIDEO))
    assert verdict.how == "the verdict is that of the run's own stage that reads video only"


@pytest.mark.parametrize(
    ("start", "end"),
    [(-1, None), (3, 3), (5, 2), (float("nan"), None), (0, float("nan")), (None, -2), (float("inf"), None)],
)
def test_times_that_cannot_be_are_refused(runs, tmp_path, start, end):
    with pytest.raises(UsageError, match="expected 0 <= start < end") as caught:
        Predictor(runs[0]["s2lif"]).predict(video_of(tmp_path, VIDEO), start_seconds=start, end_seconds=end)
    assert "None" not in str(caught.value)
    with pytest.raises(UsageError, match="no file in which they would be"):
        Predictor(runs[0]["s2lif"]).predict(text=TEXT, start_seconds=1, end_seconds=2)


def test_the_constant_classifier_needs_no_clip(runs):
    verdict = Predictor(runs[0]["constant"]).predict()
    assert verdict.modalities == () and verdict.probabilities == pytest.approx(dict.fromkeys(SENTIMENTS, 1 / 3))


def test_a_run_from_before_its_sources_were_kept_still_predicts_and_says_what_it_does_not_know(tmp_path):
    experiment = toy_experiment(tmp_path, "s2lif", settings={"sparsity_weight": 0.0}, training={"epochs": 1})
    train_run(experiment, tmp_path / "run")
    (tmp_path / "run" / SOURCES_FILE).unlink()
    verdict = Predictor(tmp_path / "run").predict(text=TEXT)
    assert verdict.shift == {} and "how far this clip lies from them is not known" in verdict.warnings[-1]
    with pytest.raises(RunError, match="kept nothing of its sources"):
        Predictor(tmp_path / "run").predict(video_of(tmp_path, VIDEO))


def test_what_is_given_and_not_read_is_said(tmp_path):
    experiment = toy_experiment(tmp_path, "linear", settings={"modalities": ["text"]})
    train_run(experiment, tmp_path / "run")
    verdict = Predictor(tmp_path / "run").predict(video_of(tmp_path, VIDEO), text=TEXT)
    assert verdict.warnings == ("video was given, but this run reads text only",)
    with pytest.raises(UsageError) as caught:
        Predictor(tmp_path / "run").predict(video_of(tmp_path, VIDEO))
    assert str(caught.value) == (
        "this run reads text, and was given only video: give text, or train a run that reads video too, "
        'for example with `msadg train --set "methods.s2lif.order=text>audio>video"`'
    )
    experiment = toy_experiment(tmp_path, "linear", settings={"modalities": ["video"]})
    train_run(experiment, tmp_path / "other run")
    sound = video_of(tmp_path, "sound", "clip.wav")
    verdict = Predictor(tmp_path / "other run").predict(video_of(tmp_path, VIDEO), text=TEXT, audio=sound)
    assert [w.partition(" was given")[0] for w in verdict.warnings] == ["text", "audio"]


def test_values_that_no_store_would_hold_are_no_features(runs, tmp_path, monkeypatch):
    """Scoring never saw one: beyond float16, the clip is lost when it is stored."""
    real = Toy.extract

    def huge(self, clips):
        for made in real(self, clips):
            yield replace(made, values=made.values.astype("float32") + (7e4 if self.modality == "video" else 0.0))

    monkeypatch.setattr(Toy, "extract", huge)
    verdict = Predictor(runs[0]["s2lif"]).predict(video_of(tmp_path, VIDEO), text=TEXT)
    assert verdict.fallback == "stage" and "which float16 cannot" in verdict.missing["video"]


def test_simulated_video_cannot_be_made_from_a_clip_and_that_is_said(tmp_path, monkeypatch):
    experiment = toy_experiment(tmp_path, "s2lif", settings={"sparsity_weight": 0.0}, training={"epochs": 1})
    train_run(experiment, tmp_path / "run")
    path = tmp_path / "run" / "run.json"
    content = json.loads(path.read_text())
    content["experiment"]["data"]["features"]["video"] = "simulated"
    path.write_text(json.dumps(content))
    verdict = Predictor(tmp_path / "run").predict(video_of(tmp_path, VIDEO), text=TEXT)
    assert verdict.fallback == "stage"
    assert "drawn from labels" in verdict.missing["video"]
    assert any("video was simulated in training" in sentence for sentence in verdict.warnings)


def test_a_long_text_is_cut_as_in_training_and_that_is_said(tmp_path, monkeypatch):
    experiment = toy_experiment(tmp_path, "linear")
    experiment = replace(experiment, method=MethodSpec(name="linear", settings={"modalities": ["text"]}))
    train_run(experiment, tmp_path / "run")
    path: Path = tmp_path / "run" / "run.json"
    content = json.loads(path.read_text())
    content["experiment"]["data"]["max_text_tokens"] = 2
    path.write_text(json.dumps(content))
    verdict = Predictor(tmp_path / "run").predict(text="clip 3 class 0")  # six steps
    assert verdict.warnings[0] == "text is longer than the run reads: the steps after the first 2 were left out"
    assert {step.step for step in verdict.steps} == {0, 1}
