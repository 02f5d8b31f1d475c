"""Is a run as often right as it is sure: its reliability diagram on each domain."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from msadg.analysis.calibration_scored import (
    RUN_COLUMNS,
    Scored,
    decided,
    decided_parts,
    scored_domains,
    told_clips,
    told_runs,
    told_undecided,
    with_probabilities,
)
from msadg.analysis.measurement import Measurement
from msadg.analysis.wording import number_of
from msadg.metrics.calibration import NUM_BINS, calibration_error, reliability
from msadg.protocols.run import TrainedRun

COLUMNS = (*RUN_COLUMNS, "domain", "role", "bin", "confidence", "share_right", "num_clips", "ece")


def measure(runs: Sequence[TrainedRun]) -> Measurement | None:
    """Confidence and accuracy in bins of equal mass, by run and domain; None where no run has probabilities."""
    kept, warnings = with_probabilities(runs)
    scored = [part for trained in kept for part in scored_domains(trained)]
    if not scored:
        return None
    table = pd.DataFrame([row for part in scored for row in _rows(part)], columns=list(COLUMNS))
    return Measurement(
        name="reliability",
        title="Reliability by domain",
        caption=_caption(table, scored),
        alternative=_alternative(table),
        table=table,
        warnings=(*warnings, *told_undecided(scored)),
    )


def _rows(part: Scored) -> list[dict[str, object]]:
    error = calibration_error(part.confidence, part.is_right)
    return [
        part.columns
        | {"bin": at, "confidence": found.confidence, "share_right": found.share_right}
        | {"num_clips": found.num_clips, "ece": error}
        for at, found in enumerate(reliability(part.confidence, part.is_right))
    ]


def errors_by_domain(table: pd.DataFrame) -> pd.DataFrame:
    """Calibration error, mean confidence and accuracy of each run on each domain; one row each."""
    rows = []
    for names, bins in table.groupby([*RUN_COLUMNS, "domain", "role"], sort=False):
        weight = bins["num_clips"] / bins["num_clips"].sum()
        rows.append(
            dict(zip([*RUN_COLUMNS, "domain", "role"], names, strict=True))
            | {"ece": bins["ece"].iloc[0]}
            | {"confidence": (weight * bins["confidence"]).sum(), "accuracy": (weight * bins["share_right"]).sum()}
        )
    return pd.DataFrame(rows)


def _caption(table: pd.DataFrame, scored: Sequence[Scored]) -> str:
    parts = decided_parts(scored)
    found = errors_by_domain(decided(table, scored))
    sentences = [
        f"Share of right answers against confidence (the probability of the likeliest class) on {told_clips(parts)}, "
        f"in {NUM_BINS} bins of equal mass, for {told_runs(parts)}; under the diagonal a model is surer than it is "
        "right. Marks are means over seeds."
    ]
    for role, where in (("source", "the sources"), ("target", "the targets")):
        part = found[found["role"] == role]
        if len(part):
            sentences.append(
                f"On {where} it is sure to {part['confidence'].mean():.3f} and right to {part['accuracy'].mean():.3f} "
                f"in the mean; ECE is {part['ece'].mean():.3f} ({part['ece'].min():.3f} to {part['ece'].max():.3f})."
            )
    errors = found.pivot_table(index=list(RUN_COLUMNS), columns="role", values="ece")
    if {"source", "target"} <= set(errors.columns):
        gap = (errors["target"] - errors["source"]).dropna()
        sentences.append(
            f"From a run's sources to its targets ECE changes by {gap.mean():+.3f} in the mean and rises in "
            f"{int((gap > 0).sum())} of {number_of(len(gap), 'run')}; of fewer clips it is higher by chance alone. The "
            "paper claims nothing about calibration."
        )
    return " ".join(sentences)


def _alternative(table: pd.DataFrame) -> str:
    keys = ["row", "sources", "domain"]
    found = errors_by_domain(table).groupby(keys, sort=False)[["ece", "confidence", "accuracy"]].mean().reset_index()
    told = [
        f"{row}, {sources} to {domain}: ECE {error:.3f}, confidence {confidence:.3f}, accuracy {accuracy:.3f}"
        for row, sources, domain, error, confidence, accuracy in found.itertuples(index=False)
    ]
    return f"Reliability diagrams, means over seeds. {'; '.join(told)}."
