"""CSV as published corpora use it, read strictly: UTF-8, a header, as many fields as columns."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from msadg.errors import CorpusError

MAX_CELL = 2**31 - 1
"""Characters in a cell: Python's own limit of 131,072 is less than the words of a long talk with their times."""


def read_csv(path: Path, required: Iterable[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each row with the file and line that it begins at, in the order of the file.

    Raises:
        CorpusError: not there, not UTF-8, a column missing or doubled, a row with more or fewer fields than
            the header.
    """
    reader = _reader_of(path)
    header = _next_header(path, reader)
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


def header_of(path: Path) -> list[str]:
    """Return the columns of a CSV file.

    Raises:
        CorpusError: not there, or not CSV in UTF-8.
    """
    return _next_header(path, _reader_of(path))


def _reader_of(path: Path) -> Any:
    csv.field_size_limit(MAX_CELL)
    return csv.reader(io.StringIO(decode_utf8(path), newline=""), strict=True)


def _next_header(path: Path, reader: Any) -> list[str]:
    return [column.strip() for column in next(_records_of(path, reader), ("", []))[1]]


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


def decode_utf8(path: Path) -> str:
    """Return the text of a file; a byte order mark is no part of it.

    Raises:
        CorpusError: it is not there, or not UTF-8; names the line and the byte.
    """
    if not path.is_file():
        raise CorpusError(f"{path} is not there")
    content = path.read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content[:4]:
        raise CorpusError(f"{path}, line 1: byte 0x{content[0]:02x}: this is UTF-16, not UTF-8; save the file as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CorpusError(
            f"{path}, line {line}: byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8 (for a file "
            f"from an older Windows: iconv -f WINDOWS-1252 -t UTF-8)"
        ) from None
