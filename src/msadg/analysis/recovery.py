"""Did the mask keep the right features? Precision and recall against a simulated world's truth.

A mask acts on hidden features, the truth is about input features; ``attribute_features`` says which kind of
input each hidden feature stands for, and ``recovery`` scores a selection of them. Every number stands beside
what a random selection of as many features would be expected to reach, since keeping everything already has a
recall of 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from msadg.errors import UnknownNameError
from msadg.extraction.simulated_truth import INVARIANT_KINDS

CONSTANT = "constant"
"""Kind of a hidden feature that is the same for every clip (a dead unit): it stands for no input."""

KINDS = (*INVARIANT_KINDS, "spurious", "noise", CONSTANT)


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """How well a selection of features agrees with the truth: shares in [0, 1], NaN for a share of nothing.

    ``*_by_chance`` is the expectation of the same share for a random selection of the same size.
    """

    precision: float
    """Share of the selected features that are invariant (any of the three kinds); NaN if none is selected."""
    precision_by_chance: float
    """Share of all features that are invariant; NaN if none is selected."""
    recall: float
    """Share of the invariant features that are selected; NaN if there are none."""
    recall_by_chance: float
    """Share of all features that are selected; NaN if none is invariant."""
    complementary_share: float
    """Of the selected features that are redundant or complementary, the share that complement text; NaN if
    none of either is selected."""
    complementary_share_by_chance: float
    """The same share among all features, selected or not; NaN if there are none of either kind."""
    spurious_rejected: float
    """Share of the spurious features that are not selected; NaN if there are none."""
    spurious_rejected_by_chance: float
    """Share of all features that are not selected; NaN if none is spurious."""


def recovery(selected: Bool[np.ndarray, " feature"], kinds: Sequence[str]) -> Recovery:
    """Score a selection of features against their kinds.

    Raises:
        ValueError: there is not one kind for each feature.
        UnknownNameError: a kind that no simulated world has.

    Example:
        >>> found = recovery(np.array([True, True, False]), ["invariant", "spurious", "noise"])
        >>> found.precision, found.recall, found.spurious_rejected
        (0.5, 1.0, 0.0)
    """
    if len(kinds) != len(selected):
        raise ValueError(f"{len(selected)} features but {len(kinds)} kinds: expected one kind for each feature")
    for kind in kinds:
        if kind not in KINDS:
            raise UnknownNameError("kind of feature", kind, KINDS)
    kind_of = np.asarray(kinds, dtype=str)
    invariant = np.isin(kind_of, INVARIANT_KINDS)
    fused = np.isin(kind_of, ["redundant", "complementary"])
    complementary, spurious = kind_of == "complementary", kind_of == "spurious"
    everything = np.ones_like(selected)
    return Recovery(
        precision=_share(invariant, among=selected),
        precision_by_chance=_share(invariant, among=everything) if selected.any() else np.nan,
        recall=_share(selected, among=invariant),
        recall_by_chance=_share(selected, among=everything) if invariant.any() else np.nan,
        complementary_share=_share(complementary, among=selected & fused),
        complementary_share_by_chance=_share(complementary, among=fused),
        spurious_rejected=_share(~selected, among=spurious),
        spurious_rejected_by_chance=_share(~selected, among=everything) if spurious.any() else np.nan,
    )


def attribute_features(
    hidden: Float[np.ndarray, "clip hidden"],
    inputs: Float[np.ndarray, "clip feature"],
    kinds: Sequence[str],
) -> list[str]:
    """Return the kind of the input feature that each hidden feature correlates with most.

    The measure is |Pearson r| over clips (means over time, say); of equals the first input counts. A hidden
    feature that is the same for every clip is "constant". With an identity encoder the answer is ``kinds``
    itself, unless two inputs are proportional. A hidden feature that mixes kinds goes to the one it shows most,
    so attribution is exact only for encoders that do not mix: report it as an attribution.

    Raises:
        ValueError: there is not one kind for each input feature, or every input feature is constant.
    """
    if len(kinds) != inputs.shape[1]:
        raise ValueError(f"{inputs.shape[1]} input features but {len(kinds)} kinds: expected one kind for each")
    hidden_scores, input_scores = _standardise(hidden), _standardise(inputs)
    if not input_scores.any():
        raise ValueError(f"all {inputs.shape[1]} input features are constant over {len(inputs)} clips")
    nearest = np.abs(hidden_scores.T @ input_scores).argmax(axis=1)
    return [kinds[i] if scores.any() else CONSTANT for i, scores in zip(nearest, hidden_scores.T, strict=True)]


def _share(what: Bool[np.ndarray, " feature"], *, among: Bool[np.ndarray, " feature"]) -> float:
    return float(what[among].mean()) if among.any() else np.nan


def _standardise(values: Float[np.ndarray, "clip feature"]) -> Float[np.ndarray, "clip feature"]:
    """Centre each feature and divide it by its norm; a constant one becomes 0."""
    values = values.astype(np.float64)
    centred = values - values.mean(axis=0)
    norm: Float[np.ndarray, " feature"] = np.linalg.norm(centred, axis=0)
    # A constant, centred, leaves rounding errors: parts in 1e16 of its size, or in 1e7 if it was float32.
    varies = norm > 1e-6 * np.linalg.norm(values, axis=0)
    scores: Float[np.ndarray, "clip feature"] = np.divide(centred, norm, out=np.zeros_like(centred), where=varies)
    return scores
