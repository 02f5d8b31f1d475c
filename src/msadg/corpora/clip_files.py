"""Where the clips of a corpus lie below its folder, when its tables do not say.

A clip is a file of its own (and then its times, which are those in the source, mean nothing), or a stretch of a full
video, found by its times. Known layouts, tried in this order:

    dia0_utt0.mp4                         MELD, in the folder of its split (``train_splits/`` ...), see ``meld_names``
    Raw/<video>/<n>.mp4                   MMSA
    Raw/Video/Segmented/<video>_<n>.mp4   the SDK's raw files of MOSI; ``Raw/Videos/Segmented/Combined/`` of MOSEI
    <clip id>.mp4, <video>[<n>].mp4       flat, here or in ``clips/``
    Raw/Video/Full/<video>.mp4            full videos; also ``Raw/Videos/Full/Combined/``, ``videos/``, here

Any known suffix will do. Files that begin with a dot are no clips: archives made on a Mac are full of
``._dia0_utt0.mp4``.
"""

from __future__ import annotations

import os
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from msadg.corpora.labels import SPLIT_NAMES
from msadg.corpora.row import Row
from msadg.errors import MsadgWarning
from msadg.types import Word

VIDEO_SUFFIXES = (".mp4", ".mkv", ".webm", ".mov", ".m4v", ".avi", ".mpg", ".mpeg", ".ts", ".flv", ".wmv", ".3gp")
SOUND_SUFFIXES = (".wav", ".flac", ".mp3", ".m4a", ".ogg", ".opus", ".aac")
MEDIA_SUFFIXES = VIDEO_SUFFIXES + SOUND_SUFFIXES
"""Most preferred first, where two files differ in nothing else."""

SEGMENTED = ("Raw/Video/Segmented", "Raw/Videos/Segmented/Combined", "Raw/Videos/Segmented")
FULL = ("Raw/Video/Full", "Raw/Videos/Full/Combined", "Raw/Videos/Full", "videos", "clips", "")
FLAT = ("", "clips")

MELD_FOLDERS = {
    "train": ("train_splits", "clips/train"),
    "dev": ("dev_splits_complete", "dev_splits", "clips/dev"),
    "test": ("output_repeated_splits_test", "test_splits", "clips/test"),
}
"""Where MELD's clips of a split lie: as the archives unpack (perhaps in ``MELD.Raw/``), or sorted by hand."""
MELD_ID = re.compile(r"(?:.*[_/])?dia(\d+)_utt(\d+)")
MELD_FILE = re.compile(r"(?:final_videos_test)?dia(\d+)_utt(\d+)")


class MediaFolders:
    """The media files below a folder; each folder is listed once, when first asked for."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._listed: dict[str, dict[str, str]] = {}
        self._has: dict[str, bool] = {"": True}

    def find(self, names: Iterable[str]) -> str | None:
        """Return the path of the first file that is there; names go from the root, without suffix."""
        for name in names:
            folder, _, stem = name.rpartition("/")
            if not self.has(folder.partition("/")[0]):
                continue
            found = self._files(folder).get(_composed(stem))
            if found is not None:
                return os.path.join(self.root, folder, found)  # noqa: PTH118 (a Path for each is slow)
        return None

    def is_bare(self) -> bool:
        """Whether there is nothing to look for: no media file in the root, and no folder."""
        try:
            with os.scandir(self.root) as entries:
                return not any(entry.is_dir() for entry in entries) and not self._files("")
        except OSError:
            return True

    def has(self, folder: str) -> bool:
        """Whether there is such a folder."""
        if folder not in self._has:
            self._has[folder] = (self.root / folder).is_dir()
        return self._has[folder]

    def _files(self, folder: str) -> dict[str, str]:
        if folder not in self._listed:
            self._listed[folder] = _media_of(self.root / folder)
        return self._listed[folder]


def _media_of(folder: Path) -> dict[str, str]:
    """Return the media files of a folder by their names without suffix; {} where there is no such folder."""
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208
    except OSError:
        return {}
    ranked: dict[str, tuple[int, str]] = {}
    for name in names:
        stem, suffix = os.path.splitext(name)  # noqa: PTH122
        if suffix.lower() in MEDIA_SUFFIXES and not name.startswith("."):
            rank = (MEDIA_SUFFIXES.index(suffix.lower()), name)
            stem = _composed(stem)
            ranked[stem] = min(rank, ranked.get(stem, rank))
    return {stem: name for stem, (_, name) in ranked.items()}


def _composed(name: str) -> str:
    """A Mac writes an accented letter as two characters, a manifest mostly as one."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def clip_names(row: Row) -> list[str]:
    """Return the names under which a clip can be a file of its own, without suffix."""
    number = row.clip_no or _number_of(row)
    # label.csv may write 0002 where the file has 2, or the other way round.
    numbers = list(dict.fromkeys((number, number.lstrip("0") or "0"))) if number else []
    names = meld_names(row, SPLIT_NAMES.get(row.split.strip().lower(), ""))
    names += [f"Raw/{row.video_id}/{n}" for n in numbers]
    names += [f"{folder}/{row.video_id}_{n}" for folder in SEGMENTED for n in numbers]
    for folder in FLAT:
        start = f"{folder}/" if folder else ""
        names.append(start + row.local_id)
        names += [f"{start}{row.video_id}{name}" for n in numbers for name in (f"[{n}]", f"_{n}", f"/{n}")]
    return names


