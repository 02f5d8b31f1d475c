"""S2LIF: the order of learning, the schedules, the loss of Eq. 16-19, the guard, the controls."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from msadg.errors import SettingsError, UsageError
from msadg.methods.build import MethodSpec, build_method
from msadg.methods.s2lif import S2LIF, parse_order
from msadg.types import Steps
from tests.methods.helpers import tiny_batch, tiny_method

ORDERS = ["text>video", "video>text", "text&video", "text", "video"]


def gradient_norm(model: S2LIF, prefix: str) -> float:
    return sum(
        float(p.grad.abs().sum()) for n, p in model.named_parameters() if n.startswith(prefix) and p.grad is not None
    )


@pytest.mark.parametrize("order", ORDERS)
def test_each_stage_has_a_classifier_over_what_was_selected_so_far(order: str):
    model = tiny_method("s2lif", order=order).eval()
    prediction = model(tiny_batch())
    seen = 0
    for stage in parse_order(order):
        seen += len(stage)
        head = model.heads["&".join(stage)]
        assert head.in_features == 8 * seen
    assert torch.equal(prediction.logits, prediction.auxiliary["logits_" + "&".join(stage)])


def test_the_classifier_of_video_reads_the_selected_text_then_the_selected_video():
    model = tiny_method("s2lif").eval()
    prediction = model(tiny_batch())
    both = torch.cat([prediction.auxiliary["fused_text"], prediction.auxiliary["fused_video"]], dim=-1)
    assert_close(prediction.logits, model.heads["video"](both))
    assert_close(prediction.auxiliary["logits_text"], model.heads["text"](prediction.auxiliary["fused_text"]))


def test_the_loss_is_equation_17_to_19():
    model = tiny_method("s2lif", sparsity_weight=0.25).train()
    with torch.no_grad():
        model.masks["text"].threshold.fill_(0.5)
    batch = tiny_batch()
    prediction = model(batch)
    terms = model.loss(prediction, batch)
    expected = {
        "text": F.cross_entropy(prediction.auxiliary["logits_text"], batch.sentiment),
        "video": F.cross_entropy(prediction.logits, batch.sentiment),
        "sparsity_text": 0.25 * 8 * torch.exp(torch.tensor(-0.5)),
        "sparsity_video": torch.tensor(0.25 * 8),
        "reconstruction": prediction.auxiliary["reconstruction"],
    }
    assert set(terms) == set(expected)
    for name, value in expected.items():
        assert_close(terms[name], value)


@pytest.mark.parametrize(("schedule", "reaches"), [("joint", True), ("joint_detach", False), ("staged", False)])
def test_the_loss_of_video_reaches_text_only_under_the_joint_schedule(schedule: str, reaches: bool):
    model = tiny_method("s2lif", schedule=schedule).train()
    batch = tiny_batch()
    model.loss(model(batch), batch)["video"].backward()
    assert (gradient_norm(model, "encoders.text.") > 0) == reaches
    assert (gradient_norm(model, "masks.text.") > 0) == reaches
    assert gradient_norm(model, "encoders.video.") > 0


def test_the_loss_of_text_never_reaches_video():
    model = tiny_method("s2lif", schedule="joint").train()
    batch = tiny_batch()
    model.loss(model(batch), batch)["text"].backward()
    assert gradient_norm(model, "encoders.video.") == 0


def test_the_staged_schedule_trains_one_modality_after_the_other():
    model = tiny_method("s2lif", schedule="staged")
    text, video = model.phases()
    assert (text.output, video.output) == ("logits_text", "logits_video")
    assert text.terms == ("text", "sparsity_text")
    assert video.terms == ("video", "sparsity_video", "reconstruction")
    covered = {n for n, _ in model.named_parameters() if n.startswith(text.parameters + video.parameters)}
    assert covered == {n for n, _ in model.named_parameters()}
    assert not any(n.startswith(text.parameters) and n.startswith(video.parameters) for n in covered)


def test_rejected_features_are_not_read():
    model = tiny_method("s2lif", order="text").eval()
    with torch.no_grad():
        model.masks["text"].threshold[:6] = 5.0
    before = model(tiny_batch()).logits
    with torch.no_grad():
        model.heads["text"].weight[:, :6] = 100.0
    assert torch.equal(model(tiny_batch()).logits, before)
    assert model.keep_ratios() == {"text": 0.25}


def test_three_modalities_in_any_order():
    dims = {"text": 6, "audio": 4, "video": 5}
    batch = tiny_batch(modalities=("text", "audio", "video"))
    for order, width in (("text>audio>video", 24), ("text>audio&video", 24), ("audio>text", 16)):
        spec = MethodSpec(name="s2lif", settings={"order": order, "dim": 8, "heads": 2})
        model = build_method(spec, dims, seed=0)
        assert model.eval()(batch).logits.shape == (4, 3)
        assert list(model.heads.values())[-1].in_features == width


def test_frames_that_are_dropped_are_free_to_skip():
    model = tiny_method("s2lif", order="video").eval()
    batch = tiny_batch(lengths=(5, 4))
    keep = torch.tensor([[1, 0, 1, 0, 1], [0, 1, 1, 0, 0]]).bool()
    scores = torch.stack([~keep, keep], dim=-1).float()
    model.keyframes.logits = lambda frames, valid: scores  # a decision that does not read the frames
    before = model(batch)
    assert torch.equal(before.auxiliary["kept_video"], keep & batch.steps["video"].valid)
    steps = batch.steps["video"]
    changed = Steps(torch.where(keep[..., None], steps.values, 50.0), steps.valid)
    assert_close(model(replace(batch, steps={"video": changed})).logits, before.logits)


def test_an_empty_mask_is_opened_and_counted():
    model = tiny_method("s2lif", order="text")
    with torch.no_grad():
        model.masks["text"].threshold.fill_(9.0)
    model.after_step()
    assert model.measurements() == {"keep_text": 1.0, "mask_resets": 1.0}


def test_a_mask_that_never_rejected_is_told_and_one_that_did_is_not():
    model = tiny_method("s2lif", order="text>video")
    with torch.no_grad():
        model.masks["video"].threshold[0] = 9.0
    history = [{"keep_text": 1.0, "keep_video": 1.0}, {"keep_text": 1.0, "keep_video": 0.9}]
    sentences = model.warnings(history)
    assert len(sentences) == 1 and sentences[0].startswith("the text mask never rejected")
    assert tiny_method_of_kind("none").warnings(history) == []
    assert tiny_method("s2lif", sparsity_weight=0.0).warnings(history) == []


@pytest.mark.parametrize("kind", ["none", "dense", "l1", "random"])
def test_the_controls_have_the_mask_they_say(kind: str):
    model = tiny_method_of_kind(kind)
    ratio = model.keep_ratios()["text"]
    assert ratio == (0.5 if kind == "random" else 1.0)
    has_parameters = any(n.startswith("masks.") for n, _ in model.named_parameters())
    assert has_parameters == (kind in ("dense", "l1"))


def tiny_method_of_kind(kind: str) -> S2LIF:
    settings = {"order": "text", "mask": kind, "keep_ratio": {"text": 0.5}, "dim": 8, "heads": 2}
    return build_method(MethodSpec(name="s2lif", settings=settings), {"text": 6}, seed=0)


def test_masking_weights_instead_of_features():
    model = tiny_method("s2lif", order="text", mask_target="weights").train()
    layer = model.encoders["text"].projector[-1]
    with torch.no_grad():
        layer.threshold.fill_(0.1)
    kept = (layer.weight.abs() >= 0.1).float().mean().item()
    assert model.keep_ratios()["text"] == pytest.approx(kept)
    batch = tiny_batch()
    terms = model.loss(model(batch), batch)
    assert_close(terms["sparsity_text"], 1e-3 * 8 * torch.exp(torch.tensor(-0.1)))
    ratios = model.learning_rate_ratios()
    assert ratios["encoders.text.projector.2.threshold"] == 10.0


@pytest.mark.parametrize("order", ["text>", "", "text>>video"])
def test_an_order_with_an_empty_stage_is_refused(order: str):
    with pytest.raises(UsageError, match="empty stage"):
        parse_order(order)


@pytest.mark.parametrize(
    "wrong",
    [
        {"dim": -8},
        {"heads": 3},
        {"dropout": 1.0},
        {"temperature": 0.0},
        {"keyframe_stride": 0},
        {"sparsity_weight": float("nan")},
        {"keep_ratio": {"text": 1.5}},
        {"keep_ratio": {"smell": 0.5}},
        {"mask": "none", "mask_target": "weights"},
        {"projection": "identity", "mask_target": "weights"},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        build_method(
            MethodSpec(name="s2lif", settings={"dim": 8, "heads": 2, **wrong}), {"text": 6, "video": 5}, seed=0
        )


def test_a_mask_that_is_idle_only_at_the_kept_epoch_is_told_too():
    model = tiny_method("s2lif", order="text")
    assert "at the epoch that was kept" in model.warnings([{"keep_text": 1.0}, {"keep_text": 0.5}])[0]


@pytest.mark.parametrize(
    ("order", "said"),
    [("text>smell", "not a modality"), ("text>audio", "add audio features"), ("text>text", "once each")],
)
def test_an_order_over_what_is_not_there_is_refused(order: str, said: str):
    with pytest.raises(UsageError, match=said):
        tiny_method("s2lif", order=order)


GOLDEN = 2.1639975239822022


def test_the_loss_after_five_steps_is_golden():
    """Moves only in a commit that says why."""
    model = tiny_method("s2lif", schedule="joint").double().train()
    batch = tiny_batch()
    steps = {m: type(s)(s.values.double(), s.valid) for m, s in batch.steps.items()}
    batch = type(batch)(batch.clip_ids, steps, batch.sentiment, batch.polarity, batch.domain)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    torch.manual_seed(0)
    for _ in range(5):
        loss = sum(model.loss(model(batch), batch).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() == pytest.approx(GOLDEN, rel=1e-9)
