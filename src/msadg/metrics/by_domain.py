"""From the scores of each domain to what domain generalisation asks for: mean target, worst target, gap."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

LOWER_IS_BETTER = frozenset({"ece", "brier", "nll", "mae"})
"""The metrics whose best value is the smallest."""

HEADLINES = (
    *("f1_macro", "accuracy", "balanced_accuracy", "ece", "brier", "nll"),
    *("mae", "corr", "acc2_has0", "acc2_non0", "acc5", "acc7"),
)
"""The metrics that are summed up over domains; recalls by class are read domain by domain."""


def summarise_domains(
    metrics: Mapping[str, Mapping[str, float]],
    source_domains: Collection[str],
    target_domains: Collection[str],
    names: Sequence[str] = HEADLINES,
) -> dict[str, dict[str, float]]:
    """Mean target, worst target and gap of each headline metric that every scored domain has.

    The gap is what is lost on the way out: mean source - mean target, or mean target - mean source for a
    metric of which less is better, so that a positive gap is always a loss. NaN where a side was not scored.

    Example:
        >>> scores = {"mosei": {"accuracy": 0.75}, "mosi": {"accuracy": 0.5}, "meld": {"accuracy": 0.25}}
        >>> summarise_domains(scores, ["mosei"], ["mosi", "meld"])
        {'accuracy': {'mean_target': 0.375, 'worst_target': 0.25, 'gap': 0.375}}
    """
    shared = [name for name in names if metrics and all(name in scores for scores in metrics.values())]
    return {
        name: _summary(
            name,
            sources=[metrics[domain][name] for domain in source_domains if domain in metrics],
            targets=[metrics[domain][name] for domain in target_domains if domain in metrics],
        )
        for name in shared
    }


def worst(name: str, values: Sequence[float]) -> float:
    """The worst of some values of the metric of that name; NaN where one is NaN, or there is none."""
    if not values or any(math.isnan(value) for value in values):
        return math.nan
    return max(values) if name in LOWER_IS_BETTER else min(values)


def _summary(name: str, *, sources: Sequence[float], targets: Sequence[float]) -> dict[str, float]:
    mean_source, mean_target = _mean(sources), _mean(targets)
    loss = mean_source - mean_target
    return {
        "mean_target": mean_target,
        "worst_target": worst(name, targets),
        "gap": -loss if name in LOWER_IS_BETTER else loss,
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
