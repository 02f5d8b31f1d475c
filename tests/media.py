"""Small video files for tests, made on the spot: a face that moves a little before a plain wall, with a tone."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np


@lru_cache(maxsize=1)
def face_picture() -> np.ndarray:
    """A real face (E. Collins, NASA, public domain; scikit-image brings it), 180 x 180 pixels, RGB."""
    from skimage.data import astronaut

    return np.ascontiguousarray(astronaut()[20:200, 130:310])


def picture(step: int, *, width: int = 320, height: int = 240, faces: int = 1, sway: float = 6.0) -> np.ndarray:
    """One frame: ``faces`` faces side by side, swaying by a few pixels from frame to frame, before a grey wall."""
    frame = np.full((height, width, 3), 128, np.uint8)
    frame += (np.arange(height)[:, None, None] // 8).astype(np.uint8)
    face = face_picture()
    for number in range(faces):
        left = int((number + 0.5) * width / faces - face.shape[1] / 2 + sway * np.sin(step / 5 + number))
        top = int((height - face.shape[0]) / 2 + sway / 2 * np.cos(step / 7))
        x0, y0 = max(left, 0), max(top, 0)
        x1, y1 = min(left + face.shape[1], width), min(top + face.shape[0], height)
        frame[y0:y1, x0:x1] = face[y0 - top : y1 - top, x0 - left : x1 - left]
    return frame


def write_clip(
    path: Path,
    *,
    seconds: float = 2.0,
    fps: int = 25,
    width: int = 320,
    height: int = 240,
    faces: int = 1,
    sway: float = 6.0,
    video: bool = True,
    sound: bool = True,
    tone_hz: float = 220.0,
    loudness: float = 0.3,
) -> Path:
    """Write a clip (the container follows the suffix: .mp4, .mkv, .webm ...) and return its path."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        if video:
            pictures = container.add_stream("libx264", rate=fps)
            pictures.width, pictures.height, pictures.pix_fmt = width, height, "yuv420p"
        if sound:
            audio = container.add_stream("aac", rate=16_000, layout="mono")
        if video:
            for step in range(round(seconds * fps)):
                image = picture(step, width=width, height=height, faces=faces, sway=sway)
                container.mux(pictures.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(pictures.encode(None))
        if sound:
            time = np.arange(round(seconds * 16_000)) / 16_000
            samples = (loudness * np.sin(2 * np.pi * tone_hz * time)).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
            frame.sample_rate = 16_000
            container.mux(audio.encode(frame))
            container.mux(audio.encode(None))
    return path


def write_frames(
    path: Path,
    images: Sequence[np.ndarray],
    times: Sequence[float] | None = None,
    *,
    fps: int = 25,
    keyframe_every: int = 12,
    codec: str = "libx264",
    preset: str = "ultrafast",
    options: Mapping[str, str] | None = None,
) -> Path:
    """Write pictures (RGB, of one size) without sound; ``times`` in seconds, at a steady ``fps`` where it is None.

    ``options`` are the container's (``movflags``).
    """
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", container_options=dict(options or {})) as container:
        stream = container.add_stream(codec, rate=fps)
        stream.height, stream.width = images[0].shape[:2] if len(images) else (48, 64)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = keyframe_every
        tick = Fraction(1, fps) if times is None else Fraction(1, 1000)
        stream.codec_context.time_base = tick
        if codec == "libx264":
            stream.codec_context.options = {"preset": preset}
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.time_base, frame.pts = tick, number if times is None else round(times[number] / tick)
            container.mux(stream.encode(frame))
        container.start_encoding()
        container.mux(stream.encode(None))
    return path


def turned(source: Path, path: Path, degrees: int) -> Path:
    """Copy an .mp4 so that players show it turned clockwise by 0, 90, 180 or 270 degrees.

    What a phone does: the matrix a, b, u, c, d, v, x, y, w of the track's header (ISO/IEC 14496-12, 8.3.2), in 16.16
    fixed point (u, v, w: 2.30), is all that changes.
    """
    content = source.read_bytes()
    one = 1 << 16
    a, b, c, d = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]
    matrix = struct.pack(">9i", a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
    header = content.index(b"tkhd") + len(b"tkhd")
    assert content[header] == 0, "a track header with 32-bit times"
    at = header + 4 + 20 + 16  # version and flags; times, track, duration; reserved, layer, group, volume
    path.write_bytes(content[:at] + matrix + content[at + len(matrix) :])
    return path


def write_sound(
    path: Path, channels: np.ndarray, *, sample_rate_hz: int = 16_000, codec: str = "pcm_s16le", start: float = 0.0
) -> Path:
    """Write sound (channel x sample, in [-1, 1]) without pictures; its timestamps begin at ``start`` seconds."""
    import av

    layout = {1: "mono", 2: "stereo"}[len(channels)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=sample_rate_hz, layout=layout)
        for first in range(0, channels.shape[1], 1024):
            samples = np.ascontiguousarray(channels[:, first : first + 1024], dtype=np.float32)
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
            frame.sample_rate, frame.time_base = sample_rate_hz, Fraction(1, sample_rate_hz)
            frame.pts = round(start * sample_rate_hz) + first
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
