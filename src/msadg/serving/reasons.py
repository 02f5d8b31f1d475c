"""What decided a verdict: the share of each step and each feature in what speaks for or against it.

A method whose logits are a sum over steps and features says so itself (``Method.evidence``): a share is then what a
term adds to the winning class beyond what it adds to the classes on average. For any other method a step is left out,
and its share is what the winning class's log-probability loses. Input features that have names are held against the
sources' mean in the same way. In a regression, a share is what a term adds to the polarity, or what that loses without.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from msadg.analysis.case_reasons import lost_without_steps, said_for, shares_of
from msadg.protocols.sources import Sources
from msadg.serving.features import Observed
from msadg.serving.scoring import Scorer
from msadg.serving.verdict import DecidingFeature, DecidingStep
from msadg.types import Steps

SHOWN = 5
"""Steps and features that are named, of each modality."""


@dataclass(frozen=True)
class Reasons:
    """What decided a verdict."""

    modality_shares: Mapping[str, float]
    steps: tuple[DecidingStep, ...]
    features: tuple[DecidingFeature, ...]


def reasons_for(
    scorer: Scorer,
    observed: Mapping[str, Observed],
    winner: int,
    sources: Sources | None,
    names: Mapping[str, Mapping[str, slice]],
) -> Reasons:
    """Find what decided a verdict.

    Args:
        scorer: of the clip.
        observed: what the scorer's plan reads.
        winner: index of the verdict's class.
        sources: whose mean named features are held against.
        names: columns of each named feature, by modality.
    """
    if not observed:
        return Reasons({}, (), ())
    steps = {modality: seen.steps for modality, seen in observed.items()}
    evidence = linear_evidence(scorer, steps, winner)
    features: list[DecidingFeature] = []
    if evidence is None:
        by_step = occluded_steps(scorer, steps, winner)
    else:
        by_step = {modality: part.sum(dim=1) for modality, part in evidence.items()}
        features += _learned_features(evidence, names, is_input=scorer.method.reads_inputs_directly)
    by_step = shares_of(by_step)
    if sources is not None and not (evidence and scorer.method.reads_inputs_directly):
        features += _named_features(scorer, steps, winner, sources, names)
    deciding = [step for modality, share in by_step.items() for step in _weightiest_steps(modality, share, observed)]
    return Reasons(
        {modality: math.copysign(float(share.abs().sum()), float(share.sum())) for modality, share in by_step.items()},
        tuple(sorted(deciding, key=lambda step: -abs(step.share))),
        tuple(sorted(features, key=lambda feature: -abs(feature.share))),
    )


@torch.no_grad()
def linear_evidence(
    scorer: Scorer, steps: Mapping[str, Steps], winner: int
) -> dict[str, Float[Tensor, "time feature"]] | None:
    """What each feature of each step adds to the winning class beyond the classes' mean; None where no sum says it."""
    parts = scorer.method.evidence(scorer.batch(steps), scorer.plan.output)
    if parts is None:
        return None
    is_regression = scorer.method.task.is_regression
    return {modality: said_for(parts[modality][0], winner, is_regression=is_regression) for modality in steps}


def occluded_steps(scorer: Scorer, steps: Mapping[str, Steps], winner: int) -> dict[str, Float[Tensor, " time"]]:
    """What the winning class's log-probability loses without each step; shared evenly within a piece."""
    whole = scorer.support(steps, winner)[0]
    return {
        modality: lost_without_steps(
            own,
            whole,
            lambda variants, modality=modality: _with_variants(scorer, steps, modality, variants, winner),  # type: ignore[misc]
        )
        for modality, own in steps.items()
    }


def _with_variants(
    scorer: Scorer, steps: Mapping[str, Steps], modality: str, variants: Steps, winner: int
) -> Float[Tensor, " variant"]:
    """Log-probability of the winner for variants of one modality, the others as they are."""
    num = len(variants.valid)
    rest = {m: Steps(s.values.expand(num, -1, -1), s.valid.expand(num, -1)) for m, s in steps.items()}
    return scorer.support({**rest, modality: variants}, winner)


def _largest(shares: Float[Tensor, " entry"]) -> list[int]:
    order = torch.argsort(shares.abs(), descending=True, stable=True)[:SHOWN].tolist()
    return [at for at in order if shares[at] != 0]


def _weightiest_steps(modality: str, shares: Tensor, observed: Mapping[str, Observed]) -> list[DecidingStep]:
    seen = observed[modality]
    return [
        DecidingStep(
            modality=modality,
            step=at,
            share=float(shares[at]),
            token=seen.tokens[at] if len(seen.tokens) == len(shares) else None,
            start_seconds=seconds(seen.times[at, 0]),
            end_seconds=seconds(seen.times[at, 1]),
        )
        for at in _largest(shares)
    ]


def seconds(value: float | np.floating) -> float | None:
    """A time to a tenth of a millisecond, or None where it is not known."""
    return None if math.isnan(value) else round(float(value), 4)


def _learned_features(
    evidence: Mapping[str, Tensor], names: Mapping[str, Mapping[str, slice]], *, is_input: bool
) -> list[DecidingFeature]:
    shares = shares_of({modality: part.sum(dim=0) for modality, part in evidence.items()})
    return [
        DecidingFeature(
            modality=modality,
            kind="input" if is_input else "representation",
            index=at,
            share=float(part[at]),
            name=_name_of(at, names.get(modality, {})) if is_input else None,
        )
        for modality, part in shares.items()
        for at in _largest(part)
    ]


def _name_of(index: int, names: Mapping[str, slice]) -> str | None:
    for name, columns in names.items():
        if columns.start <= index < columns.stop:
            return name if columns.stop - columns.start == 1 else f"{name}[{index - columns.start}]"
    return None


def _named_features(
    scorer: Scorer,
    steps: Mapping[str, Steps],
    winner: int,
    sources: Sources,
    names: Mapping[str, Mapping[str, slice]],
) -> list[DecidingFeature]:
    """What the winning class's log-probability loses where a named feature takes the sources' mean."""
    whole = scorer.support(steps, winner)[0]
    lost: dict[str, Tensor] = {}
    for modality in steps:
        distance = sources.modalities[modality].distance
        if not names.get(modality) or distance is None:
            continue
        columns, mean = list(names[modality].values()), torch.from_numpy(distance.mean)
        without = [
            # Few at a time: each is a copy of the clip.
            _with_variants(scorer, steps, modality, _at_the_mean(steps[modality], mean, columns[at : at + 8]), winner)
            for at in range(0, len(columns), 8)
        ]
        lost[modality] = whole - torch.cat(without)
    shares = shares_of(lost)
    return [
        DecidingFeature(modality, "input", columns[at].start, float(part[at]), name=list(names[modality])[at])
        for modality, part in shares.items()
        for columns in [list(names[modality].values())]
        for at in _largest(part)
    ]


def _at_the_mean(steps: Steps, mean: Tensor, columns: Sequence[slice]) -> Steps:
    values = steps.values.repeat(len(columns), 1, 1)
    for row, where in enumerate(columns):
        values[row, :, where] = mean[where].to(values.dtype)
    valid = steps.valid.repeat(len(columns), 1)
    return Steps(values.masked_fill(~valid[..., None], 0), valid)
