"""``records.jsonl``: one record a line, appended by any number of processes, safe against a crash at any moment."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msadg.errors import MsadgError, MsadgWarning, RunError
from msadg.results.record import Record

MENDING = (
    "If another version of msadg wrote it, read it with that one; else take the line out, and the same command makes "
    "the record again"
)
"""What to do about a line that is no record."""


def append_record(path: Path, record: Record) -> None:
    """Add a record to the journal; when this returns, it is on disk.

    A line that a crash cut off is mended first: finished where only its end of line was lost, else removed, with
    a warning.

    Raises:
        RunError: the disk is full or the file cannot be written; the journal is then as it was before.
    """
    line = (record.to_json() + "\n").encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(path, exclusive=True) as file:
            _heal(file, path)
            _write_whole(file, line)
            _keep_name(path)
    except OSError as error:
        raise RunError(
            f"{path}: cannot append the record of {record.row}, seed {record.seed}: {error.strerror}; "
            "the records before it are intact. Make room (or give the right to write) and run again"
        ) from error


def read_records(path: Path) -> list[Record]:
    """The latest record of each key, in the order in which the keys first appear; [] where there is no file.

    A last line that a crash cut off is left out, with a warning.

    Raises:
        RunError: any other line that is no record; says which.
    """
    if not path.exists():
        return []
    with _locked(path, exclusive=False) as file:
        content = _read_whole(file)
    whole, rest = _split(content)
    lines = whole.split(b"\n")
    if rest and not _is_record(rest):
        warnings.warn(MsadgWarning(f"{path}: left out {_cut_off(rest)}"), stacklevel=2)
    elif rest:
        lines.append(rest)
    records = (_record(line, f"{path}, line {n}") for n, line in enumerate(lines, start=1) if line.strip())
    return list({record.key: record for record in records}.values())


def _record(line: bytes, where: str) -> Record:
    try:
        return Record.from_json(line.decode(), where)
    except UnicodeDecodeError as error:
        raise RunError(f"{where}: {error}; expected UTF-8, as `msadg train` wrote it. {MENDING}") from error
    except MsadgError as error:
        raise RunError(f"{str(error).rstrip('.')}. {MENDING}") from error


def _heal(file: int, path: Path) -> None:
    whole, rest = _split(_read_whole(file))
    if rest and _is_record(rest):
        _write_whole(file, b"\n")
    elif rest:
        os.ftruncate(file, len(whole))
        warnings.warn(MsadgWarning(f"{path}: removed {_cut_off(rest)}"), stacklevel=4)


def _cut_off(rest: bytes) -> str:
    return f"1 half-written last line ({len(rest)} bytes, cut off by a crash); its run has to be made again"


def _split(content: bytes) -> tuple[bytes, bytes]:
    end = content.rfind(b"\n") + 1
    return content[:end], content[end:]


def _is_record(line: bytes) -> bool:
    try:
        _record(line, "last line")
    except RunError:
        return False
    return True


def _write_whole(file: int, content: bytes) -> None:
    before = os.fstat(file).st_size
    try:
        written = os.write(file, content)
        if written < len(content):  # the disk filled up on the way; the second write says so, as an OSError
            os.write(file, content[written:])
        os.fsync(file)
    except OSError:
        os.ftruncate(file, before)
        raise


def _keep_name(path: Path) -> None:
    """A new file is safe once its folder is, too."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read_whole(file: int) -> bytes:
    with os.fdopen(os.dup(file), "rb") as stream:
        stream.seek(0)
        return stream.read()


@contextmanager
def _locked(path: Path, *, exclusive: bool) -> Iterator[int]:
    import fcntl

    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND if exclusive else os.O_RDONLY
    file = os.open(path, flags, 0o666)
    try:
        fcntl.flock(file, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield file
    finally:
        os.close(file)  # gives the lock back
