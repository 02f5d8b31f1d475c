"""Perturbations by hand on a tiny batch: what is touched, how much of it, and what never is."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from msadg.analysis.perturb import KINDS, Perturbation, Perturbed, check_kind, perturbed
from msadg.batches.dropout import drop_modalities
from msadg.errors import SettingsError, UnknownNameError, UsageError
from msadg.types import Batch, Steps
from tests.methods.helpers import chosen, padded, tiny_batch, tiny_method

SPREAD = torch.tensor([1.0, 10.0])


def batch_of(valid: list[list[int]], modality: str = "video") -> Batch:
    """Each step's first feature is 1 + its place in time, its second ten times that; 7 where a step is not valid."""
    is_valid = torch.tensor(valid, dtype=torch.bool)
    size, time = is_valid.shape
    values = torch.arange(1.0, time + 1).expand(size, time).unsqueeze(-1) * SPREAD
    values = torch.where(is_valid.unsqueeze(-1), values, 7.0)
    return Batch(
        clip_ids=tuple(f"c{row}" for row in range(size)),
        steps={modality: Steps(values, is_valid)},
        sentiment=torch.zeros(size, dtype=torch.int64),
        polarity=torch.zeros(size),
        domain=torch.zeros(size, dtype=torch.int64),
    )


def video(**fields: object) -> Perturbation:
    return Perturbation(modality="video", **fields)


def places_shown(steps: Steps) -> np.ndarray:
    """Which place in time each step of the first clip shows."""
    return steps.values[0, :, 0].numpy().astype(int) - 1


GAPPY = [[1, 1, 0, 1, 1, 1, 0, 0]]
"""Valid at 0, 1, 3, 4, 5."""


@pytest.mark.parametrize(("rate", "gone"), [(0.0, 0), (0.19, 0), (0.2, 1), (0.59, 2), (0.6, 3), (0.8, 4), (1.0, 4)])
def test_so_many_of_five_steps_are_dropped_and_one_always_stays(rate: float, gone: int):
    before = batch_of(GAPPY).steps["video"]
    after = perturbed(batch_of(GAPPY), video(kind="drop", rate=rate)).steps["video"]
    lost = before.valid & ~after.valid
    assert lost.sum() == gone
    assert after.values[lost].abs().sum() == 0
    torch.testing.assert_close(after.values[~lost], before.values[~lost], rtol=0, atol=0)


def test_a_higher_rate_drops_the_steps_of_a_lower_one_and_more():
    batch = batch_of([[1] * 20])
    lost = [~perturbed(batch, video(kind="drop", rate=rate)).steps["video"].valid for rate in (0.1, 0.5, 0.9)]
    assert [int(part.sum()) for part in lost] == [2, 10, 18]
    assert not (lost[0] & ~lost[1]).any() and not (lost[1] & ~lost[2]).any()


def test_a_frozen_step_shows_the_last_valid_one_that_is_not_frozen_and_the_first_never_freezes():
    after = perturbed(batch_of(GAPPY), video(kind="repeat", rate=1.0)).steps["video"]
    # All that can freeze does: every valid step shows the first; what was not valid is as it was (7 is place 6).
    assert places_shown(after).tolist() == [0, 0, 6, 0, 0, 0, 6, 6]
    assert after.valid.equal(batch_of(GAPPY).steps["video"].valid)


@pytest.mark.parametrize("seed", range(5))
def test_so_many_steps_freeze_and_each_shows_what_the_step_before_it_shows(seed: int):
    after = perturbed(batch_of([[1] * 10]), video(kind="repeat", rate=0.3, seed=seed)).steps["video"]
    shown = places_shown(after)
    frozen = np.flatnonzero(shown != np.arange(10))
    assert len(frozen) == 3 and 0 not in frozen
    assert (shown[frozen] == shown[frozen - 1]).all()


