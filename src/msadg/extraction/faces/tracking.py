"""Following faces from one sampled frame to the next, and across the cuts to the same view.

Within a shot, a face goes to the track whose expected place (moving on as it moved last) is nearest, all faces of a
frame at once (Kuhn 1955, in the form of Bewley et al., "Simple online and realtime tracking", ICIP 2016, with
distances in face widths instead of overlaps: at five frames a second a box can leave itself). A cut ends every track.
Afterwards tracks that follow one another at the same place and size before the same background are linked: the jump
cuts of a vlog, and a dialogue filmed from two sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

MAX_MOVE = 0.7
"""How far a face may be from where it was expected, in face sizes."""

MAX_FIRST_MOVE = 2.0
"""The same where a track has a single sighting, so that nobody knows yet how it moves: someone walks by."""

MAX_RESIZE = 1.6
"""How many times larger or smaller a face may become from one sighting to the next."""

MAX_GAP = 3
"""For how many sampled frames a track may go unseen."""

MAX_LINK_MOVE = 1.0
"""How far apart, in face sizes, two tracks may end and begin to be linked."""

CUT = 28.0
"""Mean change of the frame's coarse picture, in grey levels of 255, from which on it is a different view."""

THUMBNAIL = (24, 16)
"""Width and height of a frame's coarse picture."""

NO_TRACK = -1


@dataclass(slots=True)
class _Live:
    """A track that may still go on."""

    number: int
    box: Float[np.ndarray, " 4"]
    step: int
    velocity: Float[np.ndarray, " 2"] | None = None
    """In pixels a frame; None at the first sighting."""

    def expected(self, step: int) -> Float[np.ndarray, " 2"]:
        centre: Float[np.ndarray, " 2"] = _centres(self.box[None])[0]
        if self.velocity is not None:
            centre = centre + self.velocity * (step - self.step)
        return centre

    @property
    def reach(self) -> float:
        return MAX_FIRST_MOVE if self.velocity is None else MAX_MOVE

    def move_to(self, box: Float[np.ndarray, " 4"], step: int) -> None:
        self.velocity = (_centres(box[None])[0] - _centres(self.box[None])[0]) / (step - self.step)
        self.box, self.step = box, step


@dataclass(slots=True)
class Span:
    """Where and when a track began and ended, and what the frame looked like then."""

    first_step: int
    first_box: Float[np.ndarray, " 4"]
    first_view: UInt8[np.ndarray, "row column"]
    last_step: int
    last_box: Float[np.ndarray, " 4"]
    last_view: UInt8[np.ndarray, "row column"]


class Tracker:
    """Numbers the faces of successive frames: 0, 1, 2 ... in order of appearance, from the left within a frame.

    Memory grows with the number of tracks, not with the number of frames.
    """

    def __init__(self) -> None:
        self.spans: list[Span] = []
        """One for each track, at its number."""
        self._live: list[_Live] = []
        self._step = -1
        self._view: UInt8[np.ndarray, "row column"] | None = None

    def update(
        self, boxes: Float[np.ndarray, "face 4"], image: UInt8[np.ndarray, "height width 3"]
    ) -> Int[np.ndarray, " face"]:
        """Return the track of each face of the next frame."""
        self._step += 1
        view = view_of(image)
        if self._view is not None and is_cut(self._view, view):
            self._live = []
        self._view = view
        self._live = [track for track in self._live if self._step - track.step <= MAX_GAP + 1]
        boxes = boxes.astype(np.float64)
        tracks = np.full(len(boxes), NO_TRACK, np.int64)
        for face, live in self._matches(boxes):
            live.move_to(boxes[face], self._step)
            tracks[face] = live.number
            span = self.spans[live.number]
            span.last_step, span.last_box, span.last_view = self._step, boxes[face], view
        for face in np.argsort(boxes[:, 0], kind="stable"):
            if tracks[face] == NO_TRACK:
                tracks[face] = self._begin(boxes[face], view)
        return tracks

    def _begin(self, box: Float[np.ndarray, " 4"], view: UInt8[np.ndarray, "row column"]) -> int:
        number = len(self.spans)
        self._live.append(_Live(number, box, self._step))
        self.spans.append(Span(self._step, box, view, self._step, box, view))
        return number

    def _matches(self, boxes: Float[np.ndarray, "face 4"]) -> list[tuple[int, _Live]]:
        """Pair faces with tracks so that the distances are least, a face or track without a partner counted as far."""
        if not len(boxes) or not self._live:
            return []
        from scipy.optimize import linear_sum_assignment

        expected = np.stack([track.expected(self._step) for track in self._live])
        last = np.stack([track.box for track in self._live])
        cost = _distance(boxes, _centres(boxes), last, expected)
        reach = np.array([track.reach for track in self._live])
        allowed = (cost <= reach) & (_resize(boxes, last) <= MAX_RESIZE)
        faces, tracks = linear_sum_assignment(np.where(allowed, cost, MAX_FIRST_MOVE))
        return [(int(f), self._live[t]) for f, t in zip(faces, tracks, strict=True) if allowed[f, t]]


