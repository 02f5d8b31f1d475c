"""Frames of a video file: decoded once, front to back, and only those kept that are asked for.

The picture shown at a moment is the last frame whose time has come, so a video may vary its rate; before its first
frame, that one stands. Frames that are damaged, or missing at the end, are an error, never a gap; but what a decoder
does not notice is not noticed here (VP8's takes flipped bits for pictures).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count, takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from msadg.errors import MediaError
from msadg.extraction.media.containers import bounds, opened, sound_stream, video_stream
from msadg.extraction.media.reel import Piece, Reel, beyond, reel
from msadg.extraction.media.timeline import RATE
from msadg.extraction.media.upright import Upright, upright_size

if TYPE_CHECKING:
    from av import VideoStream
    from av.container import InputContainer

MAX_SIDE = 640
"""Longer side of a sampled frame in pixels; larger ones are scaled down as they are converted."""


SAME_MOMENT = 1e-3
"""Seconds by which a frame's time may be rounded (Matroska and FLV count milliseconds) and still be the moment."""

MAX_PIXELS = 1 << 26
"""Of one picture: twice 8K. A header can ask for any amount of memory."""

FAR_SECONDS = 10.0
"""Moments further apart than this are sought in the file; nearer ones are reached by decoding on."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture of a video, upright."""

    seconds: float
    """The moment that was asked for, from the beginning of the file; the picture is the one shown then."""
    image: UInt8[np.ndarray, "height width 3"]
    """RGB."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaInfo:
    """What a file says of itself, before anything is decoded."""

    has_video: bool
    has_sound: bool
    duration_seconds: float | None
    """None where the file does not say."""
    width: int | None = None
    """Of the upright picture, in pixels."""
    height: int | None = None
    frames_per_second: float | None = None
    """On average; a file may vary."""


def probe(path: str | Path) -> MediaInfo:
    """Return what a file says of itself.

    Raises:
        MediaError: it is missing, empty, or neither video nor sound.
    """
    with opened(path) as container:
        video, sound = video_stream(container), sound_stream(container)
        if video is None and sound is None:
            raise MediaError("open", f"{path}: holds neither pictures nor sound")
        info = MediaInfo(
            has_video=video is not None,
            has_sound=sound is not None,
            duration_seconds=None if container.duration is None else container.duration / 1e6,
        )
        return info if video is None else _with_pictures(info, video, _first_picture(path))


def _first_picture(path: str | Path) -> Piece | None:
    with reel(path, lambda container: _pick(path, container), 0.0) as pictures:
        return next(pictures.pieces, None)


def _with_pictures(info: MediaInfo, stream: VideoStream, first: Piece | None) -> MediaInfo:
    width, height = stream.width, stream.height
    if first is not None and first.frame is not None:  # only a frame knows which way up it is
        width, height = upright_size(first.frame)
    rate = stream.average_rate
    return replace(info, width=width, height=height, frames_per_second=float(rate) if rate else None)


def sampled_frames(
    path: str | Path,
    *,
    rate: int | float = RATE,
    start_seconds: int | float | None = None,
    end_seconds: int | float | None = None,
    max_side: int | None = MAX_SIDE,
) -> Iterator[Frame]:
    """Yield the picture shown at each of ``step_starts``, in order; memory does not grow with the file.

    Pictures are turned upright; that pixels may not be square is not looked at.

    Args:
        path: the file.
        rate: frames a second.
        start_seconds: from here; None or a negative number from the beginning.
        end_seconds: up to here, or to the end of the video where that comes first.
        max_side: longer side of the pictures in pixels; None keeps their size.

    Raises:
        MediaError: stage ``open`` (missing, empty, not a video, no pictures in it), ``time`` (the times lie outside
            the file), ``decode`` (damaged, or cut: it ends well before it should). Raised when first known: the
            frames before a damage have been yielded by then.
    """
    start, end = bounds(path, start_seconds, end_seconds)
    rounding = 1e-6 / rate  # as in step_starts: a clip of 2 s holds 10 steps of 0.2 s
    moments = (start + number / rate for number in count())
    within = takewhile(lambda moment: moment == start or moment < end - rounding, moments)
    yield from _shown(path, within, max_side)


def frames_at(path: str | Path, seconds: Sequence[int | float], *, max_side: int | None = MAX_SIDE) -> list[Frame]:
    """Return the pictures shown at some moments, in rising order of the moments.

    Raises:
        MediaError: as ``sampled_frames``.
    """
    frames: list[Frame] = []
    for moments in _near_each_other(sorted(seconds)):
        shown = list(_shown(path, iter(moments), max_side))
        if len(shown) < len(moments):
            raise MediaError("time", f"{path}: {moments[len(shown)]:.2f} s lies beyond its end")
        frames += shown
    return frames


def _near_each_other(moments: Sequence[float]) -> Iterator[list[float]]:
    """Groups of moments that are reached by decoding on from the first."""
    group: list[float] = []
    for moment in moments:
        if group and moment - group[-1] > FAR_SECONDS:
            yield group
            group = []
        group.append(moment)
    if group:
        yield group


def _shown(path: str | Path, moments: Iterator[float], max_side: int | None) -> Iterator[Frame]:
    """Yield the picture shown at each of some rising moments, as far as the video goes.

    Args:
        path: the file.
        moments: one or more; may be endless.
        max_side: longer side of the pictures in pixels.
    """
    first = next(moments)
    showing = _Showing(path, chain([first], moments), Upright(max_side))
    with reel(path, lambda container: _pick(path, container), first) as pictures:
        for picture in pictures.pieces:
            yield from showing.until(picture.seconds - SAME_MOMENT)
            if showing.moment is None:
                break
            showing.picture = picture
        else:
            yield from showing.until_end()
            showing.check_end(pictures)
        showing.check_damage()


def _pick(path: str | Path, container: InputContainer) -> VideoStream:
    stream = video_stream(container)
    if stream is None:
        held = "only sound" if sound_stream(container) else "nor sound"
        raise MediaError("open", f"{path}: has no pictures in it, {held}")
    if stream.codec_context is None:
        raise MediaError("open", f"{path}: there is no decoder for its pictures")
    if stream.width * stream.height > MAX_PIXELS:
        raise MediaError(
            "open", f"{path}: its pictures have {stream.width} x {stream.height} pixels; {MAX_PIXELS:,} are the limit"
        )
    return stream


class _Showing:
    """A picture on the screen, and the moment at which one is wanted next."""

    def __init__(self, path: str | Path, moments: Iterator[float], upright: Upright) -> None:
        self.path, self.moments, self.upright = path, moments, upright
        self.first = next(moments)
        self.moment: float | None = self.first
        self.picture: Piece | None = None
        self.num_pictures, self.num_damaged = 0, 0
        self.torn_seconds = -math.inf
        """When a picture was damaged on which those of the range may build: no key frame came between."""

    def until(self, end: float) -> Iterator[Frame]:
        """Yield the picture at the wanted moments before it goes; none once there was damage."""
        if self.picture is None:
            return
        self._count(self.picture, end)
        image = None
        while self.moment is not None and self.moment < end:
            if self.torn_seconds == -math.inf:
                assert self.picture.frame is not None, "a picture without a frame counts as damaged"
                image = self.upright(self.picture.frame) if image is None else image
                yield Frame(self.moment, image)
            self.moment = next(self.moments, None)

    def until_end(self) -> Iterator[Frame]:
        """Yield the last picture; a clip that begins while it is shown has it, however short."""
        if self.picture is not None:
            yield from self.until(self.picture.end - (0.0 if self.moment == self.first else SAME_MOMENT))

    def _count(self, picture: Piece, end: float) -> None:
        """A damaged picture may come out of turn: it counts for as long as it meant to last."""
        until = max(end, picture.end - SAME_MOMENT) if picture.damaged else end
        if until > self.first:
            self.num_pictures += 1
            self.num_damaged += picture.damaged
        if picture.damaged:
            self.torn_seconds = picture.seconds
        elif picture.frame.key_frame and self.torn_seconds < picture.seconds <= self.first + SAME_MOMENT:
            self.torn_seconds = -math.inf

    def check_damage(self) -> None:
        """Raise a MediaError if a picture of the range, or one that it builds on, was damaged."""
        if self.num_damaged:
            raise MediaError(
                "decode",
                f"{self.path}: {self.num_damaged} of {self.num_pictures} frames are damaged in what was asked for",
            )
        if self.torn_seconds > -math.inf:
            raise MediaError(
                "decode",
                f"{self.path}: the frame at {self.torn_seconds:.2f} s is damaged, and what was asked for builds on it",
            )

    def check_end(self, pictures: Reel) -> None:
        """Raise a MediaError if the video ended before its time, or before the first moment."""
        if self.picture is None:
            raise MediaError("decode", f"{self.path}: there is no frame in its track of pictures")
        if self.moment is None:
            return
        pictures.check_not_cut(self.picture.end)
        if self.moment == self.first:
            raise MediaError("time", beyond(self.path, self.first, self.picture.end))
