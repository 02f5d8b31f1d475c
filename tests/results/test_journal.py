"""Records survive crashes, full disks and each other."""

import errno
import os
import subprocess
import sys
import warnings

import pytest

from msadg.errors import MsadgWarning, RunError
from msadg.results.journal import append_record, read_records


def test_records_come_back_in_order_and_the_latest_of_a_key_wins(tmp_path, make_record):
    path = tmp_path / "new" / "records.jsonl"
    for record in [make_record("a"), make_record("b"), make_record("a", revision="later")]:
        append_record(path, record)
    assert [(record.row, record.revision) for record in read_records(path)] == [("a", "later"), ("b", "r")]
    assert len(path.read_text().splitlines()) == 3


def test_no_journal_is_no_records(tmp_path):
    assert read_records(tmp_path / "records.jsonl") == []


@pytest.mark.parametrize("kept_bytes", [1, 40, -2])
def test_a_half_written_last_line_is_left_out_and_healed(tmp_path, make_record, kept_bytes):
    path = tmp_path / "records.jsonl"
    append_record(path, make_record("a"))
    half = (make_record("b").to_json() + "\n").encode()[:kept_bytes]
    with path.open("ab") as file:
        file.write(half)
    with pytest.warns(MsadgWarning, match=f"left out 1 half-written last line .{len(half)} bytes"):
        assert [record.row for record in read_records(path)] == ["a"]
    with pytest.warns(MsadgWarning, match="removed 1 half-written"):
        append_record(path, make_record("c"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [record.row for record in read_records(path)] == ["a", "c"]


def test_a_line_that_lost_only_its_end_of_line_is_kept(tmp_path, make_record):
    path = tmp_path / "records.jsonl"
    path.write_text(make_record("a").to_json())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [record.row for record in read_records(path)] == ["a"]
        append_record(path, make_record("b"))
        assert [record.row for record in read_records(path)] == ["a", "b"]


def test_a_line_cut_within_a_letter_is_half_written_too(tmp_path, make_record):
    path = tmp_path / "records.jsonl"
    path.write_bytes("é".encode()[:1])
    with pytest.warns(MsadgWarning, match="half-written"):
        assert read_records(path) == []


def test_damage_elsewhere_names_file_and_line(tmp_path, make_record):
    path = tmp_path / "records.jsonl"
    path.write_text(f"{make_record('a').to_json()}\nrubbish\n{make_record('b').to_json()}\n")
    with pytest.raises(RunError, match=r"records\.jsonl, line 2: "):
        read_records(path)


def test_line_separators_inside_a_text_do_not_end_a_line(tmp_path, make_record):
    record = make_record("a", extra={"text": "one\u2028two\u0085three\rfour\nfive"})
    append_record(tmp_path / "records.jsonl", record)
    assert read_records(tmp_path / "records.jsonl") == [record]


def test_a_full_disk_leaves_the_journal_as_it_was(tmp_path, make_record, monkeypatch):
    path = tmp_path / "records.jsonl"
    append_record(path, make_record("a"))
    before, real, calls = path.read_bytes(), os.write, []

    def full(file, content):
        calls.append(file)
        if len(calls) == 1:
            return real(file, content[:20])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(RunError, match=r"cannot append the record of b, seed 0: No space left on device"):
        append_record(path, make_record("b"))
    assert path.read_bytes() == before


WRITER = """
import json, sys
from pathlib import Path
from msadg.results import Record, append_record
template = json.loads(sys.argv[2])
for number in range(60):
    text = json.dumps(template | {"key": f"{sys.argv[3]}-{number}", "extra": {"long": "x" * 9000}})
    append_record(Path(sys.argv[1]), Record.from_json(text))
"""


def test_two_processes_appending_at_once_lose_nothing(tmp_path, make_record):
    path = tmp_path / "records.jsonl"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), make_record().to_json(), name]) for name in "ab"
    ]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        keys = {record.key for record in read_records(path)}
    assert keys == {f"{name}-{number}" for name in "ab" for number in range(60)}


@pytest.mark.parametrize("line", ["garbage", '{"newfield": 1}'])
def test_a_line_that_is_no_record_is_told_with_what_to_do(tmp_path, make_record, line):
    path = tmp_path / "records.jsonl"
    append_record(path, make_record("a"))
    path.write_text(f"{path.read_text()}{line}\n")
    with pytest.raises(RunError, match=r"records.jsonl, line 2: .*another version.*take the line out"):
        read_records(path)
