"""What decided: shares worked out by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from msadg.methods.method import Method
from msadg.protocols.distance import SourceDistance
from msadg.protocols.sources import SourceModality, Sources
from msadg.serving.features import Observed
from msadg.serving.reasons import reasons_for
from msadg.serving.scoring import Plan, Scorer
from msadg.types import Prediction, Steps
from tests.methods.helpers import tiny_batch, tiny_method

PLAN = Plan("logits", ("text",), (), None)


class Sums(Method):
    """Logits are the sum over valid steps of the first three features: no evidence of its own."""

    name = "sums"
    modalities = ("text",)

    def __init__(self) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict()

    def forward(self, batch):
        steps = batch.steps["text"]
        return Prediction((steps.values[..., :3] * steps.valid[..., None]).sum(dim=1))


def observed(values: list[list[float]], valid: list[bool] | None = None, **more) -> dict[str, Observed]:
    tensor = torch.tensor([values])
    steps = Steps(tensor, torch.tensor([valid or [True] * len(values)]))
    times = np.arange(2 * len(values), dtype=np.float64).reshape(-1, 2)
    return {"text": Observed(steps, times, **more)}


def scorer_of(method: Method) -> Scorer:
    return Scorer(method, PLAN, None, {}, "cpu")


def test_a_step_left_out_takes_away_its_share_of_the_winner_s_log_probability():
    seen = observed([[1.0, 0, 0], [0, 2.0, 0], [9.0, 9.0, 9.0]], [True, True, False], tokens=("good", "bad", "no"))
    found = reasons_for(scorer_of(Sums()), seen, 0, None, {})

    def log_probability(*logits: float) -> float:
        return logits[0] - np.log(np.exp(logits).sum())

    whole = log_probability(1, 2, 0)
    lost = {"good": whole - log_probability(0, 2, 0), "bad": whole - log_probability(1, 0, 0)}
    total = sum(map(abs, lost.values()))
    assert {s.token: s.share for s in found.steps} == pytest.approx({t: v / total for t, v in lost.items()})
    assert found.steps[0].token == "bad" and found.steps[0].share < 0
    assert (found.steps[0].start_seconds, found.steps[0].end_seconds) == (2.0, 3.0)
    assert found.modality_shares == pytest.approx({"text": -1.0})  # the second step weighs more, and against


def test_a_named_feature_is_held_against_the_sources_mean():
    mean = np.array([0.5, 0.0, 0.0, 0.0])
    distance = SourceDistance(mean, np.ones(4), np.eye(4), np.eye(4), 0.0)
    sources = Sources(("a",), {"text": SourceModality({}, "", 4, 9, distance, ())}, {})
    seen = observed([[1.0, 0.3, 0, 5.0], [1.0, 0.3, 0, 5.0]])
    names = {"text": {"first": slice(0, 1), "rest": slice(1, 3), "unread": slice(3, 4)}}
    found = reasons_for(scorer_of(Sums()), seen, 0, sources, names)

    def log_probability(*logits: float) -> float:
        return logits[0] - np.log(np.exp(logits).sum())

    whole = log_probability(2, 0.6, 0)
    lost = {"first": whole - log_probability(1, 0.6, 0), "rest": whole - log_probability(2, 0, 0)}
    total = sum(map(abs, lost.values()))
    assert {f.name: f.share for f in found.features} == pytest.approx({n: v / total for n, v in lost.items()}, rel=1e-5)
    assert all(f.kind == "input" for f in found.features)


def test_where_logits_are_a_sum_the_shares_are_what_each_term_adds():
    method = tiny_method("linear", modalities=["text"])
    seen = observed([[1.0, 0, 0, 0, 0, 0], [0, 3.0, 0, 0, 0, 0]])
    with torch.no_grad():
        method.weight.zero_()
        method.mean.zero_()
        method.weight[:, 0] = torch.tensor([3.0, 0.0, 0.0])  # the first feature speaks for class 0
        method.weight[:, 1] = torch.tensor([0.0, 0.0, 3.0])  # the second against it
    found = reasons_for(scorer_of(method), seen, 0, None, {"text": {"left": slice(0, 1), "right": slice(1, 3)}})
    # Means over two steps: 1.5 against a mean of .5 for class 0; 0 against 1.5.
    assert [(s.step, s.share) for s in found.steps] == [(1, pytest.approx(-1.5 / 2.5)), (0, pytest.approx(1 / 2.5))]
    assert [(f.name, f.share) for f in found.features] == [
        ("right[0]", pytest.approx(-0.6)),
        ("left", pytest.approx(0.4)),
    ]
    assert all(feature.kind == "input" for feature in found.features)


def test_a_long_sequence_is_left_out_in_pieces():
    seen = observed([[0.01, 0, 0]] * 450)
    found = reasons_for(scorer_of(Sums()), seen, 0, None, {})
    assert found.modality_shares["text"] == pytest.approx(1.0)
    assert len(found.steps) == 5 and all(step.share == pytest.approx(1 / 450, rel=0.6) for step in found.steps)


def test_learned_features_have_numbers_and_no_names():
    batch = tiny_batch((4,))
    method = tiny_method("s2lif", order="text").eval()
    seen = {"text": Observed(batch.steps["text"], np.full((4, 2), np.nan))}
    found = reasons_for(scorer_of(method), seen, 1, None, {})
    assert {(f.kind, f.name) for f in found.features} == {("representation", None)}
    assert len(found.steps) == 4 and sum(abs(s.share) for s in found.steps) == pytest.approx(1.0)
    assert found.steps[0].start_seconds is None


def test_a_method_that_reads_nothing_has_no_reasons():
    found = reasons_for(Scorer(tiny_method("constant"), Plan("logits", (), (), None), None, {}, "cpu"), {}, 0, None, {})
    assert (found.steps, found.features, found.modality_shares) == ((), (), {})
