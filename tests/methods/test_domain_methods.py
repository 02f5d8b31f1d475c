"""CORAL, Group DRO, V-REx and IRM: their losses in numbers, and what holds for all four."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.testing import assert_close

from msadg.errors import SettingsError, UsageError
from msadg.methods import METHODS, load_method
from msadg.methods.build import MethodSpec, build_method
from msadg.methods.coral import moment_distance
from msadg.methods.groupdro import moved_log_weights
from msadg.methods.irm import multiplier_gradients, squared_gradient
from msadg.methods.task import CLASSIFICATION, Task
from msadg.methods.vrex import variance_of_risks
from msadg.nn.domains import members_by_domain
from msadg.types import Batch, Prediction, Steps
from tests.methods.helpers import padded, tiny_batch, tiny_method
from tests.methods.test_finetuned import WIDTH, tiny_encoder, token_batch

COMPARING = ["coral", "groupdro", "irm", "vrex"]
PENALISED = ["coral", "irm", "vrex"]
REGRESSION = Task(kind="regression")
LENGTHS = (5, 3, 4, 2, 3, 4, 1)


def two_domains(lengths: tuple[int, ...] = LENGTHS, domain: list[int] | None = None, **more) -> Batch:
    batch = tiny_batch(lengths, **more)
    return replace(batch, domain=torch.tensor(domain or [i % 2 for i in range(len(lengths))]))


def of_predictions(predicted: list[float], polarity: list[float], domain: list[int]) -> tuple[Prediction, Batch]:
    """A regression's predictions, with a batch that they are of."""
    batch = two_domains((1,) * len(predicted), domain)
    logits = torch.tensor(predicted)[:, None]
    return Prediction(logits, {"features": logits}), replace(batch, polarity=torch.tensor(polarity))


def total(method, batch: Batch) -> torch.Tensor:
    return sum(method.loss(method(batch), batch).values())


def test_coral_of_four_clips_by_hand():
    # Means (1, 0) and (1, 2): (0 + 4) / 2. Covariances diag(2, 0) and diag(0, 2): (4 + 4) / 4.
    features = torch.tensor([[0.0, 0.0], [1.0, 1.0], [2.0, 0.0], [1.0, 3.0]])
    members = members_by_domain(torch.tensor([0, 1, 0, 1]))
    assert_close(moment_distance(features, members), torch.tensor(4.0))
    assert_close(moment_distance(features, members, means=False), torch.tensor(2.0))


def test_coral_is_numpy_s_means_and_covariances_over_all_pairs():
    generator = np.random.default_rng(0)
    features, domain = 5 + generator.normal(size=(11, 3)), np.array([0, 2, 2, 7, 0, 0, 7, 2, 2, 7, 2])
    groups = [features[domain == kind] for kind in (0, 2, 7)]
    pairs = [(0, 1), (0, 2), (1, 2)]
    means = np.mean([((groups[i].mean(0) - groups[j].mean(0)) ** 2).mean() for i, j in pairs])
    covariances = np.mean([((np.cov(groups[i].T) - np.cov(groups[j].T)) ** 2).mean() for i, j in pairs])
    found = moment_distance(torch.from_numpy(features), members_by_domain(torch.from_numpy(domain)))
    assert float(found) == pytest.approx(means + covariances, rel=1e-12)


def test_without_means_coral_is_four_times_the_paper_s_loss():
    features = torch.rand(8, 3, generator=torch.Generator().manual_seed(0))
    source, target = (torch.cov(half.T) for half in (features[:4], features[4:]))
    paper = (source - target).square().sum() / (4 * 3**2)
    members = members_by_domain(torch.tensor([0] * 4 + [1] * 4))
    assert_close(moment_distance(features, members, means=False), 4 * paper)


def test_a_domain_of_one_clip_has_a_mean_and_no_covariance():
    features = torch.tensor([[0.0], [2.0], [9.0]])
    members = members_by_domain(torch.tensor([0, 0, 1]))
    assert moment_distance(features, members, means=False) == 0
    assert_close(moment_distance(features, members), torch.tensor(64.0))
    assert moment_distance(features, members_by_domain(torch.zeros(3, dtype=torch.int64))) == 0


