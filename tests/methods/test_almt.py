"""ALMT: parity with what is published, what is corrected by default, and what it says when asked the impossible."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from msadg.errors import SettingsError, UsageError
from msadg.methods.almt import ALMT, ALMTConfig
from msadg.methods.almt_published import our_name
from msadg.methods.task import Task
from msadg.types import Batch, Steps
from tests.methods.helpers import padded, tiny_batch, tiny_method
from tests.methods.published_almt import Sizes, published_output, published_weights

LENGTHS = {"text": 5, "audio": 11, "video": 9}
DIMS = {"text": 7, "audio": 3, "video": 4}
SIZES = Sizes(dim=12, heads=2, tokens=3, hidden=10, lengths=LENGTHS, feature_dims=DIMS)


def inputs(dtype: torch.dtype = torch.float64, shorter: int = 0, seed: int = 1) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        m: torch.randn(4, LENGTHS[m] - shorter, DIMS[m], generator=generator, dtype=torch.float64).to(dtype)
        for m in LENGTHS
    }


def batch_of(values: dict[str, torch.Tensor]) -> Batch:
    size = len(values["text"])
    return Batch(
        clip_ids=tuple(f"tiny/test/{n}" for n in range(size)),
        steps={m: Steps(x, torch.ones(x.shape[:2], dtype=torch.bool)) for m, x in values.items()},
        sentiment=torch.zeros(size, dtype=torch.int64),
        polarity=torch.zeros(size),
        domain=torch.zeros(size, dtype=torch.int64),
    )


@pytest.mark.parametrize("shorter", [0, 2])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_published_weights_give_the_published_output(dtype: torch.dtype, tolerance: float, shorter: int):
    weights, values = published_weights(SIZES, dtype), inputs(dtype, shorter)
    expected = published_output(SIZES, weights, **values)
    assert expected.std() > 0.01  # the inputs matter
    found = ALMT.from_published(weights)(batch_of(values)).logits
    assert found.dtype == dtype
    assert_close(found, expected, atol=tolerance, rtol=tolerance)


def test_published_weights_give_the_published_gradients():
    values = {m: x.requires_grad_() for m, x in inputs().items()}
    weights = published_weights(SIZES)
    expected = torch.autograd.grad(published_output(SIZES, weights, **values).sum(), list(values.values()))
    found = torch.autograd.grad(ALMT.from_published(weights)(batch_of(values)).logits.sum(), list(values.values()))
    assert_close(found, expected)


def test_padding_is_attended_as_published_where_asked_and_not_otherwise():
    weights, batch = published_weights(SIZES), batch_of(inputs(shorter=3))
    longer = {m: F.pad(steps.values, (0, 0, 0, 2)) for m, steps in batch.steps.items()}
    padding = padded(batch, extra_steps=2, filling=0.0)
    published = ALMT.from_published(weights)
    assert_close(published(padding).logits, published_output(SIZES, weights, **longer))
    assert (published(padding).logits - published(batch).logits).abs().max() > 1e-4
    corrected = ALMT.from_published(weights, published=False)
    assert_close(corrected(padding).logits, corrected(batch).logits)


def other_names(weights: dict[str, torch.Tensor], names: dict[str, str]) -> dict[str, torch.Tensor]:
    renamed = {}
    for name, value in weights.items():
        start = next((old for old in names if name.startswith(old)), "")
        renamed[names.get(start, "") + name.removeprefix(start)] = value
    return renamed


FIRST_LAYOUT = {f"proj_{x}.0.": f"proj_{x}0." for x in "lav"} | {f"proj_{x}.1.": f"proj_{x}." for x in "lav"}
FIRST_LAYOUT |= {"l_encoder.": "text_encoder.", "regression_layer.0.": "cls_head.0."}
MMSA_LAYOUT = {f"proj_{x}.": f"embedding_{x}." for x in "lav"} | {"regression_layer.0.": "regression_head."}


@pytest.mark.parametrize("names", [FIRST_LAYOUT, MMSA_LAYOUT], ids=["first", "mmsa"])
def test_the_other_published_layouts_and_bert_s_weights_beside_them_load_alike(names: dict[str, str]):
    weights, batch = published_weights(SIZES), batch_of(inputs())
    renamed = other_names(weights, names) | {"bertmodel.model.pooler.dense.bias": torch.zeros(768)}
    assert not set(weights) <= set(renamed)
    assert torch.equal(ALMT.from_published(renamed)(batch).logits, ALMT.from_published(weights)(batch).logits)


def test_every_published_weight_counts_but_those_that_the_published_code_never_uses():
    """The bias of the keys' norm cancels; of the positions of the side that asks, only the first is read."""
    weights, values = published_weights(SIZES), inputs()
    idle = {name for name in weights if name.endswith("norm_k.bias")}
    tracked = {name: value.requires_grad_() for name, value in weights.items()}
    published_output(SIZES, tracked, **values).sum().backward()
    for name, value in tracked.items():
        assert (value.grad.abs().max() < 1e-12) == (name in idle), name
    assert not tracked["fusion_layer.pos_embedding_t"].grad[:, 1:].any()
    method = ALMT.from_published({name: value.detach() for name, value in weights.items()})
    method(batch_of(values)).logits.sum().backward()
    ours = {our_name(name): value.grad for name, value in tracked.items() if name not in idle}
    for name, parameter in method.named_parameters():
        expected = ours[name][0, 0] if name == "fusion.position" else ours[name].reshape(parameter.shape)
        assert_close(parameter.grad, expected, msg=name)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda w: w.pop("l_encoder.encoder.layers.1.1.norm.bias"),
            "text_scales.layers.1.feedforward.0.bias .* missing",
        ),
        (lambda w: w.pop("h_hyper"), "hyper .* missing"),
        (lambda w: w.update(proj_x=torch.zeros(1)), "'proj_x' is no weight of ALMT"),
        (
            lambda w: w.update({"proj_a.1.encoder.layers.1.1.fn.net.0.bias": torch.zeros(10)}),
            r"nothing here reads encoders\.audio\.layers\.1\.feedforward\.1\.bias",
        ),
        (lambda w: w.update({"l_encoder.encoder.layers.0.0.fn.to_x.weight": torch.zeros(1)}), "to_x.weight' is no"),
        (
            lambda w: w.update({"proj_a.0.bias": torch.zeros(5)}),
            r"projectors.audio.0.bias is \(5,\), .* ask for \(12,\)",
        ),
    ],
)
def test_published_weights_that_do_not_fit_say_which(change, said: str):
    weights = published_weights(SIZES)
    change(weights)
    with pytest.raises(UsageError, match=said):
        ALMT.from_published(weights)


