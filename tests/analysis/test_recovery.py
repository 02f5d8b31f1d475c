"""Attribution and recovery, against examples worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import booleans, integers, lists, sampled_from, tuples

from msadg.analysis.recovery import KINDS, Recovery, attribute_features, recovery
from msadg.errors import UnknownNameError

# Eight video features: 2 redundant, 2 complementary, 2 spurious, 2 noise.
VIDEO = ["redundant", "redundant", "complementary", "complementary", "spurious", "spurious", "noise", "noise"]


def choose(*indices: int, num: int = 8):
    return np.isin(np.arange(num), indices)


def test_recovery_by_hand():
    found = recovery(choose(0, 2, 3, 4, 6), VIDEO)  # 3 of 5 selected are invariant, of 4 there are
    assert found == Recovery(
        precision=3 / 5, precision_by_chance=4 / 8,
        recall=3 / 4, recall_by_chance=5 / 8,
        complementary_share=2 / 3, complementary_share_by_chance=2 / 4,
        spurious_rejected=1 / 2, spurious_rejected_by_chance=3 / 8,
    )  # fmt: skip


def test_a_perfect_selection_and_its_opposite():
    perfect, opposite = recovery(choose(0, 1, 2, 3), VIDEO), recovery(choose(4, 5, 6, 7), VIDEO)
    assert (perfect.precision, perfect.recall, perfect.spurious_rejected) == (1, 1, 1)
    assert (opposite.precision, opposite.recall, opposite.spurious_rejected) == (0, 0, 0)
    assert np.isnan(opposite.complementary_share)


def test_keeping_everything_is_no_better_than_chance():
    found = recovery(choose(*range(8)), VIDEO)
    assert found.precision == found.precision_by_chance == 0.5
    assert found.recall == found.recall_by_chance == 1
    assert found.spurious_rejected == found.spurious_rejected_by_chance == 0


def test_shares_of_nothing_are_nan():
    nothing = recovery(choose(), VIDEO)
    assert np.isnan([nothing.precision, nothing.precision_by_chance, nothing.complementary_share]).all()
    assert (nothing.recall, nothing.spurious_rejected) == (0, 1)
    only_noise = recovery(choose(0, num=2), ["noise", "constant"])
    assert np.isnan([only_noise.recall, only_noise.recall_by_chance, only_noise.spurious_rejected]).all()
    assert only_noise.precision == 0


def test_text_has_no_complementary_share():
    found = recovery(choose(0, num=2), ["invariant", "noise"])
    assert (found.precision, found.recall) == (1, 1)
    assert np.isnan(found.complementary_share)


def test_chance_is_the_mean_over_every_selection_of_the_size():
    from itertools import combinations

    every = [recovery(choose(*three), VIDEO) for three in combinations(range(8), 3)]
    for share in ["precision", "recall", "complementary_share", "spurious_rejected"]:
        mean = np.nanmean([getattr(found, share) for found in every])
        assert mean == pytest.approx(getattr(every[0], f"{share}_by_chance"))


@given(lists(tuples(booleans(), sampled_from(KINDS)), min_size=1, max_size=30))
def test_every_share_is_in_range_or_nan(features):
    selected, kinds = zip(*features, strict=True)
    shares = np.array(list(vars(recovery(np.array(selected), kinds)).values()))
    assert (np.isnan(shares) | ((shares >= 0) & (shares <= 1))).all()


def test_a_kind_for_each_feature_and_only_known_ones():
    with pytest.raises(ValueError, match="8 features but 2 kinds"):
        recovery(choose(0), ["noise", "noise"])
    with pytest.raises(UnknownNameError, match="did you mean 'spurious'"):
        recovery(choose(0, num=1), ["spurius"])


def inputs_of(num_clips: int, num_features: int, seed: int = 0):
    return np.random.default_rng(seed).standard_normal((num_clips, num_features))


@given(integers(0, 100))
def test_an_identity_encoder_gives_the_kinds_themselves(seed):
    inputs = inputs_of(50, 8, seed)
    assert attribute_features(inputs, inputs, VIDEO) == VIDEO


def test_scale_sign_and_offset_of_a_hidden_feature_do_not_matter():
    inputs = inputs_of(50, 8)
    hidden = np.stack([-3 * inputs[:, 5] + 100, 1e-3 * inputs[:, 2], inputs[:, 7] + 0.1 * inputs[:, 0]], axis=1)
    assert attribute_features(hidden, inputs, VIDEO) == ["spurious", "complementary", "noise"]


def test_attribution_agrees_with_numpy_on_every_pair():
    inputs = inputs_of(200, 8)
    hidden = np.tanh(inputs @ inputs_of(8, 20, seed=1)).astype(np.float32)
    table = np.abs(np.corrcoef(hidden.T, inputs.T)[:20, 20:])
    assert attribute_features(hidden, inputs, VIDEO) == [VIDEO[i] for i in table.argmax(axis=1)]


def test_a_hidden_feature_that_never_varies_is_constant_and_a_constant_input_attracts_none():
    inputs = inputs_of(50, 3)
    inputs[:, 0] = 0.1
    hidden = np.stack([np.full(50, 0.1), np.zeros(50), inputs[:, 1]], axis=1)
    assert attribute_features(hidden, inputs, ["redundant", "noise", "spurious"]) == [
        "constant",
        "constant",
        "noise",
    ]
    with pytest.raises(ValueError, match="all 3 input features are constant"):
        attribute_features(hidden, np.ones((50, 3)), ["noise"] * 3)
    with pytest.raises(ValueError, match="3 input features but 1 kinds"):
        attribute_features(hidden, inputs, ["noise"])
