"""A stream of a media file decoded piece by piece, from a moment on: frames of pictures, or blocks of sound."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msadg.errors import MediaError
from msadg.extraction.media.containers import declared_end, last_packet_end, opened, origin_seconds

if TYPE_CHECKING:
    from av.container import InputContainer

SEEK_AHEAD = (0.5, 15.0)
"""Seconds before a moment at which to look for a piece to decode from; failing all, it is the file's first."""

NEAR_SECONDS = 1.0
"""A moment this near the beginning is reached by decoding."""

SURELY_BEYOND = 1.0
"""Seconds after the end that a header states from which on nothing is looked for."""

ASTRAY_SECONDS = (1.0, 10.0, 3600.0)
"""A frame's time is damaged, not late, where it lies so much before the frame ahead of it, so much beyond the file's
length, or so much after the frame ahead, or it lasts as long: one flipped bit makes a pause of days."""

MOST_HELD_BACK = 32
"""Frames that a decoder may hold back to bring them into order; standards allow 16."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A frame or block, or what is left of one."""

    seconds: float
    """When it begins, on the file's time axis."""
    lasts: float
    """Seconds, by its own word; the next piece decides."""
    frame: Any
    """``av.VideoFrame`` or ``av.AudioFrame``; None where the decoder gave up."""
    damaged: bool

    @property
    def end(self) -> float:
        """When it ends, by its own word."""
        return self.seconds + self.lasts


@dataclass(frozen=True, slots=True)
class Reel:
    """An open stream."""

    path: str | Path
    pieces: Iterator[Piece]
    """The first lies at or before the moment that was asked for, or is the file's first."""
    declared_end: float | None
    """When the stream ends by the header; None where it does not say."""
    length: float | None
    """Of the whole file by the header, in seconds; None where it does not say."""
    step: float
    """Seconds from piece to piece, on average."""

    def check_not_cut(self, end: float) -> None:
        """Check that the stream, which ended, did so where its header says.

        Writers round, drop a last frame, or count a pause: two steps and a quarter of a second are let pass.

        Raises:
            MediaError: stage ``decode``: it ended too early.
        """
        pause = 0.25 + 2 * self.step
        declared = self.declared_end
        if declared is None and self.length is not None and end < self.length - pause:
            # Only the longest stream lasts as long as the file: did any?
            declared = self.length if last_packet_end(self.path) < self.length - pause else None
        if declared is not None and end < declared - pause:
            raise MediaError(
                "decode", f"{self.path}: breaks off at {end:.2f} s of {declared:.2f} s; it was cut, or is damaged there"
            )


@contextmanager
def reel(
    path: str | Path,
    pick: Callable[[InputContainer], Any],
    from_seconds: float,
    asked_seconds: float | None = None,
) -> Iterator[Reel]:
    """Open a stream for its pieces from a moment on; the file is closed when the block ends.

    Args:
        path: the file.
        pick: returns the container's stream, or raises MediaError.
        from_seconds: the moment.
        asked_seconds: where someone asked for a later one, which messages then name.

    Raises:
        MediaError: stage ``open``: as ``opened``, or as ``pick``; ``time``: the moment lies well beyond the end.
    """
    for ahead in (*SEEK_AHEAD, None):
        if ahead is not None and from_seconds - ahead < NEAR_SECONDS:
            continue
        with opened(path) as container:
            stream = pick(container)
            # With several threads some decoders conceal damage without a word.
            stream.codec_context.thread_count = 1
            end, length = declared_end(container, stream)
            if end is not None and from_seconds >= end + SURELY_BEYOND:
                raise MediaError("time", beyond(path, from_seconds if asked_seconds is None else asked_seconds, end))
            pieces = (
                _decoded(container, stream, 0.0) if ahead is None else _sought(container, stream, from_seconds, ahead)
            )
            if pieces is not None:
                yield Reel(path, pieces, end, length, _step(stream))
                return


def beyond(path: str | Path, moment: float, end: float) -> str:
    """Say that a moment lies beyond the end of a stream."""
    return f"{path}: {moment:.2f} s lies beyond its end at {end:.2f} s"


def _step(stream: Any) -> float:
    rate = getattr(stream, "average_rate", None) or getattr(stream, "guessed_rate", None)
    return float(1 / rate) if rate else 0.04


def _sought(container: InputContainer, stream: Any, from_seconds: float, ahead: float) -> Iterator[Piece] | None:
    """Pieces from a sound one at or before the moment on; None where the file could not be entered there."""
    from av.error import FFmpegError

    if not _tells_times_after_seeking(container, stream):
        return None
    try:
        target = int((from_seconds - ahead + origin_seconds(container)) / stream.time_base)
        container.seek(target, stream=stream, backward=True)
    except (FFmpegError, OSError, OverflowError):
        return None
    pieces = _decoded(container, stream, math.nan)
    # A decoder that starts amid a group of pictures first shows what it cannot know: not the file's fault.
    first = next((piece for piece in pieces if not piece.damaged and not math.isnan(piece.seconds)), None)
    if first is None or first.seconds > from_seconds:
        return None
    return chain([first], pieces)


