"""Controls at scoring time: noise, or the rejected features, instead of the selected."""

import pytest
import torch

from msadg.errors import UsageError
from msadg.protocols.evaluate import predict_logits
from msadg.protocols.features import load_clips
from msadg.protocols.fit import source_clips
from msadg.protocols.intervention import intervened, selected_moments
from msadg.protocols.run import train_run
from tests.protocols.helpers import toy_experiment


@pytest.fixture
def run(tmp_path):
    experiment = toy_experiment(tmp_path, settings={"order": "text", "layers": 0})
    trained = train_run(experiment, tmp_path / "run")
    target = load_clips(experiment.data, experiment.domains.target_domains[0], "test")
    return trained, target


def test_where_nothing_is_rejected_the_rejected_features_say_nothing(run):
    trained, target = run
    with torch.no_grad():
        trained.method.masks["text"].threshold.fill_(-9.0)
    assert trained.keep_ratios == {"text": 1.0}
    with intervened(trained.method, "rejected", source_clips(trained.experiment, "dev")):
        logits = predict_logits(trained.method, target)["logits"]
    bias = trained.method.heads["text"].bias.detach().double().numpy()
    assert logits == pytest.approx(bias[None].repeat(len(target), axis=0), abs=1e-6)


@pytest.mark.parametrize("similarity", ["cosine", "dot", "mean"])
def test_the_rejected_features_are_read_and_pooled_as_if_they_had_been_selected(run, similarity: str):
    trained, target = run
    trained.method.fusion.similarity = similarity
    mask = trained.method.masks["text"]
    with torch.no_grad():
        mask.threshold[:4] = 5.0
    with intervened(trained.method, "rejected", []):
        swapped = predict_logits(trained.method, target)["logits"]
    with torch.no_grad():  # the same by hand: what passed is closed, what was closed passes
        closed = mask.kept
        mask.threshold.copy_(torch.where(closed, 9.0, -9.0))
    assert torch.equal(mask.kept, ~closed)
    assert swapped == pytest.approx(predict_logits(trained.method, target)["logits"], abs=1e-5)


def test_noise_has_the_moments_of_the_selected_features_and_is_the_clip_s_own(run):
    trained, target = run
    dev = source_clips(trained.experiment, "dev")
    moments = selected_moments(trained.method, dev)
    rows = []
    for clips in dev:
        steps = clips.batch(range(len(clips))).steps["text"]
        rows.append(trained.method.masks["text"](trained.method.encode("text", steps)[0])[steps.valid])
    rows = torch.cat(rows).double().detach()
    torch.testing.assert_close(moments["text"][0].double(), rows.mean(dim=0), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(moments["text"][1].double(), rows.std(dim=0, correction=0), atol=1e-5, rtol=1e-4)
    with intervened(trained.method, "noise", dev):
        together = predict_logits(trained.method, target, batch_size=64)["logits"]
        in_pairs = predict_logits(trained.method, target, batch_size=2)["logits"]
    assert together == pytest.approx(in_pairs, abs=1e-5)
    assert together != pytest.approx(predict_logits(trained.method, target)["logits"], abs=1e-2)


def test_after_the_control_everything_is_as_before(run):
    trained, target = run
    before = predict_logits(trained.method, target)["logits"]
    with intervened(trained.method, "noise", source_clips(trained.experiment, "dev")):
        pass
    assert predict_logits(trained.method, target)["logits"] == pytest.approx(before, abs=0)


def test_a_method_that_selects_nothing_cannot_be_intervened_on(tmp_path):
    trained = train_run(toy_experiment(tmp_path, "erm", training={"epochs": 1}), tmp_path / "run")
    with pytest.raises(UsageError, match="erm selects no features"), intervened(trained.method, "noise", []):
        pass


@pytest.mark.parametrize("settings", [{"mask": "none"}, {"mask": "dense"}, {"mask_target": "weights"}])
def test_a_mask_that_rejects_no_feature_has_no_such_control(tmp_path, settings: dict):
    experiment = toy_experiment(tmp_path, settings={"order": "text", **settings}, training={"epochs": 1})
    trained = train_run(experiment, tmp_path / "run")
    with pytest.raises(UsageError, match="nothing to read instead"), intervened(trained.method, "rejected", []):
        pass
