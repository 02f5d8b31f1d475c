"""Clips that several processes work on: the same bytes however many there are, and however often they were killed."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from msadg.errors import MediaError, MsadgWarning, StoreError
from msadg.extraction import file_hashes
from msadg.extraction.clipwise import ClipExtractor
from msadg.extraction.engines.engine import make_engine
from msadg.extraction.extractor import Loss
from msadg.store import Manifest, Store, fill_store
from msadg.store.spool import Spool
from msadg.store.writer import hash_input
from msadg.types import Clip, Features
from tests.store.toys import Toy, ToyConfig, diary_of, exit_code_of, toy_clips

ROOT = Path(__file__).parents[2]
TEXTS = ["wait 0.1", "", "fail", "wait 0.02", "nan", "", "wait 0.04", "", "", "fail", "wait 0.02", ""]
"""The first is slow: others are finished before it."""


def bytes_of(store):
    return {path.name: path.read_bytes() for path in store.iterdir()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A store filled in one process without an interruption; nobody writes to it."""
    folder = tmp_path_factory.mktemp("clipwise") / "whole"
    fill_store(folder, toy_clips(*TEXTS), Toy())
    return folder


class Reversed:
    """An engine that is finished with the last clip first, and may break off after some."""

    num_workers = 1

    def __init__(self, stops_after=None):
        self.stops_after = stops_after

    def run(self, extractor, clips):
        for done, at in enumerate(reversed(range(len(clips)))):
            if done == self.stops_after:
                raise KeyboardInterrupt
            yield at, extractor.extract_one(clips[at])


@pytest.mark.parametrize(
    "engine", [make_engine(workers=1), make_engine(workers=3), Reversed()], ids=["one", "three", "reversed"]
)
def test_the_bytes_do_not_depend_on_who_worked_on_the_clips(tmp_path, whole, engine):
    told = []
    fill_store(
        tmp_path / "s", toy_clips(*TEXTS), Toy(), engine=engine, progress=lambda done, total: told.append((done, total))
    )
    assert bytes_of(tmp_path / "s") == bytes_of(whole)
    assert set(bytes_of(whole)) == {
        ".lock", "index.npz", "journal.jsonl", "losses.csv", "manifest.json", "marks.bin", "values.bin",
    }  # fmt: skip
    assert told == [(done, 12) for done in range(13)]


@pytest.mark.slow
def test_ray_writes_the_same_bytes(tmp_path, whole):
    ray = pytest.importorskip("ray", reason="needs Ray: pip install 'msadg[ray]'")
    fill_store(tmp_path / "s", toy_clips(*TEXTS), Toy(), engine=make_engine("ray", workers=2))
    assert bytes_of(tmp_path / "s") == bytes_of(whole)
    assert not ray.is_initialized()  # What was started for the fill is stopped.


def test_a_fill_that_was_broken_off_goes_on_with_what_waited(tmp_path, whole):
    clips, path, diary = toy_clips(*TEXTS), tmp_path / "s", tmp_path / "diary"
    with pytest.raises(KeyboardInterrupt):
        fill_store(path, clips, Toy(ToyConfig(diary=str(diary))), engine=Reversed(stops_after=5))
    assert len(Store(path)) == 0
    assert len(list((path / ".spool").iterdir())) == 5
    told = []
    fill_store(
        path, clips, Toy(ToyConfig(diary=str(diary))), engine=Reversed(), progress=lambda done, _: told.append(done)
    )
    assert sorted(diary_of(diary)) == sorted(clip.clip_id for clip in clips)  # each once
    assert told == [0, *range(5, 13)]
    assert bytes_of(path) == bytes_of(whole)


