"""RIDG: the rationale term in numbers worked by hand, and its running means."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from msadg.errors import SettingsError
from msadg.methods.build import MethodSpec, build_method
from msadg.methods.ridg import RIDG, rationale_loss, rationales
from msadg.methods.task import Task
from msadg.types import Batch, Prediction
from tests.methods.helpers import chosen, tiny_batch, tiny_method

FEATURES = torch.tensor([[1.0, 2.0], [3.0, 1.0], [0.0, 1.0]])
WEIGHT = torch.tensor([[1.0, 0.0], [2.0, -1.0], [0.0, 1.0]])
RATIONALES = torch.tensor([[[1.0, 0], [2, -2], [0, 2]], [[3.0, 0], [6, -1], [0, 1]], [[0.0, 0], [0, -1], [0, 1]]])
LABELS = torch.tensor([0, 0, 1])
MEANS = torch.tensor([[[1.0, 1], [1, 1], [1, 0]], [[0.0, 1], [2, 3], [0, 0]], [[0.0, 0], [0, 0], [0, 0]]])
"""Squared distances of RATIONALES from the MEANS of their LABELS: 16, 36, 22."""


def by_hand(*, met: bool = True, **settings: object) -> RIDG:
    """A method whose classifier is WEIGHT and whose means are MEANS, the third class not met."""
    spec = MethodSpec(name="ridg", settings={"dim": 2, "heads": 1, "modalities": ["text"], **settings})
    method = build_method(spec, {"text": 6}, seed=0)
    with torch.no_grad():
        method.head.weight.copy_(WEIGHT)
    if met:
        method.bank.take(MEANS, torch.tensor([True, True, False]))
    return method


def said(labels: torch.Tensor = LABELS) -> tuple[Prediction, Batch]:
    batch = replace(tiny_batch(lengths=(2,) * len(labels), modalities=("text",)), sentiment=labels)
    return Prediction(torch.zeros(len(labels), 3), {"features": FEATURES[: len(labels)]}), batch


def term_of(method: RIDG, *args: object) -> torch.Tensor:
    return method.loss(*said(*args))["rationale"]


def test_a_rationale_is_what_each_feature_adds_to_each_logit():
    found = rationales(FEATURES, WEIGHT)
    assert_close(found, RATIONALES)
    assert_close(found.sum(dim=2), FEATURES @ WEIGHT.T)


@pytest.mark.parametrize(
    ("published", "expected"),
    [(False, 0.5 * (16 + 36 + 22) / 3), (True, 0.5 * ((16 + 36) / 2 + 22) / 3)],
)
def test_the_term_is_the_mean_over_clips_and_as_published_over_each_class_and_row(published: bool, expected: float):
    method = by_hand(weight=0.5, published=published).eval()
    assert_close(term_of(method), torch.tensor(expected))


def test_a_step_is_compared_with_the_means_before_it_and_then_moves_them_by_the_momentum():
    method = by_hand(weight=1.0, momentum=0.25).train()
    assert_close(term_of(method), torch.tensor(74 / 3))
    assert_close(method.bank.means, MEANS)
    method.after_step()
    assert_close(method.bank.means[0], torch.tensor([[1.25, 0.75], [1.75, 0.375], [0.75, 0.375]]))
    assert_close(method.bank.means[1], torch.tensor([[0.0, 0.75], [1.5, 2.0], [0.0, 0.25]]))
    assert method.bank.met.tolist() == [True, True, False] and (method.bank.means[2] == 0).all()


def test_as_published_the_step_goes_into_the_means_first():
    # From the moved means above: 9.53125 and 24.53125 for class 0; (3/4)^2 of 22 for class 1.
    method = by_hand(weight=1.0, momentum=0.25, published=True).train()
    assert_close(term_of(method), torch.tensor(((9.53125 + 24.53125) / 2 + 12.375) / 3))


def test_a_class_s_first_step_adds_nothing_and_as_published_is_compared_with_its_own_mean():
    """The two clips of class 0 are each half of (2, 4, 1, 1) from their mean: 22 / 4."""
    assert term_of(by_hand(met=False).train()) == 0
    assert_close(term_of(by_hand(met=False, weight=1.0, published=True).train()), torch.tensor(5.5 / 3))


def test_a_class_s_first_step_becomes_its_mean_whatever_the_momentum():
    method = by_hand(met=False).train()
    term_of(method)
    method.after_step()
    assert_close(method.bank.means[:2], torch.stack([RATIONALES[:2].mean(0), RATIONALES[2]]))
    assert method.bank.met.tolist() == [True, True, False]


def test_with_as_many_clips_of_every_class_both_weigh_alike():
    ours, theirs = by_hand(weight=1.0).eval(), by_hand(weight=1.0, published=True).eval()
    for method in (ours, theirs):
        method.bank.met.fill_(True)
    labels = torch.tensor([1, 2, 0])
    assert_close(term_of(ours, labels), term_of(theirs, labels))
    assert abs(term_of(ours) - term_of(theirs)) > 1


@pytest.mark.parametrize("published", [False, True])
def test_scoring_moves_no_mean_and_asking_twice_moves_them_once(published: bool):
    method, (prediction, batch) = by_hand(published=published).eval(), said()
    method.loss(prediction, batch)
    method.after_step()
    assert_close(method.bank.means, MEANS)
    once, twice = by_hand(published=published).train(), by_hand(published=published).train()
    first = once.loss(prediction, batch)["rationale"]
    assert [twice.loss(prediction, batch)["rationale"] for _ in range(2)] == [first, first]
    for trained in (once, twice):
        trained.after_step()
        trained.after_step()
    assert torch.equal(once.bank.means, twice.bank.means)


def test_no_gradient_passes_through_the_means():
    """If it did, the pull of two clips on their own mean would be another."""
    method = by_hand(met=False, weight=1.0, published=True, momentum=1.0).train()
    features = FEATURES[:2].clone().requires_grad_()
    batch = said(LABELS[:2])[1]
    method.loss(Prediction(torch.zeros(2, 3), {"features": features}), batch)["rationale"].backward()
    centred = RATIONALES[:2] - RATIONALES[:2].mean(0)
    assert_close(features.grad, (2 * centred * WEIGHT).sum(dim=1) / 2 / 3)
    assert not method._pending[0].requires_grad and not method.bank.means.requires_grad


@pytest.mark.parametrize("published", [False, True])
def test_the_gradient_is_that_of_the_formula(published: bool):
    means, met = MEANS.double(), torch.tensor([True, True, False])

    def term(features: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return rationale_loss(rationales(features, weight), LABELS, means, met, published=published)

    assert torch.autograd.gradcheck(term, (FEATURES.double().requires_grad_(), WEIGHT.double().requires_grad_()))


@pytest.mark.parametrize("published", [False, True])
def test_over_several_steps_it_is_what_a_loop_over_classes_computes(published: bool):
    method = tiny_method("ridg", momentum=0.3, weight=1.0, published=published).train()
    means: dict[int, torch.Tensor] = {}
    for step in range(4):
        batch = chosen(tiny_batch(lengths=(3,) * 7, seed=step), list(range(step, 7)) if step % 2 else [0, 3, 6])
        prediction = method(batch)
        found = method.loss(prediction, batch)["rationale"]
        per_clip = [method.head.weight * features for features in prediction.auxiliary["features"]]
        before = dict(means)
        for label in sorted(set(batch.sentiment.tolist())):
            rows = [i for i, y in enumerate(batch.sentiment.tolist()) if y == label]
            mean = torch.stack([per_clip[i] for i in rows]).mean(0).detach()
            means[label] = 0.7 * means[label] + 0.3 * mean if label in means else mean
        expected = torch.zeros(())
        for label in sorted(set(batch.sentiment.tolist())):
            rows = [i for i, y in enumerate(batch.sentiment.tolist()) if y == label]
            reference = means if published else before
            distances = [(per_clip[i] - reference[label]).square().sum() for i in rows if label in reference]
            total = sum(distances, torch.zeros(()))
            expected = expected + (total / len(rows) / 3 if published else total / len(batch))
        assert_close(found, expected)
        method.after_step()
        for label, mean in means.items():
            assert_close(method.bank.means[label], mean)


def test_in_a_regression_the_one_row_is_sorted_by_sentiment():
    method, batch = tiny_method("ridg", task=Task(kind="regression"), weight=1.0, dropout=0.0).train(), tiny_batch()
    prediction = method(batch)
    method.loss(prediction, batch)
    method.after_step()
    found = method.loss(prediction, batch)["rationale"]
    rows = method.head.weight * prediction.auxiliary["features"]
    # Sentiments 0, 1, 2, 0: the first and the last clip are each half their difference from their mean.
    assert method.bank.means.shape == (3, 1, 16)
    assert_close(found, 2 * ((rows[0] - rows[3]) / 2).square().sum() / 4)


def test_mixed_precision_keeps_the_means_in_32_bits():
    method = by_hand(met=False).train()
    with torch.autocast("cpu", torch.bfloat16):
        method.loss(*said())
    method.after_step()
    assert_close(method.bank.means[:2], torch.stack([RATIONALES[:2].mean(0), RATIONALES[2]]))


def test_the_means_are_saved_and_the_prediction_does_not_read_them():
    method, batch = tiny_method("ridg").eval(), tiny_batch()
    assert {"bank.means", "bank.met"} <= set(method.state_dict())
    before = method(batch).logits
    method.bank.means.fill_(1e9)
    assert torch.equal(method(batch).logits, before)


@pytest.mark.parametrize("wrong", [{"weight": -0.1}, {"momentum": 0.0}, {"momentum": 1.5}])
def test_a_setting_out_of_range_is_refused(wrong: dict):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        tiny_method("ridg", **wrong)
