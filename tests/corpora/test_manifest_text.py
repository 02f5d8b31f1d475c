"""A manifest that was written reads back to the same utterances."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msadg.corpora.catalog import open_corpus
from msadg.corpora.manifest import ManifestCorpus, read_clips
from msadg.corpora.manifest_text import COLUMNS, manifest_text
from msadg.types import Clip, Utterance, Word

# Not what UTF-8 cannot hold, and no NUL, which at the very front means UTF-16.
TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=30)


def round_trip(clips, folder: Path, labels: str = "round") -> list:
    path = folder / "manifest.csv"
    path.write_bytes(manifest_text(clips).encode())
    return list(ManifestCorpus(path, name="mine", labels=labels, allow_empty_text=True).all_utterances())


@pytest.mark.parametrize("corpus", ["vignettes-films", "simulated-b"])
@pytest.mark.parametrize("labels", ["round", "sign"])
def test_a_corpus_is_read_back_the_same(tmp_path: Path, corpus: str, labels: str):
    utterances = list(open_corpus(corpus, labels).all_utterances())
    path = tmp_path / "manifest.csv"
    path.write_bytes(manifest_text(utterances).encode())
    copy = ManifestCorpus(path, name="mine", labels=labels)
    mine = [u.clip_id.replace(corpus, "mine", 1) for u in utterances]
    assert [u.clip_id for u in copy.all_utterances()] == mine
    for before, after in zip(utterances, copy.all_utterances(), strict=True):
        for field in ("video_id", "text", "split", "sentiment", "polarity", "speaker", "start_seconds", "words"):
            assert getattr(after, field) == getattr(before, field)


@given(
    text=TEXT,
    spoken=TEXT.filter(bool),
    polarity=st.floats(-3, 3),
    start=st.floats(-1, 1e5),
    length=st.floats(0, 1e4),
)
def test_any_text_polarity_and_time_is_read_back_the_same(tmp_path_factory, text, spoken, polarity, start, length):
    sentiment = 1 + (round(polarity) > 0) - (round(polarity) < 0)
    utterance = Utterance(
        clip_id="mine/dev/a/b[3]", video_id="a", text=text, split="dev", sentiment=sentiment, polarity=polarity,
        speaker="Ana", start_seconds=start, end_seconds=start + length, clip_path="/media/it's \"fine\", 语音.mp4",
        words=(Word(spoken, start, start + length), Word("b", 0.1, 0.3)),
    )  # fmt: skip
    assert round_trip([utterance], tmp_path_factory.mktemp("m")) == [utterance]


def test_one_local_id_in_two_splits_is_two_clips(tmp_path: Path):
    clips = [
        Utterance(clip_id=f"mine/{split}/dia0_utt0", video_id=f"{split}_dia0", text="hi", split=split, sentiment=2)
        for split in ("train", "dev")
    ]
    assert round_trip(clips, tmp_path) == clips


def test_clips_without_labels_are_read_back_the_same(tmp_path: Path):
    clips = [
        Clip(clip_id="mine/clip/sub/a", text="one\r\ntwo", clip_path="/m/a.mp4", words=(Word("one", 0.5, 1.0),)),
        Clip(clip_id="mine/clip/b", start_seconds=1.5, end_seconds=2.25, clip_path="/m/b.mp4"),
    ]
    path = tmp_path / "manifest.csv"
    path.write_bytes(manifest_text(clips).encode())
    assert read_clips(path, "mine") == clips


def test_a_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    text = manifest_text([Clip(clip_id="mine/clip/a", clip_path="clips/a.mp4")])
    assert text.splitlines()[0] == ",".join(COLUMNS)
    assert text.splitlines()[1] == f"a,,,,,,,,{tmp_path}/clips/a.mp4,,"
