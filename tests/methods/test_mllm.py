"""The zero-shot method: it says what was stored, and learns nothing."""

import pytest
import torch
from torch.testing import assert_close

from msadg.errors import UsageError
from msadg.methods import load_method
from msadg.methods.build import MethodSpec, build_method
from msadg.methods.task import Task
from msadg.types import Batch, LabelSet, Steps

SAID = torch.tensor([[-1.0, -3.0, -2.0, -0.5, -4.0, -2.5], [-5.0, -1.0, -1.5, -0.5, -4.0, -2.5]])
"""Of negative, neutral, positive; then of the same without content."""


def batch_of(values: torch.Tensor) -> Batch:
    size = len(values)
    return Batch(
        clip_ids=tuple(f"a/test/{i}" for i in range(size)),
        steps={"text": Steps(values[:, None], torch.ones(size, 1, dtype=torch.bool))},
        sentiment=torch.zeros(size, dtype=torch.int64),
        polarity=torch.zeros(size),
        domain=torch.zeros(size, dtype=torch.int64),
    )


def method_of(*, task: Task | None = None, dims: dict[str, int] | None = None, **settings: object):
    spec = MethodSpec(name="mllm", settings=settings)
    return build_method(spec, dims or {"text": 6}, seed=0, task=task or Task())


def test_the_logits_are_the_log_likelihoods_of_the_words():
    assert torch.equal(method_of()(batch_of(SAID)).logits, SAID[:, :3])


def test_calibrated_they_are_what_the_content_adds():
    expected = torch.tensor([[-0.5, 1.0, 0.5], [-4.5, 3.0, 1.0]])  # by hand: the first three less the last three
    assert_close(method_of(calibrated=True)(batch_of(SAID)).logits, expected)


def test_a_polarity_is_the_mean_of_the_words_on_the_scale_of_mosi():
    said = torch.log(torch.tensor([[0.1, 0.2, 0.7, 1.0, 1.0, 1.0], [0.25, 0.5, 0.25, 1.0, 1.0, 1.0]]))
    logits = method_of(task=Task(kind="regression"))(batch_of(said)).logits
    assert_close(logits, torch.tensor([[2 * (0.7 - 0.1)], [0.0]]))


def test_it_learns_nothing_from_any_clip():
    method = method_of()
    method.leave_out_prior(torch.tensor([0, 0, 0, 1, 2]))
    before = method(batch_of(SAID)).logits
    method.fit(torch.randn(9, 0), torch.zeros(9, dtype=torch.int64), lambda: 0.0)
    assert torch.equal(method(batch_of(SAID)).logits, before)
    assert not list(method.parameters())
    assert load_method("mllm").deterministic and load_method("mllm").fitted_on == "dev"


def test_the_evidence_is_the_likelihoods_themselves():
    batch = batch_of(SAID)
    for calibrated in (False, True):
        method = method_of(calibrated=calibrated)
        assert_close(method.evidence(batch)["text"].sum(dim=(1, 2)), method(batch).logits)
    assert method_of(task=Task(kind="regression")).evidence(batch) is None


def test_features_that_are_no_answers_are_refused_and_the_extractor_named():
    with pytest.raises(UsageError, match=r"6 numbers each; the text features at hand have 384.*mllm:model="):
        method_of(dims={"text": 384})
    with pytest.raises(UsageError, match="text and video; say which"):
        method_of(dims={"text": 6, "video": 6})
    humour = LabelSet("humour", ("none", "humour"), has_polarity=False)
    with pytest.raises(UsageError, match=r"labelled with humour \(none, humour\)"):
        method_of(task=Task(label_set=humour))
    assert method_of(dims={"text": 384, "video": 6}, modality="video").modalities == ("video",)
