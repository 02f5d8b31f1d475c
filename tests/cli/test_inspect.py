"""`msadg inspect` says what is in a store, and draws a clip of it."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from msadg.cli import inspect
from msadg.errors import FeatureError, StoreError, UsageError
from msadg.store import Manifest, StoreWriter
from msadg.types import FACE_MARKS, TIME_MARKS, Features
from tests.media import write_clip


def parse(*words: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    inspect.add_arguments(parser)
    return parser.parse_args([str(word) for word in words])


def manifest(modality: str = "video", **fields) -> Manifest:
    settings = {"rate": 5.0, "detector": "mtcnn"}
    fields = {"marks": FACE_MARKS if modality == "video" else TIME_MARKS} | fields
    return Manifest(extractor=f"{modality}-x", modality=modality, version="7", settings=settings, dim=2, **fields)


def features(steps: int, value: float, valid=None) -> Features:
    valid = np.ones(steps, bool) if valid is None else np.array(valid)
    return Features(np.full((steps, 2), value, np.float32), valid)


@pytest.fixture
def stores(tmp_path):
    root = tmp_path / "stores"
    with StoreWriter(root / "mine" / "video-x", manifest(marks=())) as writer:
        writer.add("mine/train/a", features(4, 1.5, [True, False, False, True]))
        writer.add("mine/train/b", features(2, -3.0))
        writer.add("mine/test/c", features(10, 8.0))
        writer.lose("mine/test/d", "face", "no face in 9 frames")
        writer.lose("mine/test/e", "decode", "cut")
        writer.lose("mine/dev/f", "face", "none")
    with StoreWriter(root / "mine" / "audio-x", manifest("audio", marks=())) as writer:
        writer.add("mine/train/a", features(3, 0.0))
    with StoreWriter(root / "other" / "video-x", manifest(marks=())):
        pass
    return root


def test_a_store_is_told_in_figures(stores, capsys):
    assert inspect.run(parse(stores / "mine" / "video-x", "--json")) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["by_split"] == {
        "train": {"clips": 2, "lost": 0, "steps": 6, "valid_steps": 4},
        "dev": {"clips": 0, "lost": 1, "steps": 0, "valid_steps": 0},
        "test": {"clips": 1, "lost": 2, "steps": 10, "valid_steps": 10},
    }
    assert told["total"] == {"clips": 3, "lost": 3, "steps": 16, "valid_steps": 14}
    assert told["lost_by_stage"] == {"face": 2, "decode": 1}
    assert told["first_lost"]["face"] == "mine/test/d: no face in 9 frames"
    assert told["steps_per_clip"]["median"] == 4
    assert (told["lowest"], told["highest"], told["non_finite"]) == (-3.0, 8.0, 0)
    assert (told["extractor"], told["version"], told["dim"], told["is_complete"]) == ("video-x", "7", 2, True)
    assert told["settings"] == {"rate": 5.0, "detector": "mtcnn"}


def test_the_same_figures_are_printed_for_people(stores, capsys):
    inspect.run(parse(stores / "mine" / "video-x"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("video-x: complete")
    assert "; settings digest " in lines[1]
    assert '  detector = "mtcnn"' in lines
    assert "split  clips  lost  steps   valid" in lines
    assert "train      2     0      6   66.7%" in lines
    assert "all        3     3     16   87.5%" in lines
    assert "values: -3 to 8, all finite" in lines
    assert "lost at 'face': 2, first mine/test/d: no face in 9 frames" in lines


def test_rows_that_were_stored_anew_are_counted_once(tmp_path, capsys):
    made_by = manifest(marks=())
    for value, sha256 in ((90.0, "before"), (1.0, "after")):
        with StoreWriter(tmp_path / "s", made_by, overwrite=True) as writer:
            writer.add("mine/train/a", features(3, value), input_sha256=sha256)
    inspect.run(parse(tmp_path / "s", "--json"))
    told = json.loads(capsys.readouterr().out)
    assert (told["total"]["steps"], told["highest"]) == (3, 1.0)


def test_damage_on_the_disk_is_seen(tmp_path, capsys):
    with StoreWriter(tmp_path / "s", manifest(marks=())) as writer:
        writer.add("mine/train/a", features(3, 1.0))
    values = np.memmap(tmp_path / "s" / "values.bin", np.float16, mode="r+")
    values[2] = np.nan
    values.flush()
    inspect.run(parse(tmp_path / "s"))
    assert "values: 1 to 1, 1 ARE NaN OR INF" in capsys.readouterr().out


def test_a_folder_of_stores_is_told_in_a_table(stores, capsys):
    inspect.run(parse(stores))
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["store", "width", "clips", "lost", "steps", "valid"]
    assert rows[1:] == [
        ["mine/audio-x", "2", "float16", "1", "0", "3", "100.0%"],
        ["mine/video-x", "2", "float16", "3", "3", "16", "87.5%"],
        ["other/video-x", "2", "float16", "0", "0", "0", "-"],
    ]
    inspect.run(parse(stores / "mine", "--json"))
    assert [store["modality"] for store in json.loads(capsys.readouterr().out)] == ["audio", "video"]


def test_a_store_that_is_being_written_says_so(stores, capsys):
    (stores / "mine" / "video-x" / "index.npz").unlink()
    inspect.run(parse(stores / "mine" / "video-x"))
    assert "NOT complete" in capsys.readouterr().out
    inspect.run(parse(stores))
    assert "87.5%  not complete" in capsys.readouterr().out


def test_what_cannot_be_is_told(stores, tmp_path):
    with pytest.raises(StoreError, match="is no feature store and holds none"):
        inspect.run(parse(tmp_path / "clips"))
    with pytest.raises(UsageError, match="without a clip"):
        inspect.run(parse(stores, "-o", tmp_path / "a.png"))
    with pytest.raises(UsageError, match=r"name the one to draw from"):
        inspect.run(parse(stores, "a"))
    with pytest.raises(UsageError, match=r"a\.jpg is no PNG"):
        inspect.run(parse(stores / "mine", "mine/train/a", "-o", tmp_path / "a.jpg"))


def test_a_clip_is_drawn_from_its_domain_s_video(stores, tmp_path, capsys):
    clip = write_clip(tmp_path / "a.mp4", seconds=1.0)
    manifest_file = stores / "mine" / "manifest.csv"
    manifest_file.write_text(f"clip_id,split,text,label,start_s,end_s,clip_path\na,train,so good,,,,{clip}\n")
    assert inspect.run(parse(stores / "mine", "mine/train/a", "-o", tmp_path / "sheet.png")) == 0
    printed, told = capsys.readouterr()
    assert (printed, told) == (f"{tmp_path / 'sheet.png'}\n", "")
    assert (tmp_path / "sheet.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    inspect.run(parse(stores / "mine", "train/b", "--clip", clip, "-o", tmp_path / "b.png"))
    assert "note: no transcript and no times" in capsys.readouterr().err


def test_a_run_marks_the_frames_that_it_kept(tmp_path, capsys, monkeypatch):
    from msadg.analysis import kept_frames as analysis
    from msadg.protocols.checkpoint import TrainingState
    from msadg.protocols.fit import new_method
    from msadg.protocols.run import TrainedRun
    from msadg.store import Store
    from tests.protocols.helpers import Toy, toy_experiment

    experiment = toy_experiment(tmp_path)
    method = new_method(experiment, {"text": 6, "video": 5})
    store = Store(tmp_path / "stores" / "c" / "video-toy")
    digests = {
        m: SimpleNamespace(digest=Store(tmp_path / "stores" / "a" / f"{m}-toy").manifest.digest)
        for m in ("text", "video")
    }
    run_folder = tmp_path / "run"
    monkeypatch.setattr(analysis, "load_run", lambda folder: TrainedRun(experiment, method, TrainingState()))
    monkeypatch.setattr(analysis, "read_sources", lambda folder: SimpleNamespace(modalities=digests))
    clip_id = store.clip_ids[1]
    for keep, expected in ((-1e6, 1), (1e6, store.row(clip_id).steps)):  # one frame at least is always kept
        method.keyframes.decide[-1].bias.data[:] = torch.tensor([0.0, keep])
        assert analysis.kept_frames(run_folder, store, clip_id).sum() == expected
    assert inspect.run(parse(store.path, clip_id, "--run", run_folder, "-o", tmp_path / "a.png")) == 0
    assert "its file is not known" in capsys.readouterr().err
    with pytest.raises(UsageError, match="so it keeps no frames of"):
        analysis.kept_frames(run_folder, Store(tmp_path / "stores" / "c" / "text-toy"), clip_id)
    lost = "c/test/lost"
    with StoreWriter(tmp_path / "stores" / "c" / "text-toy", Manifest.of(Toy("text", 6))) as writer:
        writer.add(lost, Features(np.ones((2, 6), np.float32), np.ones(2, bool)))
    with StoreWriter(store.path, Manifest.of(Toy("video", 5))) as writer:
        writer.lose(lost, "face", "no face in 9 frames")
    with pytest.raises(StoreError, match="lost at 'face': no face in 9 frames"):
        inspect.run(parse(store.path, lost, "--run", run_folder, "-o", tmp_path / "lost.png"))
    method.keyframes = None
    with pytest.raises(UsageError, match=r"trained with s2lif, which drops no frames"):
        analysis.kept_frames(run_folder, store, clip_id)
    digests["video"].digest = "of another extractor"
    with pytest.raises(FeatureError, match="other features than"):
        analysis.kept_frames(run_folder, store, clip_id)


def test_asking_for_help_imports_nothing_heavy():
    code = (
        "import sys, msadg.cli.inspect as r; "
        "print([m for m in ('torch', 'numpy', 'matplotlib', 'av') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
