"""How many positions several selections share, and how many they would share by chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float


@dataclass(frozen=True, kw_only=True, slots=True)
class Overlap:
    """Positions that all of some selections keep."""

    num_features: int
    sizes: tuple[int, ...]
    """Positions that each keeps."""
    shared: int
    """Positions that all keep."""
    jaccard: float
    """Shared over kept by any; NaN where none keeps anything."""
    expected: float
    """Mean of ``shared`` if each kept as many, drawn at random and each by itself."""
    low: float
    high: float
    """2.5 % and 97.5 % of that chance."""
    p: float
    """Chance of at least as many; NaN where chance has no choice (a mask that kept nothing or everything)."""


def overlap_of(selections: Sequence[Bool[np.ndarray, " feature"]]) -> Overlap:
    """Compare selections of the same features.

    Example:
        >>> one, other = np.array([True, True, False, False]), np.array([True, True, False, False])
        >>> found = overlap_of([one, other])
        >>> found.shared, found.jaccard, found.expected, round(found.p, 4)
        (2, 1.0, 1.0, 0.1667)
    """
    stacked = np.stack(selections)
    num_features, sizes = stacked.shape[1], tuple(int(size) for size in stacked.sum(axis=1))
    shared, any_of_them = int(stacked.all(axis=0).sum()), int(stacked.any(axis=0).sum())
    chance = shared_by_chance(num_features, sizes)
    counts, cumulated = np.arange(num_features + 1), np.cumsum(chance)
    low, high = np.searchsorted(cumulated, [0.025, 0.975], side="left")
    has_choice = np.count_nonzero(chance) > 1
    return Overlap(
        num_features=num_features,
        sizes=sizes,
        shared=shared,
        jaccard=shared / any_of_them if any_of_them else float("nan"),
        expected=float(chance @ counts),
        low=float(low),
        high=float(high),
        p=float(min(1.0, chance[shared:].sum())) if has_choice else float("nan"),
    )


def shared_by_chance(num_features: int, sizes: Sequence[int]) -> Float[np.ndarray, " count"]:
    """Probability of each number of shared positions, of selections of these sizes drawn at random.

    Of two it is the hypergeometric distribution; each further one draws from what those before it share.
    """
    from scipy.stats import hypergeom

    counts = np.arange(num_features + 1)
    chance: Float[np.ndarray, " count"] = (counts == sizes[0]).astype(np.float64)
    for size in sizes[1:]:
        given = hypergeom.pmf(counts[None, :], num_features, counts[:, None], size)  # shared before -> shared after
        chance = chance @ np.nan_to_num(given)
    return chance