def test_coral_compares_what_the_classifier_reads():
    method, batch = tiny_method("coral").eval(), two_domains()
    prediction = method(batch)
    assert_close(prediction.logits, method.head(prediction.auxiliary["features"]))
    expected = moment_distance(prediction.auxiliary["features"], members_by_domain(batch.domain))
    assert_close(method.loss(prediction, batch)["penalty"], expected)
    assert expected > 0


def test_vrex_of_two_and_three_domains_by_hand():
    assert_close(variance_of_risks(torch.tensor([1.0, 2.0, 6.0])), torch.tensor(14 / 3))
    assert variance_of_risks(torch.tensor([4.0])) == 0
    # Squared errors 1, 9 | 4: risks 5 and 4, mean 4.5, variance .25.
    prediction, batch = of_predictions([1.0, 3.0, 2.0], [0.0, 0.0, 0.0], [0, 0, 1])
    terms = tiny_method("vrex", task=REGRESSION, anneal_steps=0).loss(prediction, batch)
    assert_close(terms["task"], torch.tensor(4.5))
    assert_close(terms["penalty"], torch.tensor(10 * 0.25))


def test_irm_of_a_regression_by_hand():
    # d (w s - y)^2 / dw = 2 (s - y) s: 2, 4, 12 | 4, -4. Halves: 7 * 4 = 28 | 4 * -4 = -16. Whole: 6^2 | 0^2.
    prediction, batch = of_predictions([1.0, 2.0, 2.0, 3.0, 1.0], [0.0, 1.0, 1.0, 1.0, 3.0], [0, 1, 0, 0, 1])
    method = tiny_method("irm", task=REGRESSION, anneal_steps=0)
    terms = method.loss(prediction, batch)
    assert_close(terms["task"], torch.tensor((2.0 + 2.5) / 2))  # squared errors 1, 1, 4 | 1, 4
    assert_close(terms["penalty"], torch.tensor(100 * 6.0))
    whole = tiny_method("irm", task=REGRESSION, anneal_steps=0, halves=False)
    assert_close(whole.loss(prediction, batch)["penalty"], torch.tensor(100 * 18.0))


def test_the_multiplier_s_gradient_of_a_classification_by_hand():
    # softmax(ln 2, 0, 0) = (.5, .25, .25); (p - y) s is (.5 - 1) ln 2 for the first class, .5 ln 2 for another.
    logits = torch.tensor([[math.log(2), 0.0, 0.0], [math.log(2), 0.0, 0.0], [0.0, 0.0, 0.0]])
    batch = replace(tiny_batch((1, 1, 1)), sentiment=torch.tensor([0, 1, 2]))
    method = tiny_method("irm")
    found = multiplier_gradients(lambda scaled: method.clip_losses(scaled, batch), logits)
    assert_close(found, torch.tensor([-0.5, 0.5, 0.0]) * math.log(2))


def test_a_prior_that_is_left_out_is_not_multiplied():
    method, batch = tiny_method("irm"), tiny_batch((1,) * 6)
    method.leave_out_prior(torch.tensor([0, 0, 0, 1, 2]))
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    found = multiplier_gradients(lambda scaled: method.clip_losses(scaled, batch), logits)
    missed = torch.softmax(logits + method.log_prior, dim=1) - torch.eye(3)[batch.sentiment]
    assert_close(found, (missed * logits).sum(dim=1))


def test_the_shares_of_each_source_are_kept_out_of_its_own_clips_alone():
    batch = replace(tiny_batch(), domain=torch.tensor([0, 1, 1, 0]))
    method = tiny_method("erm").eval()
    method.leave_out_prior(torch.tensor([0, 0, 0, 1, 2, 2]), torch.tensor([0, 0, 0, 0, 1, 1]), of="each_domain")
    shares = torch.tensor([[3.0, 1.0, 0.5], [0.5, 0.5, 2.0]]) / torch.tensor([[4.5], [3.0]])
    logits = method(batch).logits
    expected = torch.nn.functional.cross_entropy(logits + shares.log()[batch.domain], batch.sentiment)
    assert_close(method.task_loss(logits, batch), expected)
    assert_close(method.clip_losses(logits, batch).mean(), expected)


