"""What is in a feature store, or in the stores of a folder, in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from msadg.errors import StoreError
from msadg.extraction.extractor import JSON
from msadg.store import Store
from msadg.store.manifest import FILE_NAME as MANIFEST
from msadg.types import SPLITS

QUANTILES = {"min": 0.0, "5 %": 0.05, "median": 0.5, "95 %": 0.95, "max": 1.0}
CHUNK_ROWS = 65_536


@dataclass(frozen=True, kw_only=True)
class SplitSummary:
    """What a store holds of one split."""

    clips: int
    """With features."""
    lost: int
    steps: int
    valid_steps: int


@dataclass(frozen=True, kw_only=True)
class StoreSummary:
    """What a store holds."""

    path: str
    extractor: str
    modality: str
    version: str
    digest: str
    settings: Mapping[str, JSON]
    marks: tuple[str, ...]
    dim: int
    dtype: str
    is_complete: bool
    """False while it is being written, or after a crash."""
    by_split: Mapping[str, SplitSummary]
    lost_by_stage: Mapping[str, int]
    first_lost: Mapping[str, str]
    """By stage: a clip and its reason."""
    steps_per_clip: Mapping[str, float]
    """By the name of a quantile."""
    lowest: float | None
    """Of all values of valid steps; None where there is none."""
    highest: float | None
    non_finite: int
    """Values of valid steps that are NaN or inf."""

    @property
    def total(self) -> SplitSummary:
        """All splits together."""
        parts = [asdict(part) for part in self.by_split.values()]
        return SplitSummary(**{key: sum(part[key] for part in parts) for key in SplitSummary.__annotations__})

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they go into JSON."""
        return {**asdict(self), "marks": list(self.marks), "total": asdict(self.total)}


def summarise_store(path: Path) -> StoreSummary:
    """Read a store through and say what is in it.

    Raises:
        StoreError: there is no store in the folder, or it is damaged.
    """
    store = Store(path)
    lost_by_stage = Counter(loss.stage for loss in store.losses.values())
    lengths = store.lengths(store.clip_ids)
    valid = _valid_rows(store)
    lowest, highest, non_finite = _range_of(store, valid)
    return StoreSummary(
        path=str(path),
        extractor=store.manifest.extractor,
        modality=store.manifest.modality,
        version=store.manifest.version,
        digest=store.manifest.digest,
        settings=store.manifest.settings,
        marks=tuple(store.manifest.marks),
        dim=store.dim,
        dtype=str(store.dtype),
        is_complete=store.is_complete,
        by_split=_by_split(store, valid),
        lost_by_stage=dict(lost_by_stage.most_common()),
        first_lost={
            stage: next(f"{clip_id}: {loss.reason}" for clip_id, loss in store.losses.items() if loss.stage == stage)
            for stage in lost_by_stage
        },
        steps_per_clip={name: float(np.quantile(lengths, share)) for name, share in QUANTILES.items() if len(lengths)},
        lowest=lowest,
        highest=highest,
        non_finite=non_finite,
    )


def stores_below(folder: Path) -> list[Path]:
    """Return the stores of a domain's folder, or of all domains' in a root, by name.

    Raises:
        StoreError: there is none.
    """
    found = sorted(path.parent for depth in ("*", "*/*") for path in folder.glob(f"{depth}/{MANIFEST}"))
    if not found:
        raise StoreError(
            f"{folder} is no feature store and holds none; expected a store (stores/mosi/text-minilm), a domain's "
            "folder (stores/mosi) or the folder of all (stores), which `msadg extract` makes"
        )
    return found


def is_store(folder: Path) -> bool:
    """Whether a folder is a store by itself."""
    return (folder / MANIFEST).is_file()


def split_of(clip_id: str) -> str:
    """Return the split that a clip's id names; "-" where it names none.

    Example:
        >>> split_of("mosi/train/03bSnISJMiM[1]"), split_of("made up")
        ('train', '-')
    """
    parts = clip_id.split("/")
    return parts[1] if len(parts) > 2 else "-"


def _valid_rows(store: Store) -> Bool[np.ndarray, " row"]:
    """Which rows on the disk are valid steps of a clip; what was stored anew leaves rows that are nobody's."""
    valid = np.zeros(len(store.values), bool)
    first, steps = store.rows(store.clip_ids)
    for start, number in zip(first.tolist(), steps.tolist(), strict=True):
        valid[start : start + number] = True
    for clip_id, ranges in store.invalid_ranges().items():
        start = store.row(clip_id).first
        for begin, end in ranges:
            valid[start + begin : start + end] = False
    return valid


def _by_split(store: Store, valid: Bool[np.ndarray, " row"]) -> dict[str, SplitSummary]:
    names = {split_of(clip_id) for clip_id in (*store.clip_ids, *store.losses)}
    known = [split for split in SPLITS if split in names]
    counted = {split: Counter[str]() for split in (*known, *sorted(names - set(known)))}
    for clip_id in store.clip_ids:
        row, count = store.row(clip_id), counted[split_of(clip_id)]
        num_valid = int(valid[row.first : row.first + row.steps].sum())
        count.update(clips=1, steps=row.steps, valid_steps=num_valid)
    for clip_id in store.losses:
        counted[split_of(clip_id)].update(lost=1)
    return {
        split: SplitSummary(**{key: count[key] for key in SplitSummary.__annotations__})
        for split, count in counted.items()
    }


def _range_of(store: Store, valid: Bool[np.ndarray, " row"]) -> tuple[float | None, float | None, int]:
    lowest, highest, non_finite = np.inf, -np.inf, 0
    for values in _chunks(store, valid):
        finite = np.isfinite(values)
        non_finite += int((~finite).sum())
        if finite.any():
            lowest = min(lowest, float(values.min(where=finite, initial=np.inf)))
            highest = max(highest, float(values.max(where=finite, initial=-np.inf)))
    return (lowest, highest, non_finite) if lowest <= highest else (None, None, non_finite)


def _chunks(store: Store, valid: Bool[np.ndarray, " row"]) -> Iterator[np.ndarray]:
    """Valid rows, some at a time: a store may be larger than memory."""
    for start in range(0, len(valid), CHUNK_ROWS):
        chunk = store.values[start : start + CHUNK_ROWS][valid[start : start + CHUNK_ROWS]]
        if len(chunk):
            yield chunk.astype(np.float32)
