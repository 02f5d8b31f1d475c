"""Folders of clips without a manifest."""

from __future__ import annotations

from pathlib import Path

import pytest

from msadg.corpora.folder import clips_of_folder
from msadg.errors import CorpusError, MsadgWarning


def write(root: Path, *names: str, content: bytes = b"") -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def test_every_media_file_is_a_clip_and_ids_follow_the_paths(tmp_path: Path):
    write(tmp_path, "b.mp4", "a.WAV", "sub/dia0_utt0.mp4", "sub/vid[3].mkv", ".hidden.mp4", ".git/x.mp4", "._b.mp4")
    clips = clips_of_folder(tmp_path, "mine")
    assert [clip.clip_id for clip in clips] == [
        "mine/clip/a", "mine/clip/b", "mine/clip/sub/dia0_utt0", "mine/clip/sub/vid[3]",
    ]  # fmt: skip
    assert clips[3].clip_path == str(tmp_path / "sub/vid[3].mkv")
    assert {(clip.text, clip.start_seconds, clip.end_seconds) for clip in clips} == {("", None, None)}


def test_names_with_spaces_quotes_and_other_letters_are_clips(tmp_path: Path):
    names = ['it\'s "fine".mp4', "语音 clip.mp4", "a,b;c.mp4", "v1.2.mp4"]
    write(tmp_path, *names)
    assert {Path(clip.clip_path).name for clip in clips_of_folder(tmp_path, "mine")} == set(names)
    assert "mine/clip/v1.2" in {clip.clip_id for clip in clips_of_folder(tmp_path, "mine")}


def test_the_transcript_is_the_text_file_of_the_same_name(tmp_path: Path):
    write(tmp_path, "a.mp4", "b.v2.mp4")
    write(tmp_path, "a.txt", content="\ufeffça va,\nmerci\n".encode())
    write(tmp_path, "b.v2.txt", content=("word " * 10_000).encode())
    texts = [clip.text for clip in clips_of_folder(tmp_path, "mine")]
    assert texts[0] == "ça va,\nmerci"
    assert len(texts[1].split()) == 10_000


def test_other_files_are_counted(tmp_path: Path):
    write(tmp_path, "a.mp4", "a.wav", "a.txt", "notes.txt", "readme.pdf", ".DS_Store")
    with pytest.warns(MsadgWarning, match=r"3 files are no clips .*\('a\.wav', 'notes\.txt', 'readme\.pdf'\)"):
        (only,) = clips_of_folder(tmp_path, "mine")
    assert only.clip_path == str(tmp_path / "a.mp4")


def test_transcripts_of_no_clip_are_named(tmp_path: Path):
    write(tmp_path, "clip1.mp4", "a.pdf", "b.pdf", "c.pdf", "clip 1.txt", *[f"sub/{n}.txt" for n in "wxyz"])
    said = r"8 files .* and 5 more\); .* transcripts 'clip 1\.txt', 'sub/w\.txt', 'sub/x\.txt' and 2 more$"
    with pytest.warns(MsadgWarning, match=said):
        clips_of_folder(tmp_path, "mine")


def test_the_folder_of_the_stores_is_left_alone(tmp_path: Path):
    write(tmp_path, "a.mp4", "stores/mine/manifest.csv", "stores/b.mp4")
    assert len(clips_of_folder(tmp_path, "mine", apart_from=tmp_path / "stores")) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("naïve".encode("latin-1"), r"a\.txt, line 1: byte 0xef is not UTF-8; save the file as UTF-8"),
        ("so good".encode("utf-16"), r"a\.txt, line 1: byte 0xff: this is UTF-16"),
        ("so good".encode("utf-16-le"), r"a\.txt, line 1: .* this is UTF-16"),
        (b"fine\nthen \x93quoted\x94", r"a\.txt, line 2: byte 0x93 is not UTF-8"),
    ],
)
def test_a_transcript_in_another_encoding_is_refused(tmp_path: Path, content: bytes, said: str):
    write(tmp_path, "a.mp4")
    write(tmp_path, "a.txt", content=content)
    with pytest.raises(CorpusError, match=said):
        clips_of_folder(tmp_path, "mine")


def test_clips_that_differ_in_their_suffix_only_keep_it(tmp_path: Path):
    write(tmp_path, "a.mp4", "a.mov", "b.mp4", "b.wav", "c.wav", "c.FLAC")
    write(tmp_path, "a.txt", content=b"both")
    write(tmp_path, "c.wav.txt", content=b"the one")
    with pytest.warns(MsadgWarning) as told:
        clips = clips_of_folder(tmp_path, "mine")
    assert [(clip.clip_id.removeprefix("mine/clip/"), clip.text) for clip in clips] == [
        ("a.mov", "both"), ("a.mp4", "both"), ("b", ""), ("c.FLAC", ""), ("c.wav", "the one"),
    ]  # fmt: skip
    assert [Path(clip.clip_path).name for clip in clips] == ["a.mov", "a.mp4", "b.mp4", "c.FLAC", "c.wav"]
    assert [str(warning.message).partition(": ")[2] for warning in told] == [
        "4 clips differ from another in their suffix only and keep it in their ids ('a.mov', 'a.mp4', 'c.FLAC' and 1 "
        "more)",
        "1 files are no clips and were left out ('b.wav')",
    ]


def test_two_clips_of_one_id_are_refused(tmp_path: Path):
    write(tmp_path, "a.mp4", "a.mov", "a.mp4.mkv")
    with pytest.raises(CorpusError, match=r"a\.mp4 and a\.mp4\.mkv would be one clip, a\.mp4; rename"):
        clips_of_folder(tmp_path, "mine")


def test_a_name_that_is_not_utf8_is_refused(tmp_path: Path):
    (tmp_path / "caf\udce9.mp4").touch()
    with pytest.raises(CorpusError, match="not UTF-8; rename it"):
        clips_of_folder(tmp_path, "mine")


def test_a_folder_without_clips_says_what_was_looked_for(tmp_path: Path):
    write(tmp_path, "notes.txt")
    with pytest.raises(CorpusError, match=r"no clip in it or below; looked for \.mp4, .*manifest\.csv"):
        clips_of_folder(tmp_path, "mine")
