"""The pictures of a clip that a model is shown: its speaker's face at evenly spaced moments, as squares of one size.

Where no face is found, whole frames are shown instead, and the marks say so: their boxes are NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, UInt8

from msadg.errors import MediaError
from msadg.extraction.media.decode import frames_at
from msadg.extraction.video.faces_in_video import FaceConfig, FaceDescriber, FaceExtractor, Sighting
from msadg.settings import require
from msadg.types import FACE_MARKS, Clip, Features

BOX = slice(FACE_MARKS.index("left"), FACE_MARKS.index("height") + 1)

SHOWN_SIDE = 1920
"""Longer side of the frames that pictures are cut from, in pixels: larger than those that faces are looked for in, for
a small face to be sharp; bounded, for memory."""

Picture = UInt8[np.ndarray, "side side 3"]


@dataclass(frozen=True, kw_only=True)
class PictureConfig(FaceConfig):
    """How many pictures there are, and what they show."""

    rate: int | float = 2
    """Frames a second in which the speaker is looked for."""
    frames: int = 4
    """Pictures of a clip, at most: a clip that shows its speaker at fewer moments has fewer."""
    margin: int | float = 0.4
    """What is shown around a face, as a share of its larger side, on each side."""
    side: int = 336
    """Width and height of a picture, in pixels."""

    def __post_init__(self) -> None:
        super(PictureConfig, self).__post_init__()  # noqa: UP008 (a decorated dataclass is another class)
        require("frames", self.frames, at_least=1, at_most=64)
        require("margin", self.margin, at_least=0, at_most=4)
        require("side", self.side, at_least=28, at_most=1344)


class SpeakerPictures(FaceExtractor):
    """A clip's pictures themselves as features, a picture a step: RGB from 0 to 255, row by row."""

    kind = "pictures"
    version = "1"
    Config: ClassVar[type] = PictureConfig
    config: PictureConfig

    @property
    def dim(self) -> int:
        """Numbers in a picture."""
        return self.config.side**2 * 3

    def describer(self) -> FaceDescriber:
        """Return one that says nothing: only who is where is asked."""
        return _Silent()

    def features_of(self, clip: Clip) -> Features:
        """Return the pictures of a clip, with the moment and the face box of each.

        Raises:
            MediaError: the file cannot be decoded.
        """
        try:
            marks = super().features_of(clip).marks
        except MediaError as error:
            if error.stage != "face":
                raise
            marks = self._marks_of_whole_frames(clip)
        assert marks is not None, "a face extractor marks its steps"
        return self._shown(clip, marks)

    def _marks_of_whole_frames(self, clip: Clip) -> Float[np.ndarray, "time mark"]:
        seconds = [frame.seconds for frame in self._frames(clip)]
        marks = np.full((len(seconds), len(FACE_MARKS)), np.nan)
        marks[:, 0] = seconds
        marks[:, 1] = np.array(seconds) + 1 / self.config.rate
        return marks

    def _shown(self, clip: Clip, marks: Float[np.ndarray, "time mark"]) -> Features:
        assert clip.clip_path is not None
        with_face = np.flatnonzero(np.isfinite(marks[:, BOX]).all(axis=1))
        candidates = with_face if len(with_face) else np.arange(len(marks))
        chosen = marks[evenly_spaced(candidates.tolist(), self.config.frames)]
        frames = frames_at(clip.clip_path, chosen[:, 0].tolist(), max_side=SHOWN_SIDE)
        pictures = [
            square_of(frame.image, box, self.config.margin, self.config.side)
            for frame, box in zip(frames, chosen[:, BOX], strict=True)
        ]
        # float16 holds every whole number up to 2048.
        values = np.stack(pictures).reshape(len(pictures), -1).astype(np.float16)
        return Features(values, np.ones(len(pictures), bool), chosen)


class _Silent:
    def describe(self, sightings: Sequence[Sighting]) -> Float[np.ndarray, "face feature"]:
        return np.zeros((len(sightings), 1))


def pictures_in(features: Features, side: int) -> list[Picture]:
    """Return the pictures that ``SpeakerPictures`` made features of."""
    return list(features.values.astype(np.uint8).reshape(-1, side, side, 3))


def evenly_spaced(items: Sequence[int], number: int) -> list[int]:
    """Return ``number`` of some items, from the middle of as many equal parts; all of them where there are fewer.

    Example:
        >>> evenly_spaced(range(10), 2), evenly_spaced([3, 7], 4)
        ([2, 7], [3, 7])
    """
    if len(items) <= number:
        return list(items)
    return [items[int((part + 0.5) * len(items) / number)] for part in range(number)]


def square_of(
    image: UInt8[np.ndarray, "height width 3"], box: Float[np.ndarray, " 4"], margin: int | float, side: int
) -> Picture:
    """Return a square picture around a face; where the box is NaN, the whole frame between black bars.

    Square, so that no processor cuts or distorts it.

    Args:
        image: the frame, RGB.
        box: left, top, width, height, as shares of the frame.
        margin: around the face, as a share of its larger side.
        side: of the picture, in pixels.
    """
    import cv2

    height, width = image.shape[:2]
    if np.isnan(box).any():
        square = np.zeros((max(height, width),) * 2 + (3,), np.uint8)
        top, left = (len(square) - height) // 2, (len(square) - width) // 2
        square[top : top + height, left : left + width] = image
    else:
        size, corner = _square_around(box * np.array([width, height, width, height]), margin, width, height)
        square = image[corner[1] : corner[1] + size, corner[0] : corner[0] + size]
    shrinks = len(square) > side
    resized: Any = cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return resized  # type: ignore[no-any-return]


def _square_around(
    box: Float[np.ndarray, " 4"], margin: int | float, width: int, height: int
) -> tuple[int, tuple[int, int]]:
    """Size and left upper corner of a square around a box, in pixels, moved and shrunk to lie within the frame."""
    size = int(np.clip(round(max(box[2], box[3]) * (1 + 2 * margin)), 1, min(width, height)))
    left, top = (
        int(np.clip(round(start + length / 2 - size / 2), 0, limit - size))
        for start, length, limit in ((box[0], box[2], width), (box[1], box[3], height))
    )
    return size, (left, top)


def grid_of(pictures: Sequence[Picture]) -> UInt8[np.ndarray, "height width 3"]:
    """Return pictures as one, in rows from left to right as text is read; cells that are left over are black."""
    side, columns = pictures[0].shape[0], int(np.ceil(np.sqrt(len(pictures))))
    sheet = np.zeros((columns * side, columns * side, 3), np.uint8)
    for at, picture in enumerate(pictures):
        row, column = divmod(at, columns)
        sheet[row * side : (row + 1) * side, column * side : (column + 1) * side] = picture
    return sheet
