"""Features of faces that somebody else extracted: OpenFace's CSV files, published FACET or OpenFace sequences.

A published file has 20, 35, 47 or 709 columns. Which ones are read is part of a store's settings, with the hash of the
file where one file has all clips; stores with different ones are refused side by side.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from msadg.errors import MediaError, SettingsError
from msadg.extraction.clipwise import ClipExtractor
from msadg.extraction.extractor import JSON, Loss
from msadg.extraction.file_hashes import hash_of_file
from msadg.extraction.media.timeline import RATE, step_starts
from msadg.extraction.video.openface_csv import OpenFaceRows, columns_of, read_openface
from msadg.extraction.video.sequence_files import SequenceFile, open_sequence_file, parts_of, video_ids
from msadg.settings import require
from msadg.types import FACE_MARKS, TIME_MARKS, Clip, Features

LONG_AFTER = 60.0
"""Seconds for which a clip may go on after its last row, without a face; one that goes on for longer ends with it."""


@dataclass(frozen=True)
class OpenFaceConfig:
    """What is taken from OpenFace's files."""

    files: str = ""
    """Folder of the CSV files; see OpenFace for their names."""
    columns: str = "gaze+pose+au_r+au_c"
    """Groups (``openface_csv.GROUPS``) and single columns, joined by ``+``; ``all`` is all 709."""
    rate: int | float = RATE
    """Steps a second; the frames of a step are averaged."""
    confidence: int | float = 0.5
    """A face that OpenFace is less sure of is not read."""

    def __post_init__(self) -> None:
        require("rate", self.rate, above=0, at_most=1000)
        require("confidence", self.confidence, at_least=0, at_most=1)
        columns_of(self.columns)
        if not self.files or not Path(self.files).is_dir():
            raise SettingsError(
                f"files = {self.files!r} is no folder; expected OpenFace's CSV files, one a clip or video: "
                "openface:files=FOLDER"
            )
        object.__setattr__(self, "files", str(Path(self.files).resolve()))  # A worker may stand elsewhere.


class OpenFace(ClipExtractor):
    """OpenFace 2's measurements of the face seen longest in a clip.

    A clip ``mosi/train/vid[3]`` is looked for as ``vid[3].csv`` or ``vid_3.csv``, then under the name of its video
    file, then as ``vid.csv``, if its times are known; each in ``mosi/train/``, ``train/``, ``mosi/`` and the folder
    itself. Where ids come again in another split, as MELD's do, the files have to lie in folders by split. A file
    named as the clip begins where the clip does; one named as its video has the video's times, and is cut.

    A row counts if ``success`` is 1, its confidence is high enough and its values are finite; a step without such a
    row is invalid. Boxes are unknown: OpenFace writes pixels, but not the size of the picture.
    """

    modality = "video"
    kind = "openface"
    version = "1"
    Config = OpenFaceConfig
    config: OpenFaceConfig
    marks = FACE_MARKS

    @property
    def settings(self) -> Mapping[str, JSON]:
        """Columns by name, rate and confidence; not the folder, whose files are each clip's input."""
        columns: list[JSON] = [*columns_of(self.config.columns)]
        return {"columns": columns, "rate": float(self.config.rate), "confidence": float(self.config.confidence)}

    @property
    def dim(self) -> int:
        """Columns read."""
        return len(columns_of(self.config.columns))

    def extract_one(self, clip: Clip) -> Features | Loss:
        """Return the features of a clip, or why it has none; it needs no video."""
        return _without_video(self, clip)

    def features_of(self, clip: Clip) -> Features:
        """Average OpenFace's rows over the steps of the clip."""
        path, shift = self._file_of(clip)
        rows = read_openface(path, columns_of(self.config.columns))
        if not len(rows.seconds):
            raise MediaError("import", f"{path} has no rows; run OpenFace again")
        seconds = rows.seconds + shift
        start, end = _span(clip, seconds)
        inside = (seconds >= start) & (seconds < end)
        usable = inside & rows.seen & (rows.confidence >= self.config.confidence)
        if not usable.any():
            raise MediaError(
                "face", f"{path}: none of {inside.sum()} rows between {start:g} and {end:g} s has a face to read"
            )
        track = _longest(rows, usable)
        usable &= rows.face_id == track
        starts = step_starts(start, end, self.config.rate)
        both = np.concatenate([rows.values, rows.confidence[:, None]], axis=1)
        means, valid = averaged(both[usable], seconds[usable], starts, self.config.rate)
        marks = np.full((len(starts), len(FACE_MARKS)), np.nan)
        marks[:, :2] = np.stack([starts, np.minimum(starts + 1 / self.config.rate, end)], axis=1)
        marks[:, FACE_MARKS.index("confidence")] = np.where(valid, means[:, -1], np.nan)
        marks[:, FACE_MARKS.index("track")] = np.where(valid, track, -1)
        return Features(means[:, :-1].astype(np.float32), valid, marks)

    def input_of(self, clip: Clip) -> bytes:
        """The content of the clip's CSV and its times; b"" where it has none."""
        try:
            digest = hash_of_file(self._file_of(clip)[0])
        except MediaError:
            return b""
        return repr((digest, clip.start_seconds, clip.end_seconds)).encode()

    def _file_of(self, clip: Clip) -> tuple[Path, float]:
        """The clip's file, and where on the axis of the clip's video its time 0 lies."""
        domain, split, local = parts_of(clip)
        folder = Path(self.config.files)
        for name, shift in _names(clip):
            for place in (folder / domain / split, folder / split, folder / domain, folder):
                if (path := place / f"{name}.csv").is_file():
                    return path, shift
        raise MediaError("import", f"{folder} has no CSV of {clip.clip_id}; expected {local}.csv there or in {split}/")


