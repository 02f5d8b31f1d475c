"""What the sources of a run looked like, kept in its folder: so that a prediction knows when a clip looks otherwise.

``sources.safetensors`` holds, by modality, where the training clips lie (``distance``), how far the dev clips lie from
there, which extractor made the features, and a few clips' features, over which a missing modality is averaged. It is
read from the sources' train and dev splits alone, without a label, and is all that a prediction needs of the data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from msadg.batches.clips import ClipSet
from msadg.errors import RunError
from msadg.nn.seeds import derive_seed
from msadg.nn.steps import mean_over_valid
from msadg.protocols.checkpoint import load_tensors, save_tensors
from msadg.protocols.distance import SourceDistance
from msadg.types import Steps

SOURCES_FILE = "sources.safetensors"
BACKGROUND_CLIPS = 32
MOST_CLIPS = 4096
"""Of a split, over all domains, that are looked at: enough for a 99 % quantile, few enough for a second."""
QUANTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True)
class SourceModality:
    """One modality of the sources."""

    extractor: Mapping[str, Any]
    """``extractor``, ``version`` and ``settings`` of the stores' manifests."""
    digest: str
    """Of the manifests."""
    dim: int
    num_clips: int
    """Training clips that were looked at."""
    distance: SourceDistance | None
    """None for token ids, whose mean means nothing, and where no clip has this modality."""
    quantiles: tuple[float, ...]
    """Of the distance over the sources' dev clips, at QUANTILES, each some clip's own; () where there are none."""
    num_dev_clips: int | None = None
    """That the quantiles are of; None for a run from before that was kept."""


@dataclass(frozen=True)
class Sources:
    """What the sources of a run looked like."""

    domains: tuple[str, ...]
    modalities: Mapping[str, SourceModality]
    background: Mapping[str, Steps]
    """By modality: the features of the same few training clips."""

    @property
    def feature_dims(self) -> dict[str, int]:
        """Features a step, by modality; 1 for token ids."""
        return {modality: seen.dim for modality, seen in self.modalities.items()}


