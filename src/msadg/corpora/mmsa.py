"""MMSA's files: ``label.csv`` beside raw clips, and the feature files ``aligned_50.pkl`` and ``unaligned_50.pkl``.

Reference: Mao et al., "M-SENA", ACL 2022 demonstrations; github.com/thuiar/MMSA, README.md, section 2.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from msadg.corpora.csv_rows import read_csv
from msadg.corpora.labels import split_of_name
from msadg.corpora.published import SequenceReader, entry_told, shortest_decimal
from msadg.corpora.restricted_pickle import load_restricted
from msadg.corpora.row import Row
from msadg.errors import CorpusError, MsadgWarning
from msadg.types import Features

LABEL_COLUMNS = ("video_id", "clip_id", "text", "label", "mode")
NO_SPLIT = "train_mix"
"""In a feature file of CH-SIMS v2: the training clips once more, among clips that have no label."""
PUBLISHED_KEYS = {"text": "text", "audio": "audio", "video": "vision"}


def label_csv_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of MMSA's ``label.csv``."""
    for where, record in read_csv(path, LABEL_COLUMNS):
        yield Row(
            where=where,
            local_id=_local_id(record["video_id"].strip(), record["clip_id"].strip(), where),
            video_id=record["video_id"].strip(),
            text=record["text"],
            split=record["mode"],
            label=record["label"].strip(),
            sentiment=record.get("annotation"),
            clip_no=record["clip_id"].strip(),
        )


def pickle_rows(path: Path, sha256: str | None) -> Iterator[Row]:
    """Yield the rows of one of MMSA's feature files, split by split."""
    for split, content in _load_splits(path, sha256).items():
        columns = _columns(path, split, content, ("id", "raw_text", "regression_labels"))
        for index, (clip, text, label) in enumerate(zip(*columns, strict=True)):
            where = f"{path}, {split}, entry {index}"
            with entry_told(where):
                video_id, local_id = _ids(clip, where)
                row = Row(
                    where=where,
                    local_id=local_id,
                    video_id=video_id,
                    text=_string(text),
                    split=split,
                    label=shortest_decimal(_single(label)),
                    clip_no=_string(clip).rpartition("$_$")[2],
                )
            yield row


def pickle_features(path: Path, sha256: str | None, corpus: str, modality: str) -> Iterator[tuple[str, Features]]:
    """Yield each clip's published sequence in one modality.

    Lengths: as stated (``audio_lengths``, ``vision_lengths``); where none are, and for text, the word positions
    that ``text_bert`` marks (its row 1), to which an aligned file aligns all modalities.

    Warns:
        MsadgWarning: steps with NaN or inf, which are marked invalid.
    """
    reader = SequenceReader(path, modality)
    for split, content in _load_splits(path, sha256).items():
        key = PUBLISHED_KEYS[modality]
        marks = f"{key}_lengths" if content.get(f"{key}_lengths") is not None else "text_bert"
        if content.get(marks) is None:
            raise CorpusError(
                f"{path}, {split}: neither {key}_lengths nor text_bert, so the padding of {modality} cannot be told"
            )
        columns = _columns(path, split, content, ("id", key, marks))
        for index, (clip, sequence, mark) in enumerate(zip(*columns, strict=True)):
            where = f"{path}, {split}, entry {index}"
            with entry_told(where):
                values = np.asarray(sequence)
                if values.ndim != 2:
                    raise CorpusError(f"{where}: {modality} has shape {values.shape}; expected time x feature")
                clip_id = f"{corpus}/{split_of_name(split, where)}/{_ids(clip, where)[1]}"
                valid = (_marked if marks == "text_bert" else _within)(mark, modality, len(values), where)
                features = reader.read(clip_id, values, valid)
            yield clip_id, features
    reader.warn()


def _within(stated: Any, modality: str, num_steps: int, where: str) -> Bool[np.ndarray, " t"]:
    """Return which steps lie within the stated length."""
    length = int(_single(stated))
    if not 0 <= length <= num_steps:
        raise CorpusError(f"{where}: {modality} is said to have {length} steps but has {num_steps}")
    return np.arange(num_steps) < length


def _marked(tokens: Any, modality: str, num_steps: int, where: str) -> Bool[np.ndarray, " t"]:
    """Return which steps the tokens of the text mark as words."""
    marks = np.asarray(tokens)
    if marks.ndim != 2 or marks.shape[0] < 2 or marks.shape[1] != num_steps:
        raise CorpusError(f"{where}: text_bert has shape {marks.shape}; expected (3, {num_steps}) to mark {modality}")
    return np.asarray(marks[1] > 0)


def _load_splits(path: Path, sha256: str | None) -> dict[str, Mapping[str, Any]]:
    content = load_restricted(path, sha256)
    if not isinstance(content, dict) or not all(isinstance(part, dict) for part in content.values()):
        raise CorpusError(
            f"{path}: expected a dictionary of the splits train, valid, test; met {type(content).__name__}"
        )
    left_out = content.pop(NO_SPLIT, None)
    if left_out is not None:
        ids = left_out.get("id", ())
        number = len(ids) if isinstance(ids, list | tuple | np.ndarray) else 0
        warnings.warn(
            MsadgWarning(f"{path}: the {number} clips of {NO_SPLIT}, most without labels, are left out"), stacklevel=4
        )
    for split in content:
        split_of_name(str(split), f"{path}, key {split!r}")
    return content


def _columns(path: Path, split: str, content: Mapping[str, Any], keys: Sequence[str]) -> list[Any]:
    """Return what a split holds under these keys, of which each has to have as many entries as the first."""
    for key in keys:
        if key not in content:
            raise CorpusError(f"{path}, {split}: {key} is missing; met: {', '.join(map(str, content))}")
        is_single = not content[key].shape if isinstance(content[key], np.ndarray) else False
        if is_single or not isinstance(content[key], list | tuple | np.ndarray):
            raise CorpusError(f"{path}, {split}: {key} is one {type(content[key]).__name__}; expected one for each id")
    nums = [len(content[key]) for key in keys]
    if len(set(nums)) > 1:
        met = ", ".join(f"{num} of {key}" for num, key in zip(nums, keys, strict=True))
        raise CorpusError(f"{path}, {split}: {met}; expected as many of each")
    return [content[key] for key in keys]


def _ids(clip: Any, where: str) -> tuple[str, str]:
    video_id, separator, clip_no = _string(clip).partition("$_$")
    if not separator:
        raise CorpusError(f"{where}: id {_string(clip)!r}; expected <video id>$_$<clip number>")
    return video_id, _local_id(video_id, clip_no, where)


def _local_id(video_id: str, clip_no: str, where: str) -> str:
    if not clip_no.isdigit():
        raise CorpusError(f"{where}: clip number {clip_no!r} of video {video_id!r}; expected a whole number")
    return f"{video_id}[{int(clip_no)}]"


def _single(value: Any) -> Any:
    """Return a number that may lie alone in an array, in its own precision."""
    if isinstance(value, np.ndarray):
        (value,) = value.reshape(-1)
    if isinstance(value, str | bytes):
        raise TypeError(f"{value!r} is text; expected a number")
    return value


def _string(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
