import json
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from msadg.errors import StoreError
from msadg.store import Manifest, Store, StoreWriter, store_path
from msadg.types import Features

MADE_BY = Manifest(extractor="video-made-up", modality="video", version="1", settings={}, dim=3)


@pytest.fixture
def folder(tmp_path):
    with StoreWriter(tmp_path / "s", MADE_BY) as writer:
        for number in range(4):
            values = np.full((number + 1, 3), number, np.float32)
            writer.add(
                f"mine/train/Zoë{number}", Features(values, np.arange(number + 1) != 1), input_sha256=f"{number}"
            )
        writer.lose("mine/train/gone", "decode", "no video stream", input_sha256="g")
    return tmp_path / "s"


def test_losses_are_made_once_however_often_they_are_asked_for(folder):
    store = Store(folder)
    assert list(store.losses) == ["mine/train/gone"]
    assert store.losses is store.losses  # A loop over thousands of lost clips asks for each.


@pytest.mark.parametrize("with_index", [True, False])
def test_index_and_journal_say_the_same(folder, with_index):
    if not with_index:
        (folder / "index.npz").unlink()
    store = Store(folder)
    assert store.is_complete == with_index
    assert store.clip_ids == tuple(f"mine/train/Zoë{number}" for number in range(4))
    assert (store.row("mine/train/Zoë2").first, store.row("mine/train/Zoë2").steps) == (3, 3)
    assert store.row("mine/train/Zoë3").invalid == ((1, 2),)
    assert store.features("mine/train/Zoë3").valid.tolist() == [True, False, True, True]
    assert store.losses["mine/train/gone"].reason == "no video stream"
    assert store.input_sha256("mine/train/Zoë1") == "1"
    assert store.input_sha256("mine/train/gone") == "g"
    first, steps = store.rows(["mine/train/Zoë1", "elsewhere", "mine/train/Zoë3"])
    assert (first.tolist(), steps.tolist()) == ([1, 0, 6], [2, 0, 4])


def test_a_damaged_index_is_made_up_for_by_the_journal(folder):
    (folder / "index.npz").write_bytes(b"PK not a zip")
    assert Store(folder).clip_ids[0] == "mine/train/Zoë0"


def test_features_are_a_view_of_the_file_that_nobody_can_write_to(folder):
    values = Store(folder).features("mine/train/Zoë2").values
    assert values.base is not None
    assert values.dtype == np.float16
    with pytest.raises(ValueError, match="read-only"):
        values[0, 0] = 1


def test_a_store_is_opened_again_in_another_process(folder):
    pickled = pickle.dumps(Store(folder))
    assert len(pickled) < 500  # the path, not the features
    script = "import pickle, sys; print(pickle.load(sys.stdin.buffer).features('mine/train/Zoë3').values.sum())"
    told = subprocess.run([sys.executable, "-c", script], input=pickled, capture_output=True, check=True)
    assert float(told.stdout) == 3 * 3 * 3  # three observed steps of three threes


def test_a_clip_that_is_not_there_is_told_with_why(folder):
    with pytest.raises(StoreError, match=r"no features of 'mine/train/gone'; it was lost at 'decode': no video stream"):
        Store(folder).features("mine/train/gone")
    with pytest.raises(StoreError, match=r"no features of 'other'; extract it first"):
        Store(folder).lengths(["other"])


def test_a_folder_that_is_no_store_is_told_with_what_to_do(tmp_path):
    with pytest.raises(StoreError, match=r"is no feature store.*`msadg extract` makes one"):
        Store(tmp_path)


def test_a_store_whose_values_were_cut_is_refused(folder):
    with (folder / "values.bin").open("r+b") as file:
        file.truncate(9 * 6)
    with pytest.raises(StoreError, match=r"values\.bin holds 9 whole steps, its journal speaks of 10"):
        Store(folder)


@pytest.mark.parametrize(
    ("change", "told"),
    [({"version": "2"}, "changed by hand"), ({"format": 99}, "written as format 99"), ({"colour": 1}, "is damaged")],
)
def test_a_manifest_that_was_changed_is_refused(folder, change, told):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, **change}))
    with pytest.raises(StoreError, match=told):
        Store(folder)


def test_the_hash_of_the_inputs_does_not_depend_on_their_order(tmp_path):
    one = Features(np.ones((1, 3), np.float32), np.ones(1, bool))
    for name, order in (("ab", "ab"), ("ba", "ba"), ("ac", "ac")):
        with StoreWriter(tmp_path / name, MADE_BY) as writer:
            for clip_id in order:
                writer.add(clip_id, one, input_sha256=f"hash of {clip_id}")
    hashes = [Store(tmp_path / name).manifest.inputs_sha256 for name in ("ab", "ba", "ac")]
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_store_of_nothing_can_be_read(tmp_path):
    with StoreWriter(tmp_path / "s", MADE_BY) as writer:
        writer.lose("a", "decode", "no video stream")
    store = Store(tmp_path / "s")
    assert len(store) == 0
    assert [column.tolist() for column in store.rows(["a"])] == [[0], [0]]


def test_stores_lie_by_domain_and_extractor(tmp_path):
    assert store_path(tmp_path, "meld", "text-electra") == tmp_path / "meld" / "text-electra"


def test_an_index_of_which_nothing_or_a_part_is_there_is_made_up_for_by_the_journal(folder):
    whole = (folder / "index.npz").read_bytes()
    flipped = bytearray(whole)
    flipped[60:90] = b"\xff" * 30
    for damaged in (b"", whole[:30], whole[: len(whole) // 2], bytes(flipped)):
        (folder / "index.npz").write_bytes(damaged)
        store = Store(folder)
        assert len(store) == 4
        assert not store.is_complete


def test_a_compressed_index_that_is_damaged_is_made_up_for_by_the_journal(folder):
    with np.load(folder / "index.npz") as saved:
        np.savez_compressed(folder / "index.npz", **saved)
    content = bytearray((folder / "index.npz").read_bytes())
    with zipfile.ZipFile(folder / "index.npz") as file:
        start = file.getinfo("journal_bytes.npy").header_offset + 30 + len("journal_bytes.npy")
    content[start + 20 : start + 60] = b"\xff" * 40
    (folder / "index.npz").write_bytes(content)
    assert len(Store(folder)) == 4