def test_a_classifier_may_be_loaded_where_the_last_layer_is_one():
    weights = published_weights(SIZES)
    with pytest.raises(UsageError, match=r"head.weight is \(1, 12\), but the other weights, or the task"):
        ALMT.from_published(weights, task=Task())


def say_nothing_but_text(batch: Batch, seed: int = 0) -> Batch:
    """The batch without audio and video, and with other text."""
    steps = {}
    for modality, there in batch.steps.items():
        if modality == "text":
            values = torch.randn(there.values.shape, generator=torch.Generator().manual_seed(seed))
            steps[modality] = Steps(values * there.valid[..., None], there.valid)
        else:
            steps[modality] = Steps(torch.zeros_like(there.values), torch.zeros_like(there.valid))
    return replace(batch, steps=steps)


def test_text_is_heard_in_a_clip_without_audio_and_video():
    method, batch = tiny_method("almt").eval(), tiny_batch()
    first, second = (method(say_nothing_but_text(batch, seed)).logits for seed in (0, 1))
    assert (first - second).abs().max() > 1e-3
    # As published, text only weighs what the others say; where they say the same, it changes nothing.
    published = tiny_method("almt", published=True).eval()
    with torch.no_grad():
        for layer in published.hyper_layers:
            layer.norms["video"].weight.zero_()
    first, second = (published(say_nothing_but_text(batch, seed)).logits for seed in (0, 1))
    assert_close(first, second)


def test_a_modality_that_a_clip_lacks_is_as_if_it_were_not_in_use():
    both, batch = tiny_method("almt").eval(), tiny_batch()
    found = both(say_nothing_but_text(batch)).logits
    with torch.no_grad():
        for parameter in both.encoders["video"].parameters():
            parameter.add_(1.0)
        for layer in both.hyper_layers:
            layer.values["video"].weight.add_(1.0)
    assert torch.equal(both(say_nothing_but_text(batch)).logits, found)


