"""A decoded frame as an upright RGB picture of a bounded size."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

if TYPE_CHECKING:
    from av import VideoFrame


class Upright:
    """Scales, converts and turns frames; one for all frames of a file, which share the scaler's tables.

    A phone held upright writes pictures that lie on their side, and a matrix that says how to show them:
    x' = a x + c y, y' = b x + d y, y pointing down (ISO/IEC 14496-12, 8.3.2).
    Quarter turns and reflections are carried out; a matrix in between counts as the nearest of them.

    Args:
        max_side: longer side of the pictures in pixels, larger frames are scaled down to it; None keeps their size.
    """

    def __init__(self, max_side: int | None) -> None:
        from av.video.reformatter import VideoReformatter

        self.max_side = max_side
        self._scaler = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> UInt8[np.ndarray, "height width 3"]:
        """Return the picture; the longer side is never scaled up."""
        width, height = self._size(frame.width, frame.height)
        # One thread: workers are processes, and numbers must not depend on how many threads there are.
        scaled = self._scaler.reformat(frame, width=width, height=height, format="rgb24", threads=1)
        return _turned(np.asarray(scaled.to_ndarray(), dtype=np.uint8), display_matrix(frame))

    def _size(self, width: int, height: int) -> tuple[int, int]:
        shrink = 1.0 if self.max_side is None else min(self.max_side / max(width, height), 1.0)
        return max(round(width * shrink), 1), max(round(height * shrink), 1)


def display_matrix(frame: VideoFrame) -> tuple[float, float, float, float]:
    """a, b, c, d of how a frame is to be shown; (1, 0, 0, 1) where it says nothing."""
    try:
        matrix = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:
        # PyAV 18 cannot list what comes with a frame where one kind is new to it (EXIF); the angle is still known.
        angle = math.radians(frame.rotation)  # against the clock
        return math.cos(angle), -math.sin(angle), math.sin(angle), math.cos(angle)
    if matrix is None:
        return 1.0, 0.0, 0.0, 1.0
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix))  # type: ignore[call-overload]
    return float(a), float(b), float(c), float(d)


def upright_size(frame: VideoFrame) -> tuple[int, int]:
    """Width and height of a frame as it is to be shown, in pixels."""
    a, b, _, _ = display_matrix(frame)
    return (frame.height, frame.width) if abs(b) > abs(a) else (frame.width, frame.height)


def _turned(
    image: UInt8[np.ndarray, "rows columns 3"], matrix: tuple[float, float, float, float]
) -> UInt8[np.ndarray, "height width 3"]:
    a, b, c, d = matrix
    if abs(b) > abs(a):  # x' = c y, y' = b x
        image, from_right, from_below = image.swapaxes(0, 1), c < 0, b < 0
    else:
        from_right, from_below = a < 0, d < 0
    return np.ascontiguousarray(image[:: -1 if from_below else 1, :: -1 if from_right else 1])
