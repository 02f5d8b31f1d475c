import errno
import os
from pathlib import Path

import numpy as np
import pytest

from msadg.errors import FeatureError, StoreError
from msadg.store import Manifest, Store, StoreWriter
from msadg.types import Features

MADE_BY = Manifest(extractor="text-made-up", modality="text", version="1", settings={"layer": 3}, dim=2)


def features(*rows, valid=None):
    return Features(np.array(rows, np.float32).reshape(-1, 2), np.ones(len(rows), bool) if valid is None else valid)


def bytes_of(store):
    return {path.name: path.read_bytes() for path in store.iterdir() if path.name != "index.npz"}


def test_what_was_added_comes_back_rounded_to_float16(tmp_path):
    with StoreWriter(tmp_path / "s", MADE_BY) as writer:
        writer.add("a", features([1, 2], [3, 0.1]))
        writer.add("b", features())
        writer.add("c", features([5, 6]))
    store = Store(tmp_path / "s")
    assert store.features("a").values.dtype == np.float16
    # 0.1 in half precision, by IEEE 754: 0x2E66 = 0.0999755859375
    np.testing.assert_array_equal(store.features("a").values, [[1, 2], [3, 0.0999755859375]])
    np.testing.assert_array_equal(store.features("c").values, [[5, 6]])
    assert store.lengths(["c", "b", "a"]).tolist() == [1, 0, 2]
    assert (store.manifest.clips, store.manifest.steps, store.manifest.lost) == (3, 3, 0)


def test_steps_without_an_observation_stay_so_and_are_zero(tmp_path):
    valid = np.array([True, False, False, True, False])
    with StoreWriter(tmp_path / "s", MADE_BY) as writer:
        writer.add("a", features([1, 1], [np.nan, 7], [7, 7], [4, 4], [7, 7], valid=valid))
    for _ in range(2):  # by the index, then by the journal
        read = Store(tmp_path / "s").features("a")
        np.testing.assert_array_equal(read.valid, valid)
        np.testing.assert_array_equal(read.values[:, 0], [1, 0, 0, 4, 0])
        (tmp_path / "s" / "index.npz").unlink(missing_ok=True)


def test_another_width_is_refused_and_both_are_named(tmp_path):
    wide = Features(np.ones((1, 3), np.float32), np.ones(1, bool))
    with pytest.raises(FeatureError, match=r"a has 3 features a step, this store of text-made-up has 2"):
        StoreWriter(tmp_path / "s", MADE_BY).add("a", wide)


@pytest.mark.parametrize(
    ("value", "message"),
    [(np.nan, "step 1 is nan"), (-np.inf, "step 1 is -inf"), (65520.0, "step 1 holds 65520.0, which float16 cannot")],
)
def test_values_that_no_model_can_take_are_refused_with_store_clip_and_step(tmp_path, value, message):
    with StoreWriter(tmp_path / "s", MADE_BY) as writer:
        with pytest.raises(FeatureError, match=f"{tmp_path / 's'}: mine/a: {message}"):
            writer.add("mine/a", features([0, 0], [value, 0]))
        writer.add("b", features([65504, -65504]))  # the largest of float16
    assert Store(tmp_path / "s").clip_ids == ("b",)


def test_token_ids_come_back_exactly_and_half_a_token_is_refused(tmp_path):
    tokens = Manifest(extractor="text-tokens", modality="text", version="1", settings={}, dim=2, dtype="int32")
    with StoreWriter(tmp_path / "s", tokens) as writer:
        writer.add("a", features([30521, 16777215]))
        with pytest.raises(FeatureError, match=r"step 0 holds 1\.5, which int32 cannot"):
            writer.add("b", features([1.5, 0]))
    store = Store(tmp_path / "s")
    assert store.values.dtype == np.int32
    assert store.values.tolist() == [[30521, 16777215]]
    assert store.features("a").values.tolist() == [[30521, 16777215]]