def _number_of(row: Row) -> str:
    rest = row.local_id.removeprefix(row.video_id).strip("$_[]")
    return rest if rest.isdigit() and row.local_id.startswith(row.video_id) else ""


def video_names(row: Row) -> list[str]:
    """Return the names under which the full video of a clip can lie, without suffix."""
    return [f"{folder}/{row.video_id}" if folder else row.video_id for folder in FULL]


def meld_names(row: Row, split: str) -> list[str]:
    """Return the names under which a clip of MELD can lie, without suffix; none for an id that is not MELD's."""
    numbers = MELD_ID.fullmatch(row.local_id)
    if not numbers:
        return []
    name = "dia{}_utt{}".format(*numbers.groups())
    # Some test clips are there twice, and of these two it is final_videos_test... that fits its transcript.
    stems = (f"final_videos_test{name}", name) if split == "test" else (name,)
    folders = MELD_FOLDERS.get(split, ())
    return [f"{top}{folder}/{stem}" for top in ("", "MELD.Raw/") for folder in folders for stem in stems]


def located(row: Row, media: MediaFolders, own: Sequence[str], full: Sequence[str] = ()) -> Row:
    """Return the row with the file of its clip, where there is one; a row that names its file stays as it is."""
    if row.clip_path is not None:
        return row
    path = media.find(own)
    if path is not None:
        return as_own_file(replace(row, clip_path=path))
    path = media.find(full) if row.end_seconds is not None else None
    return row if path is None else replace(row, clip_path=path)


def as_own_file(row: Row) -> Row:
    """Return the row of a clip that is a file of its own: without times; words count from its beginning."""
    start = row.start_seconds or 0.0
    words = tuple(Word(w.text, w.start_seconds - start, w.end_seconds - start) for w in row.words)
    return replace(row, start_seconds=None, end_seconds=None, words=words)


def with_clip_files(
    rows: Iterable[Row], root: Path, table: str, *, expected_in: Sequence[str] = ("Raw", "clips")
) -> Iterator[Row]:
    """Yield the rows with the files of their clips, in any layout but MELD's own.

    Warns:
        MsadgWarning: some clips are not there, although one of the folders ``expected_in`` is, or others are.
    """
    media = MediaFolders(root)
    if media.is_bare():  # the files of the clips are elsewhere, as for most who read text only
        return iter(rows)
    return _counted(
        rows,
        lambda row: located(row, media, clip_names(row), video_names(row)),
        is_expected=any(map(media.has, expected_in)),
        told=f"{root}: {{}} clips of {table} are not there",
    )


def _counted(rows: Iterable[Row], locate: Callable[[Row], Row], *, is_expected: bool, told: str) -> Iterator[Row]:
    num_missing = num_found = 0
    for row in rows:
        found = locate(row)
        num_missing += found.clip_path is None
        num_found += found.clip_path is not None and row.clip_path is None
        yield found
    if num_missing and (is_expected or num_found):
        warnings.warn(MsadgWarning(told.format(num_missing)), stacklevel=2)


def with_meld_files(rows: Iterable[Row], root: Path) -> Iterator[Row]:
    """Yield the rows of MELD with the files of their clips, where they are there.

    Warns:
        MsadgWarning: the folder of a split is there, but some of its clips are not.
    """
    media = MediaFolders(root)
    missing: dict[str, int] = {}
    for row in rows:
        if row.clip_path is not None and MELD_FILE.fullmatch(PurePosixPath(row.clip_path).stem):
            yield as_own_file(row)
            continue
        found = located(row, media, meld_names(row, row.split))
        missing[row.split] = missing.get(row.split, 0) + (found.clip_path is None)
        yield found
    for split, num_missing in missing.items():
        folders = [f"{top}{name}" for top in ("", "MELD.Raw/") for name in MELD_FOLDERS.get(split, ())]
        folder = next(filter(media.has, folders), None)
        if folder is not None and num_missing:
            message = f"{root / folder}: {num_missing} clips of split {split} are not there"
            warnings.warn(MsadgWarning(message), stacklevel=2)
