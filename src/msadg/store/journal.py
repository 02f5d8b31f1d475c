"""The journal of a feature store: one line a finished clip, so that a crash loses none of them.

A line is a JSON object, either of a stored clip or of a lost one:

    {"clip_id": "mosi/test/a[1]", "first": 0, "steps": 25, "input": "9f86...", "invalid": [[3, 5]]}
    {"clip_id": "mosi/test/a[2]", "stage": "values", "reason": "step 3 is NaN", "input": "60303..."}

Features are on the disk before their line is. A clip's last line counts. A last line without its line end was cut
by a crash and counts as not written.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msadg.errors import StoreError
from msadg.extraction.extractor import Loss

FILE_NAME = "journal.jsonl"


@dataclass(frozen=True, slots=True)
class Row:
    """Where the steps of a clip lie in a store."""

    first: int
    """Row of the clip's first step."""
    steps: int
    input_sha256: str
    """Hash of what was extracted from; "" where the writer gave none."""
    invalid: tuple[tuple[int, int], ...] = ()
    """Steps without an observation, as ranges (from, up to but without), counted from the clip's first step."""


@dataclass(frozen=True, slots=True)
class LostClip:
    """A clip that has no features, with the input that gave none."""

    loss: Loss
    input_sha256: str


def line_of(clip_id: str, entry: Row | LostClip) -> bytes:
    """Return the journal's line for a clip, with its line end."""
    fields: dict[str, Any] = {"clip_id": clip_id}
    if isinstance(entry, Row):
        fields |= {"first": entry.first, "steps": entry.steps, "input": entry.input_sha256}
        if entry.invalid:
            fields["invalid"] = entry.invalid
    else:
        fields |= {"stage": entry.loss.stage, "reason": entry.loss.reason, "input": entry.input_sha256}
    return json.dumps(fields).encode() + b"\n"


def read_journal(folder: Path) -> tuple[dict[str, Row | LostClip], int]:
    """Return what the journal says of each clip, and how many of its bytes are whole lines.

    Clips come in the order of their last lines.

    Raises:
        StoreError: a whole line is not what a writer writes.
    """
    path = folder / FILE_NAME
    content = path.read_bytes() if path.exists() else b""
    whole = content.rfind(b"\n") + 1
    entries: dict[str, Row | LostClip] = {}
    for number, line in enumerate(content[:whole].splitlines(), start=1):
        try:
            clip_id, entry = _parse(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{path}, line {number}: {line[:60]!r} is not a line of a journal ({error!r}); "
                f"delete {folder} and extract again"
            ) from error
        entries.pop(clip_id, None)
        entries[clip_id] = entry
    return entries, whole


def _parse(fields: dict[str, Any]) -> tuple[str, Row | LostClip]:
    if "stage" in fields:
        return fields["clip_id"], LostClip(Loss(fields["stage"], fields["reason"]), fields["input"])
    first, steps = int(fields["first"]), int(fields["steps"])
    if first < 0 or steps < 0:
        raise ValueError(f"first {first} and steps {steps} cannot be negative")
    invalid = tuple((int(start), int(stop)) for start, stop in fields.get("invalid", ()))
    return fields["clip_id"], Row(first, steps, fields["input"], invalid)
