"""Where the clips of MOSI, MOSEI and MELD lie: every layout that they are published or kept in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from msadg.corpora.clip_files import MediaFolders, with_clip_files
from msadg.corpora.manifest import ManifestCorpus
from msadg.corpora.row import Row
from msadg.errors import MsadgWarning

OWN = ["Raw/{v}/{n}.mp4", "Raw/Video/Segmented/{v}_{n}.mp4", "Raw/Videos/Segmented/Combined/{v}_{n}.mp4", "{v}[{n}].mp4", "clips/{v}[{n}].MKV", "clips/{v}_{n}.webm"]  # fmt: skip  # noqa: E501
FULL = ["Raw/Video/Full/{v}.mp4", "Raw/Videos/Full/Combined/{v}.mp4", "{v}.mp4", "videos/{v}.avi"]


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.mark.parametrize("pattern", OWN)
@pytest.mark.parametrize("layout", ["clips.csv", "label.csv", "pickle", "csd"])
def test_a_clip_that_is_a_file_of_its_own_is_found_and_has_no_times(tiny, tmp_path: Path, layout: str, pattern: str):
    tiny.layouts[layout](tmp_path)
    files = {
        f"{c.video_id}[{c.clip_no}]": touch(tmp_path / pattern.format(v=c.video_id, n=c.clip_no)) for c in tiny.clips
    }
    utterances = list(tiny.open_mosi(tmp_path, layout).all_utterances())
    assert {u.clip_id.split("/")[2]: u.clip_path for u in utterances} == {k: str(path) for k, path in files.items()}
    assert {(u.start_seconds, u.end_seconds) for u in utterances} == {(None, None)}


@pytest.mark.parametrize("pattern", FULL)
@pytest.mark.parametrize("layout", ["clips.csv", "csd"])
def test_a_clip_cut_from_a_full_video_keeps_its_times(tiny, tmp_path: Path, layout: str, pattern: str):
    tiny.layouts[layout](tmp_path)
    for clip in tiny.clips:
        touch(tmp_path / pattern.format(v=clip.video_id))
    met = {(u.clip_path, u.start_seconds, u.end_seconds) for u in tiny.open_mosi(tmp_path, layout).all_utterances()}
    assert met == {(str(tmp_path / pattern.format(v=c.video_id)), c.start, c.end) for c in tiny.clips}


def test_a_table_without_times_finds_no_clip_in_full_videos(tiny, tmp_path: Path):
    tiny.layouts["label.csv"](tmp_path)
    touch(tmp_path / "Raw/Video/Full/vidA.mp4")
    with pytest.warns(MsadgWarning, match=r"5 clips of label\.csv are not there"):
        assert [u.clip_path for u in tiny.Mosi(tmp_path).all_utterances()] == [None] * 5


def test_without_any_media_there_is_neither_file_nor_warning(tiny, tmp_path: Path):
    tiny.layouts["clips.csv"](tmp_path)
    (tmp_path / "poster.mp4").touch()  # of no clip
    assert {u.clip_path for u in tiny.Mosi(tmp_path).all_utterances()} == {None}


def test_sdk_words_have_their_times_in_the_full_video_and_from_the_start_of_a_clip(tiny, tmp_path: Path):
    tiny.layouts["csd"](tmp_path)
    loved = next(u for u in tiny.open_mosi(tmp_path, "csd").all_utterances() if u.text == "loved it")
    # conftest: a pause of 0.1 s at 1.0 s, then a word each 0.1 s
    assert [w.start_seconds for w in loved.words] == pytest.approx([1.1, 1.2])
    touch(tmp_path / "clips/vidC[7].mp4")
    with pytest.warns(MsadgWarning, match="4 clips"):
        loved = next(u for u in tiny.open_mosi(tmp_path, "csd").all_utterances() if u.text == "loved it")
    assert [w.text for w in loved.words] == ["loved", "it"]
    assert [w.start_seconds for w in loved.words] == pytest.approx([0.1, 0.2])
    assert [w.end_seconds for w in loved.words] == pytest.approx([0.2, 0.3])


def meld_rows(root: Path, tiny) -> None:
    times = {"start": "0:00:01,000", "end": "0:00:02,000"}
    rows = [
        {"clip_id": f"{split}_dia0_utt{n}", "video_id": f"{split}_dia0", "text": "hi", "label": "neutral"}
        | {"split": split} | times
        for split in ("train", "valid", "test") for n in (0, 1)
    ]  # fmt: skip
    tiny.write_csv(root / "clips.csv", rows)


def test_meld_clips_of_a_manifest_are_found_by_split_and_oddities_of_the_archive_are_known(tiny, tmp_path: Path):
    meld_rows(tmp_path, tiny)
    names = [
        "train_splits/dia0_utt0.mp4", "train_splits/._dia0_utt1.mp4", "train_splits/dia0_utt1.mp4",
        "MELD.Raw/dev_splits_complete/dia0_utt0.mp4", "MELD.Raw/dev_splits_complete/dia0_utt1.mp4",
        "output_repeated_splits_test/dia0_utt0.mp4", "output_repeated_splits_test/final_videos_testdia0_utt0.mp4",
        "output_repeated_splits_test/final_videos_testdia0_utt1.mp4", "output_repeated_splits_test/dia9_utt9.mp4",
    ]  # fmt: skip
    for name in names:
        touch(tmp_path / name)
    utterances = list(tiny.Meld(tmp_path).all_utterances())
    # Of the test clip that is there twice, the one that fits its transcript.
    assert [u.clip_path for u in utterances] == [str(tmp_path / names[i]) for i in (0, 2, 3, 4, 6, 7)]
    assert {(u.start_seconds, u.end_seconds) for u in utterances} == {(None, None)}


def test_missing_meld_clips_are_counted_for_each_split_that_has_a_folder(tiny, tmp_path: Path):
    meld_rows(tmp_path, tiny)
    touch(tmp_path / "train_splits/._dia0_utt0.mp4")
    with pytest.warns(MsadgWarning, match="train_splits: 2 clips of split train are not there") as met:
        utterances = list(tiny.Meld(tmp_path).all_utterances())
    assert len(met) == 1
    assert (utterances[0].clip_path, utterances[0].start_seconds) == (None, 1.0)


def test_meld_clips_that_a_manifest_names_have_no_times(tiny, tmp_path: Path):
    row = {"clip_id": "train_dia0_utt0", "video_id": "d", "text": "hi", "label": "neutral", "split": "train"}
    times = {"start": "0:16:00,000", "end": "0:16:02,000"}
    tiny.write_csv(tmp_path / "clips.csv", [row | times | {"clip_path": "mine/dia0_utt0.mp4"}])
    (only,) = tiny.Meld(tmp_path).all_utterances()
    assert (only.clip_path, only.start_seconds) == (str(tmp_path / "mine/dia0_utt0.mp4"), None)


def test_a_manifest_without_paths_finds_the_clips_beside_it(write_row, tmp_path: Path):
    path = write_row(clip_id="v3/7", video_id="v3")
    expected = [touch(tmp_path / name) for name in ("c1.mp4", "clips/c2.wav", "v3/7.mov")]
    assert [u.clip_path for u in ManifestCorpus(path, name="mine").all_utterances()] == list(map(str, expected))


def test_a_manifest_of_meld_style_ids_finds_clips_in_the_folders_of_its_splits(tiny, tmp_path: Path):
    meld_rows(tmp_path, tiny)
    names = ["train_splits/dia0_utt0.mp4", "dev_splits_complete/dia0_utt0.mp4"]
    for name in names:
        touch(tmp_path / name)
    with pytest.warns(MsadgWarning, match=r"4 clips of clips\.csv are not there"):
        met = [u.clip_path for u in ManifestCorpus(tmp_path / "clips.csv", name="mine").all_utterances()]
    assert met == [str(tmp_path / names[0]), None, str(tmp_path / names[1]), None, None, None]


def test_an_accent_may_be_one_character_or_two(tmp_path: Path):
    touch(tmp_path / "cafe\u0301 'x'.mp4")  # as a Mac writes it
    assert MediaFolders(tmp_path).find(["caf\u00e9 'x'"]) == str(tmp_path / "cafe\u0301 'x'.mp4")


def test_a_video_goes_before_the_sound_beside_it(tmp_path: Path):
    for name in ("a.wav", "a.mp4", "a.txt", "b.WAV"):
        touch(tmp_path / name)
    media = MediaFolders(tmp_path)
    assert [media.find([name]) for name in "abc"] == [str(tmp_path / "a.mp4"), str(tmp_path / "b.WAV"), None]


def test_a_folder_is_listed_once_however_many_clips_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rows = []
    for number in range(300):
        video_id = f"v{number // 10}"
        touch(tmp_path / f"clips/{video_id}[{number % 10}].mp4")
        local_id = f"{video_id}[{number % 10}]"
        rows.append(Row(where="", local_id=local_id, video_id=video_id, text="", split="train", end_seconds=1.0))
    listed, listdir = [], os.listdir
    monkeypatch.setattr(os, "listdir", lambda folder: listed.append(str(folder)) or listdir(folder))
    assert all(row.clip_path for row in with_clip_files(rows, tmp_path, "clips.csv"))
    assert len(listed) == len(set(listed)) == 2  # the folder itself and clips/
