"""The hidden features that a mask sees: one value a clip and feature, rejected features included.

S2LIF reads x^c' = sum_j a_j (x_j * m) of each clip (Eq. 15). m is the same at every step, so x^c' = h * m with
h = sum_j a_j x_j: h is measured here. A selected feature of h is that of x^c' but for its factor, which no correlation
sees; a rejected feature, of which x^c' holds only zeros, is in h what it would have been read as. Behind +mask, whose
methods fuse in ways of their own, h is the mean over valid steps of what the mask is given (over the tokens, in ALMT).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from msadg.analysis.mask_inputs import mask_inputs
from msadg.analysis.masked_runs import feature_masks
from msadg.batches.clips import ClipSet, joined
from msadg.batches.sampling import sequential_batches
from msadg.methods.almt import ALMT
from msadg.methods.method import Method
from msadg.nn.steps import mean_over_valid
from msadg.protocols.fit import source_clips
from msadg.protocols.run import TrainedRun
from msadg.protocols.training import num_threads, resolved_device
from msadg.types import Batch, Prediction, Split


@dataclass(frozen=True, slots=True)
class Hidden:
    """One modality of some clips."""

    values: Float[np.ndarray, "clip feature"]
    """h; 0 where not present."""
    present: Bool[np.ndarray, " clip"]
    """Whether the clip has a valid step of the modality."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HiddenClips:
    """What a method makes of some clips before its masks, and what the clips are."""

    modalities: Mapping[str, Hidden]
    sentiment: Int[np.ndarray, " clip"]
    polarity: Float[np.ndarray, " clip"]
    domain: Int[np.ndarray, " clip"]
    """Index among the sources."""
    num_videos: int

    def __len__(self) -> int:
        return len(self.sentiment)


_KNOWN: WeakKeyDictionary[Method, dict[Split, HiddenClips]] = WeakKeyDictionary()
"""Several measurements read the same features, and to encode the clips costs more than to measure."""


def hidden_of(trained: TrainedRun, split: Split = "dev") -> HiddenClips:
    """The hidden features of a run on one split of its sources.

    Raises:
        StoreError: a store that the run reads is not there.
        FeatureError: no clip has features.
    """
    if split not in _KNOWN.get(trained.method, {}):
        clips = joined(source_clips(trained.experiment, split))
        device = resolved_device(trained.experiment.training.device)
        with num_threads(trained.experiment.training.threads):
            keep_hidden(trained.method, hidden_clips(trained.method.to(device), clips, device=device), split)
        trained.method.cpu()
    return _KNOWN[trained.method][split]


def keep_hidden(method: Method, clips: HiddenClips, split: Split = "dev") -> None:
    """Take these for the hidden features of a method from now on, as long as there is the method."""
    _KNOWN.setdefault(method, {})[split] = clips


def hidden_clips(method: Method, clips: ClipSet, *, batch_size: int = 32, device: str = "cpu") -> HiddenClips:
    """The hidden features of a method on some clips.

    Args:
        method: one with feature masks; left in the mode (training or not) that it was in.
        clips: in this order.
        batch_size: clips at a time; changes nothing but time and memory.
        device: where the method is.
    """
    masks = feature_masks(method)
    rows: dict[str, list[np.ndarray]] = {name: [] for modality in masks for name in (modality, f"has_{modality}")}
    order: list[np.ndarray] = []
    was_training = method.training
    method.eval()
    with torch.no_grad(), mask_inputs(masks) as inputs:
        for indices in sequential_batches(clips.lengths, batch_size):
            batch = clips.batch(indices).to(device)
            prediction = method(batch)
            for modality in masks:
                pooled, present = _pooled(method, modality, batch, prediction, inputs)
                rows[modality].append(pooled.float().cpu().numpy())
                rows[f"has_{modality}"].append(present.cpu().numpy())
            order.append(indices)
    method.train(was_training)
    places = np.argsort(np.concatenate(order))
    whole = {name: np.concatenate(parts)[places] for name, parts in rows.items()}
    return HiddenClips(
        modalities={modality: Hidden(whole[modality], whole[f"has_{modality}"]) for modality in masks},
        sentiment=clips.sentiment,
        polarity=clips.polarity,
        domain=clips.domain_indices,
        num_videos=len(set(zip(clips.domain_indices.tolist(), clips.video_ids, strict=True))),
    )


def _pooled(
    method: Method, modality: str, batch: Batch, prediction: Prediction, inputs: Mapping[str, Tensor]
) -> tuple[Float[Tensor, "batch feature"], Bool[Tensor, " batch"]]:
    present = batch.steps[modality].valid.any(dim=1)
    features = inputs[modality]
    weights = prediction.auxiliary.get(f"step_weights_{modality}")
    if weights is not None:
        return torch.einsum("bt,btf->bf", weights, features), present
    if any(isinstance(module, ALMT) for module in method.modules()):
        return features.mean(dim=1), present
    valid = prediction.auxiliary.get(f"sequence_valid_{modality}", batch.steps[modality].valid)
    return mean_over_valid(features, valid), present & valid.any(dim=1)
