"""Frames of a case: the kept ones, in order, as small pictures; or why there are none."""

import base64
from dataclasses import replace

import cv2
import numpy as np

from msadg.analysis.case import StepShare
from msadg.report.html.frames import key_frames
from tests.media import write_frames
from tests.report.html.pages import CASE


def colour_clip(path):
    """Ten frames a second, each of its own grey."""
    return write_frames(path, [np.full((48, 64, 3), 20 * step + 10, np.uint8) for step in range(10)], fps=10)


def grey_of(picture) -> float:
    coded = base64.b64decode(picture.source.removeprefix("data:image/jpeg;base64,"))
    return float(cv2.imdecode(np.frombuffer(coded, np.uint8), cv2.IMREAD_COLOR).mean())


def test_the_kept_frames_are_shown_in_their_order(tmp_path):
    path = colour_clip(tmp_path / "clip.mkv")
    kept = tuple(StepShare("video", step, share, step / 10, True) for step, share in ((2, 0.1), (5, -0.3), (8, 0.2)))
    pictures, why = key_frames(replace(CASE, clip_path=str(path), kept_steps=kept))
    assert why == ""
    assert [round(grey_of(picture) / 20 - 0.5) for picture in pictures] == [2, 5, 8]
    assert [picture.caption for picture in pictures] == [
        "0.2 s, share +0.100",
        "0.5 s, share -0.300",
        "0.8 s, share +0.200",
    ]
    assert (pictures[0].width, pictures[0].height) == (200, 150)


def test_of_more_frames_the_weightiest_are_shown(tmp_path):
    path = colour_clip(tmp_path / "clip.mkv")
    steps = tuple(StepShare("video", step, step / 100, step / 10, None) for step in range(10))
    pictures, _ = key_frames(replace(CASE, clip_path=str(path), steps=steps))
    assert [round(grey_of(picture) / 20 - 0.5) for picture in pictures] == [4, 5, 6, 7, 8, 9]


def test_it_is_said_why_there_are_none(tmp_path):
    told = {
        "simulated": replace(CASE, simulated=("video",), clip_path="x"),
        "reads no video": replace(CASE, modality_shares={"text": 1.0}, clip_path="x"),
        "withheld, or": CASE,
        "have no times": replace(CASE, clip_path="x", steps=(StepShare("video", 0, 0.1, None, None),)),
        "gone.mp4": replace(CASE, clip_path=str(tmp_path / "gone.mp4")),
    }
    for part, case in told.items():
        pictures, why = key_frames(case)
        assert pictures == []
        assert part in why
