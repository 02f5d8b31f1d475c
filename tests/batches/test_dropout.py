"""Modality dropout: who loses what, how often, and what is left of it."""

import numpy as np
import pytest
import torch

from msadg.batches.dropout import drop_modalities
from msadg.types import Batch, Steps


def batch_of(size: int, *, lacking: dict[str, list[int]] | None = None, modalities=("text", "audio", "video")) -> Batch:
    steps = {}
    for at, modality in enumerate(modalities):
        valid = torch.ones(size, 2 + at, dtype=torch.bool)
        valid[(lacking or {}).get(modality, [])] = False
        values = torch.full((size, 2 + at, 3), float(at + 1)) * valid[..., None]
        steps[modality] = Steps(values, valid)
    whole = torch.zeros(size, dtype=torch.int64)
    return Batch(tuple(map(str, range(size))), steps, whole, torch.zeros(size), whole)


ALL = ("text", "audio", "video")


def lost(before: Batch, after: Batch) -> np.ndarray:
    """clip x modality: True where the clip had it and has it no more."""
    return np.stack(
        [(s.valid.any(dim=1) & ~after.steps[m].valid.any(dim=1)).numpy() for m, s in before.steps.items()], axis=1
    )


def test_with_probability_one_every_clip_loses_exactly_one_modality():
    before = batch_of(50)
    assert (lost(before, drop_modalities(before, 1.0, seed=0, among=ALL)).sum(axis=1) == 1).all()


def test_each_modality_goes_as_often_as_the_others_and_all_in_all_as_often_as_asked():
    before = batch_of(9000)
    gone = lost(before, drop_modalities(before, 0.3, seed=1, among=ALL))
    assert gone.sum() / 9000 == pytest.approx(0.3, abs=3 * np.sqrt(0.3 * 0.7 / 9000))
    assert gone.mean(axis=0) == pytest.approx([0.1] * 3, abs=3 * np.sqrt(0.1 * 0.9 / 9000))


def test_a_clip_never_loses_its_last_modality():
    before = batch_of(40, lacking={"text": list(range(40)), "audio": list(range(0, 40, 2))})
    gone = lost(before, drop_modalities(before, 1.0, seed=0, among=ALL))
    assert not gone[::2].any()  # these had video alone
    assert (gone[1::2].sum(axis=1) == 1).all() and not gone[:, 0].any()
    single = batch_of(10, modalities=("text",))
    assert drop_modalities(single, 1.0, seed=0, among=ALL) is single


def test_what_the_method_does_not_read_is_never_what_goes_nor_all_that_is_left():
    before = batch_of(40, lacking={"video": list(range(20))})  # these have text and a sound that nobody reads
    gone = lost(before, drop_modalities(before, 1.0, seed=0, among=("text", "video")))
    assert not gone[:20].any()
    assert (gone[20:, [0, 2]].sum(axis=1) == 1).all() and not gone[:, 1].any()


def test_what_is_dropped_is_invalid_and_zero_and_the_rest_is_untouched():
    before = batch_of(20)
    after = drop_modalities(before, 0.5, seed=3, among=ALL)
    gone = lost(before, after)
    for at, (modality, steps) in enumerate(after.steps.items()):
        rows = torch.from_numpy(gone[:, at])
        assert not steps.valid[rows].any() and (steps.values[rows] == 0).all()
        assert torch.equal(steps.values[~rows], before.steps[modality].values[~rows])
    assert (before.steps["video"].values == 3.0).all()  # the batch given is as it was


def test_token_ids_stay_integers():
    ids = Steps(torch.full((8, 2, 1), 7), torch.ones(8, 2, dtype=torch.bool))
    before = batch_of(8)
    before = Batch(before.clip_ids, {**before.steps, "text": ids}, before.sentiment, before.polarity, before.domain)
    assert drop_modalities(before, 1.0, seed=0, among=ALL).steps["text"].values.dtype == torch.int64


def test_the_seed_decides():
    before = batch_of(64)
    first, same, other = (lost(before, drop_modalities(before, 0.5, seed=s, among=ALL)) for s in (5, 5, 6))
    assert (first == same).all() and (first != other).any()
