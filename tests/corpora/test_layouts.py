"""Every published layout of one tiny corpus gives the same utterances."""

from __future__ import annotations

from pathlib import Path

import pytest

from msadg.corpora.mosi import Mosi
from msadg.errors import CorpusError, MsadgWarning, UnknownNameError

LAYOUTS = ("clips.csv", "label.csv", "pickle", "csd")
"""Most preferred first."""

# By hand, from the clips in conftest: id, text, class by round, class by sign, polarity.
EXPECTED = {
    ("mosi/train/vidA[2]", "vidA", "the plot was thin", 0, 0, -1.333333),
    ("mosi/train/vidA[10]", "vidA", "still i laughed", 1, 2, 0.5),
    ("mosi/dev/-vidB[1]", "-vidB", "it runs two hours", 1, 1, 0.0),
    ("mosi/test/vidC[7]", "vidC", "loved it", 2, 2, 2.4),
    ("mosi/test/vidC[8]", "vidC", "hated the end", 1, 0, -0.5),
}


@pytest.mark.parametrize("labels", ["round", "sign"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_utterances(tiny, tmp_path: Path, layout: str, labels: str):
    tiny.layouts[layout](tmp_path)
    corpus = tiny.open_mosi(tmp_path, layout, labels)
    met = {(u.clip_id, u.video_id, u.text, u.sentiment, u.polarity) for u in corpus.all_utterances()}
    assert met == {(i, v, t, r if labels == "round" else s, p) for i, v, t, r, s, p in EXPECTED}
    assert corpus.layout == layout


def test_the_preferred_layout_is_read_unless_another_is_asked_for(tiny, tmp_path: Path):
    for number, (layout, write) in enumerate(reversed(tiny.layouts.items())):
        write(tmp_path)
        assert tiny.Mosi(tmp_path).layout == layout, number
    assert tiny.Mosi(tmp_path, layout="csd").layout == "csd"
    with pytest.raises(UnknownNameError, match=r"did you mean 'label\.csv'"):
        tiny.Mosi(tmp_path, layout="labels.csv")


def test_an_empty_folder_is_refused_with_what_was_looked_for(tiny, tmp_path: Path):
    with pytest.raises(CorpusError, match=r"looked for clips\.csv, label\.csv, aligned_50\.pkl.*Set MSADG_DATA"):
        Mosi(tmp_path)


def test_a_part_of_mosi_is_not_mosi(tiny, tmp_path: Path):
    tiny.layouts["clips.csv"](tmp_path)
    corpus = Mosi(tmp_path)
    assert len(corpus.check().differences) == 3
    with pytest.raises(CorpusError, match=r"train has 1 / 1 / 0 .*, the card says 450 / 248 / 586"):
        list(corpus.all_utterances())
    with pytest.raises(CorpusError, match="test has 0 / 1 / 1"):
        list(corpus.utterances("test"))


def test_a_split_of_unknown_name_is_refused(tiny, tmp_path: Path):
    tiny.layouts["clips.csv"](tmp_path)
    with pytest.raises(Exception, match="valid"):  # UnknownNameError; under test, the type check comes first
        list(tiny.Mosi(tmp_path).utterances("valid"))


def test_raw_clips_are_found_and_missing_ones_counted(tiny, tmp_path: Path):
    tiny.layouts["label.csv"](tmp_path)
    for clip in tiny.clips[:3]:
        path = tmp_path / "Raw" / clip.video_id / f"{clip.clip_no}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    with pytest.warns(MsadgWarning, match=r"2 clips of label\.csv are not there"):
        paths = [u.clip_path for u in tiny.Mosi(tmp_path).all_utterances()]
    assert paths == [str(tmp_path / "Raw/vidA/2.mp4"), str(tmp_path / "Raw/vidA/10.mp4"), str(tmp_path / "Raw/-vidB/1.mp4"), None, None]  # fmt: skip  # noqa: E501


def test_a_published_file_without_a_single_utterance_is_refused(tiny, tmp_path: Path):
    tiny.layouts["label.csv"](tmp_path)
    header = (tmp_path / "label.csv").read_text().splitlines()[0]
    (tmp_path / "label.csv").write_text(header + "\n")
    with pytest.raises(CorpusError, match=r"label\.csv: no rows after the header"):
        tiny.open_mosi(tmp_path).check()
