"""What a method says of its own logits: terms that sum up to them, and outputs that need fewer modalities."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from msadg.methods.build import MethodSpec, build_method
from tests.methods.helpers import DIMS, padded, tiny_batch, tiny_method
from tests.methods.test_finetuned import token_batch, tuned

ORDERS = ["text>video", "video>text", "text&video", "video"]


def summed(parts) -> torch.Tensor:
    return sum(part.sum(dim=(1, 2)) for part in parts.values())


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("similarity", ["cosine", "dot", "cosine_raw", "mean"])
def test_the_evidence_of_s2lif_and_its_bias_are_its_logits(order: str, similarity: str):
    method, batch = tiny_method("s2lif", order=order, similarity=similarity).eval(), tiny_batch()
    with torch.no_grad():
        method.heads[list(method.heads)[-1]].bias.copy_(torch.tensor([0.5, -1.0, 2.0]))
    bias = method.heads[list(method.heads)[-1]].bias
    assert_close(summed(method.evidence(batch)) + bias, method(batch).logits, atol=1e-5, rtol=0)


def test_the_evidence_of_an_earlier_stage_is_that_stage_s_alone():
    method, batch = tiny_method("s2lif").eval(), tiny_batch()
    parts = method.evidence(batch, "logits_text")
    assert list(parts) == ["text"]
    said = method(batch).auxiliary["logits_text"]
    assert_close(summed(parts) + method.heads["text"].bias, said, atol=1e-5, rtol=0)


@pytest.mark.parametrize("mask", [None, {}])
def test_the_evidence_of_erm_and_its_bias_are_its_logits(mask: dict | None):
    method, batch = tiny_method("erm", mask=mask).eval(), tiny_batch()
    bias = (method.inner if mask is not None else method).head.bias
    assert_close(summed(method.evidence(batch)) + bias, method(batch).logits, atol=1e-5, rtol=0)


def test_the_evidence_of_the_linear_classifier_is_of_the_features_themselves():
    method, batch = tiny_method("linear"), tiny_batch()
    parts = method.evidence(batch)
    assert parts["text"].shape[2] == DIMS["text"] and method.reads_inputs_directly
    assert_close(summed(parts) + method.bias, method(batch).logits, atol=1e-5, rtol=0)


def test_a_fine_tuned_method_s_evidence_is_of_its_encoder_s_states():
    method, batch = tuned("erm").eval(), token_batch()
    assert_close(summed(method.evidence(batch)) + method.inner.head.bias, method(batch).logits, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["s2lif", "erm", "linear"])
def test_padding_and_unobserved_steps_are_no_evidence(name: str):
    method, batch = tiny_method(name).eval(), padded(tiny_batch(), extra_steps=3)
    for modality, part in method.evidence(batch).items():
        assert (part[~batch.steps[modality].valid] == 0).all()


def test_the_constant_classifier_reads_nothing_and_has_no_evidence():
    method = tiny_method("constant")
    assert method.modalities == () and method.evidence(tiny_batch()) is None
    assert method.output_for(()) == "logits"


@pytest.mark.parametrize(
    ("order", "present", "output", "read"),
    [
        ("text>video", {"text", "video"}, "logits", ("text", "video")),
        ("text>video", {"text"}, "logits_text", ("text",)),
        ("text>video", {"video"}, None, None),
        ("video>text", {"text"}, None, None),
        ("text&video", {"text"}, None, None),
        ("text>audio>video", {"text", "video"}, "logits_text", ("text",)),
        ("text>audio>video", {"text", "audio"}, "logits_audio", ("text", "audio")),
        ("text&audio>video", {"text", "audio"}, "logits_text&audio", ("text", "audio")),
        ("text", {"text", "video"}, "logits", ("text",)),
    ],
)
def test_s2lif_falls_back_on_its_latest_stage_that_needs_only_what_is_there(order, present, output, read):
    spec = MethodSpec(name="s2lif", settings={"dim": 8, "heads": 2, "order": order})
    method = build_method(spec, {"text": 6, "audio": 4, "video": 5}, seed=0)
    assert method.output_for(present) == output
    if output is not None:
        assert method.read_by(output) == read


@pytest.mark.parametrize("wrapped", [tiny_method("erm", mask={}), tuned("erm")], ids=["masked", "finetuned"])
def test_a_wrapped_method_answers_for_the_one_inside(wrapped):
    assert wrapped.modalities == ("text", "video")
    assert wrapped.output_for({"text"}) is None and wrapped.output_for({"text", "video"}) == "logits"
    assert wrapped.read_by("logits") == ("text", "video")


def test_a_clip_without_text_is_finite_behind_a_trained_encoder_and_does_not_read_its_tokens():
    method, batch = tuned("erm").eval(), token_batch()
    none = torch.zeros_like(batch.steps["text"].valid)
    empty = replace(batch.steps["text"], values=torch.zeros_like(batch.steps["text"].values), valid=none)
    other = replace(empty, values=torch.full_like(empty.values, 9))
    first, second = (method(replace(batch, steps={**batch.steps, "text": s})).logits for s in (empty, other))
    assert first.isfinite().all() and torch.equal(first, second)
