"""CMU-MultimodalSDK files: HDF5, one computational sequence each, ``<name>/data/<video id>/{features,intervals}``.

The SDK keeps the standard folds of videos in its code, so they have to lie beside as ``splits.json``:
``{"train": [video ids], "dev": [...], "test": [...]}``. It numbers the clips of a video by their place in the label
file, which is not the corpus's own number (MOSEI leaves numbers out, MOSI has some out of order); that number comes
from a ``clips.csv`` beside (``video_id, clip_no, start_s, end_s``), by time. Without one, the SDK's place is the id.

Reference: Zadeh et al., "Multi-attention Recurrent Network for Human Communication Comprehension", AAAI 2018.
"""

from __future__ import annotations

import json
import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from msadg.corpora.csv_rows import read_csv
from msadg.corpora.labels import split_of_name
from msadg.corpora.published import SequenceReader, entry_told, shortest_decimal
from msadg.corpora.row import Row, seconds_of
from msadg.errors import CorpusError, MsadgWarning
from msadg.types import Features, Split, Word

SAME_TIME_SECONDS = 0.05
SEQUENCE_PATTERNS = {
    "text": ("*TimestampedWordVectors*.csd", "*TimestampedGloveVectors*.csd", "*TimestampedBERT*.csd"),
    "audio": ("*COVAREP*.csd", "*[oO]pen[sS][mM][iI][lL][eE]*.csd"),
    "video": ("*Facet*.csd", "*FACET*.csd", "*OpenFace*.csd"),
}
PAUSE = "sp"


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """One labelled interval of a video."""

    video_id: str
    local_id: str
    split: Split
    start_seconds: float
    end_seconds: float
    polarity: float
    where: str


def csd_rows(labels: Path) -> Iterator[Row]:
    """Yield the labelled segments, with the words that start inside each (without pauses)."""
    words_path = _one_file(labels.parent, ("*TimestampedWords.csd",), "words", None)
    segments = read_segments(labels)
    with open_sequence(words_path) as words:
        for segment in segments:
            with entry_told(f"{words_path}, {segment.video_id}"):
                spoken = [word for word in _words_inside(words, words_path, segment) if word.text != PAUSE]
            yield Row(
                where=segment.where,
                local_id=segment.local_id,
                video_id=segment.video_id,
                text=" ".join(word.text for word in spoken),
                words=tuple(spoken),
                split=segment.split,
                label=segment.polarity,
                start_seconds=segment.start_seconds,
                end_seconds=segment.end_seconds,
            )


def csd_features(labels: Path, corpus: str, modality: str, source: str | None) -> Iterator[tuple[str, Features]]:
    """Yield for each segment the steps of one modality that start inside it.

    Warns:
        MsadgWarning: steps with NaN or inf, which are marked invalid.
    """
    path = _one_file(labels.parent, SEQUENCE_PATTERNS[modality], modality, source)
    reader = SequenceReader(path, modality)
    segments = read_segments(labels)
    with open_sequence(path) as data:
        for segment in segments:
            _, values = _inside(data, path, segment)
            clip_id = f"{corpus}/{segment.split}/{segment.local_id}"
            yield clip_id, reader.read(clip_id, values, np.ones(len(values), dtype=bool))
    reader.warn()


def read_segments(labels: Path) -> list[Segment]:
    """Read the label file: its segments in the order of the file, those of videos in a fold.

    Warns:
        MsadgWarning: videos in no fold, segments that ``clips.csv`` does not know, or no ``clips.csv``.
    """
    split_of = _read_splits(labels.parent / "splits.json")
    numbers = _read_numbers(labels.parent / "clips.csv")
    segments: list[Segment] = []
    no_fold, no_number = set(), 0
    with open_sequence(labels) as data:
        for video_id in data:
            if video_id not in split_of:
                no_fold.add(video_id)
                continue
            intervals, features = read_steps(data, labels, video_id)
            for place, ((start, end), label) in enumerate(zip(intervals, features, strict=True)):
                number = f"sdk{place}" if numbers is None else _take_number(numbers[video_id], start, end)
                if number is None:
                    no_number += 1
                    continue
                where = f"{labels}, {video_id}, segment {place}"
                with entry_told(where):
                    segment = Segment(
                        video_id=video_id,
                        local_id=f"{video_id}[{number}]",
                        split=split_of[video_id],
                        start_seconds=shortest_decimal(start),
                        end_seconds=shortest_decimal(end),
                        polarity=shortest_decimal(label[0]),
                        where=where,
                    )
                segments.append(segment)
    _warn_of_gaps(labels, len(no_fold), no_number, has_numbers=numbers is not None)
    return segments


def _warn_of_gaps(labels: Path, num_no_fold: int, num_no_number: int, *, has_numbers: bool) -> None:
    found = []
    if num_no_fold:
        found.append(f"{num_no_fold} videos are in no fold of splits.json and are left out")
    if num_no_number:
        found.append(f"{num_no_number} segments are not in clips.csv and are left out")
    if not has_numbers:
        found.append(
            "no clips.csv beside, so clips are named by their place in this file (<video>[sdk0]); these ids are not "
            "those of other layouts"
        )
    if found:
        warnings.warn(MsadgWarning(f"{labels}: {'; '.join(found)}"), stacklevel=3)


