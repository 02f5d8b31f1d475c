"""Recognised transcripts on disk."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from msadg.errors import MediaError, StoreError
from msadg.extraction.transcripts.journal import TranscriptFile
from msadg.types import Clip, Utterance, Word


@dataclass
class Ear:
    """Hears the content of the file; a file that says "silence" has no sound."""

    model: str = "ear"
    heard: int = 0
    stop_after: int | None = None

    @property
    def identity(self) -> dict:
        return {"model": self.model, "parts": ("a", 1)}

    def transcribe(self, clip: Clip) -> SimpleNamespace:
        if self.heard == self.stop_after:
            raise KeyboardInterrupt
        self.heard += 1
        said = Path(clip.clip_path).read_text(encoding="utf-8")
        if said == "silence":
            raise MediaError("sound", f"{clip.clip_path} has no sound")
        return SimpleNamespace(text=said, words=(Word(said, 0.5, 1.0),))


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    made = []
    for name, said in (("a", "so gut, 好"), ("b", "silence"), ("c", "well"), ("d", "unheard")):
        (tmp_path / f"{name}.wav").write_text(said, encoding="utf-8")
        text = "its own" if name == "d" else " "
        made.append(Clip(clip_id=f"mine/clip/{name}", text=text, clip_path=str(tmp_path / f"{name}.wav")))
    return [*made, Clip(clip_id="mine/clip/e")]


def test_only_clips_without_a_transcript_are_listened_to(clips, tmp_path: Path):
    transcripts = TranscriptFile(tmp_path / "new" / "transcripts.jsonl")
    ear, told = Ear(), []
    failed = transcripts.recognise(clips, ear, lambda done, total: told.append((done, total)))
    assert (ear.heard, told) == (3, [(0, 3), (1, 3), (2, 3), (3, 3)])
    assert {clip_id: loss.stage for clip_id, loss in failed.items()} == {"mine/clip/b": "sound"}
    filled = TranscriptFile(transcripts.path).fill(clips)
    assert [clip.text for clip in filled] == ["so gut, 好", " ", "well", "its own", ""]
    assert filled[0].words == (Word("so gut, 好", 0.5, 1.0),)
    assert transcripts.models(clips) == ['{"model": "ear", "parts": ["a", 1]}']


def test_an_utterance_stays_one(clips, tmp_path: Path):
    path = clips[0].clip_path
    utterance = Utterance(clip_id="mine/train/a", video_id="a", split="train", sentiment=2, clip_path=path)
    transcripts = TranscriptFile(tmp_path / "t.jsonl")
    transcripts.recognise([utterance], Ear())
    (filled,) = transcripts.fill([utterance])
    assert (filled.text, filled.sentiment, filled.video_id) == ("so gut, 好", 2, "a")


def test_an_interrupted_run_goes_on_and_failures_are_tried_again(clips, tmp_path: Path):
    path = tmp_path / "t.jsonl"
    with pytest.raises(KeyboardInterrupt):
        TranscriptFile(path).recognise(clips, Ear(stop_after=2))
    with path.open("ab") as file:
        file.write(b'{"clip_id": "mine/clip/c", "mod')  # cut by a crash
    ear = Ear()
    assert list(TranscriptFile(path).recognise(clips, ear)) == ["mine/clip/b"]
    assert ear.heard == 2  # b again, and c
    assert [json.loads(line)["clip_id"][-1] for line in path.read_text().splitlines()] == ["a", "b", "b", "c"]


def test_another_model_or_another_file_is_listened_to_again(clips, tmp_path: Path):
    path = tmp_path / "t.jsonl"
    TranscriptFile(path).recognise(clips, Ear())
    other = Ear("other")
    TranscriptFile(path).recognise(clips, other)
    assert other.heard == 3
    Path(clips[0].clip_path).write_text("changed, and longer", encoding="utf-8")
    transcripts = TranscriptFile(path)
    assert transcripts.fill(clips)[0].text == " "
    transcripts.recognise(clips, other)
    assert transcripts.fill(clips)[0].text == "changed, and longer"


@pytest.mark.parametrize(
    "line", ["nonsense", '{"clip_id": "a"}', '{"clip_id": "a", "model": 1, "input": "", "words": [1]}']
)
def test_a_line_that_is_none_of_ours_is_named(tmp_path: Path, line: str):
    (tmp_path / "t.jsonl").write_text(line + "\n")
    with pytest.raises(StoreError, match=r"t\.jsonl, line 1: .*delete this line"):
        TranscriptFile(tmp_path / "t.jsonl")


def test_two_processes_cannot_write_at_once_and_what_the_other_wrote_before_is_kept(clips, tmp_path: Path):
    path = tmp_path / "t.jsonl"
    late = TranscriptFile(path)

    class Busy(Ear):
        def transcribe(self, clip: Clip) -> SimpleNamespace:
            with pytest.raises(StoreError, match=r"t\.jsonl is being written by another process"):
                late.recognise(clips[2:], Ear())
            return super().transcribe(clip)

    TranscriptFile(path).recognise(clips[:2], Busy())
    late.recognise(clips[2:], Ear())
    assert [json.loads(line)["clip_id"][-1] for line in path.read_text().splitlines()] == ["a", "b", "c"]
    assert [clip.text for clip in late.fill(clips[:3])] == ["so gut, 好", " ", "well"]
