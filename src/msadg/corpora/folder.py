"""A folder of clips without a manifest: every video or sound file in it is a clip."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from pathlib import Path

from msadg.corpora.clip_files import MEDIA_SUFFIXES, VIDEO_SUFFIXES
from msadg.corpora.csv_rows import decode_utf8
from msadg.corpora.row import UNLABELLED
from msadg.errors import CorpusError, MsadgWarning
from msadg.types import Clip

TRANSCRIPT_SUFFIX = ".txt"
SHOWN_NAMES = 3


def clips_of_folder(folder: Path, domain: str, *, apart_from: Path | None = None) -> list[Clip]:
    """Return a clip for each video in a folder and below it, and for each sound that no video of its name is beside.

    The id is ``<domain>/clip/<path from the folder, without suffix>``; clips come in the order of these paths. The
    transcript is the ``.txt`` file of the same name, where there is one. Names that begin with a dot are passed over.

    Videos that differ in their suffix only (``cut.mp4``, ``cut.mkv``; or sounds, where there is no video) are each a
    clip and keep it: ``mine/clip/cut.mp4`` and ``mine/clip/cut.mkv``. ``cut.mp4.txt`` is the transcript of the one
    alone, ``cut.txt`` that of both.

    Args:
        folder: where to look.
        domain: first part of the ids.
        apart_from: a folder below that is left alone: the one that stores are written to.

    Raises:
        CorpusError: no clip in it, two clips of one id, a transcript that is not UTF-8, or a name that is not.

    Warns:
        MsadgWarning: counts the files that are no clip and belong to none, and names transcripts among them; or
            counts the clips that have the suffix in their id.
    """
    files = sorted(_visible_files(folder, apart_from), key=lambda file: file.relative_to(folder).parts)
    by_stem: dict[Path, list[Path]] = {}
    for file in files:
        if file.suffix.lower() in MEDIA_SUFFIXES:
            by_stem.setdefault(file.with_suffix(""), []).append(file)
    names = _names_of_clips(by_stem)
    if not names:
        raise CorpusError(
            f"{folder}: no clip in it or below; looked for {', '.join(MEDIA_SUFFIXES)}, and for a manifest "
            f"(manifest.csv, clips.csv, label.csv)"
        )
    transcripts = {file for file in files if file.suffix.lower() == TRANSCRIPT_SUFFIX}
    text_of = {file: _transcript_of(file, name, transcripts) for file, name in names.items()}
    clips = [_clip_of(folder, domain, name, file, text_of[file]) for file, name in names.items()]
    used = {*names, *text_of.values()}
    _warn_of_suffixes([file for file, name in names.items() if name == file], folder)
    _warn_of_others([file for file in files if file not in used], folder)
    return clips


def _names_of_clips(by_stem: Mapping[Path, list[Path]]) -> dict[Path, Path]:
    """Return the files that are clips, each with the path that becomes its id: with suffix where it needs one."""
    names: dict[Path, Path] = {}
    for stem, alike in by_stem.items():
        chosen = [file for file in alike if file.suffix.lower() in VIDEO_SUFFIXES] or alike
        names |= {file: file if len(chosen) > 1 else stem for file in chosen}
    first: dict[Path, Path] = {}
    for file, name in names.items():
        if first.setdefault(name, file) != file:
            raise CorpusError(f"{first[name]} and {file.name} would be one clip, {name.name}; rename one of them")
    return names


def _transcript_of(file: Path, name: Path, transcripts: set[Path]) -> Path | None:
    suffixes = (TRANSCRIPT_SUFFIX, TRANSCRIPT_SUFFIX.upper())
    beside = (stem.with_name(stem.name + suffix) for stem in (name, file.with_suffix("")) for suffix in suffixes)
    return next((text for text in beside if text in transcripts), None)


def _visible_files(folder: Path, apart_from: Path | None) -> Iterator[Path]:
    left_alone = apart_from.resolve() if apart_from is not None else None
    for top, folders, names in os.walk(folder):
        here = Path(top)
        folders[:] = [f for f in folders if not f.startswith(".") and (here / f).resolve() != left_alone]
        yield from (here / name for name in names if not name.startswith("."))


def _clip_of(folder: Path, domain: str, name: Path, path: Path, transcript: Path | None) -> Clip:
    local_id = name.relative_to(folder).as_posix()
    try:
        local_id.encode("utf-8")
    except UnicodeEncodeError:
        raise CorpusError(f"{str(path)!a}: the name of this file is not UTF-8; rename it") from None
    return Clip(
        clip_id=f"{domain}/{UNLABELLED}/{local_id}",
        text=decode_utf8(transcript).strip() if transcript is not None else "",
        clip_path=str(path),
    )


def _warn_of_suffixes(alike: Collection[Path], folder: Path) -> None:
    if alike:
        message = f"{folder}: {len(alike)} clips differ from another in their suffix only and keep it in their ids"
        warnings.warn(MsadgWarning(f"{message} ({_some_of(alike, folder)})"), stacklevel=3)


def _warn_of_others(others: Collection[Path], folder: Path) -> None:
    texts = [file for file in others if file.suffix.lower() == TRANSCRIPT_SUFFIX]
    if others:
        message = f"{folder}: {len(others)} files are no clips and were left out ({_some_of(others, folder)})"
        orphans = f"; no clip has the name of the transcripts {_some_of(texts, folder)}" if texts else ""
        warnings.warn(MsadgWarning(message + orphans), stacklevel=3)


def _some_of(files: Collection[Path], folder: Path) -> str:
    named = [repr(str(file.relative_to(folder))) for file in islice(files, SHOWN_NAMES)]
    rest = f" and {len(files) - SHOWN_NAMES} more" if len(files) > SHOWN_NAMES else ""
    return ", ".join(named) + rest
