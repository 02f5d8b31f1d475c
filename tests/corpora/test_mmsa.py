"""MMSA's feature files."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from msadg.errors import CorpusError, MsadgWarning


@pytest.mark.parametrize("is_aligned", [False, True])
def test_published_steps_end_where_the_lengths_say(tiny, tmp_path: Path, is_aligned: bool):
    name = "aligned_50.pkl" if is_aligned else "unaligned_50.pkl"
    (tmp_path / name).write_bytes(pickle.dumps(tiny.feature_pickle(is_aligned=is_aligned)))
    corpus = tiny.open_mosi(tmp_path)
    for modality, width in (("text", 4), ("audio", 3), ("video", 2)):
        features = dict(corpus.published_features(modality))
        assert {clip_id: f.values.shape for clip_id, f in features.items()} == {
            "mosi/train/vidA[2]": (2, width),
            "mosi/train/vidA[10]": (3, width),
            "mosi/dev/-vidB[1]": (2, width),
            "mosi/test/vidC[7]": (2, width),
            "mosi/test/vidC[8]": (3, width),
        }
        assert all(f.valid.all() and (f.values == 1).all() for f in features.values())


def test_steps_that_are_no_numbers_are_counted_and_invalid(tiny, tmp_path: Path):
    content = tiny.feature_pickle()
    content["test"]["audio"][0, 1, 0] = -np.inf
    content["test"]["audio"][1, 0, 2] = np.nan
    content["test"]["audio"][1, 2, :] = np.nan
    (tmp_path / "unaligned_50.pkl").write_bytes(pickle.dumps(content))
    corpus = tiny.open_mosi(tmp_path)
    with pytest.warns(MsadgWarning, match=r"3 audio steps .* in 2 utterances \(first: mosi/test/vidC\[7\]\)"):
        features = dict(corpus.published_features("audio"))
    assert features["mosi/test/vidC[7]"].valid.tolist() == [True, False]
    assert features["mosi/test/vidC[8]"].valid.tolist() == [False, True, False]
    assert all(np.isfinite(f.values).all() for f in features.values())


def test_observations_beyond_the_stated_length_are_counted(tiny, tmp_path: Path):
    content = tiny.feature_pickle()
    content["valid"]["vision"][0, 4:] = 5
    (tmp_path / "unaligned_50.pkl").write_bytes(pickle.dumps(content))
    with pytest.warns(MsadgWarning, match="2 video steps beyond the stated lengths"):
        list(tiny.open_mosi(tmp_path).published_features("video"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["train"].pop("raw_text"), "train: raw_text is missing; met: id"),
        (lambda c: c["train"]["id"].pop(), "train: 1 of id, 2 of raw_text, 2 of regression_labels"),
        (
            lambda c: c["train"]["id"].__setitem__(1, "vidA_10"),
            r"train, entry 1: id 'vidA_10'; expected <video id>\$_\$",
        ),
        (lambda c: c["train"]["regression_labels"].__setitem__(0, np.nan), "train, entry 0: the label is nan"),
        (lambda c: c["train"]["regression_labels"].__setitem__(0, 4), "train, entry 0: polarity 4 is outside"),
        (lambda c: c.__setitem__("holdout", {}), "unknown split 'holdout'"),
    ],
)
def test_a_feature_file_of_another_form_is_refused(tiny, tmp_path: Path, change, message: str):
    content = tiny.feature_pickle()
    change(content)
    (tmp_path / "unaligned_50.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(CorpusError, match=message):
        list(tiny.open_mosi(tmp_path).all_utterances())


def test_a_feature_file_that_is_not_the_published_one_is_refused(tiny, tmp_path: Path):
    tiny.layouts["pickle"](tmp_path)
    with pytest.raises(CorpusError, match=r"SHA-256 is .*, expected 78e0f8b5ef8ff71558e7307848fc1fa9"):
        list(tiny.Mosi(tmp_path).all_utterances())


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("regression_labels", [1.0, "good"], "train, entry 1: cannot be read .*'good' is text"),
        ("regression_labels", [1.0, None], "train, entry 1: cannot be read"),
        ("regression_labels", [[1.0], [2.0, 3.0]], "train, entry 0: cannot be read"),
        ("raw_text", "one for all", "train: raw_text is one str; expected one for each id"),
        ("raw_text", np.array("one"), "train: raw_text is one ndarray"),
        ("id", 7, "train: id is one int"),
        ("id", [b"vidA$_$1", b"vid\xff$_$2"], "train, entry 1: cannot be read .*UnicodeDecodeError"),
    ],
)
def test_an_entry_that_cannot_be_read_is_named(tiny, tmp_path: Path, column: str, value, message: str):
    content = tiny.feature_pickle()
    content["train"][column] = value
    (tmp_path / "unaligned_50.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(CorpusError, match=rf"unaligned_50\.pkl, {message}"):
        list(tiny.open_mosi(tmp_path).all_utterances())


def test_labels_in_a_column_of_arrays_are_read(tiny, tmp_path: Path):
    content = tiny.feature_pickle()
    content["train"]["regression_labels"] = np.array([[-1.3], [2.4]], dtype=np.float32)
    (tmp_path / "unaligned_50.pkl").write_bytes(pickle.dumps(content))
    assert [u.polarity for u in tiny.open_mosi(tmp_path).utterances("train")] == [-1.3, 2.4]


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("audio_lengths", [2], "train: 2 of id, 2 of audio, 1 of audio_lengths; expected as many of each"),
        ("audio_lengths", [2, "three"], "train, entry 1: cannot be read .*'three'"),
        ("audio_lengths", [2, 7], "train, entry 1: audio is said to have 7 steps but has 6"),
        ("audio", 0.5, "train: audio is one float"),
        ("audio", [np.ones((6, 3)), [[1.0], [2.0, 3.0]]], "train, entry 1: cannot be read"),
        ("id", ["vidA$_$2", b"\xff$_$2"], "train, entry 1: cannot be read .*UnicodeDecodeError"),
    ],
)
def test_a_sequence_that_cannot_be_read_is_named(tiny, tmp_path: Path, column: str, value, message: str):
    content = tiny.feature_pickle()
    content["train"][column] = value
    (tmp_path / "unaligned_50.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(CorpusError, match=rf"unaligned_50\.pkl, {message}"):
        list(tiny.open_mosi(tmp_path).published_features("audio"))


def test_fewer_marks_than_clips_are_refused(tiny, tmp_path: Path):
    content = tiny.feature_pickle(is_aligned=True)
    content["test"]["text_bert"] = content["test"]["text_bert"][:1]
    (tmp_path / "aligned_50.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(CorpusError, match="test: 2 of id, 2 of vision, 1 of text_bert"):
        list(tiny.open_mosi(tmp_path).published_features("video"))
