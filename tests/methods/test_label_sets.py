"""Every method on classes that are not the three sentiments, and that a regression needs a polarity."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch.testing import assert_close

from msadg.corpora.label_sets import HUMOUR
from msadg.errors import UsageError
from msadg.methods import METHODS, load_method
from msadg.methods.method import ClosedForm
from msadg.methods.task import CLASSIFICATION, Task
from msadg.types import LabelSet
from tests.methods.helpers import tiny_batch, tiny_method

TWO = Task(label_set=HUMOUR)
FOUR = Task(label_set=LabelSet("weather", ("sun", "rain", "hail", "snow")))
OF_SENTIMENT_ONLY = ("mllm",)
"""Zero-shot: it was asked for the words of the three sentiments."""
ANY = [name for name in sorted(METHODS) if name not in OF_SENTIMENT_ONLY]
WIDE = {"mad": {"heads_per_class": 1}}


def batch_of(task: Task, clips: int = 6):
    batch = tiny_batch(lengths=(3,) * clips)
    return replace(batch, sentiment=torch.arange(clips) % task.num_classes)


def method_of(name: str, task: Task):
    """Unfitted where it is a closed form: ``tiny_method`` fits to three classes."""
    if not issubclass(load_method(name), ClosedForm):
        return tiny_method(name, task=task, **WIDE.get(name, {}))
    from msadg.methods.build import MethodSpec, build_method

    method = build_method(MethodSpec(name=name), {"text": 6, "video": 5}, 0, task=task)
    batch = batch_of(task, clips=4 * task.num_classes)
    method.fit(method.pooled(batch), method.labels(batch), lambda: 0.0)
    return method


@pytest.mark.parametrize("name", ANY)
@pytest.mark.parametrize("task", [TWO, FOUR], ids=["two", "four"])
def test_it_has_an_output_for_each_class_and_learns_from_its_own_labels(name: str, task: Task):
    method, batch = method_of(name, task), batch_of(task)
    said = method.eval()(batch)
    stages = [value for key, value in said.auxiliary.items() if key.startswith("logits_")]
    assert all(logits.shape == (6, task.num_classes) for logits in (said.logits, *stages))
    method.leave_out_prior(batch.sentiment)
    total = sum(method.loss(method(batch), batch).values())
    assert torch.isfinite(total)
    if not issubclass(load_method(name), ClosedForm):
        total.backward()
        heads = [p for p in method.parameters() if p.shape[:1] == (task.num_classes,)]
        assert heads and any(p.grad is not None and p.grad.abs().sum() > 0 for p in heads)
    parts = method.evidence(batch)
    if parts is not None:
        assert all(part.shape[-1] == task.num_classes for part in parts.values())


@pytest.mark.parametrize("name", OF_SENTIMENT_ONLY)
def test_what_is_about_sentiment_alone_refuses_other_classes(name: str):
    with pytest.raises(UsageError, match="these clips are labelled with humour"):
        method_of(name, TWO)


def test_the_loss_is_the_cross_entropy_of_two_logits():
    method = tiny_method("erm", task=TWO)
    logits = torch.tensor([[0.0, 0.0], [1.0, 3.0], [2.0, 0.0]])
    batch = replace(tiny_batch(lengths=(2, 2, 2)), sentiment=torch.tensor([0, 1, 1]))
    # log(1 + e^0), log(1 + e^-2), log(1 + e^2)
    expected = (np.log(2) + np.log1p(np.exp(-2)) + np.log1p(np.exp(2))) / 3
    assert_close(method.task_loss(logits, batch), torch.tensor(expected, dtype=torch.float32))


def test_the_shares_of_two_classes_are_left_out_of_the_logits():
    method = tiny_method("erm", task=TWO)
    method.leave_out_prior(torch.tensor([0, 0, 0, 1]))
    assert_close(method.log_prior, torch.tensor([0.75, 0.25]).log())


def test_the_constant_classifier_says_the_shares_of_two_classes():
    method = method_of("constant", TWO)
    labels = torch.tensor([0, 0, 0, 0, 1])
    method.fit(torch.zeros(5, 0), labels, lambda: 0.0)
    assert_close(method(batch_of(TWO)).logits[0].exp(), torch.tensor([0.8, 0.2]))


def test_the_linear_classifier_of_two_classes_is_scikit_learns():
    generator = torch.Generator().manual_seed(0)
    features, labels = torch.randn(80, 11, generator=generator), torch.arange(80) % 2
    features[:, 0] += labels
    from msadg.methods.build import MethodSpec, build_method

    spec = MethodSpec(name="linear", settings={"inverse_regularisation": (0.1,)})
    method = build_method(spec, {"text": 6, "video": 5}, 0, task=TWO)
    method.fit(features, labels, lambda: 0.0)
    scaled = (features - features.mean(dim=0)) / features.std(dim=0)
    model = LogisticRegression(C=0.1 * 1e3 / 80, max_iter=2000).fit(scaled.double().numpy(), labels.numpy())
    said = ((features - method.mean) @ method.weight.T + method.bias).softmax(dim=1)
    assert_close(said.double(), torch.from_numpy(model.predict_proba(scaled.double().numpy())), atol=1e-5, rtol=1e-4)


def test_a_regression_needs_classes_that_have_a_polarity():
    assert Task(kind="regression").num_outputs == 1 and Task(kind="regression").num_classes == 3
    assert CLASSIFICATION.num_outputs == 3 and TWO.num_outputs == 2
    with pytest.raises(UsageError, match="a regression predicts polarity, and humour has none"):
        Task(kind="regression", label_set=HUMOUR)