def three_modalities(**settings: object) -> ALMT:
    torch.manual_seed(0)
    small = {"dim": 8, "heads": 2, "head_dim": 4, "hyper_head_dim": 4, "tokens": 3, "feedforward_dim": 8}
    return ALMT(ALMTConfig(**small | settings), {"text": 6, "audio": 4, "video": 5}).eval()


def test_it_takes_one_two_or_three_modalities_and_text_is_always_among_them():
    batch = tiny_batch(modalities=("text", "audio", "video"))
    for modalities in (("text",), ("text", "audio"), ("text", "video"), ("text", "audio", "video")):
        for published in (False, True):
            method = three_modalities(modalities=modalities, published=published)
            assert method.modalities == modalities
            loss = method.loss(method(batch), batch)["task"]
            loss.backward()
            assert loss.isfinite() and all(p.grad.isfinite().all() for p in method.parameters())
    with pytest.raises(UsageError, match="guided by text, but it was given audio, video only"):
        three_modalities(modalities=("audio", "video"))


def test_text_alone_has_no_hyper_modality():
    names = {name.split(".")[0] for name, _ in three_modalities(modalities=("text",)).named_parameters()}
    assert names == {"projectors", "encoders", "text_scales", "fusion", "head"}


@pytest.mark.parametrize("settings", [{"positions": "learned"}, {"published": True}])
def test_a_clip_longer_than_the_table_of_positions_is_an_error_that_says_what_to_do(settings: dict):
    batch = tiny_batch(lengths=(5, 3), modalities=("text", "audio", "video"))
    method = three_modalities(max_steps=(5, 5, 4), **settings)
    with pytest.raises(UsageError, match=r"video of tiny/test/0 has 5 steps, .* ends at 4; .* 'sinusoidal'"):
        method(batch)
    fits = three_modalities(max_steps=(5, 5, 5), **settings)
    assert fits(batch).logits.isfinite().all()
    assert_close(fits(padded(batch, extra_steps=3)).logits, fits(batch).logits)  # padding beyond it is cut off


def test_by_default_a_clip_may_be_of_any_length():
    assert tiny_method("almt").eval()(tiny_batch(lengths=(2000, 3))).logits.isfinite().all()


def test_several_embedding_layers_meet_the_same_demands():
    method = tiny_method("almt", embedding_layers=2).eval()
    batch = tiny_batch()
    assert_close(method(padded(batch, extra_steps=4)).logits, method(batch).logits)


def test_masks_go_behind_the_tokens_and_variation_is_of_the_projected_steps():
    batch = tiny_batch()
    both = tiny_method("almt", mask={}, sv={}).train()
    assert torch.equal(both.eval()(batch).logits, tiny_method("almt").eval()(batch).logits)
    terms = both.train().loss(both(batch), batch)
    assert set(terms) == {"task", "sparsity_text", "sparsity_video", "variation_video"}
    terms["variation_video"].backward()
    moved = {name for name, p in both.named_parameters() if p.grad is not None and p.grad.abs().max() > 1e-5}
    assert moved == {"inner.inner.projectors.video.0.weight"}  # a shift of all steps is no variation
    with torch.no_grad():
        for mask in both.inner.masks.values():
            mask.threshold.fill_(9.0)
    silent = both.eval()(batch).logits
    assert_close(silent, silent[:1].expand_as(silent))  # nothing of any clip passes


def test_features_are_scaled_before_they_are_projected():
    method, batch = tiny_method("almt").eval(), tiny_batch()
    before = method(batch).logits
    steps = batch.steps["video"]
    shifted = replace(batch, steps={**batch.steps, "video": Steps(steps.values * 3 + 2, steps.valid)})
    method.scale_inputs("video", torch.full((5,), 2.0), torch.full((5,), 3.0))
    assert_close(method(shifted).logits, before)
    method.scale_inputs("audio", torch.zeros(4), torch.ones(4))  # which it does not read


@pytest.mark.parametrize("settings", [{"tokens": 0}, {"hyper_layers": 0}, {"dropout": 1.0}, {"max_steps": (5, 0, 5)}])
def test_settings_outside_their_range_are_refused(settings: dict):
    with pytest.raises(SettingsError, match=next(iter(settings))):
        ALMTConfig(**settings)
