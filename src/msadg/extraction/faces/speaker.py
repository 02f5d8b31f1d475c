"""Who speaks: the largest and steadiest face of a clip, or the one whose mouth moves with the sound.

``largest``. The score of a person is coverage x size / (1 + jitter):

- coverage: share of the sampled frames in which the face was seen;
- size: median over them of the face's side as a share of the frame's, sqrt(width x height), each as a share;
- jitter: median movement of its centre between successive sightings of one track, in face sizes; 0 for a single one.

The first to appear wins a tie. ``mouth``. Of the people whose mouth moves at all, the one in whom the movement rises
and falls most with the loudness of the sound (Pearson correlation over the frames at which both are known, at least
MIN_PAIRS). Where the clip has no sound, or nobody's mouth has a positive correlation, the choice is ``largest``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, UInt8

from msadg.errors import MediaError
from msadg.extraction.faces.align import aligned_crop
from msadg.extraction.faces.tracking import sizes_of
from msadg.extraction.media.sound import Sound, read_sound
from msadg.types import Clip

MIN_PAIRS = 6
"""Frames at which movement and loudness are known, below which no correlation is believed."""

STILL = 0.5
"""Standard deviation of the mouth's movement, in grey levels of 255, up to which it is noise."""

CROP = 64
MOUTH = (slice(44, 62), slice(16, 48))
"""Rows and columns of the mouth in an aligned crop of CROP pixels."""


def largest_and_steadiest(
    boxes: Float[np.ndarray, "sighting 4"],
    steps: Int[np.ndarray, " sighting"],
    tracks: Int[np.ndarray, " sighting"],
    people: Int[np.ndarray, " sighting"],
    num_steps: int,
) -> Float[np.ndarray, " person"]:
    """Return the score of each person.

    Args:
        boxes: left, top, right, bottom, as shares of the frame's width and height.
        steps: which sampled frame each face was seen in, rising.
        tracks: its track.
        people: the number of the person that the track belongs to.
        num_steps: sampled frames of the clip.
    """
    scores = np.zeros(int(people.max()) + 1)
    for person in range(len(scores)):
        own = people == person
        coverage = len(np.unique(steps[own])) / num_steps
        scores[person] = coverage * np.median(sizes_of(boxes[own])) / (1 + _jitter(boxes[own], tracks[own]))
    return scores


def _jitter(boxes: Float[np.ndarray, "sighting 4"], tracks: Int[np.ndarray, " sighting"]) -> float:
    same = tracks[1:] == tracks[:-1]
    if not same.any():
        return 0.0
    # Relative to the box's own width and height: shares of a wide frame are not square.
    moved = np.diff((boxes[:, :2] + boxes[:, 2:]) / 2, axis=0) / (boxes[1:, 2:] - boxes[1:, :2])
    return float(np.median(np.linalg.norm(moved, axis=1)[same]))


class MouthMovement:
    """How much each track's mouth changed since the frame before: the mean change of its pixels, in grey levels."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[int, Float[np.ndarray, "row column"]]] = {}

    def update(
        self, track: int, step: int, image: UInt8[np.ndarray, "height width 3"], landmarks: Float[np.ndarray, "5 2"]
    ) -> float:
        """Return the change; NaN where the track was not seen in the frame before."""
        mouth = aligned_crop(image, landmarks, CROP)[MOUTH].mean(axis=2)
        last_step, last = self._last.get(track, (step, mouth))
        self._last[track] = step, mouth
        for gone in [other for other, (seen, _) in self._last.items() if seen < step - 1]:
            del self._last[gone]
        return float(np.abs(mouth - last).mean()) if last_step == step - 1 else float("nan")


def loudness_of(clip: Clip, seconds: Float[np.ndarray, " time"], rate: float) -> Float[np.ndarray, " time"] | None:
    """Return how loud the sound is between each sampled moment and the one before; None where there is no sound then.

    Root mean square in decibels, from -60 on; NaN where the sound does not reach.

    Raises:
        MediaError: the sound is there and damaged.
    """
    assert clip.clip_path is not None
    try:
        sound = read_sound(clip.clip_path, start_seconds=clip.start_seconds, end_seconds=clip.end_seconds)
    except MediaError as error:
        if error.stage in ("sound", "time"):  # None in the file, or none while the clip lasts.
            return None
        raise
    return np.array([_decibels(sound, at - 1 / rate, at) for at in seconds])


def _decibels(sound: Sound, start_seconds: float, end_seconds: float) -> float:
    first, last = (
        round(max(seconds - sound.start_seconds, 0) * sound.sample_rate_hz) for seconds in (start_seconds, end_seconds)
    )
    heard = sound.samples[first:last].astype(np.float64)
    if not len(heard):
        return float("nan")
    return float(20 * np.log10(max(np.sqrt(np.mean(heard**2)), 1e-3)))


def choose_speaker(
    scores: Float[np.ndarray, " person"],
    movement: Sequence[Float[np.ndarray, " time"]] = (),
    loudness: Float[np.ndarray, " time"] | None = None,
) -> int:
    """Return the number of the person who speaks.

    Args:
        scores: from ``largest_and_steadiest``.
        movement: of each person's mouth at each sampled moment, NaN where unknown; () chooses by the score.
        loudness: of the sound at each sampled moment; None chooses by the score.
    """
    if loudness is not None and movement:
        together = np.array([_correlation(moved, loudness) for moved in movement])
        if together.max() > 0:
            return int(np.lexsort((-scores, -together))[0])
    return int(np.argmax(scores))


def _correlation(movement: Float[np.ndarray, " time"], loudness: Float[np.ndarray, " time"]) -> float:
    """Pearson's; 0 where there is too little to go by."""
    known = np.isfinite(movement) & np.isfinite(loudness)
    moved, loud = movement[known], loudness[known]
    if len(moved) < MIN_PAIRS or moved.std() <= STILL or loud.std() <= 1e-6:
        return 0.0
    return float(np.mean((moved - moved.mean()) * (loud - loud.mean())) / (moved.std() * loud.std()))