@pytest.mark.parametrize("seed", range(5))
def test_jitter_swaps_neighbours_in_pairs_over_a_gap_too(seed: int):
    after = perturbed(batch_of(GAPPY), video(kind="jitter", rate=0.8, seed=seed)).steps["video"]
    shown = places_shown(after)[[0, 1, 3, 4, 5]]
    # Two disjoint pairs of five steps can be (01)(34), (01)(45) or (13)(45).
    assert shown.tolist() in [[1, 0, 4, 3, 5], [1, 0, 3, 5, 4], [0, 3, 1, 5, 4]]
    assert places_shown(after)[[2, 6, 7]].tolist() == [6, 6, 6]


def test_every_choice_of_pairs_is_as_likely():
    orders = [
        tuple(places_shown(perturbed(batch_of([[1] * 5]), video(kind="jitter", rate=0.8, seed=s)).steps["video"]))
        for s in range(600)
    ]
    counts = {order: orders.count(order) for order in set(orders)}
    assert len(counts) == 3
    assert max(abs(count - 200) for count in counts.values()) < 50  # four standard deviations of a binomial


@pytest.mark.parametrize(("rate", "moved"), [(0.1, 0), (0.2, 2), (0.3, 2), (0.5, 4), (0.7, 6), (1.0, 10)])
def test_as_many_steps_change_places_as_the_rate_allows(rate: float, moved: int):
    shown = places_shown(perturbed(batch_of([[1] * 10]), video(kind="jitter", rate=rate)).steps["video"])
    assert (shown != np.arange(10)).sum() == moved
    assert sorted(shown) == list(range(10))


def test_noise_has_the_spread_of_each_feature_times_what_was_asked_and_touches_so_many_steps():
    batch = batch_of([[1] * 4000])
    before = batch.steps["video"].values
    after = perturbed(batch, video(kind="noise", rate=0.5, spreads=2.0), SPREAD).steps["video"].values
    added = (after - before)[0]
    touched = (added != 0).any(dim=1)
    assert touched.sum() == 2000
    deviation = added[touched].double().std(dim=0)
    assert deviation.numpy() == pytest.approx([2.0, 20.0], rel=0.07)  # four standard errors, 1 / sqrt(2 n) each
    assert added[touched].double().mean(dim=0).numpy() == pytest.approx([0, 0], abs=1.8)
    more = perturbed(batch, video(kind="noise", rate=0.7, spreads=2.0), SPREAD).steps["video"].values
    assert more[0, touched].equal(after[0, touched])


def test_noise_leaves_steps_that_are_not_valid_as_they_are():
    after = perturbed(batch_of(GAPPY), video(kind="noise"), SPREAD).steps["video"].values
    assert (after[0, [2, 6, 7]] == 7).all()
    assert (after[0, [0, 1, 3, 4, 5]] != batch_of(GAPPY).steps["video"].values[0, [0, 1, 3, 4, 5]]).all()


def test_a_missing_modality_looks_as_one_that_training_dropped():
    batch = tiny_batch()
    gone = perturbed(batch, video(kind="missing"))
    assert not gone.steps["video"].valid.any() and gone.steps["video"].values.abs().sum() == 0
    assert gone.steps["text"] is batch.steps["text"]
    trained_on = drop_modalities(batch, 1.0, seed=0, among=("text", "video"))
    lost = ~trained_on.steps["video"].valid.any(dim=1)
    assert lost.any()
    assert trained_on.steps["video"].values[lost].equal(gone.steps["video"].values[lost])


@pytest.mark.parametrize("kind", KINDS)
def test_the_batch_given_is_left_as_it_was_and_a_seed_decides_everything(kind: str):
    batch = batch_of([[1] * 30, [1] * 20 + [0] * 10])
    values, valid = batch.steps["video"].values.clone(), batch.steps["video"].valid.clone()
    once, again, other = (
        perturbed(batch, video(kind=kind, rate=0.5, seed=s), SPREAD).steps["video"] for s in (1, 1, 2)
    )
    assert batch.steps["video"].values.equal(values) and batch.steps["video"].valid.equal(valid)
    assert once.values.equal(again.values) and once.valid.equal(again.valid)
    assert kind == "missing" or not once.values.equal(other.values)