def test_the_shares_of_domains_that_count_alike_are_the_mean_of_theirs():
    method = tiny_method("vrex")
    assert method.counts_domains_alike and not tiny_method("erm").counts_domains_alike
    method.leave_out_prior(torch.tensor([0, 0, 0, 1, 2, 2]), torch.tensor([0, 0, 0, 0, 2, 2]), of="domains")
    assert_close(  # domain 1 was left out
        method.log_prior.exp(), (torch.tensor([3.0, 1.0, 0.5]) / 4.5 + torch.tensor([0.5, 0.5, 2.0]) / 3) / 2
    )
    method.leave_out_prior(torch.tensor([0, 0, 0, 1, 2, 2]), torch.tensor([0, 0, 0, 0, 1, 1]))
    assert_close(method.log_prior.exp(), torch.tensor([3.0, 1.0, 2.0]) / 6)


def test_linear_knows_no_shares_by_domain():
    method = tiny_method("linear")
    method.leave_out_prior(torch.tensor([0, 1]), torch.tensor([0, 1]), of="each_domain")
    with pytest.raises(UsageError, match=r"use training.class_prior = 'uniform' instead"):
        method.fit(torch.zeros(2, method.weight.shape[1]), torch.tensor([0, 1]), lambda: 0.0)


def test_a_domain_without_a_second_half_is_left_out_of_irm_s_penalty():
    gradients = torch.tensor([3.0, 5.0, 100.0])
    members = members_by_domain(torch.tensor([0, 0, 1]))
    assert_close(squared_gradient(gradients, members), torch.tensor(15.0))
    assert squared_gradient(gradients[:1], members[:1, :1]) == 0


