"""What holds for every method, now and later, with and without a mask added, for either task."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

from msadg.methods import METHODS, load_method
from msadg.methods.method import ClosedForm, Method
from msadg.methods.task import CLASSIFICATION, Task
from tests.methods.helpers import chosen, padded, tiny_batch, tiny_method

BY_GRADIENT = [name for name in sorted(METHODS) if not issubclass(load_method(name), ClosedForm)]
TRAINED = [(name, None) for name in BY_GRADIENT]
TRAINED += [(name, {}) for name in BY_GRADIENT if not load_method(name).has_masks]
VARIANTS = [(name, None) for name in sorted(METHODS) if name not in BY_GRADIENT] + TRAINED


TASKS = {"classification": CLASSIFICATION, "mse": Task(kind="regression")}
TASKS["l1"] = Task(kind="regression", regression_loss="l1")


@pytest.fixture(params=TASKS)
def task(request) -> Task:
    return TASKS[request.param]


@pytest.fixture(params=VARIANTS, ids=lambda v: v[0] + ("" if v[1] is None else "+mask"))
def method(request, task: Task) -> Method:
    name, mask = request.param
    return tiny_method(name, mask=mask, task=task).eval()


def test_it_says_as_many_numbers_as_the_task_has(method: Method, task: Task):
    said = method(tiny_batch())
    stages = {name: value for name, value in said.auxiliary.items() if name.startswith("logits_")}
    for logits in (said.logits, *stages.values()):
        assert logits.shape == (4, 1 if task.is_regression else 3)


def without_groups(terms: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Without the terms that sort clips by class whatever the task is: RIDG's, and those of MAD's biased branch."""
    return {name: term for name, term in terms.items() if name not in ("rationale", "biased")}


