"""Which frames of a stored clip a trained method kept (S2LIF's keyframe-aware masking)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool

from msadg.batches.clips import ClipSet
from msadg.errors import FeatureError, UsageError
from msadg.protocols.features import folder_of
from msadg.protocols.run import load_run
from msadg.protocols.sources import read_sources
from msadg.store import Store
from msadg.types import Utterance


def kept_frames(run_folder: Path, store: Store, clip_id: str) -> Bool[np.ndarray, " time"]:
    """Return for each step of the clip's video whether the method kept it.

    The clip's other modalities are read from the stores beside.

    Raises:
        UsageError: the run's method drops no frames, or reads its video from another store.
        FeatureError: the stores hold other features than the run learned from.
        StoreError: a store that the run reads is not there, or has no such clip.
    """
    trained = load_run(run_folder)
    root = store.path.resolve().parent.parent
    data = replace(trained.experiment.data, stores=root)
    domain = store.path.resolve().parent.name
    if "video" not in data.features or folder_of(data, domain, "video") != store.path.resolve():
        reads = f"video from {folder_of(data, domain, 'video')}" if "video" in data.features else "no video"
        raise UsageError(f"{run_folder} reads {reads}, so it keeps no frames of {store.path}; inspect what it reads")
    stores = {modality: Store(folder_of(data, domain, modality)) for modality in data.features}
    known = read_sources(run_folder)
    for modality, beside in stores.items():
        if known is not None and beside.manifest.digest != known.modalities[modality].digest:
            raise FeatureError(
                f"{beside.path} holds other features than {run_folder} learned from (settings "
                f"{beside.manifest.digest[:8]}, then {known.modalities[modality].digest[:8]}); extract them as then"
            )
    store.row(clip_id)  # A clip that the store has not is an error, not a clip without frames.
    unread = Utterance(clip_id=clip_id, video_id=clip_id, split="test", sentiment=0)  # The label is read by nobody.
    clips = ClipSet(domain, [unread], stores, max_steps={"text": data.max_text_tokens})
    with torch.inference_mode():
        kept = trained.method.eval()(clips.batch([0])).auxiliary.get("kept_video")
    if kept is None:
        raise UsageError(
            f"{run_folder} was trained with {trained.method.name}, which drops no frames; s2lif does, unless "
            "methods.s2lif.keyframes is off"
        )
    return np.asarray(kept[0].numpy(), bool)