def test_a_second_writer_is_refused_until_the_first_is_done(tmp_path):
    with (
        StoreWriter(tmp_path / "s", MADE_BY),
        pytest.raises(StoreError, match="is being written by another process"),
    ):
        StoreWriter(tmp_path / "s", MADE_BY)
    with StoreWriter(tmp_path / "s", MADE_BY):
        pass


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("extractor", "text-other", "extractor is 'text-made-up' there and 'text-other' here"),
        ("version", "2", "version is '1' there and '2' here"),
        ("settings", {"layer": 4}, "settings.layer is 3 there and 4 here"),
        ("dim", 5, "dim is 2 there and 5 here"),
    ],
)
def test_a_store_written_by_another_extractor_is_refused_and_both_are_named(tmp_path, field, value, told):
    with StoreWriter(tmp_path / "s", MADE_BY) as writer:
        writer.add("a", features([1, 2]))
    before = bytes_of(tmp_path / "s")
    other = {"extractor": "text-made-up", "modality": "text", "version": "1", "settings": {"layer": 3}, "dim": 2}
    with pytest.raises(StoreError, match=f"was written by text-made-up .*{told}"):
        StoreWriter(tmp_path / "s", Manifest(**{**other, field: value}))
    assert bytes_of(tmp_path / "s") == before


def test_the_digest_depends_on_extractor_version_and_settings_only():
    same = Manifest(extractor="text-made-up", modality="video", version="1", settings={"layer": 3}, dim=9, clips=4)
    other = Manifest(extractor="text-made-up", modality="text", version="1", settings={"layer": 4}, dim=2)
    assert MADE_BY.digest == same.digest != other.digest
    # sha256 of {"extractor": "text-made-up", "settings": {"layer": 3}, "version": "1"}, by sha256sum
    assert MADE_BY.digest.startswith("dc7f8adc8d966db8")


@pytest.mark.parametrize("torn", [b'{"clip_id": "c", "fir', b"", b"{"])
def test_half_a_journal_line_and_surplus_values_are_cut_off(tmp_path, torn):
    with StoreWriter(tmp_path / "s", MADE_BY) as writer:
        writer.add("a", features([1, 2]))
        writer.add("b", features([3, 4]))
    whole = bytes_of(tmp_path / "s")
    for name, surplus in (("journal.jsonl", torn), ("values.bin", b"\x01\x02\x03")):
        with (tmp_path / "s" / name).open("ab") as file:
            file.write(surplus)
    assert Store(tmp_path / "s").clip_ids == ("a", "b")
    with StoreWriter(tmp_path / "s", MADE_BY) as writer:
        assert writer.finished("b")
        assert not writer.finished("c")
    assert bytes_of(tmp_path / "s") == whole


def test_a_damaged_line_inside_the_journal_is_told_with_its_number(tmp_path):
    with StoreWriter(tmp_path / "s", MADE_BY) as writer:
        writer.add("a", features([1, 2]))
    with (tmp_path / "s" / "journal.jsonl").open("ab") as file:
        file.write(b'{"clip_id": "c", "first": -1, "steps": 2, "input": ""}\n')
    with pytest.raises(StoreError, match=r"journal\.jsonl, line 2: .*cannot be negative"):
        StoreWriter(tmp_path / "s", MADE_BY)


def test_a_clip_added_twice_is_refused(tmp_path):
    with StoreWriter(tmp_path / "s", MADE_BY) as writer:
        writer.add("a", features([1, 2]))
        with pytest.raises(StoreError, match="a is stored already"):
            writer.add("a", features([1, 2]))


def test_a_full_disk_keeps_what_was_finished_and_the_next_run_goes_on(tmp_path, monkeypatch):
    whole = tmp_path / "whole"
    with StoreWriter(whole, MADE_BY) as writer:
        for clip_id in "abc":
            writer.add(clip_id, features([1, 2], [3, 4]))

    room = [12]  # bytes: one clip of 8, and half of the next
    real_write = os.write

    def write(descriptor, content):
        if Path(f"/proc/self/fd/{descriptor}").readlink().name != "values.bin":
            return real_write(descriptor, content)
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = real_write(descriptor, content[: room[0]])
        room[0] -= written
        return written

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        with (
            pytest.raises(StoreError, match=r"values\.bin: the disk is full.* 8 bytes were needed.*same command"),
            StoreWriter(tmp_path / "s", MADE_BY) as writer,
        ):
            for clip_id in "abc":
                writer.add(clip_id, features([1, 2], [3, 4]))
    store = Store(tmp_path / "s")
    assert store.clip_ids == ("a",)
    assert not store.is_complete
    with StoreWriter(tmp_path / "s", MADE_BY) as writer:
        for clip_id in "abc":
            if not writer.finished(clip_id):
                writer.add(clip_id, features([1, 2], [3, 4]))
    assert bytes_of(tmp_path / "s") == bytes_of(whole)


