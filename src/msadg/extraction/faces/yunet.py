"""YuNet: one small network for the whole frame, run by OpenCV; its file comes from the hub.

Reference: Wu, Peng, Yu. "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 20, 2023,
doi:10.1007/s11633-023-1423-y. It was trained on faces of about 10 to 300 pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from msadg.errors import FeatureError
from msadg.extraction.extractor import JSON
from msadg.extraction.faces.detector import FaceDetector, Faces
from msadg.extraction.faces.weights import sha256_of
from msadg.extraction.hub import fetched
from msadg.settings import require

HUB_ID, HUB_FILE = "opencv/face_detection_yunet", "face_detection_yunet_2023mar.onnx"


@dataclass(frozen=True, kw_only=True)
class YuNetConfig:
    """What YuNet takes for a face."""

    threshold: int | float = 0.7
    """Confidence from which it is one."""
    overlap: int | float = 0.3
    """Of two boxes that share more of their union than this, the surer stays."""

    def __post_init__(self) -> None:
        require("threshold", self.threshold, above=0, at_most=1)
        require("overlap", self.overlap, above=0, at_most=1)


class YuNet(FaceDetector):
    """Finds faces with YuNet, as a FaceDetector; frame by frame, since OpenCV takes no batch here.

    Args:
        config: what to take for a face.
        weights: the ONNX file; None for that of the hub, from among the files already downloaded where it is there.
    """

    name = "yunet"

    def __init__(self, config: YuNetConfig | None = None, *, weights: Path | None = None) -> None:
        self.config = config or YuNetConfig()
        self.weights = weights

    @property
    def settings(self) -> Mapping[str, JSON]:
        """Every setting, and the hash of the weights.

        Raises:
            FeatureError: the weights cannot be had.
        """
        return {**asdict(self.config), "weights_sha256": sha256_of(self._file)}

    @cached_property
    def _file(self) -> Path:
        return self.weights if self.weights is not None else hub_file()

    @cached_property
    def _network(self) -> Any:
        sha256_of(self._file)  # OpenCV does not tell a missing file from a damaged one.
        try:
            return cv2.FaceDetectorYN.create(
                str(self._file), "", (320, 320), self.config.threshold, self.config.overlap, 5000
            )
        except cv2.error as error:
            raise FeatureError(
                f"{self._file} is not read by OpenCV as a network ({error.err}); fetch {HUB_FILE} of {HUB_ID} again"
            ) from error

    def detect(self, frames: UInt8[np.ndarray, "frame height width 3"]) -> list[Faces]:
        """Return the faces of each frame (RGB), in order.

        Raises:
            FeatureError: the weights cannot be had, or are not those of YuNet.
        """
        network = self._network
        height, width = frames.shape[1:3]
        network.setInputSize((width, height))
        try:
            # OpenCV orders colours the other way, and returns None where there is no face.
            found = [network.detect(np.ascontiguousarray(frame[..., ::-1]))[1] for frame in frames]
        except cv2.error as error:
            raise FeatureError(f"{self._file} is not the network of YuNet ({error.err}); use {HUB_FILE}") from error
        return [faces_of(np.zeros((0, 15)) if rows is None else rows) for rows in found]


def faces_of(rows: Float[np.ndarray, "face 15"]) -> Faces:
    """Return what OpenCV says of a frame's faces as Faces.

    Args:
        rows: left, top, width, height; x, y of the person's right eye (on the left in the picture), left eye, nose,
            right and left mouth corner; confidence.
    """
    rows = rows[np.argsort(-rows[:, 14], kind="stable")].astype(np.float64)
    boxes = np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)
    return Faces(boxes, np.clip(rows[:, 14], 0, 1), rows[:, 4:14].reshape(-1, 5, 2))


def hub_file() -> Path:
    """Return the ONNX file from the hub, downloaded unless it was before.

    Raises:
        FeatureError: it is not here, and the hub cannot be reached.
    """
    try:
        return fetched(HUB_ID, HUB_FILE)
    except (OSError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise FeatureError(
            f"the weights of the face detector yunet are not among the downloaded files and {HUB_ID} cannot be "
            f"reached ({reason}); fetch {HUB_FILE} once with a network, or use the detector mtcnn"
        ) from error
