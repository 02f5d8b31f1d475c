"""Mean and spread of features over steps."""

import numpy as np
import torch
from torch.testing import assert_close

from msadg.batches import ClipSet
from msadg.batches.moments import step_moments
from msadg.store import Manifest, Store, StoreWriter
from msadg.types import Features, Utterance


def test_moments_are_those_of_the_valid_steps_of_all_clips(tmp_path):
    random = np.random.default_rng(0)
    made_by = Manifest(extractor="video-made-up", modality="video", version="1", settings={}, dim=3, dtype="float32")
    seen, utterances = [], []
    with StoreWriter(tmp_path / "video", made_by) as writer:
        for at in range(5):
            values = random.normal([0.0, -30.0, 7.0], [1.0, 10.0, 0.0], (4 + at, 3)).astype(np.float32)
            valid = np.arange(len(values)) != at
            writer.add(f"mine/train/{at}", Features(values, valid))
            seen.append(values[valid])
            utterances.append(
                Utterance(clip_id=f"mine/train/{at}", video_id="v", text="", split="train", sentiment=at % 3)
            )
    clips = ClipSet("mine", utterances, {"video": Store(tmp_path / "video")})
    mean, spread = step_moments(clips, "video")
    steps = np.concatenate(seen).astype(np.float64)
    assert_close(mean, torch.from_numpy(steps.mean(axis=0)).float())
    assert_close(spread, torch.from_numpy(steps.std(axis=0)).float())
    assert spread[2] == 0
