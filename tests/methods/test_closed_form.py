"""The constant and the linear classifier."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch.testing import assert_close

from msadg.errors import MsadgWarning, UsageError
from msadg.methods.build import MethodSpec, build_method
from msadg.nn.steps import mean_over_valid
from msadg.types import Steps
from tests.methods.helpers import tiny_batch


def test_the_constant_classifier_says_the_shares_of_the_sources():
    method = build_method(MethodSpec(name="constant"), {"text": 6}, seed=0)
    method.fit(torch.zeros(8, 0), torch.tensor([0, 1, 1, 1, 1, 2, 2, 2]), lambda: 0.0)
    assert_close(method(tiny_batch()).logits.exp(), torch.tensor([[1 / 8, 4 / 8, 3 / 8]] * 4))


def test_a_class_that_the_sources_lack_keeps_a_finite_likelihood():
    method = build_method(MethodSpec(name="constant"), {"text": 6}, seed=0)
    method.fit(torch.zeros(3, 0), torch.tensor([0, 0, 2]), lambda: 0.0)
    assert method(tiny_batch()).logits.isfinite().all()
    assert method(tiny_batch()).logits.argmax(dim=1).tolist() == [0] * 4


def fitted(features: torch.Tensor, sentiment: torch.Tensor, **settings: object):
    spec = MethodSpec(name="linear", settings={"modalities": ["text"], **settings})
    method = build_method(spec, {"text": features.shape[1]}, seed=0)
    method.fit(features, sentiment, lambda: 0.0)
    return method


def test_the_linear_classifier_is_scikit_learn_s_on_standardised_features():
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(60, 4, generator=generator) * torch.tensor([1.0, 10.0, 0.1, 3.0]) + 5
    sentiment = torch.arange(60) % 3
    features[:, 0] += sentiment
    method = fitted(features, sentiment, inverse_regularisation=[0.1])
    standardised = ((features - features.mean(0)) / features.std(0)).double().numpy()
    reference = LogisticRegression(C=0.1 * 1e3 / 60, max_iter=2000).fit(standardised, sentiment.numpy())
    found = torch.softmax((features - method.mean) @ method.weight.T + method.bias, dim=1).numpy()
    # scikit-learn is fitted in double precision, ours is kept in single.
    np.testing.assert_allclose(found, reference.predict_proba(standardised), atol=2e-4)


def test_a_modality_that_a_clip_lacks_is_no_evidence_whatever_its_unit():
    """Decibels: read as zeros, absence would be ten deviations from -30."""
    generator = torch.Generator().manual_seed(0)
    sentiment = torch.arange(90) % 3
    text = torch.randn(90, 2, generator=generator) + sentiment[:, None]
    sound = torch.randn(90, 1, generator=generator) * 3 - 30 + 2 * (sentiment[:, None] == 2)
    method = build_method(MethodSpec(name="linear"), {"text": 2, "audio": 1}, seed=0)
    lacks = torch.arange(90) % 5 == 0
    order = list(method.modalities)
    features = {"text": text, "audio": torch.where(lacks[:, None], torch.nan, sound)}
    method.fit(torch.cat([features[m] for m in order], dim=1), sentiment, lambda: 0.0)
    place = 2 if order[0] == "text" else 0
    assert_close(method.mean[place], sound[~lacks].mean())
    batch = tiny_batch((2, 3))
    steps = {
        "text": Steps(text[:2, None].expand(2, 3, 2).contiguous(), batch.steps["text"].valid[:, :3]),
        "audio": Steps(torch.zeros(2, 3, 1), torch.zeros(2, 3, dtype=torch.bool)),
    }
    without = replace(batch, steps=steps)
    average = replace(
        batch, steps={**steps, "audio": Steps(torch.full((2, 3, 1), float(method.mean[place])), steps["text"].valid)}
    )
    assert_close(method(without).logits, method(average).logits, atol=1e-5, rtol=0)
    assert_close(
        sum(p.sum(dim=(1, 2)) for p in method.evidence(without).values()) + method.bias, method(without).logits
    )


def test_weights_from_before_there_was_a_mean_predict_as_they_did():
    method = build_method(MethodSpec(name="linear", settings={"modalities": ["text"]}), {"text": 6}, seed=0)
    method.load_state_dict({"weight": torch.randn(3, 6), "bias": torch.randn(3)})
    batch = tiny_batch()
    expected = mean_over_valid(batch.steps["text"].values, batch.steps["text"].valid) @ method.weight.T + method.bias
    assert_close(method(batch).logits, expected)


def test_the_linear_classifier_takes_two_classes_and_never_says_the_third():
    generator = torch.Generator().manual_seed(0)
    sentiment = torch.tensor([0, 2] * 20)
    features = torch.randn(40, 3, generator=generator) + sentiment[:, None]
    method = fitted(features, sentiment)
    predicted = ((features - method.mean) @ method.weight.T + method.bias).argmax(dim=1)
    assert set(predicted.tolist()) <= {0, 2}
    assert (predicted == sentiment).float().mean() > 0.8


def test_the_regularisation_is_the_one_that_scores_best():
    features, sentiment = torch.randn(30, 3), torch.arange(30) % 3
    spec = MethodSpec(name="linear", settings={"modalities": ["text"], "inverse_regularisation": [0.01, 1.0, 100.0]})
    method = build_method(spec, {"text": 3}, seed=0)
    scores, seen = iter([0.1, 0.9, 0.2]), []

    def score() -> float:
        seen.append(method.weight.clone())
        return next(scores)

    method.fit(features, sentiment, score)
    assert len(seen) == 3
    assert torch.equal(method.weight, seen[1])


def test_one_class_is_not_enough_for_a_line():
    with pytest.raises(UsageError, match="at least two classes"):
        fitted(torch.randn(5, 3), torch.ones(5, dtype=torch.int64))


def test_a_solver_that_does_not_converge_is_told():
    features, sentiment = torch.randn(90, 30), torch.arange(90) % 3
    with pytest.warns(MsadgWarning, match="not converged in 1 iterations"):
        fitted(features, sentiment, max_iterations=1)


def test_the_class_shares_of_the_sources_can_be_kept_out_of_the_logits():
    """Without a signal, a classifier says the shares of its sources; with them left out, it says nothing."""
    generator = torch.Generator().manual_seed(0)
    sentiment = torch.tensor([0] * 700 + [1] * 200 + [2] * 100)
    features = torch.randn(1000, 2, generator=generator)
    plain = fitted(features, sentiment, inverse_regularisation=[1e-4])
    assert_close(torch.softmax(plain.bias, 0), torch.tensor([0.7, 0.2, 0.1]), atol=0.02, rtol=0)
    method = build_method(MethodSpec(name="linear", settings={"inverse_regularisation": [1e-4]}), {"text": 2}, seed=0)
    method.leave_out_prior(sentiment)
    method.fit(features, sentiment, lambda: 0.0)
    assert_close(torch.softmax(method.bias, 0), torch.full((3,), 1 / 3), atol=0.02, rtol=0)


@pytest.mark.parametrize("name", ["constant", "linear"])
def test_a_closed_form_needs_no_seed(name: str):
    from msadg.methods import load_method

    assert load_method(name).deterministic
