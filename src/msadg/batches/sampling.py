"""Which clips share a batch: clips of similar length, so that little of a batch is padding.

Everything follows from the arguments: the same seed gives the same batches.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from msadg.errors import UsageError

BUCKET_BATCHES = 50
"""Batches that are sorted by length together: enough to save padding, few enough to keep batches mixed."""


def length_grouped_batches(
    lengths: Int[np.ndarray, " clip"], batch_size: int, seed: int
) -> list[Int[np.ndarray, " batch"]]:
    """Return batches in random order in which every clip comes once, grouped by length.

    A last batch of a single clip is joined to the one before: statistics over a batch need two.

    Example:
        >>> [sorted(batch.tolist()) for batch in length_grouped_batches(np.array([9, 1, 8, 2]), 2, seed=0)]
        [[0, 2], [1, 3]]

    Raises:
        UsageError: the batch size is not positive.
    """
    _check_batch_size(batch_size, 1)
    random = np.random.default_rng(seed)
    grouped = _sorted_in_buckets(random.permutation(len(lengths)), lengths, batch_size * BUCKET_BATCHES)
    batches = _cut(grouped, batch_size)
    if len(batches) > 1 and batch_size > 1 and len(batches[-1]) == 1:
        batches[-2:] = [np.concatenate(batches[-2:])]
    return [batches[at] for at in random.permutation(len(batches))]


def balanced_batches(
    lengths: Int[np.ndarray, " clip"], domains: Int[np.ndarray, " clip"], batch_size: int, seed: int
) -> list[Int[np.ndarray, " batch"]]:
    """Return batches in random order with equally many clips of each domain, grouped by length.

    Every clip comes at least once. Those of smaller domains are repeated, all of them before any comes again. Where
    the domains do not divide the batch size, batches are smaller by what is left over.

    Raises:
        UsageError: the batch size is smaller than the number of domains.
    """
    kinds = np.unique(domains)
    _check_batch_size(batch_size, max(len(kinds), 1))
    if not len(kinds):
        return []
    random = np.random.default_rng(seed)
    share = batch_size // len(kinds)
    members = [np.flatnonzero(domains == kind) for kind in kinds]
    num_batches = -(-max(map(len, members)) // share)
    blocks = [
        _cut(_sorted_in_buckets(_repeated(clips, num_batches * share, random), lengths, share * BUCKET_BATCHES), share)
        for clips in members
    ]
    batches = [np.concatenate(shares) for shares in zip(*blocks, strict=True)]
    return [batches[at] for at in random.permutation(num_batches)]


def sequential_batches(lengths: Int[np.ndarray, " clip"], batch_size: int) -> list[Int[np.ndarray, " batch"]]:
    """Return batches for scoring: every clip once, from short to long, nothing left to chance.

    Example:
        >>> [batch.tolist() for batch in sequential_batches(np.array([9, 1, 8]), 2)]
        [[1, 2], [0]]

    Raises:
        UsageError: the batch size is not positive.
    """
    _check_batch_size(batch_size, 1)
    return _cut(np.argsort(lengths, kind="stable"), batch_size)


def _sorted_in_buckets(
    clips: Int[np.ndarray, " clip"], lengths: Int[np.ndarray, " all"], bucket: int
) -> Int[np.ndarray, " clip"]:
    buckets = [part[np.argsort(lengths[part], kind="stable")] for part in _cut(clips, bucket)]
    return np.concatenate(buckets) if buckets else clips


def _cut(clips: Int[np.ndarray, " clip"], size: int) -> list[Int[np.ndarray, " part"]]:
    return [clips[start : start + size] for start in range(0, len(clips), size)]


def _repeated(clips: Int[np.ndarray, " clip"], total: int, random: np.random.Generator) -> Int[np.ndarray, " total"]:
    rounds = [random.permutation(clips) for _ in range(-(-total // len(clips)))]
    return np.concatenate(rounds)[:total]


def _check_batch_size(batch_size: int, at_least: int) -> None:
    if batch_size < at_least:
        raise UsageError(f"batch_size is {batch_size}; it must be at least {at_least} (one clip of each domain)")
