"""Bringing a face into one pose: turned upright, centred and scaled by its landmarks; or cropped by its box alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer, UInt8

EYE_DISTANCE = 0.36
"""Between the eyes of the template, as a share of the crop's side."""

TEMPLATE = np.array([[0.32, 0.38], [0.68, 0.38], [0.5, 0.586], [0.351, 0.796], [0.649, 0.796]])
"""Where an aligned face has its landmarks, as shares of the crop's side: from the brows to the chin it fills the crop.

Proportions of a mean face, in distances between the eyes: nose 0.57 and mouth 1.16 below the eyes, mouth 0.83 wide.
They are those of the five-point template of Deng et al. (ArcFace, CVPR 2019), which cuts closer.
"""


@dataclass(frozen=True, slots=True)
class Similarity:
    """A turn, a scale and a shift of the plane: z -> factor z + shift, with z = x + iy."""

    factor: complex
    shift: complex

    @property
    def scale(self) -> float:
        """How much longer everything becomes."""
        return abs(self.factor)

    @property
    def angle(self) -> float:
        """How far everything is turned, in radians, from the x axis towards the y axis."""
        return float(np.angle(self.factor))

    @property
    def matrix(self) -> Float[np.ndarray, "2 3"]:
        """The same map, as OpenCV takes it."""
        a, b = self.factor.real, self.factor.imag
        return np.array([[a, -b, self.shift.real], [b, a, self.shift.imag]])

    def __call__(self, points: Float[np.ndarray, "point 2"]) -> Float[np.ndarray, "point 2"]:
        """Where some points go."""
        moved = self.factor * _plane(points) + self.shift
        return np.stack([moved.real, moved.imag], axis=1)


def fit_similarity(source: Float[np.ndarray, "point 2"], target: Float[np.ndarray, "point 2"]) -> Similarity:
    """Return the turn, scale and shift that bring ``source`` nearest to ``target``, in the least-squares sense.

    In the plane of complex numbers, with both sides centred: factor = sum(conj(s) t) / sum(|s|^2), the solution of
    Umeyama (1991) without mirroring. The points of ``source`` must not all be one.
    """
    s, t = _plane(source), _plane(target)
    s_centred, t_centred = s - s.mean(), t - t.mean()
    factor = np.vdot(s_centred, t_centred) / np.vdot(s_centred, s_centred).real
    return Similarity(complex(factor), complex(t.mean() - factor * s.mean()))


def upright(landmarks: Float[np.ndarray, "5 2"]) -> Similarity:
    """Return the map from the pixels of a frame to the aligned crop, whose side is 1."""
    return fit_similarity(landmarks.astype(np.float64), TEMPLATE)


def aligned_crop(
    image: UInt8[np.ndarray, "height width 3"], landmarks: Float[np.ndarray, "5 2"], side: int
) -> UInt8[np.ndarray, "{side} {side} 3"]:
    """Return the face upright in a square of ``side`` pixels, its landmarks where TEMPLATE has them.

    A face more than twice as large is shrunk by averaging first, so that no pixel is skipped. What lies beyond the
    frame repeats its edge.
    """
    import cv2

    fitted = upright(landmarks)
    shrink = 1 << max(int(np.floor(-np.log2(fitted.scale * side))), 0)
    if shrink > 1:
        size = (max(image.shape[1] // shrink, 1), max(image.shape[0] // shrink, 1))
        steps = image.shape[1] / size[0], image.shape[0] / size[1]
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    else:
        steps = 1.0, 1.0
    matrix = fitted.matrix * side
    # OpenCV puts whole numbers on the middle of a pixel; here they are its upper left corner.
    middle = matrix @ np.array([0.5 * steps[0], 0.5 * steps[1], 1.0]) - 0.5
    matrix = np.column_stack([matrix[:, :2] * steps, middle])
    return cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def box_crop(
    image: UInt8[np.ndarray, "height width 3"], box: Float[np.ndarray, " 4"], side: int, margin: int
) -> UInt8[np.ndarray, "{side} {side} 3"]:
    """Return the box's content as a square, as FaceNet's networks were fed.

    Args:
        image: the frame.
        box: left, top, right, bottom, in pixels.
        side: of the crop, in pixels.
        margin: how many of the crop's pixels, on both sides together, lie outside the box. What would lie beyond the
            frame is left out, and the rest stretched.
    """
    import cv2

    left, top, right, bottom = _grown(box, margin / (side - margin), image.shape[0], image.shape[1])
    return cv2.resize(image[top:bottom, left:right], (side, side), interpolation=cv2.INTER_AREA)


def _grown(box: Float[np.ndarray, " 4"], share: float, height: int, width: int) -> Integer[np.ndarray, " 4"]:
    """The box, larger by a share of its size, in whole pixels within the frame; at least one pixel of it."""
    half = (box[2:] - box[:2]) * share / 2
    low = np.clip(np.floor(box[:2] - half), 0, [width - 1, height - 1])
    high = np.clip(np.floor(box[2:] + half), low + 1, [width, height])
    return np.concatenate([low, high]).astype(np.int64)


def _plane(points: Float[np.ndarray, "point 2"]) -> np.ndarray:
    return points[:, 0] + 1j * points[:, 1]
