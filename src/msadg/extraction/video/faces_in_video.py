"""From a clip's frames to one vector a step for its speaker's face; what to say of a face is left to a subclass.

Frames are read in batches: faces are found, followed, described, and only boxes and vectors are kept, so that memory
does not grow with the pictures. Who the speaker is, is known at the end.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

from msadg.errors import MediaError, UnknownNameError
from msadg.extraction.clipwise import ClipExtractor
from msadg.extraction.extractor import JSON
from msadg.extraction.faces.detector import DETECTORS, FaceDetector, Faces, make_detector
from msadg.extraction.faces.speaker import MouthMovement, choose_speaker, largest_and_steadiest, loudness_of
from msadg.extraction.faces.tracking import NO_TRACK, Tracker, link_tracks
from msadg.extraction.media.decode import MAX_SIDE, Frame, sampled_frames
from msadg.extraction.media.timeline import RATE
from msadg.settings import require
from msadg.types import FACE_MARKS, Clip, Features

MAX_RATE = 60
"""Hz: hardly a video has more frames a second, and frames that are sampled twice look like a face at rest."""

TINY = 2.0
"""Pixels: a face whose box or landmarks span less has no pose to be brought into, and is left out."""


@dataclass(frozen=True, kw_only=True)
class FaceConfig:
    """How faces are sampled, found and chosen."""

    rate: int | float = RATE
    """Frames a second."""
    detector: str = "mtcnn"
    """One of DETECTORS."""
    speaker: Literal["largest", "mouth"] = "largest"
    """Whose face is described: the largest and steadiest, or the one whose mouth moves with the sound."""
    max_side: int = MAX_SIDE
    """Longer side of the frames in which faces are looked for, in pixels; larger frames are scaled down."""
    max_faces: int = 6
    """Faces described in a frame, the largest first; the others are left out."""
    batch_frames: int = 32
    """Frames worked on together; decides memory and speed, and no number."""

    def __post_init__(self) -> None:
        require("rate", self.rate, above=0, at_most=MAX_RATE)
        require("max_side", self.max_side, at_least=32)
        require("max_faces", self.max_faces, at_least=1)
        require("batch_frames", self.batch_frames, at_least=1)
        if self.detector not in DETECTORS:
            raise UnknownNameError("face detector", self.detector, DETECTORS)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A face in a frame."""

    step: int
    """Which sampled frame of the clip."""
    seconds: float
    track: int
    image: UInt8[np.ndarray, "height width 3"]
    """The whole frame."""
    box: Float[np.ndarray, " 4"]
    """Left, top, right, bottom, in pixels."""
    landmarks: Float[np.ndarray, "5 2"]


@runtime_checkable
class FaceDescriber(Protocol):
    """Says of a clip's faces what the features are; remembers what it needs of earlier frames, for one clip."""

    def describe(self, sightings: Sequence[Sighting]) -> Float[np.ndarray, "face feature"]:
        """Return a vector for each face of some successive frames; it depends on no later face."""
        ...


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is kept of a sighting."""

    step: int
    track: int
    box: Float[np.ndarray, " 4"]
    """As shares of the frame's width and height."""
    confidence: float
    mouth_movement: float
    vector: Float[np.ndarray, " feature"]


