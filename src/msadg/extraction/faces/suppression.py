"""Of boxes that show the same thing, keep the surest: greedy non-maximum suppression, in many groups at once."""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Float, Int

Share = Literal["union", "smaller"]


def surest(
    boxes: Float[np.ndarray, "box 4"],
    scores: Float[np.ndarray, " box"],
    groups: Int[np.ndarray, " box"],
    *,
    overlap: float,
    of: Share = "union",
) -> Int[np.ndarray, " kept"]:
    """Return which boxes stay, group by group, the surest first; of equally sure ones, the earlier first.

    In each group the surest box stays and those that overlap it by more than ``overlap`` go; so on with the rest. One
    round of it is done for all groups together, in as many rounds as the fullest group keeps boxes.

    Args:
        boxes: left, top, right, bottom.
        scores: how sure each is.
        groups: boxes of different groups leave each other alone.
        overlap: what is shared by two boxes, at most, in [0, 1].
        of: measured as a share of the boxes' union, or of the smaller box.
    """
    if len(boxes) == 0:
        return np.zeros(0, np.int64)
    order = np.lexsort((-scores, groups))
    grid = _grid(groups[order])
    alive = grid >= 0
    # One row a group, its boxes from the surest to the least sure.
    left, top, right, bottom = (boxes[order][np.maximum(grid, 0)][..., side] for side in range(4))
    areas = np.maximum(right - left, 0) * np.maximum(bottom - top, 0)
    kept = np.zeros_like(alive)
    rows = np.arange(len(grid))
    while len(rows):
        at = (rows, alive[rows].argmax(1))
        kept[at] = True
        shared = np.maximum(np.minimum(right[rows], right[at][:, None]) - np.maximum(left[rows], left[at][:, None]), 0)
        shared *= np.maximum(np.minimum(bottom[rows], bottom[at][:, None]) - np.maximum(top[rows], top[at][:, None]), 0)
        own, others = areas[at][:, None], areas[rows]
        whole = np.minimum(own, others) if of == "smaller" else own + others - shared
        alive[rows] &= shared <= overlap * whole
        alive[at] = False
        rows = rows[alive[rows].any(1)]
    return np.asarray(order[grid[kept]])


def _grid(groups: Int[np.ndarray, " box"]) -> Int[np.ndarray, "group rank"]:
    """Positions of sorted groups, one row each; -1 where a row is shorter than the longest."""
    _, first, sizes = np.unique(groups, return_index=True, return_counts=True)
    rank = np.arange(sizes.max())
    return np.where(rank < sizes[:, None], first[:, None] + rank, -1)
