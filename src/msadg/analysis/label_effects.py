"""How much of each feature the label explains: eta squared, and its F-test, of all features at once.

One-way analysis of variance by classes; with several sources, of what the domain leaves unexplained, so that a feature
that only tells domains apart is not taken for one that knows the label. Of a regression the label is the polarity, and
eta squared is r squared. Classes are not read as a scale: what neutral clips share alone counts too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from msadg.analysis.fisher import directions, standardised
from msadg.errors import UsageError


@dataclass(frozen=True, slots=True)
class LabelEffects:
    """What the label says of every feature."""

    eta_squared: Float[np.ndarray, " feature"]
    """Share of the variance that it explains, in [0, 1]; NaN of a feature that does not vary."""
    p: Float[np.ndarray, " feature"]
    """Of the hypothesis that it explains nothing."""
    num_label: int
    """Degrees of freedom of the label: classes less one; 1 for a polarity."""
    num_left: int
    """Degrees of freedom that are left to the features."""


def label_effects(
    features: Float[np.ndarray, "clip feature"],
    label: Float[np.ndarray, "clip column"],
    domain: Float[np.ndarray, "clip other"] | None = None,
) -> LabelEffects:
    """Analyse the variance of every feature by the label.

    Args:
        features: of some clips.
        label: a column for each class, or the polarity.
        domain: a column for each domain; None where there is one.

    Raises:
        UsageError: the label is the same for every clip (of each domain), or there are too few clips.
    """
    from scipy.stats import f

    known = directions(domain) if domain is not None else np.zeros((len(features), 0))
    beside = standardised(label, known)  # NaN: a column that says nothing beside the domain
    basis = directions(beside[:, ~np.isnan(beside).any(axis=0)])
    num_label = basis.shape[1]
    num_left = len(features) - 1 - known.shape[1] - num_label
    if num_label == 0:
        raise UsageError("every clip has the same label, so that no feature can depend on it; measure on more clips")
    if num_left < 1:
        raise UsageError(f"{len(features)} clips are too few to analyse by label; measure on a split that has more")
    explained = np.square(basis.T @ standardised(features, known)).sum(axis=0).clip(max=1)
    with np.errstate(divide="ignore"):
        ratio = (explained / num_label) / ((1 - explained) / num_left)
    return LabelEffects(explained, np.asarray(f.sf(ratio, num_label, num_left)), num_label, num_left)
