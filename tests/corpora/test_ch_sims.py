"""CH-SIMS in the layouts that it is published in, a few lines each."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from msadg.corpora.catalog import open_corpus
from msadg.corpora.ch_sims import ChSims, ChSimsV2
from msadg.corpora.manifest_text import manifest_text
from msadg.errors import CorpusError, MsadgWarning

HEADER = "video_id,clip_id,text,label,label_T,label_A,label_V,annotation,mode\n"
TABLE = (
    "video_0001,0001,我不想嫁给李茶,-1.0,-0.4,-1.0,-0.8,Negative,train\n"
    "video_0001,0002,“你,好”,0.2,0.2,0.0,0.4,Positive,train\n".replace("“你,好”", '"你,好"')
    + "video_0002,0001,那就好,0.0,0.0,0.0,0.0,Neutral,valid\n"
    "video_0003,0012,太棒了,0.6,0.8,1.0,0.4,Positive,test\n"
)
# Worked by hand: three times the published polarity.
POLARITIES = {
    "train/video_0001[1]": (-3.0, "negative"),
    "train/video_0001[2]": (0.6, "positive"),
    "dev/video_0002[1]": (0.0, "neutral"),
    "test/video_0003[12]": (1.8, "positive"),
}


class Tiny(ChSims):
    """CH-SIMS's reader without its counts."""

    card = replace(ChSims.card, class_counts={})


class TinyV2(ChSimsV2):
    """The reader of version 2 without its sizes."""

    card = replace(ChSimsV2.card, sizes=None)


def feature_file() -> dict[str, dict[str, object]]:
    content: dict[str, dict[str, object]] = {}
    for split, ids, texts, labels in (
        ("train", ["video_0001$_$0001", "video_0001$_$0002"], ["我不想嫁给李茶", "你,好"], [-1.0, 0.2]),
        ("valid", ["video_0002$_$0001"], ["那就好"], [0.0]),
        ("test", ["video_0003$_$0012"], ["太棒了"], [0.6]),
    ):
        content[split] = {
            "id": ids,
            "raw_text": np.array(texts, dtype=object),
            "regression_labels": np.array(labels, dtype=np.float32),
            "audio": np.ones((len(ids), 4, 3)) * (np.arange(4) < 2)[None, :, None],
            "audio_lengths": [2] * len(ids),
        }
    return content


def write_pickle(path: Path, content: object) -> dict[str, str]:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()}


def write_table(path: Path, rows: str = TABLE) -> None:
    path.write_text(HEADER + rows, encoding="utf-8")


def read(corpus: ChSims) -> dict[str, tuple[float | None, str]]:
    return {u.clip_id.removeprefix(f"{corpus.name}/"): (u.polarity, u.class_name) for u in corpus.all_utterances()}


@pytest.mark.parametrize("reader", [Tiny, TinyV2])
@pytest.mark.parametrize("table", ["label.csv", "meta.csv"])
@pytest.mark.parametrize("labels", ["round", "sign"])
def test_polarity_comes_onto_the_common_scale_and_both_readings_agree(
    tmp_path: Path, reader: Callable[..., ChSims], table: str, labels: str
):
    write_table(tmp_path / table)
    assert read(reader(tmp_path, labels)) == POLARITIES


@pytest.mark.parametrize("published", [n / 5 for n in range(-5, 6)])
def test_every_published_step_gets_three_times_its_value_without_a_trace_of_binary(tmp_path: Path, published: float):
    write_table(tmp_path / "label.csv", f"v,1,好,{published},,,,,train\n")
    (utterance,) = Tiny(tmp_path).all_utterances()
    assert utterance.polarity == float(f"{3 * published:.1f}")
    assert utterance.class_name == ("negative" if published < 0 else "positive" if published > 0 else "neutral")


def test_chinese_text_comes_through_as_it_is(tmp_path: Path):
    write_table(tmp_path / "meta.csv")
    assert [u.text for u in TinyV2(tmp_path).all_utterances()] == ["我不想嫁给李茶", "你,好", "那就好", "太棒了"]


@pytest.mark.parametrize(("reader", "name"), [(Tiny, "unaligned_39.pkl"), (TinyV2, "unaligned.pkl")])
def test_a_feature_file_says_the_same_as_the_table(tmp_path: Path, reader: Callable[..., ChSims], name: str):
    write_table(tmp_path / "label.csv")
    sha256 = write_pickle(tmp_path / "Processed" / name, feature_file())
    from_pickle = reader(tmp_path, layout="pickle", sha256=sha256)
    assert read(from_pickle) == read(reader(tmp_path)) == POLARITIES
    features = dict(from_pickle.published_features("audio"))
    assert list(features) == [f"{from_pickle.name}/{clip_id}" for clip_id in POLARITIES]
    assert all(f.values.shape == (2, 3) and f.valid.all() for f in features.values())


def test_a_feature_file_that_is_not_the_published_one_is_refused(tmp_path: Path):
    write_pickle(tmp_path / "unaligned_39.pkl", feature_file())
    with pytest.raises(CorpusError, match="expected c9e20c13ec0454d98bb9c1e520e490c75146bfa2dfeeea78d84de047dbdd442f"):
        list(Tiny(tmp_path).all_utterances())


