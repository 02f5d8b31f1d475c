"""Smaller copies of a frame, and squares cut from it, without the aliasing of a single large step down.

A frame is halved again and again by exact means of 2 x 2 pixels; whatever is smaller than the frame is interpolated
from the smallest halving that is still larger.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np
from jaxtyping import Float, UInt8

Picture: TypeAlias = UInt8[np.ndarray, "_ _ 3"]
"""RGB, of any height and width."""


def halvings(frame: Picture, *, least_side: int) -> list[Picture]:
    """Return the frame and its halvings, as long as both sides keep ``least_side`` pixels."""
    pictures = [frame]
    while min(pictures[-1].shape[:2]) // 2 >= least_side:
        height, width = pictures[-1].shape[:2]
        pictures.append(cv2.resize(pictures[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA))
    return pictures


def level_sizes(height: int, width: int, *, scale: float, factor: float, least_side: int) -> list[tuple[int, int]]:
    """Return height and width of each level of a pyramid: the frame by ``scale``, then again and again by ``factor``.

    Sides are even, which leaves no half window to a pooling layer.
    """
    sizes = []
    while min(height, width) * scale >= least_side:
        sizes.append((_even(height * scale), _even(width * scale)))
        scale *= factor
    return sizes


def _even(side: float) -> int:
    return 2 * int(np.ceil(side / 2))


def scaled(pictures: Sequence[Picture], height: int, width: int) -> Picture:
    """Return a copy of the frame whose halvings are given, in another size."""
    source = next((p for p in reversed(pictures) if p.shape[0] >= height and p.shape[1] >= width), pictures[0])
    return cv2.resize(source, (width, height), interpolation=cv2.INTER_LINEAR)


def cut_squares(
    pictures: Sequence[Picture], boxes: Float[np.ndarray, "square 4"], side: int
) -> UInt8[np.ndarray, "square {side} {side} 3"]:
    """Return squares of the frame whose halvings are given, each scaled to ``side`` pixels; black outside the frame.

    Args:
        pictures: the frame, then its halvings.
        boxes: left, top, right, bottom in pixels of the frame; as wide as high.
        side: of the result.
    """
    cut = np.empty((len(boxes), side, side, 3), np.uint8)
    height, width = pictures[0].shape[:2]
    step = (boxes[:, 2] - boxes[:, 0]) / side
    which = np.clip(np.floor(np.log2(np.maximum(step, 1.0))).astype(int), 0, len(pictures) - 1)
    for number, (at, box, pixel) in enumerate(zip(which.tolist(), boxes, step.tolist(), strict=True)):
        picture = pictures[at]
        across, down = picture.shape[1] / width, picture.shape[0] / height
        # The centre of pixel 0 lies at 0.5 in the frame and is called 0 by OpenCV.
        inverse = np.array(
            [
                [pixel * across, 0.0, (box[0] + pixel / 2) * across - 0.5],
                [0.0, pixel * down, (box[1] + pixel / 2) * down - 0.5],
            ]
        )
        cv2.warpAffine(picture, inverse, (side, side), cut[number], cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return cut
