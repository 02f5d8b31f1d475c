"""One clip of a store with all that can be shown of it: steps, pictures, sound, transcript."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from msadg.corpora.manifest import read_clips
from msadg.errors import MediaError, UsageError
from msadg.extraction.extractor import Loss
from msadg.extraction.media.decode import MediaInfo, frames_at, probe
from msadg.extraction.media.sound import Sound, read_sound
from msadg.store import Store
from msadg.types import FACE_MARKS, Clip

FRAMES = 24
MANIFEST = "manifest.csv"
"""Beside the stores of a domain: what their clips are and where they lie."""


@dataclass(frozen=True, slots=True)
class ShownFrame:
    """A picture of a clip."""

    seconds: float
    step: int | None
    """Which step it was sampled for; None where the steps have no times."""
    image: UInt8[np.ndarray, "height width 3"] | None
    """None where it could not be decoded."""


@dataclass(frozen=True, kw_only=True)
class InspectedClip:
    """What there is to show of a clip."""

    clip: Clip
    store: str
    """What made the steps: ``video-hog (version 1)``."""
    modality: str
    valid: Bool[np.ndarray, " time"]
    marks: Float[np.ndarray, "time 8"]
    """FACE_MARKS; NaN for what the store does not know."""
    loss: Loss | None = None
    """Why it has no steps."""
    kept: Bool[np.ndarray, " time"] | None = None
    """Frames that a run's method kept; None where no run was asked."""
    frames: tuple[ShownFrame, ...] = ()
    sound: Sound | None = None
    notes: tuple[str, ...] = ()
    """What could not be shown, and why."""

    @property
    def is_timed(self) -> bool:
        """Whether every step has a start and an end."""
        return len(self.marks) > 0 and bool(np.isfinite(self.marks[:, :2]).all())

    def mark(self, name: str) -> Float[np.ndarray, " time"]:
        """Return one of the marks of every step."""
        return self.marks[:, FACE_MARKS.index(name)]


def find_clip_id(store: Store, text: str) -> str:
    """Return the clip that a full id, a local id or a part of one means, lost clips included.

    Raises:
        UsageError: it means none, or more than one.
    """
    known = [*store.clip_ids, *store.losses]
    if text in known:
        return text
    for is_meant in (
        lambda clip_id: clip_id.split("/", 2)[-1] == text,
        lambda clip_id: text.lower() in clip_id.lower(),
    ):
        found = [clip_id for clip_id in known if is_meant(clip_id)]
        if len(found) == 1:
            return found[0]
        if found:
            more = f" and {len(found) - 5} more" if len(found) > 5 else ""
            raise UsageError(f"{text!r} may be {', '.join(found[:5])}{more} in {store.path}; say which")
    locals_ = {clip_id.split("/", 2)[-1]: clip_id for clip_id in known}
    near = difflib.get_close_matches(text.split("/", 2)[-1], locals_, n=3, cutoff=0.3) or list(locals_)[:3]
    raise UsageError(
        f"{store.path} has no clip {text!r} among its {len(known):,}; "
        f"{'nearest: ' + ', '.join(locals_[name] for name in near) if near else 'it is empty'}"
    )


def clip_of(store: Store, clip_id: str) -> Clip | None:
    """Return what the manifest beside the store says of a clip; None where there is none, or not of this clip.

    Raises:
        CorpusError: the manifest cannot be read.
    """
    path = store.path.resolve().parent / MANIFEST
    if not path.is_file():
        return None
    clips = {clip.clip_id: clip for clip in read_clips(path, path.parent.name)}
    local = [clip for clip in clips.values() if clip.clip_id.split("/", 2)[-1] == clip_id.split("/", 2)[-1]]
    return clips.get(clip_id) or (local[0] if len(local) == 1 else None)


