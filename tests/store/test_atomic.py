import errno
from pathlib import Path

import pytest

from msadg.errors import StoreError
from msadg.store.atomic import atomic_path, write_text


def test_a_file_appears_whole_and_alone(tmp_path):
    write_text(tmp_path / "deep" / "table.csv", "acc3\n0,5 ± 1\n")
    assert (tmp_path / "deep" / "table.csv").read_bytes() == "acc3\n0,5 ± 1\n".encode()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["table.csv"]


def test_an_error_inside_the_block_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    (tmp_path / "table.csv").write_text("old")
    with pytest.raises(RuntimeError, match="stop"), atomic_path(tmp_path / "table.csv") as beside:
        beside.write_text("half of the n")
        raise RuntimeError("stop")
    assert (tmp_path / "table.csv").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_the_path_to_write_to_keeps_the_suffix_by_which_libraries_choose_a_format(tmp_path):
    with atomic_path(tmp_path / "index.npz") as beside:
        assert beside.suffix == ".npz"
        assert beside.parent == tmp_path
        beside.write_bytes(b"x")


def test_a_full_disk_is_told_with_the_bytes_needed_and_the_old_file_stays(tmp_path, monkeypatch):
    def full(self, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "table.csv").write_text("old")
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StoreError, match=r"table\.csv: the disk is full.* 5 bytes were needed.* Nothing .* is lost"):
        write_text(tmp_path / "table.csv", "12345")
    assert (tmp_path / "table.csv").read_text() == "old"


def test_another_system_error_stays_what_it_is(tmp_path):
    with pytest.raises(IsADirectoryError), atomic_path(tmp_path / "table.csv"):
        raise IsADirectoryError("elsewhere")


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(StoreError, match="nothing was written"), atomic_path(tmp_path / "table.csv"):
        pass
