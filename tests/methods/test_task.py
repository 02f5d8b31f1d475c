"""The task's loss against numbers worked by hand; the closed forms against scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from torch.nn import functional as F
from torch.testing import assert_close

from msadg.methods.build import MethodSpec, build_method
from msadg.methods.method import Method
from msadg.methods.task import CLASSIFICATION, Task
from tests.methods.helpers import tiny_batch, tiny_method

MSE, L1 = Task(kind="regression"), Task(kind="regression", regression_loss="l1")


@pytest.mark.parametrize(("task", "loss"), [(MSE, (4 + 0.25 + 0 + 9) / 4), (L1, (2 + 0.5 + 0 + 3) / 4)])
def test_the_loss_of_polarity_is_the_mean_squared_or_absolute_error(task: Task, loss: float):
    batch = tiny_batch()  # polarities -1, 0, 1, -1
    method = tiny_method("erm", task=task)
    predicted = torch.tensor([[1.0], [-0.5], [1.0], [-4.0]])
    assert_close(method.task_loss(predicted, batch), torch.tensor(loss))


def test_the_loss_of_a_classification_is_the_cross_entropy_as_before():
    batch, method = tiny_batch(), tiny_method("erm")
    logits = torch.randn(4, 3)
    assert torch.equal(method.task_loss(logits, batch), F.cross_entropy(logits, batch.sentiment))


def test_every_stage_of_s2lif_learns_polarity():
    batch, method = tiny_batch(), tiny_method("s2lif", task=MSE).eval()
    said = method(batch)
    terms = method.loss(said, batch)
    for stage in ("text", "video"):
        assert_close(terms[stage], F.mse_loss(said.auxiliary[f"logits_{stage}"][:, 0], batch.polarity))


def test_the_seed_gives_the_same_encoders_for_either_task():
    """So that what differs between the two is the task."""
    one, other = tiny_method("erm"), tiny_method("erm", task=MSE)
    for name, value in one.encoders.state_dict().items():
        assert torch.equal(value, other.encoders.state_dict()[name]), name


def test_evidence_adds_up_to_the_polarity():
    batch = tiny_batch()
    for name in ("erm", "s2lif", "linear"):
        method = tiny_method(name, task=MSE).eval()
        total = sum(part.sum(dim=(1, 2)) for part in method.evidence(batch).values())
        bias = method.bias if name == "linear" else (method.head if name == "erm" else method.heads["video"]).bias
        assert_close(total + bias, method(batch).logits)


@pytest.mark.parametrize(("task", "said"), [(MSE, 0.75), (L1, 1.5)])
def test_the_constant_is_the_mean_or_the_median_of_the_sources(task: Task, said: float):
    method = _built("constant", task)
    method.fit(torch.zeros(4, 0), torch.tensor([-3.0, 1.0, 2.0, 3.0]), lambda: 0.0)  # mean 3/4, median between 1 and 2
    assert_close(method(tiny_batch()).logits, torch.full((4, 1), said))


def test_linear_is_scikit_learn_s_ridge_regression_on_standardised_features():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(60, 4, generator=generator) * torch.tensor([1.0, 10.0, 0.1, 3.0]) + 5
    polarity = torch.randn(60, generator=generator)
    method = _built("linear", MSE, ridge=[0.1])
    method.fit(features, polarity, lambda: 0.0)
    standardised = ((features - features.mean(0)) / features.std(0)).double().numpy()
    reference = Ridge(alpha=0.1 * 60).fit(standardised, polarity.double().numpy())
    found = ((features - method.mean) @ method.weight.T + method.bias)[:, 0].numpy()
    # scikit-learn is fitted in double precision, ours is kept in single.
    np.testing.assert_allclose(found, reference.predict(standardised), atol=1e-5)


def test_linear_keeps_the_penalty_that_scores_best():
    features, polarity = torch.randn(30, 4), torch.randn(30)
    method, kept = _built("linear", MSE, ridge=[0.1, 1.0, 10.0]), []

    def score() -> float:
        kept.append(method.weight.clone())
        return [1.0, 3.0, 2.0][len(kept) - 1]

    method.fit(features, polarity, score)
    assert torch.equal(method.weight, kept[1])
    assert kept[0].norm() > kept[1].norm() > kept[2].norm() > 0  # a higher penalty shrinks


def test_linear_learns_from_sources_of_one_class():
    """What stops a classifier does not stop a regression."""
    method = _built("linear", MSE)
    method.fit(torch.randn(5, 4), torch.full((5,), 2.0), lambda: 0.0)
    assert_close(method.bias, torch.tensor([2.0]), atol=1e-5, rtol=0)


def test_the_width_of_the_task_goes_through_what_is_added_to_a_method():
    for options in ({"mask": {}}, {"sv": {}}, {"mask": {}, "sv": {}}):
        method = tiny_method("erm", task=L1, **options)
        assert method.num_outputs == 1
        assert method.task == L1
    assert tiny_method("erm", mask={}).task == CLASSIFICATION


def _built(name: str, task: Task, **settings: object) -> Method:
    if name == "linear":
        settings["modalities"] = ["text"]
    return build_method(MethodSpec(name=name, settings=settings), {"text": 4}, 0, task=task)
