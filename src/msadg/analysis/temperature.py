"""Temperature scaling fitted on the sources' dev clips, and what it does for the calibration on each domain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from msadg.analysis.calibration_scored import (
    RUN_COLUMNS,
    Scored,
    decided,
    decided_parts,
    scored_dev,
    scored_domains,
    told_clips,
    told_runs,
    told_undecided,
    with_probabilities,
)
from msadg.analysis.measurement import Measurement
from msadg.metrics.classification import classification_metrics
from msadg.protocols.evaluate import softmax
from msadg.protocols.run import TrainedRun

SMALLEST, LARGEST = 0.05, 20.0
"""Between which temperatures the best one is sought."""

SCORES = ("ece", "brier", "nll")
COLUMNS = (
    *(*RUN_COLUMNS, "temperature", "domain", "role", "num_clips", "accuracy"),
    *(f"{score}_{when}" for score in SCORES for when in ("before", "after")),
)


def fit_temperature(
    parts: Sequence[tuple[np.ndarray, np.ndarray]],
) -> float:
    """The T > 0 by which logits are to be divided for the least mean -log p of the truth, each domain alike.

    As selection does, so that a large source does not decide alone. No answer changes by it, only how sure it is.
    At SMALLEST answers are all right, or far less sure than they are right; at LARGEST they are hardly better than
    chance, or far surer than they are right: the best T is then none, or beyond the range.
    Reference: Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.

    Args:
        parts: of each domain, the logits (clip, sentiment) and the classes (clip) of its clips.

    Example:
        >>> right_in_three_of_four = (np.array([[np.log(9.0), 0.0]] * 4), np.array([0, 0, 0, 1]))
        >>> round(fit_temperature([right_in_three_of_four]), 6)  # sure to 9 in 10: log 9 / log 3
        2.0
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    def nll(log_temperature: float) -> float:
        by_domain = [
            -log_softmax(logits.astype(np.float64) / np.exp(log_temperature), axis=1)[np.arange(len(truth)), truth]
            for logits, truth in parts
        ]
        return float(np.mean([part.mean() for part in by_domain]))

    ends = (float(np.log(LARGEST)), float(np.log(SMALLEST)))
    found = float(minimize_scalar(nll, bounds=ends[::-1], method="bounded", options={"xatol": 1e-9}).x)
    # Where the likelihood does not change any more towards an end, the search stops anywhere.
    return float(np.exp(min((*ends, found), key=nll)))


def temperature_of(trained: TrainedRun) -> float:
    """The temperature of a run, fitted on its sources' dev clips alone."""
    return fit_temperature([(part.logits, part.clips.sentiment) for part in scored_dev(trained)])


def measure(runs: Sequence[TrainedRun]) -> Measurement | None:
    """ECE, Brier score and NLL of each run on each domain, as it is and under its temperature; None without classes."""
    kept, warnings = with_probabilities(runs)
    rows: list[dict[str, object]] = []
    scored: list[Scored] = []
    for trained in kept:
        temperature = temperature_of(trained)
        if not 1.01 * SMALLEST < temperature < 0.99 * LARGEST:
            warnings.append(_at_the_end(trained, temperature))
        for part in scored_domains(trained):
            scored.append(part)
            rows.append(_row(part, temperature))
    if not rows:
        return None
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return Measurement(
        name="calibration",
        title="Calibration before and after temperature scaling",
        caption=_caption(table, scored),
        alternative=_alternative(table),
        table=table,
        warnings=(*warnings, *told_undecided(scored)),
    )


def _row(part: Scored, temperature: float) -> dict[str, object]:
    label_set = part.clips.label_set
    before = classification_metrics(part.probabilities, part.clips.sentiment, label_set)
    after = classification_metrics(softmax(part.logits / temperature), part.clips.sentiment, label_set)
    said = {"temperature": temperature, "num_clips": len(part.clips), "accuracy": before["accuracy"]}
    for score in SCORES:
        said |= {f"{score}_before": before[score], f"{score}_after": after[score]}
    return part.columns | said


def _at_the_end(trained: TrainedRun, temperature: float) -> str:
    run = f"{trained.experiment.row}, seed {trained.experiment.seed}"
    what = (
        "all right, or far less sure than they are right"
        if temperature < 1
        else "hardly better than chance, or far surer than they are right"
    )
    return (
        f"{run}: the best temperature runs to the end of its range ({temperature:.2g}), for its answers on the "
        f"sources' dev clips are {what}; its calibration after scaling means little"
    )


def _caption(table: pd.DataFrame, scored: Sequence[Scored]) -> str:
    parts = decided_parts(scored)
    table = decided(table, scored)
    by_run = table.drop_duplicates([*RUN_COLUMNS])["temperature"]
    sentences = [
        f"Expected calibration error (15 bins of equal mass) on {told_clips(parts)} for {told_runs(parts)}, before "
        "(hollow) and after (filled) all logits were divided by one temperature, fitted on the sources' dev clips "
        f"(which choose the epoch, too, unless a row says otherwise); T = {by_run.median():.2f} in the median "
        f"({by_run.min():.2f} to {by_run.max():.2f})."
    ]
    for role in ("source", "target"):
        part = table[table["role"] == role]
        if len(part):
            better = int((part["ece_after"] < part["ece_before"]).sum())
            sentences.append(
                f"On the {role}s ECE goes from {part['ece_before'].mean():.3f} to {part['ece_after'].mean():.3f} in "
                f"the mean (it falls in {better} of {len(part)} cells of run and domain), NLL from "
                f"{part['nll_before'].mean():.3f} to {part['nll_after'].mean():.3f}."
            )
    targets = table[table["role"] == "target"]
    if len(targets):
        falls = float((targets["ece_after"] < targets["ece_before"]).mean())
        helps = falls > 0.5 and targets["ece_after"].mean() < targets["ece_before"].mean()
        what = "carries over to" if helps else "does not carry over to"
        sentences.append(f"What is learned of one's own confidence on the sources {what} most of the targets here.")
    return " ".join(sentences)


def _alternative(table: pd.DataFrame) -> str:
    found = table.groupby(["row", "sources", "domain"], sort=False)[["ece_before", "ece_after"]].mean().reset_index()
    told = [
        f"{row}, {sources} to {domain}: {before:.3f} to {after:.3f}"
        for row, sources, domain, before, after in found.itertuples(index=False)
    ]
    return f"Calibration error before and after temperature scaling, means over seeds. {'; '.join(told)}."
