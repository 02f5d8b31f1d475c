"""The features that a mask sees, against what the methods themselves make of them."""

import numpy as np
import pytest
import torch

from msadg.analysis.hidden import hidden_clips, hidden_of
from msadg.analysis.masked_runs import feature_masks
from msadg.batches.clips import joined
from msadg.methods.build import MethodSpec, build_method
from msadg.protocols.fit import source_clips
from tests.analysis.mask_runs import keep, toy_run


def test_the_hidden_features_times_the_mask_are_what_s2lif_fuses(tmp_path):
    trained = toy_run(tmp_path)
    keep(trained, text=range(3), video=range(2, 7))
    clips = joined(source_clips(trained.experiment, "dev"))
    hidden = hidden_of(trained)
    fused = trained.method(clips.batch(range(len(clips)))).auxiliary
    for modality, mask in feature_masks(trained.method).items():
        found = hidden.modalities[modality].values * mask.mask.detach().numpy()
        assert found == pytest.approx(fused[f"fused_{modality}"].detach().numpy(), abs=1e-5)
        assert np.ptp(hidden.modalities[modality].values, axis=0).min() > 0  # rejected features are not 0
    assert hidden.sentiment.tolist() == clips.sentiment.tolist()
    assert (len(hidden), hidden.num_videos) == (36, 12)


def test_behind_a_mask_of_another_method_they_are_the_mean_over_valid_steps(tmp_path):
    trained = toy_run(tmp_path)
    clips = joined(source_clips(trained.experiment, "dev"))
    settings = {"dim": 8, "heads": 2, "modalities": ["text"]}
    method = build_method(MethodSpec(name="erm", settings=settings, mask={}), clips.feature_dims, 0).eval()
    batch = clips.batch(range(len(clips)))
    steps = batch.steps["text"]
    encoded = method.inner.encoders["text"].inner(steps.values, steps.valid).detach()
    expected = [encoded[at][steps.valid[at]].mean(dim=0).numpy() for at in range(len(clips))]
    found = hidden_clips(method, clips, batch_size=7).modalities
    assert list(found) == ["text"]
    assert found["text"].values == pytest.approx(np.array(expected), abs=1e-5)
    assert found["text"].present.all()


def test_almt_s_masks_see_tokens_of_which_none_is_padding(tmp_path):
    trained = toy_run(tmp_path)
    clips = joined(source_clips(trained.experiment, "dev"))
    settings = {"dim": 8, "heads": 2, "head_dim": 4, "hyper_head_dim": 4, "feedforward_dim": 8, "tokens": 4}
    method = build_method(MethodSpec(name="almt", settings=settings, mask={}), clips.feature_dims, 0)
    one, many = (hidden_clips(method, clips, batch_size=size).modalities["video"].values for size in (1, 36))
    assert one == pytest.approx(many, abs=1e-5)
    assert method.training  # left as it was


def test_the_order_is_the_clips_whatever_the_batches(tmp_path):
    trained = toy_run(tmp_path)
    clips = joined(source_clips(trained.experiment, "dev"))
    with torch.no_grad():
        few, many = (hidden_clips(trained.method, clips, batch_size=size) for size in (5, 36))
    assert few.modalities["text"].values == pytest.approx(many.modalities["text"].values, abs=1e-5)
