"""S2LIF+: what it adds to S2LIF's loss, worked by hand, and what it leaves alone."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from msadg.errors import SettingsError, UsageError
from msadg.methods.s2lif_plus import S2LIFPlus, S2LIFPlusConfig, known_square_error
from msadg.methods.task import Task
from msadg.protocols.needed_sources import check_sources_to_compare
from tests.methods.helpers import DIMS, tiny_batch

NAN = float("nan")


def tiny(**settings) -> S2LIFPlus:
    torch.manual_seed(0)
    config = S2LIFPlusConfig(dim=8, heads=2, **{"order": "text>video", **settings})
    return S2LIFPlus(config, DIMS).eval()


def test_the_error_is_the_mean_over_clips_whose_polarity_is_known():
    predicted = torch.tensor([1.0, 5.0, -1.0], requires_grad=True)
    error = known_square_error(predicted, torch.tensor([3.0, NAN, 0.0]))
    assert_close(error, torch.tensor((4.0 + 1.0) / 2))
    error.backward()
    assert_close(predicted.grad, torch.tensor([-2.0, 0.0, -1.0]))  # 2 (g - y) / |P|


def test_a_batch_without_polarities_adds_nothing_and_has_a_gradient():
    predicted = torch.tensor([1.0, 5.0], requires_grad=True)
    error = known_square_error(predicted, torch.tensor([NAN, NAN]))
    error.backward()
    assert error.item() == 0
    assert_close(predicted.grad, torch.zeros(2))


def test_the_gradient_of_the_error_is_that_of_finite_differences():
    polarity = torch.tensor([0.4, NAN, -2.0])
    predicted = torch.randn(3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: known_square_error(x, polarity), predicted)


def test_each_stage_has_a_polarity_of_its_own_and_the_rest_is_s2lif_s():
    batch, method = tiny_batch(), tiny(polarity_weight=2.0)
    prediction = method(batch)
    terms = method.loss(prediction, batch)
    for stage in ("text", "video"):
        head, features = method.polarity_heads[stage], prediction.auxiliary[f"features_{stage}"]
        expected = 2 * ((features @ head.weight[0] + head.bias - batch.polarity) ** 2).mean()
        assert_close(terms.pop(f"polarity_{stage}"), expected)
    assert terms == super(S2LIFPlus, method).loss(prediction, batch)


def test_later_polarities_do_not_reach_earlier_modalities():
    batch, method = tiny_batch(), tiny()
    method.loss(method(batch), batch)["polarity_video"].backward()
    assert all(p.grad is None or not p.grad.any() for p in method.encoders["text"].parameters())
    assert any(p.grad is not None and p.grad.any() for p in method.encoders["video"].parameters())


def test_the_variance_of_the_risks_is_the_population_s():
    batch = replace(tiny_batch(), domain=torch.tensor([0, 0, 1, 1]))
    method = tiny(risk_variance_weight=3.0)
    prediction = method(batch)
    losses = torch.nn.functional.cross_entropy(prediction.logits, batch.sentiment, reduction="none")
    risks = torch.stack([losses[:2].mean(), losses[2:].mean()])
    assert_close(method.loss(prediction, batch)["risk_variance"], 3 * ((risks[0] - risks[1]) / 2) ** 2)


def test_moments_are_compared_between_domains_on_what_the_last_classifier_reads():
    batch = replace(tiny_batch(), domain=torch.tensor([0, 0, 1, 1]))
    method = tiny(moment_weight=0.5)
    prediction = method(batch)
    first, second = prediction.auxiliary["features_video"].double().split(2)
    expected = (first.mean(0) - second.mean(0)).square().mean() + (first.T.cov() - second.T.cov()).square().mean()
    assert_close(method.loss(prediction, batch)["moments"].double(), expected / 2, atol=1e-6, rtol=1e-5)


def test_one_domain_makes_the_penalties_vanish():
    method = tiny(moment_weight=0.5, risk_variance_weight=3.0)
    terms = method.loss(method(tiny_batch()), tiny_batch())
    assert terms["moments"].item() == terms["risk_variance"].item() == 0


def test_a_penalty_needs_two_sources():
    assert S2LIFPlus.sources_needed({"polarity_weight": 1.0, "moment_weight": 0.0}) == 1
    for name in ("moment_weight", "risk_variance_weight"):
        assert S2LIFPlus.sources_needed({name: 0.1}) == 2
        with pytest.raises(
            UsageError, match=r"s2lif_plus, as it is set here, compares source domains and needs 2, but"
        ):
            check_sources_to_compare("s2lif_plus", {name: 0.1}, "source", ["a=a.csv"])


def test_a_regression_and_a_weight_of_0_have_no_polarity_heads():
    regression = S2LIFPlus(S2LIFPlusConfig(dim=8, heads=2, order="text"), DIMS, Task(kind="regression"))
    assert not len(regression.polarity_heads)
    assert not len(tiny(polarity_weight=0.0).polarity_heads)


def test_a_stage_trained_by_itself_has_its_polarity_and_the_last_the_penalties():
    first, last = tiny(schedule="staged").phases()
    assert "polarity_text" in first.terms
    assert "polarity_heads.text." in first.parameters
    assert not {"polarity_video", "risk_variance", "moments"} & set(first.terms)
    assert {"polarity_video", "risk_variance", "moments"} <= set(last.terms)


@pytest.mark.parametrize("name", ["polarity_weight", "risk_variance_weight", "moment_weight"])
def test_a_negative_weight_is_refused(name: str):
    with pytest.raises(SettingsError, match=f"{name} = -1"):
        S2LIFPlusConfig(**{name: -1.0})
