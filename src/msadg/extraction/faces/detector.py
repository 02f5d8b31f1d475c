"""What every face detector is: from frames of one size to the faces in each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float, UInt8

from msadg.errors import UnknownNameError
from msadg.extraction.extractor import JSON

DETECTORS = ("mtcnn", "yunet")
"""``mtcnn`` needs no network once its weights are installed; ``yunet`` is fetched from the hub."""


@dataclass(frozen=True, slots=True)
class Faces:
    """The faces found in one frame, the surest first."""

    boxes: Float[np.ndarray, "face 4"]
    """Left, top, right, bottom, in pixels of the frame; may reach beyond its edges."""
    confidence: Float[np.ndarray, " face"]
    """In [0, 1]."""
    landmarks: Float[np.ndarray, "face 5 2"]
    """x, y in pixels: the eye, then the mouth corner, that is further left in the picture of an upright face comes
    first: eye, eye, nose, mouth corner, mouth corner."""

    def __len__(self) -> int:
        return len(self.boxes)


class FaceDetector(ABC):
    """Finds faces; frames of one call share their size and are worked on together."""

    name: ClassVar[str]
    """One of DETECTORS."""

    @property
    @abstractmethod
    def settings(self) -> Mapping[str, JSON]:
        """What decides where faces are found, the weights' hash included; part of a store's identity."""

    @abstractmethod
    def detect(self, frames: UInt8[np.ndarray, "frame height width 3"]) -> list[Faces]:
        """Return the faces of each frame (RGB), in order; a frame's faces do not depend on its neighbours."""


def make_detector(name: str) -> FaceDetector:
    """Return a detector by name; its weights are read when it is first used.

    Raises:
        UnknownNameError: there is no such detector.
    """
    if name == "mtcnn":
        from msadg.extraction.faces.mtcnn import Mtcnn

        return Mtcnn()
    if name == "yunet":
        from msadg.extraction.faces.yunet import YuNet

        return YuNet()
    raise UnknownNameError("face detector", name, DETECTORS)
