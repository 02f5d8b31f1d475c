"""Answers as features: what is asked about which clip, stored once, and gone on with after an interruption."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from msadg.errors import FeatureError, MsadgWarning, StoreError
from msadg.extraction.catalog import make_extractor
from msadg.extraction.engines.local import ThisProcess
from msadg.extraction.extractor import Loss
from msadg.extraction.zero_shot.answers import Answers, AnswersConfig, TranscriptAnswers, TranscriptConfig
from msadg.extraction.zero_shot.language_model import Asked
from msadg.extraction.zero_shot.pictures import pictures_in
from msadg.store import fill_store
from msadg.store.manifest import Manifest
from msadg.types import Clip
from tests.media import write_clip, write_frames

TEXTS = ("I loved it", "it was bad, so very long and so very bad", "well", "I do not know", "good")


def clips_of(*texts: str, path=None) -> list[Clip]:
    return [
        Clip(clip_id=f"mine/test/{at}", text=text, clip_path=None if path is None else str(path))
        for at, text in enumerate(texts)
    ]


@pytest.fixture
def from_transcripts(tiny_models):
    def made(**settings):
        config = {"model": str(tiny_models("llava")), "precision": "float32", "device": "cpu", **settings}
        return TranscriptAnswers(TranscriptConfig(**config))

    return made


@pytest.fixture
def from_pictures(tiny_models):
    def made(kind="qwen2_5_vl", **settings):
        config = {"model": str(tiny_models(kind)), "precision": "float32", "device": "cpu", "side": 56, **settings}
        return Answers(AnswersConfig(**config), engine=ThisProcess())

    return made


def test_an_answer_holds_the_likelihoods_of_the_words_with_and_without_content(from_transcripts):
    extractor = from_transcripts(batch_size=2)
    answers = list(extractor.extract(clips_of(*TEXTS)))
    for text, answer in zip(TEXTS, answers, strict=True):
        expected = extractor.model.likelihoods([Asked(text), Asked("N/A")]).numpy().ravel()
        assert_allclose(answer.values, expected[None], rtol=1e-5)
        assert answer.valid.tolist() == [True]


def test_how_many_are_asked_about_at_once_changes_nothing(from_transcripts):
    one, many = (list(from_transcripts(batch_size=size).extract(clips_of(*TEXTS))) for size in (1, 5))
    for a, b in zip(one, many, strict=True):
        assert_allclose(a.values, b.values, rtol=1e-5)


def test_capitals_are_lowered_where_there_is_nothing_else(from_transcripts):
    loud, soft, mixed = from_transcripts().extract(clips_of("I LOVED IT", "i loved it", "I loved it"))
    assert_array_equal(loud.values, soft.values)
    assert not np.array_equal(loud.values, mixed.values)
    (kept,) = from_transcripts(lower_capitals=False).extract(clips_of("I LOVED IT"))
    assert not np.array_equal(loud.values, kept.values)


def test_a_transcript_that_is_empty_or_holds_a_sign_of_the_model_is_lost(from_transcripts):
    empty, sign, good = from_transcripts().extract(clips_of(" ", "look at <image> this", "well"))
    assert empty == Loss("transcript", "the transcript is empty")
    assert sign.stage == "transcript" and "'<image>'" in sign.reason
    assert good.values.shape == (1, 6)


def test_long_transcripts_are_cut_and_counted(from_transcripts):
    with pytest.warns(MsadgWarning, match=r"1 of 2 transcripts were cut to 3 words \(first: mine/test/1\)"):
        short, long = from_transcripts(max_words=3).extract(clips_of("a b c", "a b c d"))
    assert_array_equal(short.values, long.values)


def test_what_decides_an_answer_is_in_the_manifest_and_nothing_else(from_transcripts):
    digest = Manifest.of(from_transcripts()).digest
    assert Manifest.of(from_transcripts(batch_size=3)).digest == digest
    assert Manifest.of(from_transcripts(max_words=9)).digest != digest
    settings = from_transcripts().settings
    assert settings["row_note"] == "transcript only"
    assert 'A person says: "..." What is the sentiment' in settings["prompt"]
    assert len(settings["weights_sha256"]) == 64 and settings["precision"] == "float32"


def test_the_chat_template_is_part_of_what_decides(tiny_models, tmp_path, from_transcripts):
    import shutil

    folder = shutil.copytree(tiny_models("llava"), tmp_path / "llava")  # of the same name
    assert Manifest.of(from_transcripts(model=str(folder))).digest == Manifest.of(from_transcripts()).digest
    template = folder / "chat_template.jinja"
    template.write_text(template.read_text().replace("USER", "HUMAN"))
    assert Manifest.of(from_transcripts(model=str(folder))).digest != Manifest.of(from_transcripts()).digest


def test_after_a_kill_only_what_is_missing_is_asked_and_the_bytes_are_those_of_one_run(from_transcripts, tmp_path):
    clips = clips_of(*TEXTS)
    whole = fill_store(tmp_path / "whole", clips, from_transcripts(), chunk=2)

    extractor = from_transcripts()
    extractor.model.likelihoods([Asked("N/A")])  # loaded, before the process is copied
    child = os.fork()
    if child == 0:

        def killed(done: int, _total: int) -> None:
            if done >= 4:
                os.kill(os.getpid(), signal.SIGKILL)

        fill_store(tmp_path / "killed", clips, extractor, chunk=2, progress=killed)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL

    asked, ask = [], extractor.model.likelihoods
    extractor.model.likelihoods = lambda batch: asked.extend(one.transcript for one in batch) or ask(batch)
    store = fill_store(tmp_path / "killed", clips, extractor, chunk=2)
    assert asked == [TEXTS[4], "N/A"]
    for name in ("values.bin", "manifest.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert store.manifest.clips == whole.manifest.clips == 5

    asked.clear()
    fill_store(tmp_path / "killed", clips, extractor)
    assert asked == []


def test_another_prompt_does_not_go_into_the_same_store(from_transcripts, tmp_path, monkeypatch):
    fill_store(tmp_path / "store", clips_of("well"), from_transcripts())
    monkeypatch.setattr("msadg.extraction.zero_shot.language_model.question_of", lambda text, number: f"{text}?")
    with pytest.raises(StoreError, match=r"settings\.prompt is .* there"):
        fill_store(tmp_path / "store", clips_of("well"), from_transcripts())


def test_memory_that_does_not_suffice_says_what_to_take(from_transcripts, monkeypatch):
    def full(*_args: object, **_options: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr("msadg.extraction.zero_shot.language_model.word_likelihoods", full)
    with pytest.raises(FeatureError, match=r"memory for 1 clips at once; take a smaller batch_size"):
        list(from_transcripts().extract(clips_of("well")))


def test_pictures_and_transcript_go_into_one_prompt(from_pictures, tmp_path):
    path = write_clip(tmp_path / "a.mp4", seconds=2.0)
    extractor = from_pictures(frames=2, rate=2)
    spoken, silent = extractor.extract(clips_of("I loved it", "", path=path))
    shown = tuple(pictures_in(extractor.pictures.extract_one(clips_of("", path=path)[0]), 56))
    grey = (np.full((56, 56, 3), 128, np.uint8),) * 2
    expected = extractor.model.likelihoods([Asked("I loved it", shown), Asked("N/A", grey)]).numpy().ravel()
    assert_allclose(spoken.values, expected[None], rtol=1e-5)
    assert_allclose(silent.values[0, :3], extractor.model.likelihoods([Asked("", shown)])[0].numpy(), rtol=1e-5)
    # From 0.5 s to half a second after 1.5 s, two pictures, both with a face.
    assert_allclose(spoken.marks, [[0.5, 2.0, 2, 2]])
    assert "row_note" not in extractor.settings and extractor.settings["frames"] == 2
    assert extractor.settings["prompt"].count("<|image_pad|>") == 2


def test_a_clip_without_a_face_is_asked_about_with_whole_frames_and_told(from_pictures, tmp_path):
    path = write_frames(tmp_path / "a.mp4", [np.full((48, 96, 3), 90, np.uint8)] * 50)
    with pytest.warns(MsadgWarning, match=r"1 of 1 clips show no face.*whole frames of them \(first: mine/test/0\)"):
        (answer,) = from_pictures().extract(clips_of("well", path=path))
    assert_allclose(answer.marks, [[0.0, 2.0, 4, 0]])


def test_clips_without_a_file_are_lost_and_the_others_asked_about(from_pictures, tmp_path):
    path = write_clip(tmp_path / "a.mp4", seconds=1.0, sound=False)
    first, other = clips_of("well", "good", path=path)
    damaged = tmp_path / "b.mp4"
    damaged.write_bytes(b"no video")
    clips = [replace(first, clip_path=None), replace(other, clip_path=str(damaged), clip_id="mine/test/9"), other]
    nowhere, broken, answer = from_pictures("llava").extract(clips)
    assert nowhere == Loss("open", "the corpus names no file for this clip")
    assert broken.stage == "open"
    assert answer.values.shape == (1, 6)


def test_a_store_stays_good_where_the_videos_are_not(from_pictures, tmp_path):
    path = write_clip(tmp_path / "a.mp4", seconds=1.0, sound=False)
    clips = clips_of("well", path=path)
    before = fill_store(tmp_path / "store", clips, from_pictures()).features("mine/test/0")
    path.unlink()
    with pytest.warns(MsadgWarning, match="files of 1 stored clips are not there"):
        after = fill_store(tmp_path / "store", clips, from_pictures()).features("mine/test/0")
    assert_array_equal(before.values, after.values)


def test_they_are_named_like_any_extractor():
    text = make_extractor("text", "mllm:model=qwen3-vl-8b,max_words=100")
    video = make_extractor("video", "mllm:model=llava-1.5-13b,frames=6,detector=yunet")
    assert (text.name, text.config.max_words) == ("text-mllm-max_words=100-model=qwen3-vl-8b", 100)
    assert (video.config.frames, video.config.detector, video.dim) == (6, "yunet", 6)
    assert video.model.model == "llava-hf/llava-1.5-13b-hf"


def test_a_transcript_that_was_emptied_is_a_change_and_no_missing_file(from_transcripts, tmp_path):
    fill_store(tmp_path / "store", clips_of("well"), from_transcripts())
    with pytest.raises(StoreError, match="1 clip changed, transcript or file"):
        fill_store(tmp_path / "store", clips_of(""), from_transcripts())
    after = fill_store(tmp_path / "store", clips_of(""), from_transcripts(), overwrite=True)
    assert "mine/test/0" not in after


class Noting(ThisProcess):
    """This process, which writes down for whom it worked."""

    def __init__(self) -> None:
        self.worked_for: list[str] = []

    def run(self, extractor, clips):
        self.worked_for += [clip.clip_id for clip in clips]
        return super().run(extractor, clips)


def test_pictures_are_found_by_the_engine_that_the_store_is_filled_with(tiny_models, tmp_path):
    path = write_clip(tmp_path / "a.mp4", seconds=1.0, sound=False)
    config = AnswersConfig(model=str(tiny_models("llava")), precision="float32", device="cpu", side=56)
    engine = Noting()
    fill_store(tmp_path / "store", clips_of("well", path=path), Answers(config), engine=engine)
    assert engine.worked_for == ["mine/test/0"]
