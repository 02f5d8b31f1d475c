"""Deletion and insertion: what is deleted is gone for the model, and evidence's order is what its terms say."""

import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from msadg.analysis.faithfulness import measure
from msadg.analysis.faithfulness_curves import ORDERS, SHARES, deleted, deletion_curves, random_keys
from msadg.analysis.faithfulness_deletion import logits_without_features, remembered, steps_deleted
from msadg.protocols.features import load_clips
from tests.analysis.mask_runs import keep, toy_run
from tests.methods.helpers import chosen, tiny_batch, tiny_method


@pytest.mark.parametrize("name", ["erm", "s2lif", "linear"])
def test_without_any_feature_of_any_modality_the_bias_is_left(name: str):
    method, batch = tiny_method(name).eval(), tiny_batch()
    evidence = method.evidence(batch)
    bias = method(batch).logits - sum(part.sum(dim=(1, 2)) for part in evidence.values())
    gone = torch.ones(len(batch), evidence["video"].shape[2], dtype=torch.bool)
    without = logits_without_features(method, batch, "video", gone)
    rest = evidence["text"].sum(dim=(1, 2))
    assert_close(without, bias + rest, atol=1e-5, rtol=0)


def test_a_feature_of_a_mean_takes_with_it_what_its_evidence_adds():
    method, batch = tiny_method("erm", mask={}).eval(), tiny_batch()
    gone = torch.zeros(4, 8, dtype=torch.bool)
    gone[0, 2] = gone[1, [0, 7]] = True
    lost = (method.evidence(batch)["text"] * gone[:, None, :, None]).sum(dim=(1, 2))
    assert_close(logits_without_features(method, batch, "text", gone), method(batch).logits - lost, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["erm", "s2lif"])
def test_a_deleted_step_is_as_if_it_had_never_been(name: str):
    method, batch = tiny_method(name).eval(), tiny_batch(lengths=(5, 5))
    gone = torch.zeros(2, 5, dtype=torch.bool)
    gone[:, 3:] = True
    shorter = steps_deleted(steps_deleted(batch, "text", gone), "video", gone)
    first = {m: type(s)(s.values[:, :3], s.valid[:, :3]) for m, s in batch.steps.items()}
    cut = type(batch)(batch.clip_ids, first, batch.sentiment, batch.polarity, batch.domain)
    assert_close(method(shorter).logits, method(cut).logits, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["erm", "s2lif"])
def test_what_is_remembered_is_what_would_be_said(name: str):
    method, batch = tiny_method(name).eval(), tiny_batch()
    gone = torch.zeros(4, 5, dtype=torch.bool)
    gone[:2, 0] = True
    other = steps_deleted(batch, "text", gone)
    wanted = [method(b).logits for b in (batch, other, chosen(batch, [1]))]
    with remembered(method):
        for _ in range(2):
            for b, logits in zip((batch, other, chosen(batch, [1])), wanted, strict=True):
                assert torch.equal(method(b).logits, logits)
    assert not any("forward" in vars(module) for module in method.modules())


def test_a_random_order_is_a_clip_s_own():
    ids = ("x", "y")
    for draw, alone in zip(random_keys((2, 4), ids, "text"), random_keys((1, 6), ("y",), "text"), strict=True):
        np.testing.assert_array_equal(draw[1], alone[0, :4])


def test_half_of_five_is_three_and_what_is_not_there_cannot_go():
    there = np.array([[True] * 5 + [False]])
    assert deleted(np.array([[5.0, 4, 3, 2, 1, 0]]), there, 0.5).tolist() == [[False, False, True, True, True, False]]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    found = keep(toy_run(tmp_path_factory.mktemp("explained"), similarity="mean"), text=range(4), video=())
    with torch.no_grad():
        for head in found.method.heads.values():
            head.weight.mul_(5)
    return found


def test_the_curve_of_features_is_what_the_evidence_s_terms_say(run):
    clips = load_clips(run.experiment.data, run.experiment.domains.target_domains[0], "test")
    at = np.array([3])
    found = {(c.modality, c.unit): c for c in deletion_curves(run.method, clips, at)}
    curve = found["text", "features"]
    batch = clips.batch(at)
    logits = run.method(batch).logits[0].detach().double().numpy()
    terms = run.method.evidence(batch)["text"][0].sum(dim=0).detach().double().numpy()[:4]  # of the selected features
    winner = logits.argmax()
    order = np.argsort(-(terms[:, winner] - terms.mean(axis=1)))
    for place, share in enumerate(SHARES):
        left = logits - terms[order[: math.floor(share * 4 + 0.5)]].sum(axis=0)
        wanted = np.exp(left[winner]) / np.exp(left).sum()
        assert curve.deleted["evidence"][0, place] == pytest.approx(wanted, abs=1e-5)
    # The strongest put in are what is left when the weakest go.
    np.testing.assert_array_equal(curve.inserted["evidence"], curve.deleted["reverse"][:, ::-1])


def test_evidence_s_order_lowers_the_probability_more_than_chance_and_the_reverse_less(run):
    found = measure([run])
    area = found.table.query("measure == 'area' and unit == 'features' and test == 'deletion'")
    by_order = area.set_index("order")["value"]
    assert by_order["evidence"] < by_order["random"] < by_order["reverse"]
    gain = found.table.query("measure == 'gain' and unit == 'features' and test == 'deletion'").iloc[0]
    assert gain["value"] == pytest.approx(by_order["random"] - by_order["evidence"])
    assert gain["low"] <= gain["value"] <= gain["high"] and gain["num_clips"] == 24
    assert set(found.table["order"]) == set(ORDERS) and set(found.table["domain"]) == {"c"}


def test_a_mask_that_keeps_nothing_leaves_nothing_to_delete_and_that_is_said(run):
    found = measure([run])
    assert "all evidence of video is 0" in found.warnings[0]
    assert set(found.table["modality"]) == {"text"}
