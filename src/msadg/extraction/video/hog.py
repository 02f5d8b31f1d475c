"""`hog`: what a face looks like, how it is posed and how it moves, without any learned weights.

A vector has 411 numbers in three blocks (BLOCKS):

- ``appearance``, 324: histograms of oriented gradients (Dalal and Triggs, CVPR 2005) of the aligned face, grey, 64 x 64
  pixels: cells of 16 pixels, 9 directions of 20 degrees, blocks of 2 x 2 cells, normalised by L2-Hys
  and scaled so that the 36 numbers of a block have a mean square of 1. By block row, block column, cell row, cell
  column, direction; each in [0, 6].
- ``geometry``, 18: where the landmarks are and how the head is held. 10: each landmark's x and y off the template,
  after alignment; then the distance between the eyes, the mouth's width, how far the nose is below the eyes and the
  mouth below the nose (4); the sine of the mouth's slope against the eyes (1); how much nearer the nose is to the
  right-hand eye than to the left-hand one, which grows as the head turns (1); sine and cosine of the head's roll (2).
  Lengths are in distances between the template's eyes.
- ``motion``, 69: what changed since the same track was last seen. 1: whether that was within GAP_SECONDS; where not, 0
  as are the others (the first frame of a shot). 64: change of the aligned face's grey on a grid of 8 x 8, in [-1, 1].
  4: movement of the head along x and y in face sizes a second, growth of the face (log size a second), change of roll
  (radians a second); each within SPEED_LIMIT.

Where the face is in the frame, and how large, is no feature: it tells a film set from a living room before it tells a
mood. The store's marks have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from msadg.extraction.faces.align import EYE_DISTANCE, TEMPLATE, Similarity, aligned_crop, upright
from msadg.extraction.video.faces_in_video import FaceDescriber, FaceExtractor, Sighting

SIDE, CELL, DIRECTIONS, GRID = 64, 16, 9, 8
BLOCKS: dict[str, slice] = {"appearance": slice(0, 324), "geometry": slice(324, 342), "motion": slice(342, 411)}
"""Which columns hold what."""

DIM = 411
GAP_SECONDS = 1.0
SPEED_LIMIT = 10.0


class Hog(FaceExtractor):
    """Appearance, geometry and motion of the speaker's face; needs nothing that is not installed."""

    kind = "hog"
    version = "1"

    @property
    def dim(self) -> int:
        """Width of a feature vector."""
        return DIM

    def describer(self) -> FaceDescriber:
        """Return what describes the faces of the next clip."""
        return HogDescriber()


@dataclass(frozen=True, slots=True)
class _Pose:
    """What motion is measured against: a face when its track was last seen."""

    seconds: float
    grid: Float[np.ndarray, "row column"]
    centre: Float[np.ndarray, " 2"]
    size: float
    roll: float


class HogDescriber:
    """Describes the faces of one clip; remembers each track's last one."""

    def __init__(self) -> None:
        self._last: dict[int, _Pose] = {}

    def describe(self, sightings: Sequence[Sighting]) -> Float[np.ndarray, "face feature"]:
        """Return a vector for each face of some successive frames."""
        return np.stack([self._one(sighting) for sighting in sightings]).astype(np.float32)

    def _one(self, sighting: Sighting) -> Float[np.ndarray, " feature"]:
        import cv2

        crop = cv2.cvtColor(aligned_crop(sighting.image, sighting.landmarks, SIDE), cv2.COLOR_RGB2GRAY)
        fitted = upright(sighting.landmarks)
        pose = _pose(sighting, crop, fitted)
        self._forget(sighting.seconds)
        last, self._last[sighting.track] = self._last.get(sighting.track), pose
        return np.concatenate([appearance(crop), geometry(sighting.landmarks), _motion(last, pose)])

    def _forget(self, seconds: float) -> None:
        self._last = {track: pose for track, pose in self._last.items() if seconds - pose.seconds <= GAP_SECONDS}


def appearance(crop: UInt8[np.ndarray, "side side"]) -> Float[np.ndarray, " feature"]:
    """Return the histograms of oriented gradients of an aligned grey face."""
    from skimage.feature import hog

    cells = {"pixels_per_cell": (CELL, CELL), "cells_per_block": (2, 2)}
    lengths_one = hog(crop / 255.0, orientations=DIRECTIONS, block_norm="L2-Hys", **cells)
    return lengths_one * np.sqrt(4 * DIRECTIONS)  # type: ignore[no-any-return]


def geometry(landmarks: Float[np.ndarray, "5 2"]) -> Float[np.ndarray, " feature"]:
    """Return where the landmarks are, upright and in distances between the template's eyes."""
    fitted = upright(landmarks)
    points = fitted(landmarks) / EYE_DISTANCE
    off = points - TEMPLATE / EYE_DISTANCE
    left_eye, right_eye, nose, left_mouth, right_mouth = points
    eyes, mouth = (left_eye + right_eye) / 2, (left_mouth + right_mouth) / 2
    slope = _angle(right_mouth - left_mouth) - _angle(right_eye - left_eye)
    turn = np.linalg.norm(nose - left_eye) - np.linalg.norm(nose - right_eye)
    lengths = [
        np.linalg.norm(right_eye - left_eye),
        np.linalg.norm(right_mouth - left_mouth),
        nose[1] - eyes[1],
        mouth[1] - nose[1],
    ]
    roll = -fitted.angle
    return np.array([*off.ravel(), *lengths, np.sin(slope), turn, np.sin(roll), np.cos(roll)])


def _angle(arrow: Float[np.ndarray, " 2"]) -> float:
    return float(np.arctan2(arrow[1], arrow[0]))


def _pose(sighting: Sighting, crop: UInt8[np.ndarray, "side side"], fitted: Similarity) -> _Pose:
    step = SIDE // GRID
    grid = crop.reshape(GRID, step, GRID, step).mean(axis=(1, 3)) / 255
    centre = sighting.landmarks.mean(axis=0)
    # The side of the crop in the frame's pixels: steadier than a detector's box.
    return _Pose(sighting.seconds, grid, centre, 1 / fitted.scale, -fitted.angle)


def _motion(last: _Pose | None, now: _Pose) -> Float[np.ndarray, " feature"]:
    if last is None:
        return np.zeros(1 + GRID * GRID + 4)
    seconds = now.seconds - last.seconds
    moved = (now.centre - last.centre) / now.size
    turned = float(np.angle(np.exp(1j * (now.roll - last.roll))))
    speeds = np.array([*moved, np.log(now.size / last.size), turned]) / seconds
    return np.concatenate([[1.0], (now.grid - last.grid).ravel(), np.clip(speeds, -SPEED_LIMIT, SPEED_LIMIT)])
