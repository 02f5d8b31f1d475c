"""CMU-MultimodalSDK's files."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from msadg.errors import CorpusError, MsadgWarning


def test_sdk_features_are_the_steps_that_start_inside(tiny, tmp_path: Path):
    tiny.layouts["csd"](tmp_path)
    corpus = tiny.open_mosi(tmp_path, "csd")
    steps = {clip_id: len(f.values) for clip_id, f in corpus.published_features("audio")}
    # One step a word, and one for the pause before: "the plot was thin" has 5.
    assert steps == {
        "mosi/train/vidA[2]": 5,
        "mosi/train/vidA[10]": 4,
        "mosi/dev/-vidB[1]": 5,
        "mosi/test/vidC[7]": 3,
        "mosi/test/vidC[8]": 4,
    }


def test_sdk_minus_infinity_is_counted_and_invalid(tiny, tmp_path: Path):
    tiny.layouts["csd"](tmp_path)
    with h5py.File(tmp_path / "CMU_MOSI_COVAREP.csd", "a") as file:
        file["COVAREP/data/vidA/features"][0, 0] = -np.inf
    corpus = tiny.open_mosi(tmp_path, "csd")
    with pytest.warns(MsadgWarning, match="1 audio steps"):
        features = dict(corpus.published_features("audio"))
    # vidA's segments lie in the SDK's order, 10 before 2.
    assert features["mosi/train/vidA[10]"].valid.tolist() == [False, True, True, True]


def test_without_numbers_sdk_segments_are_named_by_their_place_and_it_is_said(tiny, tmp_path: Path):
    tiny.layouts["csd"](tmp_path)
    with pytest.warns(MsadgWarning, match=r"named by their place .*\[sdk0\]"):
        met = {u.clip_id: u.text for u in tiny.Mosi(tmp_path).all_utterances()}
    assert met["mosi/train/vidA[sdk0]"] == "still i laughed"


def test_sdk_files_without_folds_are_refused(tiny, tmp_path: Path):
    tiny.layouts["csd"](tmp_path)
    (tmp_path / "splits.json").unlink()
    with pytest.raises(CorpusError, match=r"splits\.json is not there: .*standard folds"):
        list(tiny.Mosi(tmp_path).all_utterances())


def test_a_video_in_two_folds_is_refused(tiny, tmp_path: Path):
    tiny.layouts["csd"](tmp_path)
    (tmp_path / "splits.json").write_text(json.dumps({"train": ["vidA"], "test": ["vidA"]}))
    with pytest.raises(CorpusError, match="video 'vidA' is in test and in train"):
        list(tiny.Mosi(tmp_path).all_utterances())


def test_videos_in_no_fold_are_counted(tiny, tmp_path: Path):
    tiny.layouts["csd"](tmp_path)
    (tmp_path / "splits.json").write_text(json.dumps({"train": ["vidA"]}))
    with pytest.warns(MsadgWarning, match="2 videos are in no fold"):
        assert len(list(tiny.open_mosi(tmp_path, "csd").all_utterances())) == 2


def test_of_two_files_for_a_modality_one_has_to_be_named(tiny, tmp_path: Path):
    tiny.layouts["csd"](tmp_path)
    (tmp_path / "CMU_MOSI_openSMILE_IS09.csd").write_bytes((tmp_path / "CMU_MOSI_COVAREP.csd").read_bytes())
    corpus = tiny.open_mosi(tmp_path, "csd")
    with pytest.raises(CorpusError, match=r"met CMU_MOSI_COVAREP\.csd, CMU_MOSI_openSMILE_IS09\.csd. Name one"):
        list(corpus.published_features("audio"))
    assert len(list(corpus.published_features("audio", source="CMU_MOSI_COVAREP.csd"))) == 5


def test_a_damaged_sdk_file_is_refused(tiny, tmp_path: Path):
    tiny.layouts["csd"](tmp_path)
    labels = tmp_path / "CMU_MOSI_Opinion_Labels.csd"
    labels.write_bytes(labels.read_bytes()[:500])
    with pytest.raises(CorpusError, match="not an HDF5 file that can be read"):
        list(tiny.Mosi(tmp_path).all_utterances())


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((2, 0), np.float32), r"vidA: features \(2, 0\) and intervals \(2, 2\); expected \(steps, width\)"),
        (np.array([[b"good"], [b"bad"]]), r"vidA, segment 0: cannot be read"),
    ],
)
def test_labels_that_are_no_numbers_are_named(tiny, tmp_path: Path, labels: np.ndarray, message: str):
    tiny.layouts["csd"](tmp_path)
    with h5py.File(tmp_path / "CMU_MOSI_Opinion_Labels.csd", "a") as file:
        del file["Opinion Segment Labels/data/vidA/features"]
        file["Opinion Segment Labels/data/vidA/features"] = labels
    with pytest.raises(CorpusError, match=rf"Opinion_Labels\.csd, {message}"):
        list(tiny.open_mosi(tmp_path, "csd").all_utterances())


def test_a_chunk_that_cannot_be_read_is_named(tiny, tmp_path: Path):
    tiny.layouts["csd"](tmp_path)
    path = tmp_path / "CMU_MOSI_COVAREP.csd"
    with h5py.File(path, "a") as file:
        del file["COVAREP/data/vidC/features"]
        values = np.random.default_rng(0).normal(size=(7, 3))
        chunk = file.create_dataset("COVAREP/data/vidC/features", data=values, compression="gzip", chunks=(7, 3)).id
        file.flush()
        start = chunk.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[start : start + 20] = b"\xff" * 20
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=r"COVAREP\.csd, vidC: cannot be read \(OSError"):
        list(tiny.open_mosi(tmp_path, "csd").published_features("audio"))


def test_words_of_another_encoding_are_named(tiny, tmp_path: Path):
    tiny.layouts["csd"](tmp_path)
    with h5py.File(tmp_path / "CMU_MOSI_TimestampedWords.csd", "a") as file:
        file["words/data/vidA/features"][1] = b"caf\xe9"
    with pytest.raises(CorpusError, match=r"TimestampedWords\.csd, vidA: cannot be read \(UnicodeDecodeError"):
        list(tiny.open_mosi(tmp_path, "csd").all_utterances())