def test_what_waits_is_taken_only_for_the_same_clip_input_and_extractor(tmp_path):
    manifest = Manifest.of(Toy())
    clips = toy_clips("a", "b", "c")
    inputs = {clip.clip_id: hash_input(clip.text.encode()) for clip in clips}
    features = Toy().extract_one(clips[0])
    assert isinstance(features, Features)
    with_all = Spool(tmp_path, manifest, inputs)
    with_all.put("mine/train/0", features)
    with_all.put("mine/train/1", Loss("decode", "cut"))
    with_all.put("mine/train/2", Features(np.zeros((0, 3), np.float32), np.zeros(0, bool)))

    found = Spool(tmp_path, manifest, inputs).get("mine/train/0")
    np.testing.assert_array_equal(found.values, features.values)
    np.testing.assert_array_equal(found.valid, features.valid)
    np.testing.assert_array_equal(found.marks, features.marks)
    assert Spool(tmp_path, manifest, inputs).get("mine/train/1") == Loss("decode", "cut")
    assert Spool(tmp_path, manifest, inputs).get("mine/train/2").marks is None
    assert len(Spool(tmp_path, manifest, inputs)) == 3

    assert len(Spool(tmp_path, manifest, inputs, with_losses=False)) == 2
    assert len(Spool(tmp_path, manifest, {**inputs, "mine/train/2": "another"})) == 1
    assert len(Spool(tmp_path, manifest, {"mine/train/7": inputs["mine/train/0"]})) == 0
    assert list((tmp_path / ".spool").iterdir()) == []
    for other in ({"settings": {"rate": 10}}, {"marks": ("start_seconds",)}, {"dtype": "float32"}):
        Spool(tmp_path, manifest, inputs).put("mine/train/0", features)
        made_by = {**{f: getattr(manifest, f) for f in manifest.__dataclass_fields__}, **other}
        assert len(Spool(tmp_path, Manifest(**made_by), inputs)) == 0


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "another's", "half written"])
def test_what_waits_damaged_is_made_again(tmp_path, whole, damage):
    clips, path = toy_clips(*TEXTS), tmp_path / "s"
    with pytest.raises(KeyboardInterrupt):
        fill_store(path, clips, Toy(), engine=Reversed(stops_after=4))
    one, other, *_ = sorted((path / ".spool").iterdir())
    content = bytearray(one.read_bytes())
    if damage == "flipped":
        at = content.find(b"NUMPY", content.find(b"values.npy")) + 130
        content[at : at + 4] = bytes(255 - byte for byte in content[at : at + 4])
    wrong = {"cut": content[:-30], "empty": b"", "another's": other.read_bytes()}
    (one if damage != "half written" else one.with_name(f".{one.name}")).write_bytes(wrong.get(damage, content))
    fill_store(path, clips, Toy())
    assert bytes_of(path) == bytes_of(whole)


def test_a_lost_clip_that_waited_is_tried_again_when_asked(tmp_path):
    clips, path, diary = toy_clips("", "", "fail"), tmp_path / "s", tmp_path / "diary"
    with pytest.raises(KeyboardInterrupt):
        fill_store(path, clips, Toy(), engine=Reversed(stops_after=2))
    fill_store(path, clips, Toy(ToyConfig(diary=str(diary))), retry_lost=True)
    assert diary_of(diary) == ["mine/train/0", "mine/train/2"]


KILLED = """
import os, signal, sys
from pathlib import Path
from msadg.extraction.engines.engine import make_engine
from msadg.store import fill_store
from tests.store.test_clipwise_fill import TEXTS
from tests.store.toys import Toy, ToyConfig, toy_clips

path, diary, number = sys.argv[1:]

def told(done, total):
    if done == int(number):
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    toy = Toy(ToyConfig(diary=diary))
    fill_store(Path(path), toy_clips(*TEXTS), toy, engine=make_engine(workers=2), progress=told)
"""


@pytest.mark.parametrize("number", [1, 9])
def test_killed_in_the_middle_it_loses_at_most_the_clips_in_hand(tmp_path, whole, number):
    path, diary = tmp_path / "s", tmp_path / "diary"
    command = [sys.executable, "-c", KILLED, str(path), str(diary), str(number)]
    killed = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    time.sleep(0.5)  # Its workers end by themselves.
    again = begun_again(path, diary)
    assert len(set(diary_of(diary)) & set(again)) <= 2  # Two workers had one each in hand.
    assert bytes_of(path) == bytes_of(whole)


def begun_again(path, diary):
    """The clips that a run after a killed one begins; every clip was begun by one of them."""
    again = diary.with_name("again")
    fill_store(path, toy_clips(*TEXTS), Toy(ToyConfig(diary=str(again))))
    assert {*diary_of(diary), *diary_of(again)} == {f"mine/train/{n}" for n in range(12)}
    return diary_of(again)