def view_of(image: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "row column"]:
    """Return a coarse grey picture of a frame, by which cuts are noticed."""
    import cv2

    # Shrunk first: what is left to turn grey is small.
    small = cv2.resize(image, THUMBNAIL, interpolation=cv2.INTER_AREA)
    grey: Any = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    return grey  # type: ignore[no-any-return]


def is_cut(before: UInt8[np.ndarray, "row column"], after: UInt8[np.ndarray, "row column"]) -> bool:
    """Whether two coarse pictures show different views."""
    return float(np.abs(before.astype(np.int16) - after).mean()) > CUT


def link_tracks(spans: list[Span]) -> Int[np.ndarray, " track"]:
    """Return for each track the number of the person it is linked to, 0, 1, 2 ... in order of appearance.

    A track goes to the person whose last track had ended before, at most MAX_LINK_MOVE face sizes away, about as
    large and before the same view; to the nearest where there are several, to nobody where there is none.
    """
    people: list[Span] = []
    ends = np.empty(len(spans), np.int64)
    boxes = np.empty((len(spans), 4))
    person_of = np.empty(len(spans), np.int64)
    for number, span in enumerate(spans):
        first = span.first_box[None]
        last = boxes[: len(people)]
        distance = _distance(first, _centres(first), last, _centres(last))[0]
        near = (ends[: len(people)] < span.first_step) & (distance <= MAX_LINK_MOVE)
        near &= _resize(first, last)[0] <= MAX_RESIZE
        candidates = [p for p in np.flatnonzero(near) if not is_cut(people[p].last_view, span.first_view)]
        person = min(candidates, key=lambda p: distance[p], default=len(people))
        people[person : person + 1] = [span]  # At the end, a new person.
        ends[person], boxes[person], person_of[number] = span.last_step, span.last_box, person
    return person_of


def _centres(boxes: Float[np.ndarray, "box 4"]) -> Float[np.ndarray, "box 2"]:
    return (boxes[:, :2] + boxes[:, 2:]) / 2  # type: ignore[no-any-return]


def sizes_of(boxes: Float[np.ndarray, "box 4"]) -> Float[np.ndarray, " box"]:
    """Return the side of the square as large as each box."""
    return np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))  # type: ignore[no-any-return]


def _distance(
    boxes: Float[np.ndarray, "a 4"],
    centres: Float[np.ndarray, "a 2"],
    others: Float[np.ndarray, "b 4"],
    other_centres: Float[np.ndarray, "b 2"],
) -> Float[np.ndarray, "a b"]:
    """How far centres are from one another, in mean face sizes."""
    apart = np.linalg.norm(centres[:, None] - other_centres[None], axis=2)
    return apart / ((sizes_of(boxes)[:, None] + sizes_of(others)[None]) / 2)  # type: ignore[no-any-return]


def _resize(boxes: Float[np.ndarray, "a 4"], others: Float[np.ndarray, "b 4"]) -> Float[np.ndarray, "a b"]:
    """How many times larger the larger of two faces is."""
    apart = np.abs(np.log(sizes_of(boxes)[:, None]) - np.log(sizes_of(others)[None]))
    return np.exp(apart)  # type: ignore[no-any-return]