def test_a_disk_full_at_the_journal_leaves_no_half_line(tmp_path, monkeypatch):
    writer = StoreWriter(tmp_path / "s", MADE_BY, sync_seconds=1e9)
    writer.add("a", features([1, 2]))
    writer.sync()
    writer.add("b", features([3, 4]))
    real_write = os.write

    def write(descriptor, content):
        if len(content) <= 10:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real_write(descriptor, content[: len(content) - 10])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        with pytest.raises(StoreError, match=r"journal\.jsonl: the disk is full"):
            writer.sync()
    with writer:
        writer.add("c", features([5, 6]))
    assert Store(tmp_path / "s").clip_ids == ("a", "b", "c")
    assert Store(tmp_path / "s").features("c").values.tolist() == [[5, 6]]


def test_a_complete_store_has_no_counts_while_more_is_added(tmp_path):
    with StoreWriter(tmp_path / "s", MADE_BY) as writer:
        writer.add("a", features([1, 2]))
    with StoreWriter(tmp_path / "s", MADE_BY) as writer:
        writer.add("b", features([3, 4]))
        assert Store(tmp_path / "s").manifest.clips == 1  # nothing is in the journal yet
        writer.sync()
        assert Store(tmp_path / "s").manifest.clips is None
        assert not Store(tmp_path / "s").is_complete
    assert (Store(tmp_path / "s").manifest.clips, Store(tmp_path / "s").manifest.steps) == (2, 2)
    assert Store(tmp_path / "s").is_complete


def test_a_writer_that_dies_after_adding_leaves_no_counts(tmp_path):
    with StoreWriter(tmp_path / "s", MADE_BY) as writer:
        writer.add("a", features([1, 2]))
    with pytest.raises(KeyboardInterrupt), StoreWriter(tmp_path / "s", MADE_BY) as writer:
        writer.add("b", features([3, 4]))
        raise KeyboardInterrupt
    assert Store(tmp_path / "s").clip_ids == ("a", "b")
    assert Store(tmp_path / "s").manifest.clips is None


def test_a_complete_store_opened_for_nothing_stays_as_it_is(tmp_path):
    with StoreWriter(tmp_path / "s", MADE_BY) as writer:
        writer.add("a", features([1, 2]))
    before = [(tmp_path / "s" / name).stat().st_ino for name in ("manifest.json", "index.npz")]
    with StoreWriter(tmp_path / "s", MADE_BY) as writer:
        assert writer.finished("a")
    # A file that is written anew is another file.
    assert [(tmp_path / "s" / name).stat().st_ino for name in ("manifest.json", "index.npz")] == before


@pytest.mark.parametrize("name", ["s", ".lock", "values.bin", "journal.jsonl"])
def test_a_disk_too_full_to_begin_is_told(tmp_path, monkeypatch, name):
    def full(real):
        def call(path, *rest):
            if Path(path).name == name:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(path, *rest)

        return call

    monkeypatch.setattr(os, "open", full(os.open))
    monkeypatch.setattr(os, "mkdir", full(os.mkdir))
    with pytest.raises(StoreError, match=rf"{name}: the disk is full"):
        StoreWriter(tmp_path / "s", MADE_BY)


MARKED = Manifest(
    extractor="video-made-up", modality="video", version="1", settings={}, dim=2, marks=("start_seconds", "track")
)


def marked(*marks):
    return Features(
        np.ones((len(marks), 2), np.float32), np.ones(len(marks), bool), np.array(marks, float).reshape(-1, 2)
    )