@dataclass(frozen=True)
class FacetConfig:
    """Which published sequences are read."""

    file: str = ""
    """A .csd of the CMU-MultimodalSDK or a .pkl of MMSA; several, one a corpus, are joined by ``+``."""
    rate: int | float = RATE
    """Steps a second, averaged, where the file has times (.csd); 0 keeps its own steps."""

    def __post_init__(self) -> None:
        require("rate", self.rate, at_least=0, at_most=1000)
        object.__setattr__(self, "file", "+".join(str(path.resolve()) for path in _files_of(self.file)))


class Facet(ClipExtractor):
    """Published FACET or OpenFace sequences of CMU-MOSI and CMU-MOSEI, as wide as their file is.

    A .csd has the sequences of whole videos: those steps are read that start inside the clip's times, and averaged to
    ``rate``. A .pkl has the clips' own steps, without times. A step of zeros only (how FACET writes a frame without a
    face), or with NaN or inf, is invalid.
    """

    modality = "video"
    kind = "facet"
    version = "1"
    Config = FacetConfig
    config: FacetConfig
    marks = TIME_MARKS

    @property
    def settings(self) -> Mapping[str, JSON]:
        """Rate, width and the hash of each file, which stands for what its columns mean."""
        hashes: list[JSON] = [hash_of_file(path) for path in _files_of(self.config.file)]
        return {"rate": float(self.config.rate), "width": self.dim, "sha256": hashes}

    @property
    def dim(self) -> int:
        """Columns of the file."""
        widths = {file.path.name: file.width for file in self._files}
        if len(set(widths.values())) > 1:
            met = ", ".join(f"{name} has {width}" for name, width in widths.items())
            raise SettingsError(f"facet: {met} columns; these are different features and cannot be one extractor's")
        return next(iter(widths.values()))

    def extract_one(self, clip: Clip) -> Features | Loss:
        """Return the features of a clip, or why it has none; it needs no video."""
        return _without_video(self, clip)

    def features_of(self, clip: Clip) -> Features:
        """Read the clip's rows; average them over the clip's steps where they have times."""
        values, seconds = self._rows_of(clip)
        usable = np.isfinite(values).all(axis=1) & (values != 0).any(axis=1)
        if not usable.any():
            raise MediaError("face", f"none of the {len(values)} published steps of {clip.clip_id} has a face")
        if seconds is not None and self.config.rate:
            start, end = _span(clip, seconds)
            starts = step_starts(start, end, self.config.rate)
            means, valid = averaged(values[usable], seconds[usable], starts, self.config.rate)
            ends = np.minimum(starts + 1 / self.config.rate, end)
            return Features(means.astype(np.float32), valid, np.stack([starts, ends], axis=1))
        starts = np.full(len(values), np.nan) if seconds is None else seconds
        ends = np.append(starts[1:], np.nan)
        kept = np.where(usable[:, None], values, 0).astype(np.float32)
        return Features(kept, usable, np.stack([starts, ends], axis=1))

    def input_of(self, clip: Clip) -> bytes:
        """The clip's own rows and times; not the whole file."""
        try:
            values, seconds = self._rows_of(clip)
        except MediaError as error:
            return repr((error.stage, clip.start_seconds, clip.end_seconds)).encode()
        told = repr((values.shape, clip.start_seconds, clip.end_seconds)).encode()
        return b"".join([told, values.tobytes(), b"" if seconds is None else seconds.tobytes()])

    @property
    def _files(self) -> list[SequenceFile]:
        return [open_sequence_file(path) for path in _files_of(self.config.file)]

    def _rows_of(self, clip: Clip) -> tuple[Shaped[np.ndarray, "row feature"], Float[np.ndarray, " row"] | None]:
        for file in self._files:
            if (found := file.rows(clip)) is not None:
                return found
        names = ", ".join(file.path.name for file in self._files)
        raise MediaError(
            "import", f"{clip.clip_id} is not in {names}; is it its corpus's file, and are the clip's times known?"
        )


