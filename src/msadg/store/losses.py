"""The clips without features as a table for people: ``losses.csv`` in the folder of a store."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from msadg.store.atomic import remove_leftovers, write_text
from msadg.store.reader import Store
from msadg.types import Clip, Utterance

FILE_NAME = "losses.csv"
COLUMNS = ("clip", "split", "class", "stage", "reason")


def write_losses(path: Path, clips: Sequence[Clip], store: Store) -> None:
    """Write down every clip that a store has lost, in the order of the store; no file where it lost none.

    Args:
        path: folder of the store.
        clips: with their labels, where they have any; for a lost clip that is not among them the table before counts.
        store: what is in the folder now; nobody else is writing it.

    Raises:
        StoreError: the disk is full.
    """
    file = path / FILE_NAME
    remove_leftovers(file)
    if not store.losses:
        file.unlink(missing_ok=True)
        return
    labels = {**_labels_written(file), **{clip.clip_id: _labels_of(clip) for clip in clips}}
    content = io.StringIO()
    table = csv.writer(content, lineterminator="\n")
    table.writerow(COLUMNS)
    for clip_id, loss in store.losses.items():
        table.writerow([clip_id, *labels.get(clip_id, ("", "")), loss.stage, loss.reason])
    # A file name may hold bytes that are no text.
    text = content.getvalue().encode("utf-8", "backslashreplace").decode()
    if not file.exists() or file.read_bytes() != text.encode():
        write_text(file, text)


def _labels_of(clip: Clip) -> tuple[str, str]:
    return (clip.split, clip.class_name) if isinstance(clip, Utterance) else ("", "")


def _labels_written(file: Path) -> dict[str, tuple[str, str]]:
    """Split and class by clip, of an earlier table; nothing where there is none, or another one."""
    try:
        rows = list(csv.reader(file.read_text(encoding="utf-8").splitlines()))
    except (OSError, ValueError, csv.Error):
        return {}
    return {row[0]: (row[1], row[2]) for row in rows[1:] if len(row) == len(COLUMNS)}