def inspect_clip(
    store: Store,
    clip_id: str,
    *,
    file: str | Path | None = None,
    frames: int = FRAMES,
    kept: Bool[np.ndarray, " time"] | None = None,
) -> InspectedClip:
    """Gather what there is to show of a clip.

    Args:
        store: that has its features, or lost it.
        clip_id: as ``find_clip_id`` returns it.
        file: the clip's video or sound, if it is not where the manifest says.
        frames: at most so many pictures, evenly over the clip.
        kept: which steps a method kept.

    Raises:
        MediaError: the file is missing or is no medium at all. What else is wrong with it becomes a note.
        UsageError: fewer than one frame.
        StoreError: the store has no such clip.
    """
    if frames < 1:
        raise UsageError(f"{frames} frames; expected 1 or more")
    known, notes = clip_of(store, clip_id), []
    clip = replace(known, clip_id=clip_id) if known else Clip(clip_id=clip_id)
    if known is None:
        notes.append(f"no transcript and no times: {store.path.parent / MANIFEST} does not tell of this clip")
    if file is not None:
        clip = replace(clip, clip_path=str(file))
    shown = replace(_steps_of(store, clip), kept=kept)
    if clip.clip_path is None:
        return replace(
            shown, notes=(*notes, "no pictures and no sound: its file is not known; name it with --clip FILE")
        )
    info = _probed(clip.clip_path)
    if shown.modality == "video" and info.has_video:
        pictures, told = _pictures(shown, frames, info.duration_seconds)
        shown, notes = replace(shown, frames=pictures), [*notes, *told]
    try:
        sound = read_sound(clip.clip_path, start_seconds=clip.start_seconds, end_seconds=clip.end_seconds)
        shown = replace(shown, sound=sound)
    except MediaError as error:
        notes.append(f"no sound: {error.reason}")
    return replace(shown, notes=tuple(notes))


def _probed(path: str) -> MediaInfo:
    try:
        return probe(path)
    except MediaError as error:
        raise MediaError(error.stage, f"{error.reason}; if the file moved, name it with --clip FILE") from None


def _steps_of(store: Store, clip: Clip) -> InspectedClip:
    manifest = store.manifest
    title = f"{manifest.extractor} (version {manifest.version}), {manifest.dim} features a step"
    loss = store.losses.get(clip.clip_id)
    if loss is not None:
        empty = np.zeros((0, len(FACE_MARKS)))
        return InspectedClip(
            clip=clip, store=title, modality=manifest.modality, valid=np.zeros(0, bool), marks=empty, loss=loss
        )
    features = store.features(clip.clip_id)
    marks = np.full((len(features.valid), len(FACE_MARKS)), np.nan)
    for column, name in enumerate(manifest.marks):
        if name in FACE_MARKS and features.marks is not None:
            marks[:, FACE_MARKS.index(name)] = features.marks[:, column]
    return InspectedClip(clip=clip, store=title, modality=manifest.modality, valid=features.valid, marks=marks)


def _pictures(
    shown: InspectedClip, frames: int, duration_seconds: float | None
) -> tuple[tuple[ShownFrame, ...], list[str]]:
    """Decode some frames, evenly over the steps, or over the clip where the steps have no times."""
    clip, path = shown.clip, str(shown.clip.clip_path)
    if shown.is_timed:
        steps = evenly(len(shown.valid), frames)
        return _decoded(path, shown.mark("start_seconds")[steps].tolist(), steps.tolist())
    start = max(clip.start_seconds or 0.0, 0.0)
    end = clip.end_seconds if clip.end_seconds is not None else duration_seconds
    if end is None or end <= start:
        return (), ["no pictures: neither the steps nor the file say when it was"]
    return _decoded(path, (start + (np.arange(frames) + 0.5) * (end - start) / frames).tolist(), None)


def _decoded(
    path: str, times: Sequence[float], steps: Sequence[int] | None
) -> tuple[tuple[ShownFrame, ...], list[str]]:
    """Decode the pictures shown at some moments; one by one where not all of them can be had."""
    images: list[np.ndarray | None]
    notes = []
    try:
        images = [frame.image for frame in frames_at(path, times)]
    except MediaError:
        tried = [_picture_at(path, at) for at in times]
        images = [None if isinstance(image, MediaError) else image for image in tried]
        failed = [image for image in tried if isinstance(image, MediaError)]
        # Without steps, the moments are spread over the file, whose sound may go on after its pictures.
        failed = [error for error in failed if steps is not None or error.stage != "time"]
        if failed:
            notes.append(f"{len(failed)} of {len(times)} pictures are missing: {failed[0].reason}")
    if steps is None:
        shown = [ShownFrame(at, None, image) for at, image in zip(times, images, strict=True) if image is not None]
    else:
        shown = [ShownFrame(at, step, image) for at, step, image in zip(times, steps, images, strict=True)]
    return tuple(shown), notes


def _picture_at(path: str, seconds: float) -> UInt8[np.ndarray, "height width 3"] | MediaError:
    try:
        return frames_at(path, [seconds])[0].image
    except MediaError as error:
        return error


def evenly(count: int, most: int) -> Int[np.ndarray, " chosen"]:
    """Return at most ``most`` of ``count`` positions, the first and the last among them, evenly apart.

    Example:
        >>> evenly(9, 5).tolist(), evenly(2, 5).tolist()
        ([0, 2, 4, 6, 8], [0, 1])
    """
    if count <= most:
        return np.arange(count)
    return np.round(np.linspace(0, count - 1, most)).astype(np.int64)
