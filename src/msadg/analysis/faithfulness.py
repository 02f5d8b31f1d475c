"""Does a prediction rest on what it is said to rest on: deletion and insertion by evidence, against random order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int

from msadg.analysis.calibration_scored import RUN_COLUMNS, Role, run_columns, with_probabilities
from msadg.analysis.faithfulness_curves import ORDERS, RANDOM_DRAWS, SHARES, DeletionCurves, deletion_curves
from msadg.analysis.measurement import Measurement
from msadg.analysis.stress import default_domains
from msadg.batches.clips import ClipSet
from msadg.protocols.features import load_clips
from msadg.protocols.run import TrainedRun, check_classes
from msadg.protocols.training import num_threads
from msadg.results.video_means import drawn_means

MOST_CLIPS = 192
"""Of each domain that are looked at, evenly chosen: the model is run on each some dozens of times."""

TESTS = ("deletion", "insertion")
COLUMNS = (
    *(*RUN_COLUMNS, "domain", "role", "modality", "unit", "test", "measure", "order", "share"),
    *("value", "low", "high", "num_clips"),
)


def measure(runs: Sequence[TrainedRun]) -> Measurement | None:
    """Probability of the predicted class against the share deleted or inserted, and the areas between the orders.

    ``measure`` is ``probability`` (at a share), ``area`` (under a curve) or ``gain``: how much better the evidence's
    order is than a random one (deletion: the random area less the evidence's; insertion the other way round), with its
    95 % bootstrap interval over videos. Scored on the targets, or on the sources of a run that has none. None where
    there is no classifier.
    """
    kept, warnings = with_probabilities(runs)
    rows: list[dict[str, object]] = []
    shown = []
    num_clips: dict[str, int] = {}
    for trained in kept:
        why_not = _unexplained(trained)
        if why_not is not None:
            warnings.append(why_not)
            continue
        shown.append(trained)
        domains = trained.experiment.domains
        role: Role = "target" if domains.target_domains else "source"
        for name in default_domains(domains):
            clips = load_clips(trained.experiment.data, name, "test")
            check_classes(trained, [clips])
            with num_threads(trained.experiment.training.threads):
                curves = deletion_curves(trained.method.eval().cpu(), clips, _chosen(clips))
            warnings += _unsaid(trained, curves)
            num_clips[clips.domain] = min(len(clips), MOST_CLIPS)
            columns = run_columns(trained) | {"domain": clips.domain, "role": role}
            rows += [columns | row for part in curves for row in _rows(part, clips)]
    if not kept:
        return None
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return Measurement(
        name="faithfulness",
        title="Deletion and insertion by evidence",
        caption=_caption(table, shown, num_clips),
        alternative=_alternative(table),
        table=table,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _chosen(clips: ClipSet) -> Int[np.ndarray, " chosen"]:
    return np.unique(np.linspace(0, len(clips) - 1, min(len(clips), MOST_CLIPS)).round().astype(np.int64))


@torch.no_grad()
def _unexplained(trained: TrainedRun) -> str | None:
    """Why a run has no curves; None where it has."""
    row = run_columns(trained)["row"]
    if trained.experiment.intervention != "none":
        return f"{row}: its selected features are replaced while it is scored, so no evidence is its prediction's own"
    domain = default_domains(trained.experiment.domains)[0]
    clips = load_clips(trained.experiment.data, domain, "test")
    if trained.method.eval().cpu().evidence(clips.batch([0])) is None:
        return f"{row}: no sum over steps and features is its prediction, so it names no evidence; left out"
    return None


def _unsaid(trained: TrainedRun, curves: Sequence[DeletionCurves]) -> list[str]:
    known = {(part.modality, part.unit) for part in curves}
    row = run_columns(trained)["row"]
    return [
        f"{row}, seed {trained.experiment.seed}: all evidence of {modality} is 0 (as of a mask that keeps nothing), "
        "so there is nothing to delete"
        for modality in trained.method.modalities
        if (modality, "features") not in known
    ]


def _rows(part: DeletionCurves, clips: ClipSet) -> list[dict[str, object]]:
    videos = [clips.video_ids[at] for at in part.at]
    unit = {"modality": part.modality, "unit": part.unit, "num_clips": len(part.at)}
    rows: list[dict[str, object]] = []
    for test, by_order in zip(TESTS, (part.deleted, part.inserted), strict=True):
        areas = {order: np.trapezoid(by_order[order], SHARES, axis=1) for order in ORDERS}
        for order in ORDERS:
            mean = by_order[order].mean(axis=0)
            said = unit | {"test": test, "order": order}
            rows += [
                said | {"measure": "probability", "share": share, "value": float(value)}
                for share, value in zip(SHARES, mean, strict=True)
            ]
            rows.append(said | {"measure": "area", "value": float(areas[order].mean())})
        gain = areas["random"] - areas["evidence"] if test == "deletion" else areas["evidence"] - areas["random"]
        rows.append(unit | {"test": test, "measure": "gain", "order": "evidence"} | _with_interval(gain, videos))
    return rows


def _with_interval(by_clip: Float[np.ndarray, " clip"], videos: Sequence[str]) -> dict[str, float]:
    low, high = np.quantile(drawn_means(by_clip, videos), [0.025, 0.975])
    return {"value": float(by_clip.mean()), "low": float(low), "high": float(high)}


def gains(table: pd.DataFrame) -> pd.DataFrame:
    """The gains over a random order, means over seeds, by row, sources, domain, modality, unit and test."""
    keys = ["row", "sources", "domain", "modality", "unit", "test"]
    found = table[table["measure"] == "gain"].groupby(keys, sort=False)[["value", "low", "high"]].mean()
    return found.reset_index()


def _caption(table: pd.DataFrame, runs: Sequence[TrainedRun], num_clips: dict[str, int]) -> str:
    if not len(table):
        return "No run names the evidence of its predictions, so there is nothing to delete."
    clips = " and ".join(f"{number} clips of {domain}" for domain, number in num_clips.items())
    sentences = [
        f"Probability of the predicted class as steps, or learned features, of one modality are deleted (or inserted) "
        f"in the order of the evidence that the model names, in reverse, and at random ({RANDOM_DRAWS} draws), the "
        f"model run again each time; the other modalities stay. Test splits, {clips}, evenly chosen; {len(runs)} "
        f"run{'s' if len(runs) > 1 else ''}, means over clips and seeds. The figure shows deletion; insertion by "
        "evidence is its reverse order, read from right to left."
    ]
    found = table[table["measure"] == "gain"]
    for unit in ("steps", "features"):
        part = found[found["unit"] == unit]
        by_test = [part[part["test"] == test] for test in TESTS]
        told = [
            f"{test} {cell['value'].mean():+.3f} ({int((cell['low'] > 0).sum())} of {len(cell)} intervals above 0)"
            for test, cell in zip(TESTS, by_test, strict=True)
            if len(cell)
        ]
        if told:
            sentences.append(f"Area between evidence and random, by {unit}: {', '.join(told)}.")
    share = float((found["low"] > 0).mean())
    verdict = (
        "Predictions rest on what their evidence names"
        if share > 0.9
        else "Predictions rest on what their evidence names only in part"
        if share > 0.5
        else "It is not shown that predictions rest on what their evidence names"
    )
    sentences.append(
        f"{verdict}: the area's interval (bootstrap over videos) is above 0 in {share:.0%} of the cells of run, "
        "domain, modality, unit and test. This says what a model reads, not that the features are invariant."
    )
    return " ".join(sentences)


def _alternative(table: pd.DataFrame) -> str:
    told = [
        f"{row}, {sources} to {domain}, {modality} {unit}, {test}: {value:+.3f}"
        for row, sources, domain, modality, unit, test, value in gains(table)[
            ["row", "sources", "domain", "modality", "unit", "test", "value"]
        ].itertuples(index=False)
    ]
    return (
        "Curves of the predicted class's probability over the share deleted or inserted. Area between the order of the "
        f"evidence and a random one, means over seeds: {'; '.join(told) or 'none'}."
    )