@pytest.mark.parametrize("kind", KINDS)
def test_neither_neighbours_nor_padding_change_what_happens_to_a_clip(kind: str):
    batch = tiny_batch(lengths=(9, 5, 7))
    wanted = video(kind=kind, rate=0.5)
    whole = perturbed(batch, wanted, torch.ones(5)).steps["video"]
    alone = perturbed(chosen(padded(batch, 4), [1]), wanted, torch.ones(5)).steps["video"]
    assert alone.values[0, :9].equal(whole.values[1]) or kind == "missing"
    assert alone.valid[0, :9].equal(whole.valid[1])
    if kind != "missing":
        assert (alone.values[0, 9:] == 7).all() and not alone.valid[0, 9:].any()


@settings(max_examples=30, deadline=None)
@given(
    valid=st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=1, max_size=4),
    rate=st.floats(0, 1),
    seed=st.integers(0, 99),
    kind=st.sampled_from(["drop", "repeat", "jitter", "noise"]),
)
def test_what_is_not_valid_never_changes_and_no_clip_is_emptied(valid, rate, seed, kind):
    batch = batch_of([[int(v) for v in row] for row in valid])
    before, after = (
        batch.steps["video"],
        perturbed(batch, video(kind=kind, rate=rate, seed=seed), SPREAD).steps["video"],
    )
    assert after.values[~before.valid].equal(before.values[~before.valid])
    assert not (after.valid & ~before.valid).any()
    assert after.valid.any(dim=1).equal(before.valid.any(dim=1))


def test_steps_of_token_ids_can_be_dropped_but_take_no_noise():
    batch = batch_of([[1, 1, 1, 1]], "text")
    ids = Steps(batch.steps["text"].values[..., :1].long(), batch.steps["text"].valid)
    batch = replace(batch, steps={"text": ids})
    after = perturbed(batch, Perturbation(kind="drop", modality="text", rate=0.5)).steps["text"]
    assert after.values.dtype == torch.int64 and after.valid.sum() == 2
    with pytest.raises(UsageError, match="token ids, which take no noise"):
        perturbed(batch, Perturbation(kind="noise", modality="text"), torch.ones(1))


def test_what_cannot_be_is_told():
    with pytest.raises(UnknownNameError, match="did you mean 'repeat'"):
        check_kind("repaet", "video")
    with pytest.raises(UnknownNameError, match="unknown modality 'vidoe'; did you mean 'video'"):
        Perturbation(kind="drop", modality="vidoe")
    with pytest.raises(UsageError, match="jitter is for audio and video"):
        Perturbation(kind="jitter", modality="text")
    with pytest.raises(SettingsError, match=r"rate = 1\.5; expected 1 or less"):
        video(kind="drop", rate=1.5)
    with pytest.raises(UsageError, match="no spread was given"):
        perturbed(batch_of([[1, 1]]), video(kind="noise"))


def test_a_rate_of_0_and_a_modality_that_is_not_there_give_the_batch_itself():
    batch = batch_of(GAPPY)
    assert perturbed(batch, video(kind="drop", rate=0)) is batch
    assert perturbed(batch, Perturbation(kind="drop", modality="audio", rate=0.5)) is batch


def test_a_method_under_a_perturbation_says_what_it_says_of_the_perturbed_batch():
    method, batch = tiny_method("erm").eval(), tiny_batch()
    wanted = video(kind="drop", rate=0.5)
    wrapped = Perturbed(method, wanted)
    assert not wrapped.training
    assert wrapped(batch).logits.equal(method(perturbed(batch, wanted)).logits)
    assert not wrapped(batch).logits.equal(method(batch).logits)
