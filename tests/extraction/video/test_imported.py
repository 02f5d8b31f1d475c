"""What others extracted: found, cut, averaged; never zeros that look like data."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from msadg.errors import CorpusError, SettingsError
from msadg.extraction.catalog import make_extractor
from msadg.extraction.extractor import Extractor, Loss
from msadg.extraction.video.openface_csv import GROUPS
from msadg.store import Manifest, Store, fill_store
from msadg.types import FACE_MARKS, Clip, Utterance


def write_openface(path: Path, rows: list[dict], columns=("AU12_r", "AU12_c"), blank: str = "") -> Path:
    """Rows have t, and may have conf, ok, id and v (the columns' values)."""
    lines = [f",{blank}".join(["frame", "face_id", "timestamp", "confidence", "success", *columns])]
    for number, row in enumerate(rows, start=1):
        values = row.get("v", [0.0] * len(columns))
        told = [number, row.get("id", 0), row["t"], row.get("conf", 0.98), row.get("ok", 1), *values]
        lines.append(", ".join(map(str, told)))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def openface(folder: Path, options: str = ""):
    return make_extractor("video", f"openface:files={folder},columns=AU12_r+AU12_c{options}")


def clip(clip_id: str = "mine/train/a", **fields) -> Clip:
    return Clip(clip_id=clip_id, **fields)


def mark(features, name: str) -> np.ndarray:
    return features.marks[:, FACE_MARKS.index(name)]


@pytest.mark.parametrize("blank", ["", " "])
def test_the_frames_of_a_step_are_averaged(tmp_path, blank):
    rows = [{"t": k / 10, "v": [k, k % 2], "conf": 0.9 + k / 100} for k in range(4)]
    write_openface(tmp_path / "a.csv", rows, blank=blank)
    features = openface(tmp_path).features_of(clip())
    # Steps of 0.2 s: frames 0 and 1, then 2 and 3.
    np.testing.assert_allclose(features.values, [[0.5, 0.5], [2.5, 0.5]])
    assert features.valid.all()
    np.testing.assert_allclose(mark(features, "start_seconds"), [0, 0.2])
    np.testing.assert_allclose(mark(features, "confidence"), [0.905, 0.925])
    assert mark(features, "track").tolist() == [0, 0]
    assert np.isnan(features.marks[:, 2:6]).all()


def test_a_step_without_a_face_is_invalid_and_its_values_are_not_read(tmp_path):
    rows = [
        {"t": 0.0, "v": [1, 1]},
        {"t": 0.2, "v": ["-nan(ind)", 0], "ok": 0},
        {"t": 0.4, "v": [7, 1], "conf": 0.3},
        {"t": 0.6, "v": ["nan", 1]},
        {"t": 0.8, "v": [3, 1]},
    ]
    write_openface(tmp_path / "a.csv", rows)
    features = openface(tmp_path).features_of(clip())
    assert features.valid.tolist() == [True, False, False, False, True]
    assert features.values[:, 0].tolist() == [1, 0, 0, 0, 3]
    assert mark(features, "track").tolist() == [0, -1, -1, -1, 0]
    assert np.isnan(mark(features, "confidence")).tolist() == [False, True, True, True, False]
    lenient = openface(tmp_path, ",confidence=0.2").features_of(clip())
    assert lenient.values[2, 0] == 7


def test_of_several_faces_the_one_seen_longest_is_the_speaker(tmp_path):
    rows = [{"t": k / 5, "id": face, "v": [10 * face, 0]} for k in range(3) for face in (0, 1) if (k, face) != (1, 0)]
    rows += [{"t": 0.2, "id": 2, "v": [99, 0], "ok": 0}]
    write_openface(tmp_path / "a.csv", rows)
    features = openface(tmp_path).features_of(clip())
    assert features.values[:, 0].tolist() == [10, 10, 10]
    assert mark(features, "track").tolist() == [1, 1, 1]


def test_a_video_s_file_is_cut_to_the_clip_and_a_clip_s_own_begins_where_the_clip_does(tmp_path):
    write_openface(tmp_path / "vid.csv", [{"t": k / 5, "v": [k, 0]} for k in range(50)])
    part = clip("mosi/train/vid[3]", start_seconds=2.0, end_seconds=2.6)
    features = openface(tmp_path).features_of(part)
    assert features.values[:, 0].tolist() == [10, 11, 12]
    np.testing.assert_allclose(mark(features, "start_seconds"), [2, 2.2, 2.4])
    np.testing.assert_allclose(mark(features, "end_seconds"), [2.2, 2.4, 2.6])
    write_openface(tmp_path / "mosi" / "train" / "vid_3.csv", [{"t": k / 5, "v": [k, 0]} for k in range(3)])
    features = openface(tmp_path).features_of(part)
    assert features.values[:, 0].tolist() == [0, 1, 2]
    np.testing.assert_allclose(mark(features, "start_seconds"), [2, 2.2, 2.4])


def test_files_by_split_keep_clips_of_one_name_apart(tmp_path):
    for split, value in (("train", 1), ("test", 2)):
        write_openface(tmp_path / split / "dia0_utt0.csv", [{"t": 0.0, "v": [value, 0]}])
    met = [openface(tmp_path).features_of(clip(f"meld/{split}/dia0_utt0")).values[0, 0] for split in ("train", "test")]
    assert met == [1, 2]


def test_numbered_clip_files_are_found_in_their_video_s_folder_only(tmp_path):
    write_openface(tmp_path / "vid" / "3.csv", [{"t": 0.0, "v": [5, 0]}])
    write_openface(tmp_path / "3.csv", [{"t": 0.0, "v": [6, 0]}])
    features = openface(tmp_path).features_of(clip("mosi/train/vid[3]", clip_path="/clips/Raw/vid/3.mp4"))
    assert features.values[0, 0] == 5
    lost = openface(tmp_path).extract_one(clip("mosi/train/other[3]", clip_path="/clips/Raw/other/3.mp4"))
    assert isinstance(lost, Loss)


def test_what_cannot_be_read_is_a_named_loss(tmp_path):
    write_openface(tmp_path / "blind.csv", [{"t": 0.0, "ok": 0}, {"t": 0.2, "ok": 0}])
    write_openface(tmp_path / "narrow.csv", [{"t": 0.0, "v": [1]}], columns=("AU12_r",))
    write_openface(tmp_path / "odd.csv", [{"t": 0.0, "v": ["high", 1]}])
    write_openface(tmp_path / "short.csv", [{"t": 0.0}])
    write_openface(tmp_path / "none.csv", [])
    (tmp_path / "cut.csv").write_text("frame, face_id, timest")
    extractor = openface(tmp_path)
    names = ("blind", "narrow", "odd", "none", "cut", "gone")
    lost = {name: extractor.extract_one(clip(f"mine/train/{name}")) for name in names}
    assert {name: loss.stage for name, loss in lost.items()} == {"blind": "face"} | dict.fromkeys(names[1:], "import")
    assert "column AU12_c is missing" in lost["narrow"].reason
    assert "odd.csv, line 2: could not convert string to float" in lost["odd"].reason
    assert "expected gone.csv there or in train/" in lost["gone"].reason
    late = extractor.extract_one(clip("mine/train/short", clip_path="x/short.mp4", start_seconds=5.0, end_seconds=6.0))
    assert late.stage == "time"


def test_settings_name_the_columns_and_not_the_folder(tmp_path):
    extractor = make_extractor("video", f"openface:files={tmp_path}")
    assert isinstance(extractor, Extractor)
    assert extractor.dim == 49  # 8 of gaze, 6 of pose, 17 intensities, 18 presences
    assert extractor.settings["columns"][:2] == ["gaze_0_x", "gaze_0_y"]
    assert str(tmp_path) not in json.dumps(extractor.settings)
    assert {name: len(group) for name, group in GROUPS.items()} == {
        "gaze": 8,
        "eyes2d": 112,
        "eyes3d": 168,
        "pose": 6,
        "landmarks2d": 136,
        "landmarks3d": 204,
        "shape": 40,
        "au_r": 17,
        "au_c": 18,
    }
    with pytest.raises(SettingsError, match="did you mean 'AU12_r'"):
        make_extractor("video", f"openface:files={tmp_path},columns=au12_r")
    with pytest.raises(SettingsError, match="openface:files=FOLDER"):
        make_extractor("video", "openface")
    with pytest.raises(SettingsError, match="rate = 0; expected more than 0"):
        make_extractor("video", f"openface:files={tmp_path},rate=0")


def test_a_changed_file_or_time_is_another_input(tmp_path):
    extractor = openface(tmp_path)
    before = extractor.input_of(clip())
    write_openface(tmp_path / "a.csv", [{"t": 0.0}])
    written = extractor.input_of(clip())
    assert len({before, written, extractor.input_of(clip(start_seconds=0.0, end_seconds=1.0))}) == 3
    assert pickle.loads(pickle.dumps(extractor)).input_of(clip()) == written


def test_a_file_that_was_written_anew_is_read_anew(tmp_path):
    for value in (1, 22):
        write_openface(tmp_path / "a.csv", [{"t": 0.0, "v": [value, 0]}])
        assert openface(tmp_path).features_of(clip()).values[0, 0] == value


def test_a_clip_that_is_said_to_end_long_after_its_rows_ends_with_them(tmp_path):
    write_openface(tmp_path / "vid.csv", [{"t": k / 5} for k in range(10)])
    features = openface(tmp_path).features_of(clip("mosi/train/vid[3]", start_seconds=1.0, end_seconds=1e12))
    assert len(features.values) == 5
    some = openface(tmp_path).features_of(clip("mosi/train/vid[3]", start_seconds=1.0, end_seconds=3.0))
    assert some.valid.tolist() == [True] * 5 + [False] * 5


@pytest.mark.parametrize("rate", ["inf", "1e9"])
def test_a_rate_that_no_memory_can_hold_is_refused(tmp_path, rate):
    path = write_csd(tmp_path / "Facet.csd", {"vid": (np.ones((3, 2)), [0.0, 0.1, 0.2])})
    for name in (f"openface:files={tmp_path}", f"facet:file={path}"):
        with pytest.raises(SettingsError, match="expected 1000 or less"):
            make_extractor("video", f"{name},rate={rate}")


def write_csd(path: Path, videos: dict[str, tuple[object, object]]) -> Path:
    with h5py.File(path, "w") as file:
        for video_id, (features, starts) in videos.items():
            begin = np.asarray(starts, np.float64)
            file[f"FACET/data/{video_id}/features"] = np.asarray(features, np.float32)
            file[f"FACET/data/{video_id}/intervals"] = np.stack([begin, begin + 0.03], axis=1)
    return path


def facet(path: Path | str, options: str = ""):
    return make_extractor("video", f"facet:file={path}{options}")


PART = clip("mosi/train/vid[3]", start_seconds=1.0, end_seconds=1.6)


def test_published_sequences_of_videos_are_cut_to_the_clip_and_averaged(tmp_path):
    frames = np.stack([np.arange(30), np.ones(30)], axis=1)  # ten a second
    path = write_csd(tmp_path / "Facet.csd", {"vid": (frames, np.arange(30) / 10)})
    features = facet(path).features_of(PART)
    np.testing.assert_allclose(features.values, [[10.5, 1], [12.5, 1], [14.5, 1]])
    np.testing.assert_allclose(features.marks, [[1.0, 1.2], [1.2, 1.4], [1.4, 1.6]])
    whole = facet(path, ",rate=0").features_of(PART)
    assert whole.values[:, 0].tolist() == [10, 11, 12, 13, 14, 15]


def test_published_zeros_and_infinities_are_frames_without_a_face(tmp_path):
    frames = np.ones((30, 2))
    frames[10:12], frames[14, 0] = 0, -np.inf
    path = write_csd(
        tmp_path / "Facet.csd", {"vid": (frames, np.arange(30) / 10), "dark": (np.zeros((30, 2)), np.arange(30))}
    )
    features = facet(path).features_of(PART)
    assert features.valid.tolist() == [False, True, True]
    assert features.values.tolist() == [[0, 0], [1, 1], [1, 1]]
    lost = facet(path).extract_one(clip("mosi/train/dark[1]", start_seconds=0.0, end_seconds=9.0))
    assert (lost.stage, "none of the 9 published steps" in lost.reason) == ("face", True)


def test_clips_that_a_published_file_lacks_are_named_losses(tmp_path):
    path = write_csd(tmp_path / "Facet.csd", {"vid": (np.ones((3, 2)), [0.0, 0.1, 0.2])})
    extractor = facet(path)
    gone = extractor.extract_one(clip("mosi/train/gone[1]", start_seconds=0.0, end_seconds=1.0))
    assert (gone.stage, "gone[1] is not in Facet.csd" in gone.reason) == ("import", True)
    untimed = extractor.extract_one(clip("mosi/train/vid[1]"))
    assert (untimed.stage, "are the clip's times known" in untimed.reason) == ("import", True)
    late = extractor.extract_one(PART)
    assert (late.stage, "no step starts inside 1.0 to 1.6 s" in late.reason) == ("time", True)


def test_one_clip_s_input_does_not_change_with_another_s(tmp_path):
    path = write_csd(tmp_path / "Facet.csd", {"vid": (np.ones((30, 2)), np.arange(30) / 10)})
    before = facet(path).input_of(PART)
    moved = replace(PART, start_seconds=0.95)  # the same rows, in steps that begin elsewhere
    assert facet(path).input_of(moved) != before
    write_csd(path, {"vid": (np.ones((30, 2)), np.arange(30) / 10), "other": (np.ones((1, 2)), [0.0])})
    assert facet(path).input_of(PART) == before
    write_csd(path, {"vid": (np.full((30, 2), 2), np.arange(30) / 10)})
    assert facet(path).input_of(PART) != before


def test_files_of_different_widths_or_contents_are_never_one_kind_of_features(tmp_path):
    times = np.arange(30) / 10
    narrow = write_csd(tmp_path / "narrow.csd", {"vid": (np.ones((30, 20)), times)})
    wide = write_csd(tmp_path / "wide.csd", {"far": (np.ones((30, 35)), times)})
    same = write_csd(tmp_path / "same.csd", {"far": (np.full((30, 20), 3), times)})
    assert (facet(narrow).dim, facet(wide).dim) == (20, 35)
    digests = {Manifest.of(facet(path)).digest for path in (narrow, wide, same)}
    assert len(digests) == 3
    with pytest.raises(SettingsError, match=r"narrow\.csd has 20, wide\.csd has 35 columns"):
        _ = facet(f"{narrow}+{wide}").dim
    # Two corpora side by side need both files to be named, and have one identity then.
    both = facet(f"{narrow}+{same}")
    far = clip("mosei/train/far[3]", start_seconds=1.0, end_seconds=1.6)
    assert both.features_of(PART).values[0, 0] == 1
    assert both.features_of(far).values[0, 0] == 3
    assert len(both.settings["sha256"]) == 2


def test_an_mmsa_pickle_gives_the_clip_s_own_steps_without_times(tmp_path):
    vision = np.zeros((2, 4, 2))
    vision[0, :3] = [[1, 2], [0, 0], [5, 6]]
    vision[1, :2] = 7
    content = {"train": {"id": ["vid$_$3", "vid$_$4"], "vision": vision, "vision_lengths": [3, 2]}}
    path = tmp_path / "unaligned.pkl"
    path.write_bytes(pickle.dumps(content, protocol=4))
    features = facet(path).features_of(clip("mosi/train/vid[3]"))
    assert features.values.tolist() == [[1, 2], [0, 0], [5, 6]]
    assert features.valid.tolist() == [True, False, True]
    assert np.isnan(features.marks).all()
    assert facet(path).extract_one(clip("mosi/test/vid[3]")).stage == "import"


def test_a_pickle_that_runs_code_is_refused(tmp_path):
    path = tmp_path / "bad.pkl"
    path.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(CorpusError, match="nothing was run"):
        _ = facet(path).dim


def test_a_published_file_has_to_be_there_and_of_a_known_kind(tmp_path):
    (tmp_path / "x.mat").write_bytes(b"")
    for path in (tmp_path / "gone.csd", tmp_path / "x.mat", ""):
        with pytest.raises(SettingsError, match=r"is no \.csd or \.pkl that is there"):
            facet(path) if path else make_extractor("video", "facet")


def test_imported_features_fill_a_store_without_any_video(tmp_path):
    write_openface(tmp_path / "of" / "a.csv", [{"t": k / 5, "v": [k, 1]} for k in range(3)])
    clips = [
        Utterance(clip_id=f"mine/train/{name}", video_id=name, split="train", sentiment=1, text="x")
        for name in ("a", "b")
    ]
    store = fill_store(tmp_path / "s", clips, openface(tmp_path / "of"))
    assert isinstance(store, Store)
    assert store.features("mine/train/a").values[:, 0].tolist() == [0, 1, 2]
    assert store.losses["mine/train/b"].stage == "import"
