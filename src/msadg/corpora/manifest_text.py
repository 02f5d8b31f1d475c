"""Clips as a manifest that ``ManifestCorpus`` reads back: the same utterances, whatever layout they came from."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable

from msadg.corpora.row import UNLABELLED
from msadg.types import Clip, Utterance

COLUMNS = (
    "clip_id", "video_id", "text", "label", "sentiment", "split", "start_s", "end_s", "clip_path", "speaker", "words",
)  # fmt: skip


def manifest_text(clips: Iterable[Clip]) -> str:
    """Return the manifest of some clips of one domain as CSV.

    ``clip_id`` is without the domain and the split; a domain's name and ``read_clips`` or ``ManifestCorpus`` make it
    whole again. Paths are absolute. A polarity is written as ``label``, and a class as ``sentiment`` only where there
    is no polarity, so that a file holds for both readings. Lines end as RFC 4180 wants, which lets a transcript hold
    line ends of any kind.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, restval="")
    writer.writeheader()
    writer.writerows(map(_record_of, clips))
    return text.getvalue()


def _record_of(clip: Clip) -> dict[str, str]:
    _, split, local_id = clip.clip_id.split("/", 2)
    record = {
        "clip_id": local_id,
        "text": clip.text,
        "split": "" if split == UNLABELLED else split,
        "start_s": _number(clip.start_seconds),
        "end_s": _number(clip.end_seconds),
        "clip_path": os.path.abspath(clip.clip_path) if clip.clip_path else "",  # noqa: PTH100 (no link is followed)
        "words": words_text(clip) if clip.words else "",
    }
    if isinstance(clip, Utterance):
        has_polarity = clip.polarity is not None
        record |= {
            "video_id": clip.video_id,
            "label": _number(clip.polarity),
            "sentiment": "" if has_polarity else clip.class_name,
            "speaker": clip.speaker or "",
        }
    return record


def words_text(clip: Clip) -> str:
    """Return a clip's words as JSON: a list of [word, start, end], in seconds of the clip's file."""
    return json.dumps([[w.text, w.start_seconds, w.end_seconds] for w in clip.words], ensure_ascii=False)


def _number(value: float | None) -> str:
    return "" if value is None else repr(float(value))