def _read_splits(path: Path) -> dict[str, Split]:
    if not path.is_file():
        raise CorpusError(
            f"{path} is not there: .csd files do not say which video is in which split. Write the SDK's standard folds "
            f'to it: {{"train": [video ids], "dev": [...], "test": [...]}}'
        )
    try:
        folds = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CorpusError(f"{path}: not JSON: {error}") from None
    if not isinstance(folds, dict) or not all(isinstance(videos, list) for videos in folds.values()):
        raise CorpusError(f"{path}: expected an object with a list of video ids for train, dev and test")
    split_of: dict[str, Split] = {}
    for name, videos in folds.items():
        split = split_of_name(name, str(path))
        for video_id in map(str, videos):
            if split_of.setdefault(video_id, split) != split:
                raise CorpusError(f"{path}: video {video_id!r} is in {split} and in {split_of[video_id]}")
    return split_of


Numbered = tuple[float, float, int]


def _read_numbers(path: Path) -> defaultdict[str, list[Numbered]] | None:
    if not path.is_file():
        return None
    numbers: defaultdict[str, list[Numbered]] = defaultdict(list)
    for where, record in read_csv(path, ("video_id", "clip_no", "start_s", "end_s")):
        start, end = (seconds_of(record[column], where) for column in ("start_s", "end_s"))
        if start is None or end is None or not record["clip_no"].strip().isdigit():
            raise CorpusError(f"{where}: start_s, end_s and a whole clip_no are needed to number .csd segments")
        numbers[record["video_id"]].append((start, end, int(record["clip_no"])))
    return numbers


def _take_number(unused: list[Numbered], start: float, end: float) -> int | None:
    """Take the number of the clip at this time; of two at one time, the first for the first segment."""
    distances = [max(abs(start - at), abs(end - until)) for at, until, _ in unused]
    nearest = int(np.argmin(distances)) if distances else 0
    if not distances or distances[nearest] > SAME_TIME_SECONDS:
        return None
    return unused.pop(nearest)[2]


@contextmanager
def open_sequence(path: Path) -> Iterator[Any]:
    """Open a file and give its ``data`` group.

    Raises:
        CorpusError: not HDF5, or not one computational sequence.
    """
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise CorpusError(f"{path}: not an HDF5 file that can be read: {error}") from None
    with file:
        names = list(file)
        if len(names) != 1 or "data" not in file[names[0]]:
            raise CorpusError(f"{path}: expected one computational sequence with a group data; met {names}")
        yield file[names[0]]["data"]


def read_steps(data: Any, path: Path, video_id: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the intervals (start and end in seconds) and the features of a video's steps.

    Raises:
        CorpusError: they cannot be read, or do not fit each other.
    """
    with entry_told(f"{path}, {video_id}"):
        group = data[video_id]
        if "features" not in group or "intervals" not in group:
            raise CorpusError(f"{path}, {video_id}: expected features and intervals; met {', '.join(group)}")
        intervals, features = np.asarray(group["intervals"]), np.asarray(group["features"])
    is_narrow = features.ndim != 2 or (len(features) > 0 and not features.shape[1])
    if is_narrow or intervals.shape != (len(features), 2) or intervals.dtype.kind not in "fiu":
        raise CorpusError(
            f"{path}, {video_id}: features {features.shape} and intervals {intervals.shape}; expected (steps, width) "
            f"and (steps, 2), in numbers"
        )
    return intervals, features


def _inside(data: Any, path: Path, segment: Segment) -> tuple[np.ndarray, np.ndarray]:
    """Return times and values of the steps that start inside a segment; none where the video is not in the file."""
    if segment.video_id not in data:
        return np.zeros((0, 2)), np.zeros((0, 1), dtype=np.float32)
    intervals, features = read_steps(data, path, segment.video_id)
    inside = (intervals[:, 0] >= segment.start_seconds) & (intervals[:, 0] < segment.end_seconds)
    return intervals[inside], np.asarray(features[inside])


def _words_inside(data: Any, path: Path, segment: Segment) -> Iterator[Word]:
    for (start, end), spoken in zip(*_inside(data, path, segment), strict=True):
        text = spoken[0].decode("utf-8") if isinstance(spoken[0], bytes) else str(spoken[0])
        yield Word(text, shortest_decimal(start), shortest_decimal(end))


def _one_file(folder: Path, patterns: tuple[str, ...], what: str, source: str | None) -> Path:
    found = sorted({file for pattern in patterns for file in folder.glob(pattern)})
    if source is not None:
        found = [folder / source] if (folder / source).is_file() else []
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise CorpusError(f"{folder}: {what} needs one of {', '.join(patterns)}; met {names}. Name one with source=")
    return found[0]
