"""One CSV of OpenFace 2's FeatureExtraction: which columns mean what, and reading them.

A row is a face in a frame. Older files have a blank before each name, and some lack ``face_id`` (one face).

Reference: Baltrusaitis et al., "OpenFace 2.0: Facial Behavior Analysis Toolkit", FG 2018; the project's wiki,
"Output Format".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from msadg.corpora.csv_rows import read_csv
from msadg.errors import CorpusError, MediaError, SettingsError, nearest_name

INTENSITIES = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)
"""Action units with an intensity, 0 to 5; these and 28 have a presence, 0 or 1."""


def _numbered(names: Sequence[str], count: int) -> list[str]:
    return [f"{name}_{number}" for name in names for number in range(count)]


GROUPS: Mapping[str, tuple[str, ...]] = {
    "gaze": (*(f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz"), "gaze_angle_x", "gaze_angle_y"),
    "eyes2d": tuple(f"eye_lmk_{name}" for name in _numbered("xy", 56)),
    "eyes3d": tuple(f"eye_lmk_{name}" for name in _numbered("XYZ", 56)),
    "pose": tuple(f"pose_{kind}{axis}" for kind in "TR" for axis in "xyz"),
    "landmarks2d": tuple(_numbered("xy", 68)),
    "landmarks3d": tuple(_numbered("XYZ", 68)),
    "shape": ("p_scale", "p_rx", "p_ry", "p_rz", "p_tx", "p_ty", *_numbered("p", 34)),
    "au_r": tuple(f"AU{unit:02}_r" for unit in INTENSITIES),
    "au_c": tuple(f"AU{unit:02}_c" for unit in sorted((*INTENSITIES, 28))),
}
"""What OpenFace 2 writes, 709 columns in its order. gaze: two directions and their mean angle in radians; eyes and
landmarks: pixels (2d) or millimetres (3d); pose: millimetres (T) and radians (R); shape: of its point distribution
model; au_r, au_c: action units."""


TOLD = ("timestamp", "confidence", "success", "face_id")
"""Columns that say what a row is."""


@dataclass(frozen=True, slots=True)
class OpenFaceRows:
    """The rows of a file, in its order."""

    seconds: Float[np.ndarray, " row"]
    """From the beginning of what OpenFace was given."""
    confidence: Float[np.ndarray, " row"]
    seen: Bool[np.ndarray, " row"]
    """OpenFace calls the face tracked, and every value that is wanted is finite."""
    face_id: Int[np.ndarray, " row"]
    values: Float[np.ndarray, "row feature"]


def columns_of(text: str) -> tuple[str, ...]:
    """Return the columns that a setting names: groups and single columns, joined by ``+``; ``all`` is every one.

    Raises:
        SettingsError: a name that is neither.

    Example:
        >>> len(columns_of("gaze+pose+au_r+au_c")), len(columns_of("all")), columns_of("AU12_r+AU04_r")
        (49, 709, ('AU12_r', 'AU04_r'))
    """
    every = [column for group in GROUPS.values() for column in group]
    columns: list[str] = []
    for name in filter(None, (part.strip() for part in text.split("+"))):
        if name not in GROUPS and name not in every and name != "all":
            near = nearest_name(name, [*GROUPS, *every])
            raise SettingsError(
                f"columns has {name!r}; {near}expected all, a column of OpenFace's, or a group: {', '.join(GROUPS)}"
            )
        columns += every if name == "all" else GROUPS.get(name, (name,))
    if not columns:
        raise SettingsError(f"columns = {text!r} names no column; leave it out for gaze+pose+au_r+au_c")
    return tuple(dict.fromkeys(columns))


def read_openface(path: Path, columns: Sequence[str]) -> OpenFaceRows:
    """Read some columns of a file.

    Raises:
        MediaError: stage ``import``: not CSV, a column missing, or a cell that is no number.
    """
    found = path.stat()
    return _read(path, tuple(columns), found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=2)  # The clips of a video follow one another, and a long video's file takes seconds to read.
def _read(path: Path, columns: tuple[str, ...], _size: int, _changed: int) -> OpenFaceRows:
    told_rows, rows = [], []
    unread = np.zeros(len(columns), np.float32)
    try:
        for where, cells in read_csv(path, ("timestamp", "confidence", "success", *columns)):
            try:
                told_rows.append([float(cells.get(name, 0)) for name in TOLD])
                is_read = told_rows[-1][2] == 1  # elsewhere there may stand anything, "-nan(ind)" too
                rows.append(np.array([float(cells[name]) for name in columns], np.float32) if is_read else unread)
            except ValueError as error:
                raise MediaError("import", f"{where}: {error}; expected numbers") from None
    except CorpusError as error:
        raise MediaError(
            "import", f"{error}; OpenFace's FeatureExtraction writes it, or choose other columns"
        ) from None
    told = np.array(told_rows).reshape(-1, len(TOLD))
    values = np.array(rows, np.float32).reshape(-1, len(columns))
    if not np.isfinite(told).all():
        raise MediaError("import", f"{path}: a timestamp, confidence or success is not finite; run OpenFace again")
    finite = np.isfinite(values).all(axis=1)
    values[~finite] = 0
    return OpenFaceRows(told[:, 0], told[:, 1], (told[:, 2] == 1) & finite, told[:, 3].astype(np.int64), values)