def sources_of(train_sets: Sequence[ClipSet], dev_sets: Sequence[ClipSet], seed: int) -> Sources:
    """Look at the sources.

    Args:
        train_sets: one for each source domain.
        dev_sets: the same domains' dev splits.
        seed: of the choice of clips, where there are many.
    """
    chosen = [
        _some(clips, MOST_CLIPS // len(train_sets), derive_seed(seed, "sources", "train")) for clips in train_sets
    ]
    dev = [_some(clips, MOST_CLIPS // len(dev_sets), derive_seed(seed, "sources", "dev")) for clips in dev_sets]
    means, dev_means = _time_means(train_sets, chosen), _time_means(dev_sets, dev)
    modalities = {}
    for modality, stores in train_sets[0].stores.items():
        manifest = stores[0].manifest
        distance = SourceDistance.fit(means[modality]) if len(means[modality]) > 1 else None
        distances = distance(dev_means[modality]) if distance and len(dev_means[modality]) else np.zeros(0)
        quantiles = (
            tuple(float(q) for q in np.quantile(distances, QUANTILES, method="higher")) if len(distances) else ()
        )
        modalities[modality] = SourceModality(
            manifest.identity, manifest.digest, manifest.dim, len(means[modality]), distance, quantiles, len(distances)
        )
    return Sources(tuple(clips.domain for clips in train_sets), modalities, _background(train_sets, seed))


def _some(clips: ClipSet, at_most: int, seed: int) -> Int[np.ndarray, " chosen"]:
    if len(clips) <= at_most:
        return np.arange(len(clips))
    return np.sort(np.random.default_rng(seed).choice(len(clips), at_most, replace=False))


def _time_means(
    clip_sets: Sequence[ClipSet], chosen: Sequence[Int[np.ndarray, " _"]]
) -> dict[str, Float[np.ndarray, "clip feature"]]:
    """The mean over valid steps of each clip that has any, by modality; no rows for token ids."""
    rows: dict[str, list[np.ndarray]] = {modality: [] for modality in clip_sets[0].columns}
    for clips, indices in zip(clip_sets, chosen, strict=True):
        by_length = indices[np.argsort(clips.lengths[indices], kind="stable")]
        for start in range(0, len(by_length), 128):
            for modality, steps in clips.batch(by_length[start : start + 128]).steps.items():
                if steps.values.is_floating_point():
                    has = steps.valid.any(dim=1)
                    rows[modality].append(mean_over_valid(steps.values, steps.valid)[has].numpy())
    dims = clip_sets[0].feature_dims
    return {modality: np.concatenate([np.zeros((0, dims[modality])), *parts]) for modality, parts in rows.items()}


def _background(train_sets: Sequence[ClipSet], seed: int) -> dict[str, Steps]:
    """The features of a few clips, equally many of each domain, of those that have every modality where there are."""
    share = max(BACKGROUND_CLIPS // len(train_sets), 1)
    generator = np.random.default_rng(derive_seed(seed, "sources", "background"))
    parts: dict[str, list[Steps]] = {modality: [] for modality in train_sets[0].columns}
    for clips in train_sets:
        missing = np.sum([column.num_valid == 0 for column in clips.columns.values()], axis=0)
        order = generator.permutation(len(clips))
        picked = order[np.argsort(missing[order], kind="stable")][:share]
        for modality, steps in clips.batch(picked).steps.items():
            parts[modality].append(steps)
    return {modality: _stacked(steps) for modality, steps in parts.items()}


def _stacked(parts: Sequence[Steps]) -> Steps:
    """Batches of one modality as one, padded to the longest."""
    longest = max(steps.valid.shape[1] for steps in parts)

    def longer(tensor: Tensor) -> Tensor:
        padding = tensor.new_zeros((len(tensor), longest - tensor.shape[1], *tensor.shape[2:]))
        return torch.cat([tensor, padding], dim=1)

    return Steps(torch.cat([longer(s.values) for s in parts]), torch.cat([longer(s.valid) for s in parts]))


def write_sources(folder: Path, sources: Sources) -> None:
    """Write what the sources looked like into a run folder, whole or not at all.

    Raises:
        StoreError: the disk is full.
    """
    tensors: dict[str, Tensor] = {}
    described: dict[str, Any] = {}
    for modality, seen in sources.modalities.items():
        fields = asdict(seen)
        fields["rest_variance"] = None
        if seen.distance is not None:
            fields["rest_variance"] = seen.distance.rest_variance
            arrays = {name: value for name, value in asdict(seen.distance).items() if name != "rest_variance"}
            tensors |= {f"{modality}.{name}": torch.from_numpy(value) for name, value in arrays.items()}
        del fields["distance"]
        described[modality] = fields
        tensors |= dict(_packed(modality, sources.background[modality]))
    save_tensors(folder / SOURCES_FILE, tensors, {"domains": list(sources.domains), "modalities": described})


def _packed(modality: str, steps: Steps) -> Iterator[tuple[str, Tensor]]:
    """The steps of the background without their padding; in half precision where that loses nothing, as a rule."""
    lengths = torch.where(steps.valid, torch.arange(steps.valid.shape[1]) + 1, 0).amax(dim=1)
    rows = torch.arange(steps.valid.shape[1]) < lengths[:, None]
    values = steps.values[rows]
    yield f"{modality}.background.lengths", lengths
    yield f"{modality}.background.valid", steps.valid[rows]
    is_half = values.is_floating_point() and torch.equal(values.half().float(), values)
    yield f"{modality}.background.values", values.half() if is_half else values


def read_sources(folder: Path) -> Sources | None:
    """What the sources of a run looked like; None for a run from before this was kept.

    Raises:
        RunError: the file is damaged.
    """
    path = folder / SOURCES_FILE
    if not path.exists():
        return None
    try:
        tensors, meta = load_tensors(path)
        modalities = {name: _modality(name, fields, tensors) for name, fields in meta["modalities"].items()}
        background = {name: _unpacked(name, tensors) for name in modalities}
        return Sources(tuple(meta["domains"]), modalities, background)
    except (RunError, KeyError, TypeError, IndexError, RuntimeError, ValueError) as error:
        raise RunError(
            f"{path}: damaged or cut; delete it, and the run's `msadg train` command with --resume writes it again"
        ) from error


def _modality(name: str, fields: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> SourceModality:
    values = dict(fields)
    rest = values.pop("rest_variance")
    distance = None
    if rest is not None:
        arrays = {part: tensors[f"{name}.{part}"].numpy() for part in ("mean", "scale", "directions", "precision")}
        distance = SourceDistance(**arrays, rest_variance=rest)
    return SourceModality(**values | {"quantiles": tuple(values["quantiles"])}, distance=distance)


def _unpacked(name: str, tensors: Mapping[str, Tensor]) -> Steps:
    lengths, valid, rows = (tensors[f"{name}.background.{part}"] for part in ("lengths", "valid", "values"))
    values = rows.float() if rows.is_floating_point() else rows
    longest = max(int(lengths.max()), 1)
    places = torch.arange(longest) < lengths[:, None]
    padded, is_valid = values.new_zeros((len(lengths), longest, values.shape[-1])), torch.zeros_like(places)
    padded[places], is_valid[places] = values, valid
    return Steps(padded, is_valid)
