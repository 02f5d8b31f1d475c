"""A folder of clips without a manifest: every video or sound file in it is a clip."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

from msadg.corpora.clip_files import MEDIA_SUFFIXES, VIDEO_SUFFIXES
from msadg.corpora.csv_rows import decode_utf8
from msadg.corpora.row import UNLABELLED
from msadg.errors import CorpusError, MsadgWarning
from msadg.types import Clip

TRANSCRIPT_SUFFIX = ".txt"


def clips_of_folder(folder: Path, domain: str, *, apart_from: Path | None = None) -> list[Clip]:
    """Return a clip for each video in a folder and below it, and for each sound that no video of its name is beside.

    The id is ``<domain>/clip/<path from the folder, without suffix>``; clips come in the order of these paths. The
    transcript is the ``.txt`` file of the same name, where there is one. Names that begin with a dot are passed over.

    Args:
        folder: where to look.
        domain: first part of the ids.
        apart_from: a folder below that is left alone: the one that stores are written to.

    Raises:
        CorpusError: no clip in it, two videos that differ in their suffix only, a transcript that is not UTF-8, or a
            name that is not.

    Warns:
        MsadgWarning: counts the files that are no clip and belong to none.
    """
    files = sorted(_visible_files(folder, apart_from), key=lambda file: file.relative_to(folder).parts)
    by_stem: dict[Path, list[Path]] = {}
    for file in files:
        if file.suffix.lower() in MEDIA_SUFFIXES:
            by_stem.setdefault(file.with_suffix(""), []).append(file)
    chosen = {stem: _one_of(alike) for stem, alike in by_stem.items()}
    if not chosen:
        raise CorpusError(
            f"{folder}: no clip in it or below; looked for {', '.join(MEDIA_SUFFIXES)}, and for a manifest "
            f"(manifest.csv, clips.csv, label.csv)"
        )
    texts = {file for file in files if file.suffix.lower() == TRANSCRIPT_SUFFIX and file.with_suffix("") in chosen}
    clips = [_clip_of(folder, domain, stem, path, texts) for stem, path in chosen.items()]
    _warn_of_others([file for file in files if file not in texts and file not in chosen.values()], folder)
    return clips


def _visible_files(folder: Path, apart_from: Path | None) -> Iterator[Path]:
    left_alone = apart_from.resolve() if apart_from is not None else None
    for top, folders, names in os.walk(folder):
        here = Path(top)
        folders[:] = [f for f in folders if not f.startswith(".") and (here / f).resolve() != left_alone]
        yield from (here / name for name in names if not name.startswith("."))


def _one_of(alike: list[Path]) -> Path:
    """Of files that differ in suffix only, the one video; or the one sound where there is no video."""
    videos = [file for file in alike if file.suffix.lower() in VIDEO_SUFFIXES]
    first, *others = videos or alike
    if others:
        raise CorpusError(
            f"{first} and {others[0].name} would be one clip; rename or move one of them, or write a manifest"
        )
    return first


def _clip_of(folder: Path, domain: str, stem: Path, path: Path, texts: set[Path]) -> Clip:
    local_id = stem.relative_to(folder).as_posix()
    try:
        local_id.encode("utf-8")
    except UnicodeEncodeError:
        raise CorpusError(f"{str(path)!a}: the name of this file is not UTF-8; rename it") from None
    transcript = next((stem.with_name(stem.name + suffix) for suffix in (".txt", ".TXT")
                       if stem.with_name(stem.name + suffix) in texts), None)  # fmt: skip
    return Clip(
        clip_id=f"{domain}/{UNLABELLED}/{local_id}",
        text=decode_utf8(transcript).strip() if transcript is not None else "",
        clip_path=str(path),
    )


def _warn_of_others(others: list[Path], folder: Path) -> None:
    if others:
        first = others[0].relative_to(folder)
        message = f"{folder}: {len(others)} files are no clips and were left out (first: {str(first)!r})"
        warnings.warn(MsadgWarning(message), stacklevel=3)
