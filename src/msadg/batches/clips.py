"""The clips of one or several domains with their stored features: what every loop over data runs on."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int

from msadg.batches.column import Column, joined_columns
from msadg.corpora.label_sets import check_one_label_set
from msadg.errors import FeatureError, MsadgWarning
from msadg.store.reader import Store
from msadg.types import MODALITIES, Batch, LabelReading, LabelSet, Utterance


class ClipSet:
    """Labelled clips with features, by position; ``batch`` pads any of them into a Batch.

    A clip that a modality's store lacks has no valid step there; one that all stores lack is left out; one that is
    longer than ``max_steps`` is shortened. All are counted in a warning.

    Args:
        domain: the corpus.
        utterances: its clips, of one split as a rule.
        stores: by modality.
        domain_index: of the domain among the source domains; -1 for a target.
        max_steps: longest sequence, for every modality or by modality; text loses its end (the encoder's closing
            token with it), audio and video are thinned evenly.
        labels: how the corpus read polarity as a sentiment; a predicted polarity is read alike.

    Raises:
        FeatureError: no store, a modality that is not known, or not one clip with features.
    """

    def __init__(
        self,
        domain: str,
        utterances: Sequence[Utterance],
        stores: Mapping[str, Store],
        domain_index: int = -1,
        *,
        max_steps: Mapping[str, int] | int | None = None,
        labels: LabelReading = "round",
    ) -> None:
        if not stores or not set(stores) <= set(MODALITIES):
            raise FeatureError(
                f"{domain}: stores were given for {', '.join(stores) or 'no modality'}; known: {', '.join(MODALITIES)}"
            )
        clip_ids = [utterance.clip_id for utterance in utterances]
        columns = {
            modality: Column.of(modality, stores[modality], clip_ids, _limit(max_steps, modality))
            for modality in MODALITIES
            if modality in stores
        }
        kept = _with_features(domain, clip_ids, columns)
        chosen = [utterances[at] for at in kept]
        _tell_of_cuts(domain, columns)
        self.domain = domain
        self.labels: LabelReading = labels
        self.label_set: LabelSet = chosen[0].label_set
        self.columns = {modality: column.chosen(kept) for modality, column in columns.items()}
        self.clip_ids = tuple(utterance.clip_id for utterance in chosen)
        self.video_ids = tuple(utterance.video_id for utterance in chosen)
        self.sentiment: Int[np.ndarray, " clip"] = np.array([utterance.sentiment for utterance in chosen], np.int64)
        self.polarity: Float[np.ndarray, " clip"] = np.array(
            [math.nan if utterance.polarity is None else utterance.polarity for utterance in chosen], np.float32
        )
        self.domain_indices: Int[np.ndarray, " clip"] = np.full(len(chosen), domain_index, np.int64)

    def __len__(self) -> int:
        return len(self.clip_ids)

    def __repr__(self) -> str:
        return f"ClipSet({self.domain}: {len(self)} clips, {', '.join(self.columns)})"

    @property
    def feature_dims(self) -> dict[str, int]:
        """Features a step, by modality; 1 for token ids."""
        return {modality: column.dim for modality, column in self.columns.items()}

    @property
    def stores(self) -> dict[str, tuple[Store, ...]]:
        """The stores that the clips come from, by modality."""
        return {modality: column.stores for modality, column in self.columns.items()}

    @property
    def lengths(self) -> Int[np.ndarray, " clip"]:
        """Steps of each clip, over all modalities: what a batch of it costs."""
        by_modality = np.stack([column.lengths for column in self.columns.values()])
        return np.asarray(by_modality.sum(axis=0), np.int64)

    def batch(self, indices: Sequence[int] | Int[np.ndarray, " batch"]) -> Batch:
        """Return the clips at these positions, each modality padded to its longest.

        Values are float32, or int64 for token ids; 0 where not valid.
        """
        at = np.asarray(indices, np.int64)
        return Batch(
            clip_ids=tuple(self.clip_ids[clip] for clip in at.tolist()),
            steps={modality: column.gather(at) for modality, column in self.columns.items()},
            sentiment=torch.from_numpy(self.sentiment[at]),
            polarity=torch.from_numpy(self.polarity[at]),
            domain=torch.from_numpy(self.domain_indices[at]),
        )


def joined(clip_sets: Sequence[ClipSet]) -> ClipSet:
    """Return the clips of several domains as one set, in order: one index runs over all of them.

    Raises:
        FeatureError: no set was given, one has other modalities, or their features are of different kinds.
        CorpusError: their classes are not the same.
    """
    if not clip_sets:
        raise FeatureError("no clips to join: name at least one domain")
    head = clip_sets[0]
    for other in clip_sets[1:]:
        if other.columns.keys() != head.columns.keys():
            raise FeatureError(
                f"{head.domain} has {', '.join(head.columns)} features and {other.domain} has "
                f"{', '.join(other.columns)}; give every domain the same modalities"
            )
    whole = ClipSet.__new__(ClipSet)
    whole.domain = "+".join(clip_set.domain for clip_set in clip_sets)
    whole.labels = head.labels
    whole.label_set = check_one_label_set({clip_set.domain: clip_set.label_set for clip_set in clip_sets})
    whole.columns = {
        modality: joined_columns([clip_set.columns[modality] for clip_set in clip_sets]) for modality in head.columns
    }
    whole.clip_ids = tuple(clip_id for clip_set in clip_sets for clip_id in clip_set.clip_ids)
    whole.video_ids = tuple(video_id for clip_set in clip_sets for video_id in clip_set.video_ids)
    whole.sentiment = np.concatenate([clip_set.sentiment for clip_set in clip_sets])
    whole.polarity = np.concatenate([clip_set.polarity for clip_set in clip_sets])
    whole.domain_indices = np.concatenate([clip_set.domain_indices for clip_set in clip_sets])
    return whole


def _limit(max_steps: Mapping[str, int] | int | None, modality: str) -> int | None:
    limit = max_steps.get(modality) if isinstance(max_steps, Mapping) else max_steps
    if limit is not None and limit < 1:
        raise FeatureError(f"max_steps of {modality} is {limit}; it must be at least 1, or left out")
    return limit


def _tell_of_cuts(domain: str, columns: Mapping[str, Column]) -> None:
    for column in columns.values():
        num_cut = int((column.stored > column.lengths).sum())
        if num_cut:
            message = (
                f"{domain}: {num_cut} of {len(column.stored)} clips have more than {column.max_steps} steps of "
                f"{column.modality} and are shortened to that (longest: {column.stored.max()})"
            )
            warnings.warn(MsadgWarning(message), stacklevel=3)


def _with_features(domain: str, clip_ids: Sequence[str], columns: Mapping[str, Column]) -> Int[np.ndarray, " kept"]:
    """Return which clips have a valid step in any modality; warn of the others, and of what the kept ones lack."""
    has = {modality: column.num_valid > 0 for modality, column in columns.items()}
    any_of_them = np.any(list(has.values()), axis=0)
    if not any_of_them.any():
        paths = ", ".join(str(column.stores[0].path) for column in columns.values())
        raise FeatureError(
            f"{domain}: not one of {len(clip_ids)} clips has features in {paths}; extract them, or check the clip ids"
        )
    kinds = {"any modality; they are left out": any_of_them}
    kinds |= {f"{modality}; they have no valid step there": with_it for modality, with_it in has.items()}
    for what, with_it in kinds.items():
        lacking = np.flatnonzero(~with_it if with_it is any_of_them else ~with_it & any_of_them)
        if len(lacking):
            message = f"{domain}: {len(lacking)} of {len(clip_ids)} clips have no features of {what} (first: "
            warnings.warn(MsadgWarning(f"{message}{clip_ids[lacking[0]]})"), stacklevel=3)
    return np.flatnonzero(any_of_them)