def test_clips_without_labels_are_left_out_and_counted(tmp_path: Path):
    content = feature_file()
    content["train_mix"] = {"id": ["video_0001$_$0001", "u_1$_$0001", "u_1$_$0002"], "mask": [1, 0, 0]}
    write_pickle(tmp_path / "unaligned.pkl", content)
    with pytest.warns(MsadgWarning, match="the 3 clips of train_mix, most without labels, are left out"):
        assert read(TinyV2(tmp_path)) == POLARITIES


@pytest.mark.parametrize("layout", ["table", "pickle"])
def test_a_clip_is_found_by_its_number_as_it_is_written(tmp_path: Path, layout: str):
    if layout == "table":
        write_table(tmp_path / "meta.csv")
    else:
        write_pickle(tmp_path / "unaligned.pkl", feature_file())
    for clip in ("video_0001/0001", "video_0001/0002", "video_0002/0001"):
        (tmp_path / "Raw" / clip).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "Raw" / f"{clip}.mp4").touch()
    with pytest.warns(MsadgWarning, match="1 clips of .* are not there"):
        paths = [u.clip_path for u in TinyV2(tmp_path).all_utterances()]
    assert paths == [str(tmp_path / "Raw" / f"video_000{v}" / f"000{n}.mp4") for v, n in ((1, 1), (1, 2), (2, 1))] + [
        None
    ]


def test_a_manifest_is_on_the_common_scale_already(tmp_path: Path):
    write_table(tmp_path / "label.csv")
    utterances = list(Tiny(tmp_path).all_utterances())
    (tmp_path / "clips.csv").write_text(manifest_text(utterances), encoding="utf-8")
    corpus = Tiny(tmp_path)
    assert corpus.layout == "clips.csv"
    assert list(corpus.all_utterances()) == utterances


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("v,1,好,3.0,,,,Positive,train", r"line 2: the label is '3.0'; expected a polarity in \[-1, 1\], as CH-SIMS"),
        ("v,1,好,-1.2,,,,Negative,train", r"line 2: the label is '-1.2'; expected a polarity in \[-1, 1\]"),
        ("v,1,好,0_1,,,,Positive,train", "line 2: the label is '0_1'"),
        ("v,1,好,nan,,,,Neutral,train", "line 2: the label is 'nan'"),
        ("v,1,好,,,,,Neutral,train", "line 2: the label is ''"),
        ("v,1,好,高,,,,Neutral,train", "line 2: the label is '高'"),
        ("v,1,好,0.4,,,,Negative,train", "line 2: the polarity is 1.2 but the sentiment is 'negative'"),
        ("v,1,好,0.4,,,,Weakly Negative,train", "line 2: the polarity is 1.2 but the sentiment is 'negative'"),
        ("v,1,好,0.4,,,,Glad,train", "line 2: unknown sentiment 'glad'"),
        ("v,1,,0.4,,,,Positive,train", r"line 2: the text of clip 'v\[1\]' is empty"),
        ("v,one,好,0.4,,,,Positive,train", "line 2: clip number 'one'"),
        ("v,1,好,0.4,,,,Positive,unsup", "line 2: unknown split 'unsup'"),
        ("v,1,好,0.4,,,,train", "line 2: 8 fields, but the header has 9"),
    ],
)
def test_a_row_of_another_form_is_refused_at_its_line(tmp_path: Path, row: str, message: str):
    write_table(tmp_path / "label.csv", row + "\n")
    with pytest.raises(CorpusError, match=rf"label\.csv, {message}"):
        list(Tiny(tmp_path).all_utterances())


def test_a_weaker_class_of_the_five_is_its_stronger_one(tmp_path: Path):
    write_table(tmp_path / "label.csv", "v,1,好,0.4,,,,Weakly Positive,train\n")
    assert read(Tiny(tmp_path)) == {"train/v[1]": (1.2, "positive")}


def test_a_table_in_another_encoding_is_refused(tmp_path: Path):
    (tmp_path / "label.csv").write_bytes((HEADER + TABLE).encode("gb18030"))
    with pytest.raises(CorpusError, match=r"label\.csv, line 2: byte .* is not UTF-8"):
        list(Tiny(tmp_path).all_utterances())


def test_a_part_of_the_corpus_is_not_the_corpus(tmp_path: Path):
    write_table(tmp_path / "label.csv")
    with pytest.raises(CorpusError, match=r"train has 1 / 0 / 1 \(negative / neutral / positive\), the card says 742"):
        list(open_corpus("ch-sims", root=tmp_path).all_utterances())
    with pytest.raises(CorpusError, match="train has 2 utterances, the card says 2,722; dev has 1"):
        list(open_corpus("ch-sims-v2", root=tmp_path).all_utterances())


def test_cards_state_the_published_sizes():
    assert ChSims.card.num_utterances == {"train": 1368, "dev": 456, "test": 457}
    assert sum((ChSims.card.num_utterances or {}).values()) == 2281
    assert ChSimsV2.card.num_utterances == {"train": 2722, "dev": 647, "test": 1034}


def test_without_files_it_says_what_was_looked_for(tmp_path: Path):
    with pytest.raises(CorpusError, match=r"ch-sims-v2: nothing to read in .*; looked for clips\.csv, meta\.csv, lab"):
        ChSimsV2(tmp_path)
    write_table(tmp_path / "label.csv")
    with pytest.raises(CorpusError, match=r"ch-sims: nothing to read in .*; looked for unaligned_39\.pkl, Processed"):
        list(Tiny(tmp_path).published_features("audio"))
