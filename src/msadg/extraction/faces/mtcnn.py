"""MTCNN: three small networks, each shown the squares that the one before took for faces; a batch goes together.

Reference: Zhang, Zhang, Li, Qiao. "Joint Face Detection and Alignment using Multitask Cascaded Convolutional
Networks", IEEE Signal Processing Letters 23(10), 2016, doi:10.1109/LSP.2016.2603342, Sec. II.
Departures from the authors' program: boxes are not rounded to pixels between the networks, pictures are made smaller
by way of halvings, and the smallest face sought grows with the frame.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8

from msadg.errors import FeatureError
from msadg.extraction.extractor import JSON
from msadg.extraction.faces.detector import FaceDetector, Faces
from msadg.extraction.faces.mtcnn_nets import (
    CELL,
    O_SIDE,
    R_SIDE,
    STRIDE,
    ONet,
    PNet,
    RNet,
    normalised,
    with_weights,
)
from msadg.extraction.faces.pyramid import Picture, cut_squares, halvings, level_sizes, scaled
from msadg.extraction.faces.suppression import surest
from msadg.extraction.faces.weights import load_weights
from msadg.settings import require

PACKAGE = "facenet_pytorch"
"""Its wheel carries the weights (MIT licence); its code is not imported."""
WEIGHTS = {
    "pnet.pt": "a2a71925e0b9996a42f63e47efc1ca19043e69558b5c523b978d611dfae49c8f",
    "rnet.pt": "bbb937de72efc9ef83b186c49f5f558467a1d7e3453a8ece0d71a886633f6a86",
    "onet.pt": "165bfbe42940416ccfb977545cf0e976d5bf321f67083ae2aaaa5c764280118d",
}
"""The three files and the SHA-256 of each."""

P_PIXELS, R_SQUARES, O_SQUARES = 40_000, 32, 8
"""How much goes through a network at a time: what its layers make of it stays in a core's cache."""