def test_marks_come_back_rounded_to_float32_with_what_is_unknown(tmp_path):
    with StoreWriter(tmp_path / "s", MARKED) as writer:
        writer.add("a", marked([0.2, 1], [0.4, np.nan]))
        writer.add("b", marked())
        writer.add("c", marked([1e9, -1]))
    store = Store(tmp_path / "s")
    assert store.manifest.marks == ("start_seconds", "track")
    # 0.2 and 0.4 in single precision, by IEEE 754: 0x3E4CCCCD, 0x3ECCCCCD
    np.testing.assert_array_equal(store.marks("a"), [[0.20000000298023224, 1], [0.4000000059604645, np.nan]])
    np.testing.assert_array_equal(store.features("c").marks, [[1e9, -1]])
    assert store.features("b").marks.shape == (0, 2)
    assert (tmp_path / "s" / "marks.bin").stat().st_size == 3 * 2 * 4


def test_a_store_without_marks_is_as_it_was_before_there_were_any(tmp_path):
    with StoreWriter(tmp_path / "s", MADE_BY) as writer:
        writer.add("a", features([1, 2]))
    assert sorted(bytes_of(tmp_path / "s")) == [".lock", "journal.jsonl", "manifest.json", "values.bin"]
    assert b"marks" not in bytes_of(tmp_path / "s")["manifest.json"]
    assert Store(tmp_path / "s").marks("a") is None
    assert Store(tmp_path / "s").features("a").marks is None


def test_marks_are_no_part_of_the_digest_but_must_be_the_same(tmp_path):
    bare = Manifest(extractor="video-made-up", modality="video", version="1", settings={}, dim=2)
    assert MARKED.digest == bare.digest
    with StoreWriter(tmp_path / "s", MARKED) as writer:
        writer.add("a", marked([0, 1]))
    with pytest.raises(StoreError, match=r"marks is \('start_seconds', 'track'\) there and \(\) here"):
        StoreWriter(tmp_path / "s", bare)


@pytest.mark.parametrize(
    ("marks", "told"),
    [
        (None, r"marks of 2 steps x 0; video-made-up says that it marks 2 steps with start_seconds, track"),
        (np.zeros((2, 3)), r"marks of 2 steps x 3"),
    ],
)
def test_marks_that_are_missing_or_others_are_refused(tmp_path, marks, told):
    one = Features(np.ones((2, 2), np.float32), np.ones(2, bool), marks)
    with StoreWriter(tmp_path / "s", MARKED) as writer, pytest.raises(FeatureError, match=told):
        writer.add("a", one)
    assert len(Store(tmp_path / "s")) == 0


def test_surplus_marks_are_cut_off_and_missing_ones_are_told(tmp_path):
    with StoreWriter(tmp_path / "s", MARKED) as writer:
        writer.add("a", marked([0, 1], [2, 3]))
    whole = bytes_of(tmp_path / "s")
    with (tmp_path / "s" / "marks.bin").open("ab") as file:
        file.write(b"\x01\x02\x03")
    with StoreWriter(tmp_path / "s", MARKED):
        pass
    assert bytes_of(tmp_path / "s") == whole
    (tmp_path / "s" / "marks.bin").write_bytes(whole["marks.bin"][:-1])
    with pytest.raises(StoreError, match=r"marks\.bin holds 1 whole steps, its journal speaks of 2"):
        Store(tmp_path / "s")


def test_a_disk_full_at_the_marks_leaves_no_clip_by_halves(tmp_path, monkeypatch):
    writer = StoreWriter(tmp_path / "s", MARKED, sync_seconds=1e9)
    writer.add("a", marked([0, 1]))
    real_write = os.write

    def write(descriptor, content):
        if Path(f"/proc/self/fd/{descriptor}").readlink().name == "marks.bin":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real_write(descriptor, content)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        with pytest.raises(StoreError, match=r"marks\.bin: the disk is full"):
            writer.add("b", marked([2, 3]))
    with writer:
        writer.add("c", marked([4, 5]))
    assert Store(tmp_path / "s").marks("c").tolist() == [[4, 5]]
    assert Store(tmp_path / "s").clip_ids == ("a", "c")
    assert len(Store(tmp_path / "s").values) == 2
