"""CSV as published corpora use it, read strictly: UTF-8, a header, as many fields as columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from msadg.errors import CorpusError


def read_csv(path: Path, required: Iterable[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each row with the file and line that it begins at, in the order of the file.

    Raises:
        CorpusError: not there, not UTF-8, a column missing or doubled, a row with more or fewer fields than
            the header.
    """
    reader = csv.reader(io.StringIO(_decode(path), newline=""), strict=True)
    header = [column.strip() for column in next(_records_of(path, reader), ("", []))[1]]
    missing = [column for column in required if column not in header]
    if missing:
        raise CorpusError(f"{path}, line 1: column {', '.join(missing)} is missing; met: {', '.join(header) or 'none'}")
    doubled = sorted({column for column in header if column and header.count(column) > 1})
    if doubled:
        raise CorpusError(f"{path}, line 1: column {', '.join(doubled)} occurs more than once")
    for where, fields in _records_of(path, reader):
        if len(fields) != len(header):
            raise CorpusError(f"{where}: {len(fields)} fields, but the header has {len(header)}; is a comma unquoted?")
        yield where, dict(zip(header, fields, strict=True))


def _records_of(path: Path, reader: Any) -> Iterator[tuple[str, list[str]]]:
    """Yield the fields of each row that is not blank, with the line that it begins at."""
    while True:
        where = f"{path}, line {reader.line_num + 1}"
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise CorpusError(f"{where}: not CSV: {error}") from None
        if fields:
            yield where, fields


def _decode(path: Path) -> str:
    if not path.is_file():
        raise CorpusError(f"{path} is not there")
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CorpusError(
            f"{path}, line {line}: byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8"
        ) from None
