"""How right a run is on the clips that it is surest of, when it abstains from the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Int

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
from msadg.metrics.coverage import accuracy_at, best_risk_coverage_area, f1_macro_at, risk_coverage_area
from msadg.protocols.run import TrainedRun

COVERAGES = tuple(share / 20 for share in range(1, 21))
"""Shares of the clips that are answered."""

AREAS = ("aurc", "aurc_best", "aurc_random")
COLUMNS = (*RUN_COLUMNS, "domain", "role", "measure", "coverage", "num_clips", "value")


def measure(runs: Sequence[TrainedRun]) -> Measurement | None:
    """Accuracy and macro-F1 against coverage, and the areas under the risk; None where no run has probabilities.

    ``aurc`` lies between ``aurc_best`` (all errors come last) and ``aurc_random`` (the share of errors: confidence says
    nothing of them); beyond that, a model is surest where it is wrong.
    """
    kept, warnings = with_probabilities(runs)
    scored = [part for trained in kept for part in scored_domains(trained)]
    if not scored:
        return None
    table = pd.DataFrame([row for part in scored for row in _rows(part)], columns=list(COLUMNS))
    return Measurement(
        name="coverage",
        title="Accuracy against coverage",
        caption=_caption(table, scored),
        alternative=_alternative(table),
        table=table,
        warnings=(*warnings, *told_undecided(scored)),
    )


def num_kept(num_clips: int) -> Int[np.ndarray, " coverage"]:
    """Clips that are answered at each coverage: at least one."""
    return np.maximum(np.floor(np.array(COVERAGES) * num_clips + 0.5), 1).astype(np.int64)


def _rows(part: Scored) -> list[dict[str, object]]:
    confidence, is_right, clips = part.confidence, part.is_right, part.clips
    kept = num_kept(len(clips))
    curves = {
        "accuracy": accuracy_at(confidence, is_right, kept),
        "f1_macro": f1_macro_at(confidence, part.predicted, clips.sentiment, clips.label_set.num_classes, kept),
    }
    num_wrong = int((~is_right).sum())
    areas = {
        "aurc": risk_coverage_area(confidence, ~is_right),
        "aurc_best": best_risk_coverage_area(num_wrong, len(clips)),
        "aurc_random": num_wrong / len(clips),
    }
    rows: list[dict[str, object]] = [
        part.columns | {"measure": name, "coverage": share, "num_clips": number, "value": value}
        for name, curve in curves.items()
        for share, number, value in zip(COVERAGES, kept.tolist(), curve.tolist(), strict=True)
    ]
    whole = {"coverage": np.nan, "num_clips": len(clips)}
    return rows + [part.columns | whole | {"measure": name, "value": value} for name, value in areas.items()]


def areas_of(table: pd.DataFrame) -> pd.DataFrame:
    """One row for each run and domain, with a column for each area."""
    areas = table[table["measure"].isin(AREAS)]
    keys = [*RUN_COLUMNS, "domain", "role"]
    wide = areas.pivot_table(index=keys, columns="measure", values="value", sort=False)
    return wide.reset_index()


def _at(table: pd.DataFrame, role: str, measure: str, coverage: float) -> float:
    chosen = table[(table["role"] == role) & (table["measure"] == measure) & (table["coverage"] == coverage)]
    return float(chosen["value"].mean())


def _caption(table: pd.DataFrame, scored: Sequence[Scored]) -> str:
    parts = decided_parts(scored)
    table = decided(table, scored)
    sentences = [
        f"Accuracy and macro-F1 on the share of clips that a model is surest of (by the probability of the likeliest "
        f"class), on {told_clips(parts)}, for {told_runs(parts)}, means over seeds. Macro-F1 falls where a class is no "
        "longer among the clips that are answered."
    ]
    areas = areas_of(table)
    for role in ("source", "target"):
        part = areas[areas["role"] == role]
        if len(part):
            sentences.append(
                f"On the {role}s, answering the surer half takes accuracy from {_at(table, role, 'accuracy', 1.0):.3f} "
                f"to {_at(table, role, 'accuracy', 0.5):.3f} and macro-F1 from {_at(table, role, 'f1_macro', 1.0):.3f} "
                f"to {_at(table, role, 'f1_macro', 0.5):.3f}; the area under the risk-coverage curve is "
                f"{part['aurc'].mean():.3f} (errors at random {part['aurc_random'].mean():.3f}, errors last "
                f"{part['aurc_best'].mean():.3f})."
            )
    targets = areas[areas["role"] == "target"]
    if len(targets):
        helps = int((targets["aurc"] < targets["aurc_random"] - 1e-9).sum())
        sentences.append(
            f"Abstaining where a model is least sure is better than at random in {helps} of {len(targets)} cells of "
            "run and unseen domain."
        )
    return " ".join(sentences)


def _alternative(table: pd.DataFrame) -> str:
    areas = areas_of(table).groupby(["row", "sources", "domain"], sort=False)[["aurc", "aurc_random"]].mean()
    told = [
        f"{row}, {sources} to {domain}: {area:.3f} against {random:.3f}"
        for row, sources, domain, area, random in areas.reset_index().itertuples(index=False)
    ]
    return (
        "Curves of accuracy and macro-F1 over coverage. Area under the risk-coverage curve against that of errors at "
        f"random, means over seeds: {'; '.join(told)}."
    )
