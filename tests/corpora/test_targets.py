"""What `msadg extract` can be given."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from msadg.corpora.catalog import open_corpus
from msadg.corpora.targets import open_target
from msadg.errors import CorpusError, MsadgWarning, UnknownNameError, UsageError
from msadg.types import Utterance


def test_a_corpus_is_read_by_name(monkeypatch: pytest.MonkeyPatch):
    target = open_target("simulated-a")
    assert (target.domain, target.source, len(target.clips)) == ("simulated-a", "simulated-a", 1050)


def test_a_manifest_is_read_by_path_by_name_and_by_its_folder(write_row, tmp_path: Path):
    path = write_row()
    by_path, by_name = open_target(str(path)), open_target(f"mine={path}")
    assert (by_path.domain, by_path.source) == ("clips", f"clips={path}")
    assert [clip.clip_id for clip in by_name.clips] == ["mine/train/c1", "mine/train/c2", "mine/train/c3"]
    assert all(isinstance(clip, Utterance) for clip in by_name.clips)
    assert open_target(str(path), domain="mine") == by_name
    assert open_target(str(tmp_path), domain="mine") == by_name
    assert open_target(f"mine={tmp_path}") == by_name


def test_a_folder_s_domain_is_its_name_without_blanks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "my clips"
    folder.mkdir()
    (folder / "a.mp4").touch()
    monkeypatch.chdir(folder)
    for text in (str(folder), "."):
        target = open_target(text)
        assert (target.domain, [clip.clip_id for clip in target.clips]) == ("my-clips", ["my-clips/clip/a"])
        assert target.source is None


def test_a_folder_with_mmsa_s_table_is_read_by_it(tiny, tmp_path: Path):
    tiny.layouts["label.csv"](tmp_path)
    for clip in tiny.clips:
        (tmp_path / "Raw" / clip.video_id).mkdir(parents=True, exist_ok=True)
        (tmp_path / "Raw" / clip.video_id / f"{clip.clip_no}.mp4").touch()
    target = open_target(f"mine={tmp_path}")
    assert target.clips[0].clip_id == "mine/train/vidA[2]"
    assert target.clips[0].clip_path == str(tmp_path / "Raw/vidA/2.mp4")


@pytest.mark.parametrize("cells", [{"label": ""}, {"split": ""}, {"label": "", "split": ""}])
def test_a_manifest_without_labels_or_splits_is_read_for_its_clips(write_row, cells: dict):
    path = write_row()
    pd.read_csv(path).assign(**cells, clip_path="a.mp4", text=["so", "", "good"]).to_csv(path, index=False)
    target = open_target(f"mine={path}")
    split = "clip" if "split" in cells else "train"
    assert [clip.clip_id for clip in target.clips] == [f"mine/{split}/c{n}" for n in (1, 2, 3)]
    assert [clip.text for clip in target.clips] == ["so", "", "good"]
    assert target.source is None
    assert not any(isinstance(clip, Utterance) for clip in target.clips)


def test_a_manifest_of_ids_and_files_alone_is_enough(tmp_path: Path):
    path = tmp_path / "clips.csv"
    path.write_text("clip_id,clip_path,start_s,end_s\na,x.mp4,1,2.5\nb,x.mp4,3,4\n")
    clips = open_target(f"mine={path}").clips
    assert [(c.clip_id, c.clip_path, c.start_seconds, c.end_seconds) for c in clips] == [
        ("mine/clip/a", str(tmp_path / "x.mp4"), 1.0, 2.5),
        ("mine/clip/b", str(tmp_path / "x.mp4"), 3.0, 4.0),
    ]


def test_a_label_that_is_missing_among_others_is_refused(write_row):
    with pytest.raises(CorpusError, match="line 4: clip 'c3' has no label"):
        open_target(f"mine={write_row(label='')}")


def test_an_empty_transcript_is_read_where_it_is_allowed(write_row):
    path = write_row(text="")
    with pytest.raises(CorpusError, match="line 4: the text of clip 'c3' is empty"):
        open_target(f"mine={path}")
    assert [c.text for c in open_target(f"mine={path}", allow_empty_text=True).clips] == ["words 1", "words 2", ""]


def test_labelled_clips_need_no_column_of_text_where_none_is_read(write_row):
    path = write_row()
    pd.read_csv(path).drop(columns="text").to_csv(path, index=False)
    with pytest.raises(CorpusError, match="column text is missing"):
        open_target(f"mine={path}")
    assert [clip.text for clip in open_target(f"mine={path}", allow_empty_text=True).clips] == ["", "", ""]


def test_what_is_not_there_or_has_no_good_name_is_refused(tmp_path: Path, write_row):
    path = write_row()
    with pytest.raises(UnknownNameError, match="unknown corpus 'mossi'; did you mean 'mosi'"):
        open_target("mossi")
    with pytest.raises(CorpusError, match=r"none\.csv is not there"):
        open_target(str(tmp_path / "none.csv"))
    with pytest.raises(CorpusError, match="is not there; expected a manifest or a folder"):
        open_target(f"mine={tmp_path / 'none'}")
    with pytest.raises(UsageError, match="'mosi' is a known corpus; give your clips another name: my-mosi="):
        open_target(f"mosi={path}")
    for text, domain in ((f"mine={path}", "yours"), ("mine=", None)):
        with pytest.raises(UsageError, match="expected name=path"):
            open_target(text, domain=domain)
    with pytest.raises(UsageError, match="neither space, slash nor"):
        open_target(str(path), domain="my clips")
    (tmp_path / "one.mp4").touch()
    with pytest.raises(UsageError, match=r"one\.mp4 is neither a folder nor a manifest"):
        open_target(str(tmp_path / "one.mp4"))


@pytest.fixture
def meld_part(tmp_path: Path) -> Path:
    """The official tables of MELD, with a row each, and the clip of one."""
    folder = tmp_path / "data" / "meld"
    (folder / "train_splits").mkdir(parents=True)
    (folder / "train_splits" / "dia0_utt3.mp4").touch()
    for split in ("train", "dev", "test"):
        (folder / f"{split}_sent_emo.csv").write_text(
            "Utterance,Speaker,Sentiment,Dialogue_ID,Utterance_ID,StartTime,EndTime\n"
            'Oh!,Joey,negative,0,3,"00:00:01,000","00:00:02,500"\n'
        )
    return folder


def test_a_part_of_a_corpus_is_read_and_the_differences_from_its_card_are_told(meld_part: Path):
    with pytest.warns(MsadgWarning, match=r"meld: train has 1 / 0 / 0 .*2,945 / 4,710 / 2,334.*; dev .*my-meld="):
        target = open_target("meld", data_root=meld_part.parent)
    assert [clip.clip_id for clip in target.clips] == [f"meld/{s}/dia0_utt3" for s in ("train", "dev", "test")]
    with pytest.raises(CorpusError, match="the card says"):
        list(open_corpus("meld", root=meld_part).all_utterances())


def test_a_folder_of_a_published_corpus_is_read_by_its_tables_under_another_name(meld_part: Path):
    target = open_target(f"mine={meld_part}")
    assert (target.domain, target.source) == ("mine", f"mine={meld_part}")
    assert [clip.clip_id for clip in target.clips] == [f"mine/{s}/dia0_utt3" for s in ("train", "dev", "test")]
    assert all(isinstance(clip, Utterance) for clip in target.clips)
    assert target.clips[0].clip_path == str(meld_part / "train_splits" / "dia0_utt3.mp4")
    assert tuple(open_corpus(f"mine={meld_part}").all_utterances()) == target.clips
    with pytest.raises(UsageError, match="for meld itself, give its name and --data-root"):
        open_target(str(meld_part))


def test_a_folder_whose_tables_are_of_one_of_two_corpora_says_how_to_name_which(tmp_path: Path):
    (tmp_path / "a.mp4").touch()
    (tmp_path / "unaligned_50.pkl").touch()
    with pytest.raises(UsageError, match=r"unaligned_50\.pkl, a table of mosi or mosei: .*--data-root .* MSADG_DATA"):
        open_target(f"mine={tmp_path}")


def test_a_folder_is_opened_as_a_corpus_by_the_manifest_in_it(write_row, tmp_path: Path):
    path = write_row()
    by_folder, by_file = (list(open_corpus(f"mine={p}").all_utterances()) for p in (tmp_path, path))
    assert by_folder == by_file
    path.unlink()
    with pytest.raises(CorpusError, match=r"there is no manifest in this folder; looked for manifest\.csv"):
        open_corpus(f"mine={tmp_path}")


def test_a_mistyped_name_is_told_to_be_no_file_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "talks").mkdir()
    for opened in (open_target, open_corpus):
        with pytest.raises(UnknownNameError, match=r"unknown corpus 'tlks'.*nor is there a file or folder of"):
            opened("tlks")
    with pytest.raises(UnknownNameError, match="given as name=path: mine=talks"):
        open_corpus("talks")
