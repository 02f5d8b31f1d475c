"""Frames of a case as small pictures inside the page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from msadg.analysis.case import Case, StepShare
from msadg.errors import FeatureError, MsadgError
from msadg.extraction.media.decode import frames_at

MOST_FRAMES = 6
WIDTH = 200
"""Pixels."""
QUALITY = 80


@dataclass(frozen=True, kw_only=True)
class KeyFramePicture:
    """A frame as the page shows it."""

    source: str
    """As a ``data:`` address."""
    alternative: str
    caption: str
    width: int
    height: int


def key_frames(case: Case) -> tuple[list[KeyFramePicture], str]:
    """The pictures of the frames that decided most, in their order in the clip; or why there are none.

    Of a method that keeps some frames, those are shown; of any other, the weightiest of all.
    """
    if "video" in case.simulated:
        return [], "No frames: the video features were simulated."
    if "video" not in case.modality_shares:
        return [], "No frames: the method reads no video."
    if case.clip_path is None:
        return [], "No frames: withheld, or the clip's file is not known."
    steps = case.kept_steps or tuple(step for step in case.steps if step.modality == "video")
    timed = [step for step in steps if step.start_seconds is not None]
    if not timed:
        return [], "No frames: the stored steps have no times."
    chosen = sorted(sorted(timed, key=lambda step: -abs(step.share))[:MOST_FRAMES], key=lambda step: step.step)
    try:
        return pictures_of(case.clip_path, chosen), ""
    except (MsadgError, OSError) as error:
        return [], f"No frames: {error}"


def pictures_of(path: str, steps: Sequence[StepShare]) -> list[KeyFramePicture]:
    """Decode the frames of some steps.

    Raises:
        MediaError: the file cannot be read.
    """
    shown = frames_at(path, [float(step.start_seconds or 0.0) for step in steps])
    return [_picture(frame.image, step) for frame, step in zip(shown, steps, strict=True)]


def _picture(image: UInt8[np.ndarray, "height width 3"], step: StepShare) -> KeyFramePicture:
    import cv2

    height = max(1, round(image.shape[0] * WIDTH / image.shape[1]))
    small = cv2.resize(image, (WIDTH, height), interpolation=cv2.INTER_AREA)
    is_written, coded = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not is_written:
        raise FeatureError(f"a frame of {image.shape} could not be written as JPEG")
    at, kept = f"{step.start_seconds:.1f} s", ", kept by the method" if step.kept else ""
    return KeyFramePicture(
        source=f"data:image/jpeg;base64,{base64.b64encode(coded.tobytes()).decode('ascii')}",
        alternative=f"Frame of the clip at {at}{kept}; share {step.share:+.3f}",
        caption=f"{at}, share {step.share:+.3f}",
        width=WIDTH,
        height=height,
    )