def _tells_times_after_seeking(container: InputContainer, stream: Any) -> bool:
    """Whether the times of frames can be trusted that are not reached from the beginning.

    Not where they are counted (see _Clock) and a decoder may drop what it cannot know, nor in an MPEG program stream
    (.mpg), in which few frames bear a time.
    """
    if stream.type != "video" or not stream.codec_context.has_b_frames:
        return True
    return container.format.name not in ("avi", "mpeg")


def _decoded(container: InputContainer, stream: Any, end: float) -> Iterator[Piece]:
    """Pieces as the decoder gives them; ``end`` is where the first begins if it does not say so itself."""
    from av.error import FFmpegError

    step, clock, last = _step(stream), _Clock(container, stream), end
    length = container.duration / 1e6 if container.duration else None
    for packet in _packets(container, stream):
        if packet is None:
            yield Piece(end, step, None, damaged=True)
            return
        clock.decoding(packet)
        try:
            frames = packet.decode()
        except FFmpegError:
            lost = clock.lost(packet, otherwise=end)
            yield Piece(end if _is_astray(lost, last, end, length) else lost, step, None, damaged=True)
            continue
        for frame in frames:
            seconds, lasts = clock.shown(frame, otherwise=end), _lasts(frame, step)
            if _is_astray(seconds, last, end, length) or lasts > ASTRAY_SECONDS[2]:
                yield Piece(end, min(lasts, 1.0), frame, damaged=True)
                continue
            last, end = seconds, seconds + lasts
            yield Piece(seconds, lasts, frame, damaged=frame.is_corrupt)


def _packets(container: InputContainer, stream: Any) -> Iterator[Any]:
    """Packets of a stream, last the empty one that ends its decoding; None where the file cannot be read on."""
    from av.error import FFmpegError

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except IndexError:  # PyAV does not know a stream that begins amid the file (its issue 692).
            packets = container.demux(stream)
            continue
        except (FFmpegError, OSError):
            yield None
            return
        if packet is None:
            return
        yield packet
        if packet.size == 0 and packet.dts is None:
            return


def _is_astray(seconds: float, last: float, end: float, length: float | None) -> bool:
    """Whether a time is damaged, by when the frame ahead began and ended, and by the file's length."""
    back, beyond_length, forth = ASTRAY_SECONDS
    if length is not None and seconds > max(end, length) + beyond_length:
        return True
    return seconds < last - back or seconds > end + forth


class _Clock:
    """Times of frames and packets, on the file's time axis.

    An AVI file says when a frame is decoded, not when it is shown: the frames, in the order of their showing, are given
    the times of decoding in rising order.
    """

    def __init__(self, container: InputContainer, stream: Any) -> None:
        self.origin = origin_seconds(container)
        self.only_decoding = stream.type == "video" and container.format.name == "avi"
        self.waiting: list[int] = []

    def decoding(self, packet: Any) -> None:
        """Take note of a packet that goes to the decoder."""
        if self.only_decoding and packet.dts is not None and packet.size:
            heapq.heappush(self.waiting, packet.dts)
            if len(self.waiting) > MOST_HELD_BACK:
                heapq.heappop(self.waiting)

    def lost(self, packet: Any, otherwise: float) -> float:
        """When a packet that could not be decoded would have been shown."""
        if packet.dts in self.waiting:
            self.waiting.remove(packet.dts)
            heapq.heapify(self.waiting)
        return self._seconds(packet.dts if packet.pts is None else packet.pts, packet.time_base, otherwise)

    def shown(self, frame: Any, otherwise: float) -> float:
        """When a frame is shown; ``otherwise`` where it bears no time."""
        if self.only_decoding:
            return self._seconds(heapq.heappop(self.waiting) if self.waiting else None, frame.time_base, otherwise)
        return self._seconds(frame.dts if frame.pts is None else frame.pts, frame.time_base, otherwise)

    def _seconds(self, stamp: int | None, time_base: Any, otherwise: float) -> float:
        return otherwise if stamp is None or time_base is None else float(stamp * time_base) - self.origin


def _lasts(frame: Any, step: float) -> float:
    samples = getattr(frame, "samples", None)
    if samples is not None:
        return float(samples / frame.sample_rate)
    return float(frame.duration * frame.time_base) if frame.duration and frame.time_base else step