class FaceExtractor(ClipExtractor):
    """One vector a step for the speaker's face; a step without it is not valid, and still has its time."""

    modality = "video"
    marks = FACE_MARKS
    Config: ClassVar[type] = FaceConfig
    config: FaceConfig

    @property
    def settings(self) -> Mapping[str, JSON]:
        """What decides the numbers, the detector's own settings included."""
        settings: dict[str, JSON] = asdict(self.config)
        del settings["batch_frames"]
        return settings | {"rate": float(self.config.rate), "detector_settings": dict(self.detector.settings)}

    @cached_property
    def detector(self) -> FaceDetector:
        """Finds the faces."""
        return make_detector(self.config.detector)

    @abstractmethod
    def describer(self) -> FaceDescriber:
        """Return what describes the faces of the next clip."""

    def features_of(self, clip: Clip) -> Features:
        """Return the speaker's features and face at each sampled moment.

        Raises:
            MediaError: the file cannot be decoded, or no frame has a face.
        """
        assert clip.clip_path is not None
        seconds: list[float] = []
        tracker = Tracker()
        seen: list[_Seen] = []
        describer, mouths = self.describer(), MouthMovement()
        for frames in batches_of_frames(self._frames(clip), self.config.batch_frames):
            seen += self._look(frames, len(seconds), tracker, describer, mouths)
            seconds += [frame.seconds for frame in frames]
        if not seen:
            raise MediaError(
                "face",
                f"{clip.clip_path}: no face in any of {len(seconds)} frames, "
                f"looked at {self.config.rate:g} times a second with {self.config.detector}",
            )
        times = np.array(seconds)
        people = link_tracks(tracker.spans)
        speaker = self._speaker(clip, times, seen, people)
        return self._written(times, seen, people, speaker)

    def _frames(self, clip: Clip) -> Iterator[Frame]:
        assert clip.clip_path is not None
        return sampled_frames(
            clip.clip_path,
            rate=float(self.config.rate),
            start_seconds=clip.start_seconds,
            end_seconds=clip.end_seconds,
            max_side=self.config.max_side,
        )

    def _look(
        self,
        frames: Sequence[Frame],
        first_step: int,
        tracker: Tracker,
        describer: FaceDescriber,
        mouths: MouthMovement,
    ) -> list[_Seen]:
        """Find, follow and describe the faces of some frames of one size."""
        found = self.detector.detect(np.stack([frame.image for frame in frames]))
        sightings: list[Sighting] = []
        confidence: list[float] = []
        for step, (frame, faces) in enumerate(zip(frames, found, strict=True), start=first_step):
            kept = largest_faces(faces, self.config.max_faces)
            tracks = tracker.update(faces.boxes[kept], frame.image)
            for face, track in zip(kept, tracks.tolist(), strict=True):
                box, landmarks = faces.boxes[face].astype(np.float64), faces.landmarks[face].astype(np.float64)
                sightings.append(Sighting(step, frame.seconds, track, frame.image, box, landmarks))
                confidence.append(float(faces.confidence[face]))
        if not sightings:
            return []
        vectors = describer.describe(sightings)
        return [
            _Seen(s.step, s.track, _shares(s), sure, self._mouth_movement(s, mouths), vector)
            for s, sure, vector in zip(sightings, confidence, vectors, strict=True)
        ]

    def _mouth_movement(self, sighting: Sighting, mouths: MouthMovement) -> float:
        if self.config.speaker != "mouth":
            return float("nan")
        return mouths.update(sighting.track, sighting.step, sighting.image, sighting.landmarks)

    def _speaker(
        self, clip: Clip, seconds: Float[np.ndarray, " time"], seen: Sequence[_Seen], people: np.ndarray
    ) -> int:
        boxes = np.stack([face.box for face in seen])
        steps = np.array([face.step for face in seen])
        tracks = np.array([face.track for face in seen])
        scores = largest_and_steadiest(boxes, steps, tracks, people[tracks], len(seconds))
        if self.config.speaker == "largest" or len(scores) == 1:
            return choose_speaker(scores)
        movement = np.full((len(scores), len(seconds)), np.nan)
        movement[people[tracks], steps] = [face.mouth_movement for face in seen]
        return choose_speaker(scores, list(movement), loudness_of(clip, seconds, float(self.config.rate)))

    def _written(
        self, seconds: Float[np.ndarray, " time"], seen: Sequence[_Seen], people: np.ndarray, speaker: int
    ) -> Features:
        values = np.zeros((len(seconds), self.dim), np.float32)
        valid = np.zeros(len(seconds), np.bool_)
        marks = np.full((len(seconds), len(FACE_MARKS)), np.nan)
        marks[:, FACE_MARKS.index("start_seconds")] = seconds
        marks[:, FACE_MARKS.index("end_seconds")] = seconds + 1 / self.config.rate
        marks[:, FACE_MARKS.index("track")] = NO_TRACK
        first = FACE_MARKS.index("left")
        for face in seen:
            if people[face.track] == speaker:
                left, top, right, bottom = face.box
                valid[face.step], values[face.step] = True, face.vector
                marks[face.step, first:] = left, top, right - left, bottom - top, face.confidence, speaker
        return Features(values, valid, marks)


def batches_of_frames(frames: Iterable[Frame], size: int) -> Iterator[list[Frame]]:
    """Yield successive frames in lists of ``size``, sooner where the size of the pictures changes."""
    batch: list[Frame] = []
    for frame in frames:
        if batch and (len(batch) == size or frame.image.shape != batch[0].image.shape):
            yield batch
            batch = []
        batch.append(frame)
    if batch:
        yield batch


def largest_faces(faces: Faces, most: int) -> list[int]:
    """Return which faces of a frame are worked on: those of the largest boxes, as the detector ordered them."""
    boxes, landmarks = faces.boxes, faces.landmarks
    spans = np.concatenate([boxes[:, 2:] - boxes[:, :2], np.ptp(landmarks, axis=1)], axis=1)
    usable = np.isfinite(spans).all(axis=1) & (spans[:, :2].min(axis=1) >= TINY) & (spans[:, 2:].max(axis=1) >= TINY)
    areas = np.where(usable, spans[:, 0] * spans[:, 1], -1.0)
    order = np.argsort(-areas, kind="stable")[:most]
    return sorted(int(face) for face in order if usable[face])


def _shares(sighting: Sighting) -> Float[np.ndarray, " 4"]:
    height, width = sighting.image.shape[:2]
    return sighting.box / np.array([width, height, width, height])  # type: ignore[no-any-return]
