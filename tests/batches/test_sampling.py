import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from msadg.batches import balanced_batches, length_grouped_batches, sequential_batches
from msadg.errors import UsageError

lengths_of = arrays(np.int64, st.integers(0, 300), elements=st.integers(1, 60))
domains_of = arrays(np.int64, st.integers(1, 200), elements=st.integers(0, 2))


@given(lengths=lengths_of, batch_size=st.integers(1, 20), seed=st.integers(0, 2**31))
def test_every_clip_comes_once_and_no_batch_is_a_single_clip(lengths, batch_size, seed):
    batches = length_grouped_batches(lengths, batch_size, seed)
    assert sorted(np.concatenate(batches).tolist() if batches else []) == list(range(len(lengths)))
    assert all(len(batch) <= batch_size + 1 for batch in batches)
    if batch_size > 1 and len(lengths) > 1:
        assert min(map(len, batches)) > 1


@given(lengths=lengths_of, batch_size=st.integers(1, 20), seed=st.integers(0, 2**31))
def test_the_same_seed_gives_the_same_batches(lengths, batch_size, seed):
    once, again = (length_grouped_batches(lengths, batch_size, seed) for _ in range(2))
    assert [batch.tolist() for batch in once] == [batch.tolist() for batch in again]


def test_another_seed_gives_other_batches():
    lengths = np.arange(100) % 10
    first = [batch.tolist() for batch in length_grouped_batches(lengths, 8, seed=0)]
    assert first != [batch.tolist() for batch in length_grouped_batches(lengths, 8, seed=1)]


def test_grouping_leaves_little_padding():
    lengths = np.random.default_rng(0).integers(1, 100, 16_000)
    batches = length_grouped_batches(lengths, 32, seed=0)
    padded = sum(len(batch) * lengths[batch].max() for batch in batches)
    # Uniform lengths in buckets of 1,600: a batch spans 2 of 100 steps. Ungrouped, a batch of 32 pads to 97: 1.94.
    assert padded / lengths.sum() < 1.05


def test_long_batches_are_spread_over_the_epoch():
    lengths = np.repeat([1, 100], 800)
    means = [lengths[batch].mean() for batch in length_grouped_batches(lengths, 16, seed=0)]
    first_half = np.mean(means[: len(means) // 2])
    assert 30 < first_half < 70  # 50.5 on average; sorted, it would be 1 or 100


@given(domains=domains_of, batch_size=st.integers(3, 20), seed=st.integers(0, 2**31))
def test_balanced_batches_have_equal_shares_and_miss_no_clip(domains, batch_size, seed):
    lengths = np.arange(len(domains)) % 7 + 1
    batches = balanced_batches(lengths, domains, batch_size, seed)
    kinds, sizes = np.unique(domains, return_counts=True)
    share = batch_size // len(kinds)
    for batch in batches:
        assert np.unique(domains[batch], return_counts=True)[1].tolist() == [share] * len(kinds)
    assert len(batches) == -(-sizes.max() // share)
    counts = np.bincount(np.concatenate(batches), minlength=len(domains))
    assert counts.min() >= 1
    for kind in kinds:  # none a second time before each came once
        assert np.ptp(counts[domains == kind]) <= 1


def test_balanced_batches_group_by_length_across_domains():
    lengths = np.tile([1, 50], 400)
    domains = np.repeat([0, 1], 400)
    mixed = [np.ptp(lengths[batch]) for batch in balanced_batches(lengths, domains, 16, seed=0)]
    assert np.mean(mixed) < 5  # about one batch in fifty straddles the two lengths


def test_a_batch_smaller_than_the_number_of_domains_is_refused():
    with pytest.raises(UsageError, match="batch_size is 2; it must be at least 3"):
        balanced_batches(np.ones(3, np.int64), np.arange(3), 2, seed=0)


@given(lengths=lengths_of, batch_size=st.integers(1, 20))
def test_scoring_goes_from_short_to_long(lengths, batch_size):
    batches = sequential_batches(lengths, batch_size)
    order = np.concatenate(batches) if batches else np.arange(0)
    assert sorted(order.tolist()) == list(range(len(lengths)))
    assert (np.diff(lengths[order]) >= 0).all()
    assert all(len(batch) == batch_size for batch in batches[:-1])
