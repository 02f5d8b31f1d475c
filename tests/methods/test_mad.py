"""MAD: each loss in numbers worked by hand; the two stages are in tests/protocols/test_joining.py."""

import math

import pytest
import torch
from torch.testing import assert_close

from msadg.errors import SettingsError
from msadg.methods.build import MethodSpec, build_method
from msadg.methods.mad import cooperative_logits, squared_cosines
from msadg.methods.task import Task
from tests.methods.helpers import tiny_batch, tiny_method

BIASED = torch.tensor([[[3.0, 4.0], [0.0, 2.0]], [[1.0, 0.0], [0.0, -5.0]]])


def test_one_right_head_is_enough_for_a_class():
    by_head = torch.tensor([[1.0, 2.0, 3.0, 5.0]]).log()  # two heads of class 0, two of class 1
    assert_close(cooperative_logits(by_head, 2).exp(), torch.tensor([[3.0, 8.0]]))
    assert_close(cooperative_logits(torch.tensor([[-50.0, 40.0]]), 2), torch.tensor([[40.0]]))


def test_orthogonality_is_the_mean_over_classes_of_summed_squared_cosines():
    # Class 0 against (1, 0): (3/5)^2 + 0; class 1 against (0, 2): 0 + (-1)^2.
    assert_close(squared_cosines(BIASED, torch.tensor([[1.0, 0.0], [0.0, 2.0]])), torch.tensor((0.36 + 1.0) / 2))


def test_a_single_general_row_stands_for_every_class():
    # Against (1, 1): 49/50 + 1/2; 1/2 + 1/2.
    assert_close(squared_cosines(BIASED, torch.tensor([[1.0, 1.0]])), torch.tensor((1.48 + 1.0) / 2))


def test_orthogonality_does_not_depend_on_lengths():
    general = torch.tensor([[1.0, 0.5], [-1.0, 2.0]])
    scaled = squared_cosines(BIASED * torch.tensor([[[2.0], [0.1]], [[9.0], [3.0]]]), general * 7)
    assert_close(scaled, squared_cosines(BIASED, general))


def test_the_gradients_are_those_of_the_formulas():
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)

    assert torch.autograd.gradcheck(lambda x: cooperative_logits(x, 3), draw(4, 6))
    for rows in (2, 1):
        assert torch.autograd.gradcheck(squared_cosines, (draw(2, 3, 4), draw(rows, 4)))


def hand_made(task: Task, num_rows: int):
    """A method with drawn weights and no biases in its biased branch."""
    method = tiny_method("mad", task=task, heads_per_class=2)
    generator = torch.Generator().manual_seed(1)
    biased, general = torch.randn(3, 2, 16, generator=generator), torch.randn(num_rows, 16, generator=generator)
    with torch.no_grad():
        method.biased.weight.copy_(biased.reshape(6, 16))
        method.biased.bias.zero_()
        method.head.weight.copy_(general)
    return method.eval(), biased, general


@pytest.mark.parametrize("task", [Task(), Task(kind="regression")], ids=lambda task: task.kind)
def test_its_terms_are_those_of_a_loop_over_clips_classes_and_heads(task: Task):
    num_rows = 1 if task.is_regression else 3
    method, biased, general = hand_made(task, num_rows)
    batch = tiny_batch()
    prediction = method(batch)
    terms = method.loss(prediction, batch)
    total = 0.0
    for features, label in zip(prediction.auxiliary["features"].tolist(), batch.sentiment.tolist(), strict=True):
        z = torch.tensor(features)
        scores = [sum(math.exp(float(biased[k, m] @ z)) for m in range(2)) for k in range(3)]
        total -= math.log(scores[label] / sum(scores))
    assert_close(terms["biased"], torch.tensor(total / len(batch)))
    cosines = [
        torch.cosine_similarity(biased[k, m], general[min(k, num_rows - 1)], dim=0) for k in range(3) for m in range(2)
    ]
    assert_close(terms["orthogonality"], sum(c**2 for c in cosines) / 3)
    if task.is_regression:
        assert_close(terms["task"], (prediction.logits[:, 0] - batch.polarity).square().mean())
    else:
        assert_close(terms["task"], torch.nn.functional.cross_entropy(prediction.logits, batch.sentiment))
    assert set(terms) == {"task", "biased", "orthogonality"}


def test_the_prediction_is_the_general_branch_s_alone():
    method, batch = tiny_method("mad").eval(), tiny_batch()
    before = method(batch).logits
    with torch.no_grad():
        method.biased.weight.fill_(3.0)
    assert torch.equal(method(batch).logits, before)
    assert_close(before, method.head(method(batch).auxiliary["features"]))


def test_the_general_branch_learns_nothing_of_the_labels_before_it_joins():
    method, batch = tiny_method("mad").train(), tiny_batch()
    terms = method.loss(method(batch), batch)
    (terms["biased"] + terms["orthogonality"]).backward()
    assert method.head.bias.grad is None
    only = torch.autograd.grad(
        squared_cosines(method.biased.weight.view(3, 3, 16), method.head.weight), method.head.weight
    )[0]
    assert_close(method.head.weight.grad, only)


def test_it_trains_in_one_phase_that_the_task_joins_after_its_share():
    (phase,) = tiny_method("mad", stage_1_share=0.25).phases()
    assert phase.starts == {"task": 0.25} and phase.terms is None
    (wrapped,) = tiny_method("mad", mask={}, sv={}).phases()
    assert wrapped.starts == {"task": 0.06}


def test_the_default_is_three_of_fifty_epochs():
    (phase,) = tiny_method("mad").phases()
    steps = [(epoch * 10 + step) / 500 for epoch in range(50) for step in range(10)]
    assert sum(not phase.has_joined("task", progress) for progress in steps) == 30
    assert all(phase.has_joined("biased", progress) for progress in steps)
    assert [phase.is_candidate((epoch + 1) / 50) for epoch in range(5)] == [False, False, False, True, True]


def test_there_is_room_for_only_so_many_heads():
    spec = MethodSpec(name="mad", settings={"dim": 16, "heads": 2, "modalities": ["text"]})
    with pytest.raises(SettingsError, match=r"heads_per_class = 7; the 16 features .* at most 4 .*: raise dim"):
        build_method(spec, {"text": 6}, seed=0)


@pytest.mark.parametrize("wrong", [{"heads_per_class": 0}, {"stage_1_share": 1.0}, {"stage_1_share": -0.1}])
def test_a_setting_out_of_range_is_refused(wrong: dict):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        tiny_method("mad", **wrong)