def test_killed_when_a_clip_is_in_the_store_and_still_waits_beside_it_nothing_is_lost(tmp_path, whole, monkeypatch):
    def drop(spool, clip_id):
        if clip_id.endswith("3"):
            os.kill(os.getpid(), signal.SIGKILL)
        real(spool, clip_id)

    path, diary, real = tmp_path / "s", tmp_path / "diary", Spool.drop
    toy = Toy(ToyConfig(diary=str(diary)))
    with monkeypatch.context() as patch:
        patch.setattr(Spool, "drop", drop)
        killed = exit_code_of(lambda: fill_store(path, toy_clips(*TEXTS), toy, engine=Reversed()))
    assert killed == -signal.SIGKILL
    assert begun_again(path, diary) == []
    assert bytes_of(path) == bytes_of(whole)


def test_an_error_of_the_extractor_keeps_what_was_finished(tmp_path):
    with pytest.raises(ZeroDivisionError):
        fill_store(tmp_path / "s", toy_clips("", "fail", "bug"), Toy())
    store = Store(tmp_path / "s")
    assert (store.clip_ids, list(store.losses), store.is_complete) == (("mine/train/0",), ["mine/train/1"], False)
    assert (tmp_path / "s" / "losses.csv").exists()


def rows_of(store):
    with (store / "losses.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_every_loss_has_a_row_with_split_and_class(whole):
    assert rows_of(whole) == [
        ["clip", "split", "class", "stage", "reason"],
        ["mine/train/2", "train", "positive", "decode", "2.mp4: damaged"],
        ["mine/train/4", "train", "neutral", "values", f"step 0 is nan (1 of {lost_steps(4)} steps are NaN or inf)"],
        ["mine/train/9", "train", "negative", "decode", "9.mp4: damaged"],
    ]


def lost_steps(number):
    outcome = Toy().extract_one(toy_clips(*TEXTS)[number])
    assert isinstance(outcome, Features)
    return len(outcome.values)


def test_the_table_of_losses_keeps_labels_of_clips_that_were_filled_before_and_goes_with_the_last(tmp_path):
    clips = toy_clips("fail", "", "", "fail", "fail")
    path = tmp_path / "s"
    fill_store(path, clips[:2], Toy())
    fill_store(path, clips[2:], Toy())
    assert [row[:3] for row in rows_of(path)[1:]] == [
        ["mine/train/0", "train", "negative"],
        ["mine/train/3", "", ""],  # without a label
        ["mine/train/4", "train", "neutral"],
    ]
    fill_store(path, toy_clips("", "", "", "", ""), Toy(), overwrite=True)
    assert not (path / "losses.csv").exists()
    assert not Store(path).losses


def test_a_changed_input_is_told_before_any_work(tmp_path):
    diary = tmp_path / "diary"
    fill_store(tmp_path / "s", toy_clips("a"), Toy())
    with pytest.raises(StoreError, match="was stored from another input"):
        fill_store(tmp_path / "s", toy_clips("b", "c"), Toy(ToyConfig(diary=str(diary))))
    assert diary_of(diary) == []


@pytest.mark.parametrize("name", ["losses.csv", "index.npz"])
def test_killed_when_all_is_extracted_it_leaves_nothing_undone_and_no_half_file(tmp_path, whole, monkeypatch, name):
    def replace(path, target):
        if target.name == name:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(path, target)

    path, real = tmp_path / "s", Path.replace
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        assert exit_code_of(fill_store, path, toy_clips(*TEXTS), Toy()) == -signal.SIGKILL
    assert len(list(path.glob(f".{Path(name).stem}.*"))) == 1  # what was to be moved
    fill_store(path, toy_clips(*TEXTS), Toy())
    assert bytes_of(path) == bytes_of(whole)


def test_killed_as_soon_as_the_store_is_complete_its_losses_have_been_written(tmp_path, whole, monkeypatch):
    def killed(self, folder):
        real(self, folder)
        if self.clips is not None:
            os.kill(os.getpid(), signal.SIGKILL)

    real = Manifest.write
    with monkeypatch.context() as patch:
        patch.setattr(Manifest, "write", killed)
        assert exit_code_of(fill_store, tmp_path / "s", toy_clips(*TEXTS), Toy()) == -signal.SIGKILL
    assert Store(tmp_path / "s").is_complete
    assert bytes_of(tmp_path / "s") == bytes_of(whole)


@pytest.mark.parametrize("name", ["values.bin", "marks.bin", "journal.jsonl"])
def test_interrupted_while_it_writes_and_run_again_it_ends_with_the_same_bytes(tmp_path, whole, monkeypatch, name):
    def write(descriptor, content):
        written = real(descriptor, content)
        if Path(f"/proc/self/fd/{descriptor}").readlink().name == name and not interrupted:
            interrupted.append(name)
            raise KeyboardInterrupt
        return written

    real, interrupted = os.write, []
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "write", write)
        fill_store(tmp_path / "s", toy_clips(*TEXTS), Toy())
    fill_store(tmp_path / "s", toy_clips(*TEXTS), Toy())
    assert bytes_of(tmp_path / "s") == bytes_of(whole)


