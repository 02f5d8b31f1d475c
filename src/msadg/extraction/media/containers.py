"""Media files, opened as nothing but what they are: one plain file in a known format.

A file is handed to FFmpeg as an open file without a name, so that a name can mean nothing (``http:...``, ``%03d.jpg``,
a leading dash), and only formats that hold their own pictures and sound are accepted: a playlist can open nothing.

Times are seconds since the container's own start, the same for pictures and sound, so the two stay in step.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from msadg.errors import MediaError

if TYPE_CHECKING:
    from av import VideoStream
    from av.audio.stream import AudioStream
    from av.container import InputContainer

FORMATS = (
    # pictures with sound
    *(
        "mov",
        "matroska",
        "avi",
        "flv",
        "asf",
        "mpegts",
        "mpeg",
        "mpegvideo",
        "h264",
        "hevc",
        "m4v",
        "ivf",
        "obu",
        "mxf",
    ),
    *("nut", "dv", "rm", "wtv", "ogg", "gif", "apng", "yuv4mpegpipe"),
    # sound
    *(
        "wav",
        "w64",
        "mp3",
        "flac",
        "aac",
        "ac3",
        "eac3",
        "aiff",
        "au",
        "amr",
        "amrnb",
        "amrwb",
        "caf",
        "ape",
        "wv",
        "tta",
    ),
    # one picture
    *("jpeg_pipe", "png_pipe", "webp_pipe", "bmp_pipe", "tiff_pipe"),
)
"""FFmpeg's names of the formats that are read; none of them names another file that would be opened."""

DECLARING = ("mov", "matroska", "avi", "flv", "asf", "flac")
"""Formats whose header says how long a stream is. Elsewhere (MPEG, WAV) FFmpeg goes by what is left of the file, so
that a cut shows only where it goes through a frame."""

READ_BYTES = 1 << 18
"""Read at a time: few enough calls into Python not to be felt."""


class _Nameless:
    """An open file without its name, and without the right to be written."""

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


@contextmanager
def opened(path: str | Path) -> Iterator[InputContainer]:
    """Open a media file; it is closed when the block ends.

    Raises:
        MediaError: stage ``open``: missing, not a file, unreadable, empty, or in no format of FORMATS.
    """
    import av

    _check_file(path)
    limits = {"format_whitelist": ",".join(FORMATS), "protocol_whitelist": "none"}
    with _readable(path) as file:
        try:
            container = av.open(_Nameless(file), "r", container_options=limits, buffer_size=READ_BYTES)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise MediaError(
                "open", f"{path}: is neither video nor sound that can be read, or its header is lost ({_short(error)})"
            ) from error
        with container:
            yield container


def _readable(path: str | Path) -> BinaryIO:
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise MediaError("open", f"{path}: cannot be read ({error.strerror})") from error


def _check_file(path: str | Path) -> None:
    try:
        file = Path(path)
        if not file.exists():
            raise MediaError("open", f"{path}: there is no such file")
        if not file.is_file():
            raise MediaError("open", f"{path}: is not a file")
        if file.stat().st_size == 0:
            raise MediaError("open", f"{path}: is empty")
    except (OSError, ValueError) as error:
        raise MediaError("open", f"{path}: cannot be read ({error})") from error


def _short(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error)


def video_stream(container: InputContainer) -> VideoStream | None:
    """The first stream of moving pictures, or None; the cover of a record is not one."""
    from av.stream import Disposition

    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    return None


def sound_stream(container: InputContainer) -> AudioStream | None:
    """The first stream of sound, or None."""
    return next(iter(container.streams.audio), None)


def origin_seconds(container: InputContainer) -> float:
    """The timestamp at which the file's time axis begins."""
    return (container.start_time or 0) / 1e6


def declared_end(container: InputContainer, stream: Any) -> tuple[float | None, float | None]:
    """When a stream ends, and when its file does, by the header on the file's time axis; None where it is silent."""
    if container.format.name.split(",")[0] not in DECLARING:
        return None, None
    length = container.duration / 1e6 if container.duration else None
    if container.format.name == "avi" and stream.type == "video" and stream.frames and stream.average_rate:
        return float(stream.frames / stream.average_rate), length  # its duration is what is left of a cut file
    if stream.duration is not None:
        started = stream.start_time or 0
        return float((started + stream.duration) * stream.time_base) - origin_seconds(container), length
    tag = _clock(stream.metadata.get("DURATION", ""))  # Matroska's counts from zero, wherever the stream begins
    return (None if tag is None else tag - origin_seconds(container)), length


def last_packet_end(path: str | Path) -> float:
    """When the last of a file's packets ends, of whatever stream; nothing is decoded."""
    from av.error import FFmpegError

    end = 0.0
    with opened(path) as container:
        origin = origin_seconds(container)
        try:
            for packet in container.demux():
                if packet.pts is not None:
                    end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base) - origin)
        except (FFmpegError, OSError, IndexError):
            pass  # it ends here, or a stream begins that PyAV does not know
    return end


def _clock(text: str) -> float | None:
    """Seconds of ``00:01:02.5``; None where it is something else."""
    try:
        hours, minutes, seconds = text.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return None


def bounds(path: str | Path, start_seconds: int | float | None, end_seconds: int | float | None) -> tuple[float, float]:
    """From when to when a clip lasts: from the file's beginning and to its end (infinity) where nothing is said.

    Raises:
        MediaError: stage ``time``: they are no numbers, or the end does not come after the start.
    """
    start = 0.0 if start_seconds is None else max(float(start_seconds), 0.0)
    end = math.inf if end_seconds is None else float(end_seconds)
    for what, at in (("start", start_seconds), ("end", end_seconds)):
        if at is not None and (math.isnan(at) or (what == "start" and math.isinf(at))):
            raise MediaError("time", f"{path}: the clip's {what} is {at:g}, which is no time; expected seconds")
    if not end > start:
        raise MediaError("time", f"{path}: a clip from {start_seconds or 0:g} s to {end:g} s does not last at all")
    return start, end
