"""The generic manifest, good and bad."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from msadg.corpora.manifest import ManifestCorpus
from msadg.errors import CorpusError
from msadg.types import SENTIMENTS, Word


def read(path: Path, **options):
    return list(ManifestCorpus(path, name="mine", **options).all_utterances())


def test_a_row_becomes_an_utterance(write_row):
    path = write_row()
    (path.parent / "extra").mkdir()
    pd.read_csv(path).assign(
        clip_path="extra/a.mp4", speaker="Ana", start_s=1.5, end_s="0:00:02,750", colour="red"
    ).to_csv(path, index=False)
    first = read(path)[0]
    assert (first.clip_id, first.video_id, first.text, first.split) == ("mine/train/c1", "v1", "words 1", "train")
    assert (first.polarity, SENTIMENTS[first.sentiment], first.speaker) == (1.0, "positive", "Ana")
    assert (first.start_seconds, first.end_seconds) == (1.5, 2.75)
    assert first.clip_path == str(path.parent / "extra/a.mp4")


def test_order_is_the_order_of_the_file(write_row):
    assert [utterance.clip_id for utterance in read(write_row(clip_id="a"))] == [
        "mine/train/c1",
        "mine/train/c2",
        "mine/train/a",
    ]


def test_csv_and_parquet_read_the_same(write_row):
    path = write_row(split="validation", label=-0.5)
    pd.read_csv(path).to_parquet(path.with_suffix(".parquet"))
    assert read(path) == read(path.with_suffix(".parquet"))


def test_the_reading_decides_over_a_sentiment_beside(write_row):
    path = write_row(label=0.4)
    frame = pd.read_csv(path)
    frame["sentiment"] = ["positive", "positive", "neutral"]
    frame.to_csv(path, index=False)
    assert [u.sentiment for u in read(path)] == [2, 2, 1]
    assert [u.sentiment for u in read(path, labels="sign")] == [2, 2, 2]


@pytest.mark.parametrize("column", ["label", "sentiment"])
def test_classes_are_taken_as_they_are(write_row, column: str):
    path = write_row()
    frame = pd.read_csv(path).drop(columns="label")
    frame[column] = ["negative", "Neutral", "POSITIVE"]
    frame.to_csv(path, index=False)
    corpus = ManifestCorpus(path, name="mine")
    assert [u.sentiment for u in corpus.all_utterances()] == [0, 1, 2]
    assert not corpus.has_polarity


def test_of_several_domains_the_named_one_is_read(write_row):
    path = write_row()
    pd.read_csv(path).assign(domain=["mine", "yours", "mine"]).to_csv(path, index=False)
    assert [u.clip_id for u in read(path)] == ["mine/train/c1", "mine/train/c3"]
    with pytest.raises(CorpusError, match="no row of domain 'theirs'; the manifest has mine, yours"):
        list(ManifestCorpus(path, name="theirs").all_utterances())


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"label": 3.5}, r"line 4: polarity 3.5 is outside \[-3, 3\]"),
        ({"label": "nan"}, "line 4: the label is 'nan'"),
        ({"label": "joyful"}, "line 4: unknown sentiment 'joyful'; known: negative, neutral, positive"),
        ({"label": ""}, "line 4: clip 'c3' has no label"),
        ({"label": "positive"}, "line 4: the label 'positive' is a class, but mine is labelled with a polarity"),
        ({"clip_id": "c1"}, "line 4: clip id 'c1' is there already .*line 2"),
        ({"clip_id": ""}, "line 4: the clip id is missing"),
        ({"video_id": " "}, "line 4: the video id is missing"),
        ({"text": "  "}, "line 4: the text of clip 'c3' is empty"),
        ({"split": "holdout"}, "line 4: unknown split 'holdout'; known: train, dev"),
        (
            {"video_id": "v1", "split": "test"},
            "line 4: video 'v1' is in split 'test' here but in 'train' before .*line 2",
        ),
    ],
)
def test_a_bad_row_is_refused_with_file_line_and_value(write_row, cells: dict, message: str):
    with pytest.raises(CorpusError, match=rf"clips\.csv, {message}"):
        read(write_row(**cells))


@pytest.mark.parametrize(
    ("times", "message"),
    [(("soon", 1), "'soon' is no time"), ((3, 2), "ends at 2 s, before it starts"), (("nan", 2), "start is nan")],
)
def test_a_bad_time_is_refused(write_row, times, message: str):
    path = write_row()
    pd.read_csv(path).assign(start_s=times[0], end_s=times[1]).to_csv(path, index=False)
    with pytest.raises(CorpusError, match=rf"line 2.*{message}"):
        read(path)


def test_empty_text_is_read_where_it_is_asked_for(write_row):
    assert [u.text for u in read(write_row(text=""), allow_empty_text=True)] == ["words 1", "words 2", ""]


def test_the_line_is_the_one_that_a_row_begins_at(write_row):
    path = write_row(label=9)
    path.write_text(path.read_text().replace("words 1", '"words\n\n1"'))
    with pytest.raises(CorpusError, match=r"line 6: polarity 9"):
        read(path)


def test_another_encoding_is_refused_with_its_line(write_row):
    path = write_row()
    path.write_bytes(path.read_bytes().replace(b"words 2", b"caf\xe9"))
    with pytest.raises(CorpusError, match=r"clips\.csv, line 3: byte 0xe9 is not UTF-8"):
        read(path)


def test_a_byte_order_mark_is_no_part_of_the_header(write_row):
    path = write_row()
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read(path)) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: column clip_id, video_id, text, split is missing; met: none"),
        ("clip_id,video_id,split,label\n", "line 1: column text is missing; met: clip_id, video_id, split, label"),
        ("clip_id,video_id,text,split,text\n", "line 1: column text occurs more than once"),
        ("clip_id,video_id,text,split\na,b,c,train\n", "neither a column label nor a column sentiment"),
        ("clip_id,video_id,text,split,label\na,b,c,d,train,1\n", "line 2: 6 fields, but the header has 5"),
        ('clip_id,video_id,text,split,label\na,b,"c', "line 2: not CSV"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str, message: str):
    path = tmp_path / "clips.csv"
    path.write_text(text)
    with pytest.raises(CorpusError, match=message):
        read(path)


def test_a_parquet_row_is_named(tmp_path: Path):
    frame = {
        "clip_id": ["a", "b"],
        "video_id": [1, 2],
        "text": ["x", "y"],
        "split": ["train"] * 2,
        "label": [0.0, None],
    }
    pd.DataFrame(frame).to_parquet(tmp_path / "clips.parquet")
    with pytest.raises(CorpusError, match=r"clips\.parquet, row 2: clip 'b' has no label"):
        read(tmp_path / "clips.parquet")


def test_what_is_no_parquet_is_refused(tmp_path: Path):
    (tmp_path / "clips.parquet").write_text("clip_id\n")
    with pytest.raises(CorpusError, match="not a Parquet file"):
        read(tmp_path / "clips.parquet")


def test_a_manifest_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(CorpusError, match=r"none\.csv: the manifest of mine is not there"):
        ManifestCorpus(tmp_path / "none.csv", name="mine")


@pytest.mark.parametrize(
    ("polarity", "sentiment", "message"),
    [
        (-2.5, "positive", "the polarity is -2.5 but the sentiment is 'positive'"),
        (0.1, "Negative", "the polarity is 0.1 but the sentiment is 'Negative'"),
        (1.0, "joyful", "unknown sentiment 'joyful'"),
    ],
)
def test_a_sentiment_that_the_polarity_beside_denies_is_refused(write_row, polarity, sentiment, message: str):
    path = write_row(label=polarity)
    pd.read_csv(path).assign(sentiment=["positive", "neutral", sentiment]).to_csv(path, index=False)
    with pytest.raises(CorpusError, match=rf"clips\.csv, line 4: {message}"):
        read(path)


@pytest.mark.parametrize(
    ("polarity", "sentiment"),
    [(0.3, "positive"), (-0.5, "negative"), (0, "negative"), (3, "neutral"), (-1, "neutral"), (1, "")],
)
def test_a_sentiment_that_another_reading_may_give_is_none_of_our_business(write_row, polarity, sentiment):
    path = write_row(label=polarity)
    pd.read_csv(path).assign(sentiment=["", "", sentiment]).to_csv(path, index=False)
    assert read(path)[2].polarity == polarity


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_manifest_of_no_rows_is_refused(write_row, suffix: str):
    path = write_row()
    none = pd.read_csv(path).iloc[:0]
    none.to_csv(path, index=False)
    none.to_parquet(path.with_suffix(".parquet"))
    with pytest.raises(CorpusError, match=rf"clips\{suffix}: no rows after the header.* mine has no utterance"):
        read(path.with_suffix(suffix))


def test_words_are_read_with_their_times(write_row):
    path = write_row()
    pd.read_csv(path).assign(words=["", '[["so", 0.5, 0.7], ["good", 1, 1.25]]', "[]"]).to_csv(path, index=False)
    pd.read_csv(path).to_parquet(path.with_suffix(".parquet"))
    expected = ((), (Word("so", 0.5, 0.7), Word("good", 1.0, 1.25)), ())
    assert tuple(u.words for u in read(path)) == expected
    assert tuple(u.words for u in read(path.with_suffix(".parquet"))) == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("so good", r"words cannot be read .*expected JSON such as \[\[\"so\", 0\.5, 0\.7\]"),
        ('[["so", 1]]', "words cannot be read"),
        ('[["so", "1", 2]]', r"words cannot be read \(met \['so', '1', 2\]\)"),
        ('{"so": 1}', "words cannot be read"),
        ("7", "words cannot be read"),
        ('[["so", 2, 1]]', "the word 'so' lasts from 2 to 1 s"),
        ('[["so", 0, NaN]]', "the word 'so' lasts from 0 to nan s"),
    ],
)
def test_words_of_another_form_are_refused(write_row, words: str, message: str):
    path = write_row()
    pd.read_csv(path).assign(words=["", "", words]).to_csv(path, index=False)
    with pytest.raises(CorpusError, match=rf"line 4: {message}"):
        read(path)


def test_a_transcript_of_ten_thousand_words_is_read_with_all_its_times(write_row):
    text = " ".join(f"word{n}" for n in range(10_000))
    path = write_row(text=text)
    words = json.dumps([[word, n / 3, n / 3 + 0.2] for n, word in enumerate(text.split())])
    assert len(words) > 131_072  # what Python's reader takes by default
    pd.read_csv(path).assign(words=["", "", words]).to_csv(path, index=False)
    last = read(path)[-1]
    assert last.text == text
    assert (len(last.words), last.words[-1].text, last.words[3].start_seconds) == (10_000, "word9999", 1.0)


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        ("latin-1", r"line 3: byte 0xe9 is not UTF-8; save the file as UTF-8 \(.*iconv -f WINDOWS-1252 -t UTF-8\)"),
        ("utf-16", "line 1: byte 0xff: this is UTF-16, not UTF-8; save the file as UTF-8"),
        ("utf-16-be", "line 1: .*this is UTF-16"),
    ],
)
def test_other_encodings_are_named(write_row, encoding: str, message: str):
    path = write_row()
    path.write_bytes(path.read_text().replace("words 2", "café").encode(encoding))
    with pytest.raises(CorpusError, match=rf"clips\.csv, {message}"):
        read(path)


def test_mmsa_s_table_is_read_as_a_manifest(tiny, tmp_path: Path):
    tiny.layouts["label.csv"](tmp_path)
    assert [(u.clip_id, u.polarity) for u in read(tmp_path / "label.csv")][:2] == [
        ("mine/train/vidA[2]", -1.333333),
        ("mine/train/vidA[10]", 0.5),
    ]