def without_polarity(terms: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Without the terms that learn from the polarity beside the class: those of S2LIF+."""
    return {name: term for name, term in terms.items() if not name.startswith("polarity_")}


def test_in_a_regression_polarity_alone_is_learned(method: Method, task: Task):
    batch = tiny_batch()
    other_class = method.loss(method(batch), replace(batch, sentiment=(batch.sentiment + 1) % 3))
    other_polarity = method.loss(method(batch), replace(batch, polarity=2 * batch.polarity + 0.3))
    terms = method.loss(method(batch), batch)
    leave_out = without_groups if task.is_regression else without_polarity
    terms, other_class, other_polarity = map(leave_out, (terms, other_class, other_polarity))
    read = other_polarity if task.is_regression else other_class
    unread = other_class if task.is_regression else other_polarity
    assert terms == unread
    if method.name != "constant":  # which was fitted to equal shares: every class is as likely
        assert terms != read


def test_padding_changes_nothing(method: Method):
    batch = tiny_batch()
    assert_close(method(batch).logits, method(padded(batch, extra_steps=4)).logits)


def test_a_clip_s_score_does_not_depend_on_its_neighbours(method: Method):
    batch = tiny_batch()
    alone = torch.cat([method(chosen(batch, [row])).logits for row in range(len(batch))])
    assert_close(method(batch).logits, alone)


def test_the_order_of_clips_only_orders_the_scores(method: Method):
    batch, order = tiny_batch(), [2, 0, 3, 1]
    assert_close(method(chosen(batch, order)).logits, method(batch).logits[order])


def test_it_names_the_modalities_that_it_reads(method: Method):
    """By these alone, prediction and modality dropout know what a clip may lack."""
    batch = tiny_batch()
    alone = replace(batch, steps={modality: batch.steps[modality] for modality in method.modalities})
    assert torch.equal(method(alone).logits, method(batch).logits)


def test_the_prediction_never_reads_labels_or_domains(method: Method):
    batch = tiny_batch()
    blind = replace(
        batch,
        sentiment=(batch.sentiment + 1) % 3,
        polarity=torch.full_like(batch.polarity, float("nan")),
        domain=batch.domain - 5,
    )
    assert torch.equal(method(batch).logits, method(blind).logits)


def test_saved_and_loaded_it_says_the_same(method: Method, tmp_path):
    batch = tiny_batch()
    save_file({name: value.contiguous() for name, value in method.state_dict().items()}, tmp_path / "m.safetensors")
    before = method(batch).logits
    with torch.no_grad():
        for parameter in method.parameters():
            parameter.add_(1.0)
    method.load_state_dict(load_file(tmp_path / "m.safetensors"))
    assert torch.equal(method(batch).logits, before)


def test_a_clip_without_a_modality_still_gets_a_finite_score(method: Method):
    batch = tiny_batch()
    for modality, steps in batch.steps.items():
        missing = {modality: replace(steps, valid=torch.zeros_like(steps.valid), values=torch.zeros_like(steps.values))}
        assert method(replace(batch, steps={**batch.steps, **missing})).logits.isfinite().all()


def test_its_evidence_and_its_bias_are_its_logits(method: Method):
    """The bias is what it says of a clip without a single step."""
    batch = tiny_batch()
    evidence = method.evidence(batch)
    if evidence is None:
        return
    nothing = {m: replace(s, values=0 * s.values, valid=torch.zeros_like(s.valid)) for m, s in batch.steps.items()}
    bias = method(replace(batch, steps=nothing)).logits
    assert set(evidence) == set(method.modalities)
    terms = sum(part.sum(dim=(1, 2)) for part in evidence.values())
    assert_close(terms + bias, method(batch).logits, atol=1e-5, rtol=0)


def test_a_sequence_of_one_step_and_a_batch_of_one_clip_have_finite_losses(method: Method):
    batch = tiny_batch(lengths=(1,))
    method.train()
    for name, term in method.loss(method(batch), batch).items():
        assert term.isfinite(), name


@pytest.mark.parametrize(("name", "mask"), TRAINED)
def test_every_parameter_gets_a_gradient(name: str, mask: dict | None, task: Task):
    method = tiny_method(name, mask=mask, task=task).train()
    batch = tiny_batch(lengths=(5, 3, 4, 2, 3))  # an odd number: the signs of absolute errors do not cancel
    torch.manual_seed(0)
    sum(method.loss(method(batch), batch).values()).backward()
    for parameter_name, parameter in method.named_parameters():
        # The bias of attention's keys shifts all scores of a query alike: its gradient is zero by algebra.
        if parameter_name.endswith("in_proj_bias"):
            continue
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, parameter_name


@pytest.mark.parametrize("name", BY_GRADIENT)
def test_the_seed_decides_the_initial_weights_and_leaves_the_caller_s_random_state(name: str):
    torch.manual_seed(123)
    expected = torch.rand(3)
    torch.manual_seed(123)
    first, same, other = tiny_method(name, seed=1), tiny_method(name, seed=1), tiny_method(name, seed=2)
    assert torch.equal(torch.rand(3), expected)
    batch = tiny_batch()
    assert torch.equal(first.eval()(batch).logits, same.eval()(batch).logits)
    assert not torch.equal(first(batch).logits, other.eval()(batch).logits)


@pytest.mark.parametrize("name", BY_GRADIENT)
def test_a_few_steps_lower_the_loss(name: str, task: Task):
    """All but an adversary's loss: the encoders raise what the discriminator lowers, so that it need not fall."""
    method, batch = tiny_method(name, task=task).train(), tiny_batch(lengths=(4,) * 9)
    optimizer = torch.optim.Adam(method.parameters(), 1e-2)
    torch.manual_seed(0)
    losses = []
    for _ in range(40):
        terms = method.loss(method(batch), batch)
        optimizer.zero_grad()
        sum(terms.values()).backward()
        optimizer.step()
        losses.append(sum(loss.item() for term, loss in terms.items() if term != "adversary"))
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("name", BY_GRADIENT)
def test_it_shows_the_sequence_of_each_modality(name: str):
    """These are what +sv regularises."""
    method, batch = tiny_method(name).eval(), tiny_batch()
    found = method(batch).auxiliary
    for modality in method.modalities:
        given, valid = batch.steps[modality].valid, found[f"sequence_valid_{modality}"]
        assert found[f"sequence_{modality}"].shape[:2] == valid.shape == given.shape
        assert not (valid & ~given).any()


@pytest.mark.parametrize("name", BY_GRADIENT)
def test_phases_name_parameters_and_terms_that_exist(name: str):
    method, batch = tiny_method(name).train(), tiny_batch()
    prediction = method(batch)
    terms = method.loss(prediction, batch)
    names = [n for n, _ in method.named_parameters()]
    for phase in method.phases():
        for prefix in phase.parameters:
            assert any(n.startswith(prefix) for n in names) or prefix.startswith("masks."), prefix
        assert set(phase.terms or ()) <= set(terms)
        assert phase.output == "logits" or phase.output in prediction.auxiliary