class Sizes(Toy):
    """A step with the size of the clip's file three times."""

    kind = "sizes"
    marks = ()
    input_of = ClipExtractor.input_of

    def features_of(self, clip):
        if not Path(clip.clip_path).exists():
            raise MediaError("open", f"{clip.clip_path}: there is no such file")
        return Features(np.full((1, 3), Path(clip.clip_path).stat().st_size, np.float32), np.ones(1, bool))


@pytest.fixture
def cut(tmp_path):
    """Three clips of one file."""
    path = str(tmp_path / "long.mp4")
    (tmp_path / "long.mp4").write_bytes(b"12345")
    return [
        Clip(clip_id=f"mine/clip/{n}", clip_path=path, start_seconds=float(n), end_seconds=n + 1.0) for n in range(3)
    ]


@pytest.fixture
def hashed(monkeypatch):
    """The files that were read to be hashed."""
    names, real = [], file_hashes.hashlib.file_digest
    monkeypatch.setattr(
        file_hashes.hashlib, "file_digest", lambda file, kind: names.append(Path(file.name).name) or real(file, kind)
    )
    return names


def test_a_file_is_hashed_once_for_all_its_clips_and_all_runs_until_it_changes(tmp_path, cut, hashed, monkeypatch):
    for _ in range(2):
        monkeypatch.setattr(file_hashes, "_known", {})  # as in another process
        fill_store(tmp_path / "s", cut, Sizes())
        assert hashed == ["long.mp4"]
    before = (tmp_path / "long.mp4").stat()
    (tmp_path / "long.mp4").write_bytes(b"54321")
    os.utime(tmp_path / "long.mp4", ns=(before.st_atime_ns, before.st_mtime_ns))  # same size, and time set back
    monkeypatch.setattr(file_hashes, "_known", {})
    with pytest.raises(StoreError, match="mine/clip/0 was stored from another input"):
        fill_store(tmp_path / "s", cut, Sizes())


@pytest.mark.parametrize("damage", ["[]", "{", '{"FILE": 3}', '{"FILE": []}', '{"FILE": ["a"]}'])
def test_a_damaged_memory_of_hashes_is_made_anew(tmp_path, cut, hashed, monkeypatch, damage):
    fill_store(tmp_path / "s", cut, Sizes())
    good = (tmp_path / "s" / ".hashes.json").read_bytes()
    (tmp_path / "s" / ".hashes.json").write_text(damage.replace("FILE", cut[0].clip_path))
    monkeypatch.setattr(file_hashes, "_known", {})
    fill_store(tmp_path / "s", cut, Sizes())
    assert hashed == ["long.mp4"] * 2
    assert json.loads((tmp_path / "s" / ".hashes.json").read_bytes()) == json.loads(good)


def test_features_stay_when_the_file_is_gone_and_a_clip_that_is_not_stored_is_lost(tmp_path, cut):
    fill_store(tmp_path / "s", cut[:2], Sizes())
    (tmp_path / "long.mp4").unlink()
    with pytest.warns(MsadgWarning, match=r"the files of 2 stored clips are not there \(first: mine/clip/0\)"):
        store = fill_store(tmp_path / "s", [*cut[:1], Clip(clip_id="mine/clip/1")], Sizes(), overwrite=True)
    assert [store.features(f"mine/clip/{n}").values.tolist() for n in (0, 1)] == [[[5, 5, 5]]] * 2
    with pytest.warns(MsadgWarning, match="2 stored clips"):
        assert fill_store(tmp_path / "s", cut, Sizes()).losses["mine/clip/2"].stage == "open"


def test_a_name_that_is_no_file_is_not_read_for_ever(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    met = [file_hashes.hash_of_file(path) for path in (tmp_path / "pipe.mp4", tmp_path, "a\0.mp4", None)]
    assert met == ["not a file", "not a file", "missing", "no file"]