def test_two_halves_estimate_the_squared_gradient_without_bias():
    draws = 0.5 + torch.randn(4000, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    members = torch.ones(1, 4, dtype=torch.bool)
    halves, whole = (
        torch.stack([squared_gradient(row, members, halves=kind) for row in draws]).mean() for kind in (True, False)
    )
    assert float(halves) == pytest.approx(0.25, abs=0.03)  # 0.5^2
    assert float(whole) == pytest.approx(0.25 + 1 / 4, abs=0.03)  # and the variance of a mean of four


def test_groupdro_s_weights_by_hand():
    # eta = ln 2: a risk of 1 doubles a weight. Squared errors 1 | 2: q = (2, 4) / 6.
    method = tiny_method("groupdro", task=REGRESSION, step_size=math.log(2))
    prediction, batch = of_predictions([1.0, math.sqrt(2)], [0.0, 0.0], [0, 1])
    for _ in range(2):  # asked twice, moved once
        assert_close(method.loss(prediction, batch)["task"], torch.tensor(1 / 3 * 1 + 2 / 3 * 2))
    method.after_step()
    measured = method.measurements()
    assert measured == {"domain_weight_0": pytest.approx(1 / 3), "domain_weight_1": pytest.approx(2 / 3)}
    # A batch of the first domain alone: its weight doubles, the other's stays, and is left out of the sum.
    prediction, batch = of_predictions([1.0, 1.0], [0.0, 0.0], [0, 0])
    assert_close(method.loss(prediction, batch)["task"], torch.tensor(0.5))
    method.after_step()
    assert method.measurements() == {"domain_weight_0": pytest.approx(0.5), "domain_weight_1": pytest.approx(0.5)}


def test_a_step_that_was_never_taken_moves_no_weight():
    method = tiny_method("groupdro", task=REGRESSION)
    method.after_step()
    assert method.measurements() == {}


def test_a_domain_enters_groupdro_s_weights_with_the_weight_of_one_that_never_moved():
    log_weights = moved_log_weights(torch.tensor([0.3]), torch.tensor([2.0]), torch.tensor([2]), 0.5)
    assert_close(log_weights, torch.tensor([0.3, -math.inf, 1.0]))
    log_weights = moved_log_weights(log_weights, torch.tensor([2.0, 4.0]), torch.tensor([1, 2]), 0.5)
    assert_close(log_weights, torch.tensor([0.3, 1.0, 3.0]))


def test_a_domain_that_is_held_out_has_no_part_in_groupdro_s_weights():
    """Of three sources, the first is left out; eta = ln 2 and squared errors 1 and 2 give weights of 2 and 4 in 6."""
    method = tiny_method("groupdro", task=REGRESSION, step_size=math.log(2))
    prediction, batch = of_predictions([1.0, math.sqrt(2)], [0.0, 0.0], [1, 2])
    assert_close(method.loss(prediction, batch)["task"], torch.tensor(1 / 3 * 1 + 2 / 3 * 2))
    method.after_step()
    weights = {"domain_weight_1": pytest.approx(1 / 3), "domain_weight_2": pytest.approx(2 / 3)}
    assert method.measurements() == weights
    resumed = tiny_method("groupdro", task=REGRESSION)
    resumed.load_state_dict(method.state_dict())
    assert resumed.measurements() == weights


def test_mixed_precision_rounds_no_polarity():
    method = tiny_method("erm", task=REGRESSION)
    batch = replace(tiny_batch((1, 1)), polarity=torch.tensor([2.4, -0.6]))
    logits = torch.tensor([[2.0], [0.0]], dtype=torch.bfloat16)
    assert_close(method.clip_losses(logits, batch), torch.tensor([0.16, 0.36]))


def test_large_risks_do_not_overflow_groupdro_s_weights():
    method = tiny_method("groupdro", task=REGRESSION, step_size=1.0)
    prediction, batch = of_predictions([1e3, 1.0], [0.0, 0.0], [0, 1])
    for _ in range(3):
        assert_close(method.loss(prediction, batch)["task"], torch.tensor(1e6))
        method.after_step()
    assert method.measurements()["domain_weight_0"] == 1.0


def test_groupdro_s_weights_are_saved_whatever_their_number():
    trained, fresh = (tiny_method("groupdro", task=REGRESSION, step_size=0.7) for _ in range(2))
    prediction, batch = of_predictions([1.0, 2.0, 3.0], [0.0] * 3, [0, 1, 2])
    trained.loss(prediction, batch)
    trained.after_step()
    fresh.load_state_dict(trained.state_dict())
    assert fresh.measurements() == trained.measurements() and len(fresh.measurements()) == 3


def test_groupdro_s_gradient_takes_the_weights_as_given():
    method, batch = tiny_method("groupdro", step_size=3.0).eval(), two_domains()
    found = torch.autograd.grad(total(method, batch), method.head.weight)[0]
    losses = torch.nn.functional.cross_entropy(method(batch).logits, batch.sentiment, reduction="none")
    first, second = losses[[0, 2, 4, 6]].mean(), losses[[1, 3, 5]].mean()
    weights = torch.softmax(torch.stack([3 * first, 3 * second]).detach(), dim=0)
    expected = torch.autograd.grad(weights[0] * first + weights[1] * second, method.head.weight)[0]
    assert_close(found, expected)


@pytest.mark.parametrize("name", ["vrex", "irm"])
def test_the_penalty_s_weight_changes_after_so_many_steps(name: str):
    method, batch = tiny_method(name, anneal_steps=2, penalty_weight=7.0, early_weight=0.5).eval(), two_domains()
    penalty = method.penalty(method(batch), batch)
    weights, afresh = [], []
    for _ in range(4):
        weights.append(method.current_weight())
        assert_close(method.loss(method(batch), batch)["penalty"], weights[-1] * penalty)
        method.after_step()
        afresh.append(method.starts_optimizer_afresh())
    assert weights == [0.5, 0.5, 7.0, 7.0]
    assert afresh == [False, True, False, False]


def test_weights_from_before_the_penalty_say_so():
    method = tiny_method("irm", sv={}, anneal_steps=2, penalty_weight=7.0)
    for _ in range(2):
        method.after_step()
    early, late = {"penalty_weight": 1.0}, {"penalty_weight": 7.0}
    for history, said in (([early], "the run was over before"), ([early, late], "the epoch that the dev splits chose")):
        (sentence,) = method.warnings(history)
        assert sentence.startswith(said) and "the penalty_weight of irm (7) began, after anneal_steps = 2" in sentence
    method.after_step()
    assert method.warnings([early, late]) == []
    assert tiny_method("coral", penalty_weight=3.0).warnings([late]) == []


def test_coral_s_weight_is_the_same_from_the_first_step():
    method = tiny_method("coral", penalty_weight=3.0)
    assert method.current_weight() == 3.0
    method.after_step()
    assert method.current_weight() == 3.0 and not method.starts_optimizer_afresh()


def test_through_a_wrapper_steps_are_counted_and_the_optimiser_told():
    method = tiny_method("irm", mask={}, sv={}, anneal_steps=1)
    assert method.measurements()["penalty_weight"] == 1.0
    method.after_step()
    assert method.starts_optimizer_afresh() and method.measurements()["penalty_weight"] == 100.0


@pytest.mark.parametrize("task", [CLASSIFICATION, REGRESSION, Task(kind="regression", regression_loss="l1")])
@pytest.mark.parametrize("name", COMPARING)
def test_the_gradient_is_that_of_finite_differences(name: str, task: Task):
    settings = {"step_size": 0.0} if name == "groupdro" else {"penalty_weight": 2.0, "anneal_steps": 0}
    method, batch = tiny_method(name, task=task, **settings).double(), two_domains()
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(7, task.num_outputs, generator=generator, dtype=torch.float64, requires_grad=True)
    features = torch.randn(7, 4, generator=generator, dtype=torch.float64, requires_grad=True)

    def loss(logits: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        return sum(method.loss(Prediction(logits, {"features": features}), batch).values())

    loss(logits, features)
    method.after_step()  # Group DRO has met both domains
    assert torch.autograd.gradcheck(loss, (logits, features))
    if name == "irm":
        assert torch.autograd.gradgradcheck(lambda logits: loss(logits, features), (logits,))


@pytest.mark.parametrize("name", PENALISED)
def test_the_penalty_s_gradient_reaches_the_encoder_as_finite_differences_say(name: str):
    method, batch = tiny_method(name).double().eval(), two_domains()
    steps = {m: Steps(s.values.double(), s.valid) for m, s in batch.steps.items()}
    batch = replace(batch, steps=steps)
    weight = method.encoders["text"].projector[0].weight
    direction = torch.randn(weight.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def penalty(step: float = 0.0) -> torch.Tensor:
        with torch.no_grad():
            weight.add_(step * direction)
        value = method.penalty(method(batch), batch)
        with torch.no_grad():
            weight.sub_(step * direction)
        return value

    slope = (torch.autograd.grad(penalty(), weight)[0] * direction).sum()
    assert_close((penalty(1e-5) - penalty(-1e-5)) / 2e-5, slope, rtol=1e-6, atol=1e-12)


def test_irm_needs_no_second_derivative_of_attention():
    method, batch = tiny_method("irm", dropout=0.0).train(), two_domains()
    gradients = []
    for backends in ([SDPBackend.FLASH_ATTENTION, SDPBackend.MATH], [SDPBackend.MATH]):
        method.zero_grad()
        with sdpa_kernel(backends):
            total(method, batch).backward()
        gradients.append({name: p.grad.clone() for name, p in method.named_parameters()})
    for name, gradient in gradients[0].items():
        assert_close(gradient, gradients[1][name], msg=name)


@pytest.mark.parametrize("task", [CLASSIFICATION, REGRESSION])
@pytest.mark.parametrize("name", COMPARING)
def test_padding_and_the_order_of_domains_change_no_loss(name: str, task: Task):
    method, batch = tiny_method(name, task=task).eval(), two_domains()
    assert_close(total(method, batch), total(method, padded(batch, extra_steps=3)))
    assert_close(total(method, batch), total(method, replace(batch, domain=1 - batch.domain)))


@pytest.mark.parametrize("name", COMPARING)
@pytest.mark.parametrize("lengths", [(1, 1), (3,), (4, 1, 2)])
def test_few_clips_of_a_domain_give_finite_losses_and_gradients(name: str, lengths: tuple[int, ...]):
    method, batch = tiny_method(name), two_domains(lengths)
    video = batch.steps["video"]
    batch = replace(batch, steps={**batch.steps, "video": replace(video, valid=torch.zeros_like(video.valid))})
    total(method, batch).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in method.parameters())
    assert torch.isfinite(method.head.weight.grad).all()


@pytest.mark.parametrize("name", COMPARING)
def test_one_domain_alone_costs_what_its_clips_do(name: str):
    method, erm, batch = tiny_method(name).eval(), tiny_method("erm").eval(), tiny_batch()
    assert_close(method.loss(method(batch), batch)["task"], erm.loss(erm(batch), batch)["task"])


@pytest.mark.parametrize("name", PENALISED)
def test_what_is_penalised_becomes_smaller(name: str):
    batch = two_domains((4, 3, 4, 2, 3, 4, 3, 5))
    shifted = {m: Steps(s.values + 2 * batch.domain[:, None, None], s.valid) for m, s in batch.steps.items()}
    batch, found = replace(batch, steps=shifted), []
    for weight in (0.0, 10.0):
        settings = {"penalty_weight": weight, "anneal_steps": 0, "dropout": 0.0}
        method = tiny_method(name, **settings, **({"halves": False} if name == "irm" else {}))
        optimizer = torch.optim.Adam(method.parameters(), 3e-3)
        for _ in range(15):
            optimizer.zero_grad()
            total(method, batch).backward()
            optimizer.step()
        found.append(method.penalty(method(batch), batch).item())
    assert found[1] < 0.5 * found[0]


def test_groupdro_serves_the_domain_that_is_served_worst():
    # Clips alike, so one answer p for all: risks p^2 | (p - 1)^2 + 4. Their mean is least at 1/2, their largest at 1.
    batch = two_domains((3,) * 4)
    steps = {m: Steps(s.values[:1].repeat(4, 1, 1), s.valid) for m, s in batch.steps.items()}
    batch, answers = replace(batch, steps=steps, polarity=torch.tensor([0.0, 3.0, 0.0, -1.0])), []
    for step_size in (0.0, 0.5):
        method = tiny_method("groupdro", task=REGRESSION, step_size=step_size, dropout=0.0)
        optimizer = torch.optim.Adam(method.parameters(), 1e-2)
        for _ in range(60):
            optimizer.zero_grad()
            total(method, batch).backward()
            optimizer.step()
            method.after_step()
        answers.append(method(batch).logits[0].item())
    assert answers == pytest.approx([0.5, 1.0], abs=0.02)


@pytest.mark.parametrize("name", COMPARING)
def test_mixed_precision_rounds_the_network_and_not_what_is_compared(name: str):
    method, batch = tiny_method(name).eval(), two_domains()
    prediction = method(batch)
    half = Prediction(prediction.logits.bfloat16(), {"features": prediction.auxiliary["features"].bfloat16()})
    full = Prediction(half.logits.float(), {"features": half.auxiliary["features"].float()})
    with torch.autocast("cpu", torch.bfloat16):
        rounded = method.loss(half, batch)
    for term, expected in method.loss(full, batch).items():
        assert_close(rounded[term], expected)


@pytest.mark.parametrize("name", COMPARING)
def test_they_take_a_mask_a_regulariser_a_trained_encoder_and_any_modalities(name: str):
    spec = MethodSpec(name=name, settings={"dim": 8, "heads": 2}, mask={}, variation={}, finetune={})
    method = build_method(spec, {"text": WIDTH, "video": 5}, 0, encoder=tiny_encoder())
    batch = token_batch()
    batch = replace(batch, domain=torch.arange(len(batch)) % 2)
    method.loss(method(batch), batch)["task"].backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in method.text_encoder.parameters())
    three = build_method(MethodSpec(name=name, settings={"dim": 8, "heads": 2}), {"text": 6, "audio": 4, "video": 5}, 0)
    assert three.modalities == ("text", "audio", "video")
    total(three, two_domains(modalities=three.modalities)).backward()
    assert three.encoders["audio"].projector[0].weight.grad.abs().sum() > 0


@pytest.mark.parametrize("name", COMPARING)
def test_the_evidence_and_the_bias_are_the_logits(name: str):
    method, batch = tiny_method(name).eval(), two_domains()
    parts = method.evidence(batch)
    summed = sum(part.sum(dim=(1, 2)) for part in parts.values()) + method.head.bias
    assert_close(summed, method(batch).logits, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", COMPARING)
def test_their_initial_weights_and_predictions_are_those_of_erm(name: str):
    batch = two_domains()
    assert torch.equal(tiny_method(name).eval()(batch).logits, tiny_method("erm").eval()(batch).logits)


def test_only_these_need_two_source_domains():
    assert sorted(name for name in METHODS if load_method(name).min_source_domains > 1) == COMPARING


@pytest.mark.parametrize(
    ("name", "setting"),
    [("coral", "penalty_weight"), ("vrex", "anneal_steps"), ("irm", "early_weight"), ("groupdro", "step_size")],
)
def test_a_negative_setting_is_named(name: str, setting: str):
    with pytest.raises(SettingsError, match=f"{setting} = -1"):
        tiny_method(name, **{setting: -1})