@dataclass(frozen=True, kw_only=True)
class MtcnnConfig:
    """What MTCNN looks for; the thresholds and the factor are those of its authors."""

    min_face: int | float = 0.1
    """Side of the smallest face sought, as a share of the frame's shorter side; smaller ones cost time."""
    min_face_pixels: int | float = 20
    """But no smaller than this."""
    factor: float = 0.709
    """From one level of the pyramid to the next; its square halves the area."""
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7)
    """Probability of a face from which a square goes on, by network."""
    batch_size: int = 32
    """Frames worked on together. Memory grows with it."""

    def __post_init__(self) -> None:
        require("min_face", self.min_face, above=0, at_most=1)
        require("min_face_pixels", self.min_face_pixels, at_least=CELL)
        require("factor", self.factor, at_least=0.1, at_most=0.95)
        for threshold in self.thresholds:
            require("thresholds", threshold, above=0, at_most=0.999)
        require("batch_size", self.batch_size, at_least=1)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Squares of some frames that may show a face."""

    boxes: Float[np.ndarray, "square 4"]
    """Left, top, right, bottom in pixels of the frame."""
    scores: Float[np.ndarray, " square"]
    frame: Int[np.ndarray, " square"]
    """Which frame each is in; rising."""

    def __getitem__(self, which: np.ndarray) -> Candidates:
        return Candidates(self.boxes[which], self.scores[which], self.frame[which])


class Mtcnn(FaceDetector):
    """Finds faces with MTCNN.

    Args:
        config: what to look for.
        folder: of the three weight files; None for those of the installed package.
    """

    name = "mtcnn"

    def __init__(self, config: MtcnnConfig | None = None, *, folder: Path | None = None) -> None:
        self.config = config or MtcnnConfig()
        self.folder = folder

    @property
    def settings(self) -> Mapping[str, JSON]:
        """Every setting that decides a number, and the hashes of the weights."""
        decisive = {key: value for key, value in asdict(self.config).items() if key != "batch_size"}
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in decisive.items()}
        return {**plain, "weights_sha256": dict(WEIGHTS)}

    @cached_property
    def nets(self) -> tuple[PNet, RNet, ONet]:
        """The three networks.

        Raises:
            FeatureError: their weights are not installed, or not those that are pinned here.
        """
        folder = self.folder or installed_weights()
        p, r, o = (load_weights(folder / name, sha256=sha256) for name, sha256 in WEIGHTS.items())
        return (
            with_weights(PNet(), p, f"{folder / 'pnet.pt'}"),
            with_weights(RNet(), r, f"{folder / 'rnet.pt'}"),
            with_weights(ONet(), o, f"{folder / 'onet.pt'}"),
        )

    @torch.inference_mode()
    def detect(self, frames: UInt8[np.ndarray, "frame height width 3"]) -> list[Faces]:
        """Return the faces of each frame (RGB), in order.

        Raises:
            FeatureError: the weights cannot be had.
        """
        size = self.config.batch_size
        return [faces for at in range(0, len(frames), size) for faces in self._detect(frames[at : at + size])]

    def _detect(self, frames: UInt8[np.ndarray, "frame height width 3"]) -> list[Faces]:
        pictures = [halvings(np.ascontiguousarray(frame), least_side=CELL) for frame in frames]
        proposed = self._propose(pictures)
        refined = self._refine(pictures, squared(proposed))
        return self._describe(pictures, squared(refined))

    def _propose(self, pictures: Sequence[Sequence[Picture]]) -> Candidates:
        """Squares of every level that the P-Net takes for a face, moved as it says."""
        height, width = pictures[0][0].shape[:2]
        smallest = max(self.config.min_face_pixels, self.config.min_face * min(height, width))
        sizes = level_sizes(height, width, scale=CELL / smallest, factor=self.config.factor, least_side=CELL)
        found = [self._propose_level(pictures, rows, columns) for rows, columns in sizes]
        level = np.repeat(np.arange(len(found)), [len(part.scores) for part in found])
        all_levels = joined(found)
        each = all_levels.frame * max(len(sizes), 1) + level
        once = all_levels[surest(all_levels.boxes, all_levels.scores, each, overlap=0.5)]
        return once[surest(once.boxes, once.scores, once.frame, overlap=0.7)]

    def _propose_level(self, pictures: Sequence[Sequence[Picture]], rows: int, columns: int) -> Candidates:
        height, width = pictures[0][0].shape[:2]
        # Sides of the level are rounded, so a pixel of it may be a little wider than high.
        pixel = np.array([width / columns, height / rows] * 2)
        threshold = math.log(self.config.thresholds[0] / (1 - self.config.thresholds[0]))
        found = []
        together = max(P_PIXELS // (rows * columns), 1)
        for first in range(0, len(pictures), together):
            level = np.stack([scaled(copies, rows, columns) for copies in pictures[first : first + together]])
            log_odds, features = self.nets[0](normalised(torch.from_numpy(level)))
            at = (log_odds >= threshold).nonzero(as_tuple=True)
            shifts = self.nets[0].shifts(features[at]).double().numpy()
            frame, row, column = (index.numpy() for index in at)
            corners = np.stack([column, row, column, row], axis=1) * STRIDE + np.array([0, 0, CELL, CELL])
            scores = log_odds[at].double().sigmoid().numpy()
            found.append(Candidates((corners + shifts * CELL) * pixel, scores, frame + first))
        return joined(found)

    def _refine(self, pictures: Sequence[Sequence[Picture]], squares: Candidates) -> Candidates:
        """The squares that the R-Net takes for a face, moved as it says."""
        probability, shifts = shown(self.nets[1], pictures, squares, R_SIDE, R_SQUARES)
        passed = Candidates(moved(squares.boxes, shifts), probability, squares.frame)
        passed = passed[probability >= self.config.thresholds[1]]
        return passed[surest(passed.boxes, passed.scores, passed.frame, overlap=0.7)]

    def _describe(self, pictures: Sequence[Sequence[Picture]], squares: Candidates) -> list[Faces]:
        """The faces of each frame, as the O-Net describes them."""
        probability, shifts, landmarks = shown(self.nets[2], pictures, squares, O_SIDE, O_SQUARES)
        side = (squares.boxes[:, 2] - squares.boxes[:, 0])[:, None, None]
        landmarks = squares.boxes[:, None, :2] + landmarks * side
        boxes = moved(squares.boxes, shifts)
        passed = np.flatnonzero(probability >= self.config.thresholds[2])
        once = passed[surest(boxes[passed], probability[passed], squares.frame[passed], overlap=0.7, of="smaller")]
        parts = [once[squares.frame[once] == number] for number in range(len(pictures))]
        return [Faces(boxes[part], probability[part], landmarks[part]) for part in parts]


def shown(
    net: torch.nn.Module, pictures: Sequence[Sequence[Picture]], squares: Candidates, side: int, together: int
) -> list[Float[np.ndarray, "square ..."]]:
    """Return each output of a network that is shown the squares, some at a time."""
    first_of = np.searchsorted(squares.frame, np.arange(len(pictures) + 1))
    cut = [
        cut_squares(copies, squares.boxes[first:last], side)
        for copies, first, last in zip(pictures, first_of, first_of[1:], strict=False)
    ]
    squares_cut = np.concatenate(cut)
    outputs = zip(*[net(chunk) for chunk in normalised_chunks(squares_cut, together)], strict=True)
    return [torch.cat(parts)[: len(squares_cut)].double().numpy() for parts in outputs]


def normalised_chunks(cut: UInt8[np.ndarray, "square side side 3"], together: int) -> list[torch.Tensor]:
    """Return the squares as a network takes them, in parts of ``together``, the last filled up with blank ones.

    At least one part. The last bits of a convolution depend on how many squares there are, so there are always as many.
    """
    num_parts = max(-(-len(cut) // together), 1)
    filled = np.concatenate([cut, np.zeros((num_parts * together - len(cut), *cut.shape[1:]), np.uint8)])
    return [normalised(torch.from_numpy(part)) for part in np.split(filled, num_parts)]


def joined(parts: Sequence[Candidates]) -> Candidates:
    """Return the candidates of several parts as one."""
    if not parts:
        return Candidates(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64))
    return Candidates(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.frame for part in parts]),
    )


def moved(boxes: Float[np.ndarray, "square 4"], shifts: Float[np.ndarray, "square 4"]) -> Float[np.ndarray, "square 4"]:
    """Return the boxes with each side moved by its share of the box's width or height."""
    size = boxes[:, 2:] - boxes[:, :2]
    return np.asarray(boxes + shifts * np.concatenate([size, size], axis=1))


def squared(candidates: Candidates) -> Candidates:
    """Return the squares with the centres and the longer sides of the boxes; those without area go."""
    boxes = candidates.boxes
    size = boxes[:, 2:] - boxes[:, :2]
    half = size.max(axis=1, keepdims=True, initial=0) / 2
    centre = boxes[:, :2] + size / 2
    squares = Candidates(np.concatenate([centre - half, centre + half], axis=1), candidates.scores, candidates.frame)
    return squares[(half[:, 0] > 0) & (size > 0).all(axis=1)]


def installed_weights() -> Path:
    """Return the folder with the weights inside the installed package.

    Raises:
        FeatureError: it is not installed.
    """
    package = importlib.util.find_spec(PACKAGE)  # Found, not imported.
    places = list(package.submodule_search_locations or []) if package else []
    folder = Path(places[0]) / "data" if places else None
    if folder is None or not all((folder / name).is_file() for name in WEIGHTS):
        raise FeatureError(
            "the weights of the face detector mtcnn are not installed; `pip install --no-deps facenet-pytorch` "
            "brings them (2 MB, MIT licence; nothing else of it is used)"
        )
    return folder