def averaged(
    values: Float[np.ndarray, "row feature"],
    seconds: Float[np.ndarray, " row"],
    starts: Float[np.ndarray, " time"],
    rate: int | float,
) -> tuple[Float[np.ndarray, "time feature"], Bool[np.ndarray, " time"]]:
    """Return the mean of the rows in each step, and which steps have any.

    Example:
        >>> values, valid = averaged(np.array([[1.0], [3.0], [5.0]]), np.array([0.0, 0.1, 0.5]), np.arange(3) / 5, 5)
        >>> values.ravel().tolist(), valid.tolist()
        ([2.0, 0.0, 5.0], [True, False, True])
    """
    # 1e-6: 0.6 s begins step 3 of 5 a second, however it was rounded.
    step = np.clip(((seconds - starts[0]) * rate + 1e-6).astype(np.int64), 0, len(starts) - 1)
    total = np.zeros((len(starts), values.shape[1]))
    np.add.at(total, step, values)
    count = np.bincount(step, minlength=len(starts))
    return total / np.maximum(count, 1)[:, None], count > 0


def _without_video(extractor: ClipExtractor, clip: Clip) -> Features | Loss:
    try:
        return extractor.features_of(clip)
    except MediaError as error:
        return Loss(error.stage, error.reason)


def _files_of(text: str) -> list[Path]:
    """The files of a setting, each of a kind that can be read.

    Raises:
        SettingsError: one is not there, or of another kind.
    """
    paths = [Path(text)] if Path(text).is_file() else [Path(part) for part in text.split("+")]
    for path in paths:
        if path.suffix not in (".csd", ".pkl") or not path.is_file():
            raise SettingsError(
                f"file = {text!r}: {path} is no .csd or .pkl that is there; expected a published file: "
                "facet:file=CMU_MOSI_Visual_Facet_42.csd"
            )
    return paths


def _names(clip: Clip) -> list[tuple[str, float]]:
    """What OpenFace's file of a clip may be called, and where on the axis of the clip's video its time 0 lies."""
    local = parts_of(clip)[2]
    names = []
    begins = max(clip.start_seconds or 0.0, 0.0)
    if clip.clip_path:
        video = Path(clip.clip_path)
        begins = 0.0 if video.stem == local else begins
        names = [(f"{video.parent.name}/{video.stem}", 0.0)]
        if not video.stem.isdigit():  # Raw/<video id>/3.mp4: every video has a 3
            names.append((video.stem, 0.0))
    own = [(local, begins), (re.sub(r"\[(\w+)\]$", r"_\1", local), begins)]
    return [*own, *names, *((video_id, 0.0) for video_id in video_ids(clip))]


def _span(clip: Clip, seconds: Float[np.ndarray, " row"]) -> tuple[float, float]:
    """Where a clip starts and ends; by its rows where it does not say so itself, or says that it ends long after them.

    Raises:
        MediaError: it does not last, or its times lie outside the rows'.
    """
    step = float(np.median(np.diff(np.unique(seconds)))) if len(np.unique(seconds)) > 1 else 1 / RATE
    start = max(clip.start_seconds, 0.0) if clip.start_seconds is not None else min(float(seconds.min()), 0.0)
    rows_end = float(seconds.max()) + step
    end = rows_end if clip.end_seconds is None or clip.end_seconds > rows_end + LONG_AFTER else clip.end_seconds
    if end <= start or start > seconds.max():
        raise MediaError(
            "time",
            f"{clip.clip_id} lasts from {start:g} to {end:g} s, its rows from {seconds.min():g} to {seconds.max():g} s",
        )
    return start, end


def _longest(rows: OpenFaceRows, usable: Bool[np.ndarray, " row"]) -> int:
    """The face with most usable rows; of two alike, the lower number."""
    faces: Int[np.ndarray, " face"]
    faces, counts = np.unique(rows.face_id[usable], return_counts=True)
    return int(faces[np.argmax(counts)])
