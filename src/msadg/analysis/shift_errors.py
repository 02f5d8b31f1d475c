"""How far a clip lies from the sources, in the selected and the rejected features, and whether that foretells errors.

The distance is the one that a prediction on a clip of one's own is given (``protocols.distance``), fitted to time-mean
features of the sources' training clips, without a label. What it is worth is its area under the ROC curve: how likely a
clip that is answered wrongly lies farther out than one that is answered rightly. Beside it, that of the model's doubt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from msadg.analysis.calibration_scored import (
    PART_COLUMNS,
    RUN_COLUMNS,
    Scored,
    decided,
    decided_parts,
    run_columns,
    scored_domains,
    told_clips,
    told_runs,
    told_undecided,
    with_probabilities,
)
from msadg.analysis.masked_runs import learned_masks
from msadg.analysis.measurement import Measurement
from msadg.analysis.shift_errors_features import SPACES, Space, pooled_features
from msadg.analysis.wording import listed, number_of
from msadg.batches.clips import ClipSet
from msadg.methods import load_method
from msadg.metrics.ranking import auroc, weighted_aurocs
from msadg.protocols.distance import SourceDistance
from msadg.protocols.fit import source_clips
from msadg.protocols.run import TrainedRun
from msadg.protocols.training import num_threads
from msadg.results.statistics import times_drawn

TRAIN_CLIPS = 2048
"""Of the sources' training clips, over all domains, that a distance is fitted to."""

DRAWS = 1000
"""Of the bootstrap over videos."""

FAR = 0.95
"""A clip beyond this quantile of the sources' dev clips is called far."""

COLUMNS = (
    *(*RUN_COLUMNS, "domain", "role", "score", "modality", "auroc", "low", "high"),
    *("num_clips", "num_errors", "share_far", "median_ratio"),
)


@dataclass(frozen=True)
class FittedShift:
    """What clips of one run are held against."""

    distances: Mapping[Space, SourceDistance]
    median: Mapping[Space, float]
    """Of the distance over the sources' dev clips."""
    far: Mapping[Space, float]
    """Their quantile FAR."""

    @classmethod
    def of(cls, trained: TrainedRun) -> FittedShift:
        """Fit to the training clips of a run's sources; no label is read."""
        train = source_clips(trained.experiment, load_method(trained.experiment.method.name).fitted_on)
        dev = source_clips(trained.experiment, "dev")
        with num_threads(trained.experiment.training.threads):
            seen = _stacked([pooled_features(trained.method, c, _evenly(c, TRAIN_CLIPS // len(train))) for c in train])
            held = _stacked([pooled_features(trained.method, c, _evenly(c, TRAIN_CLIPS // len(dev))) for c in dev])
        rows = {space: _present(values) for space, values in seen.items()}
        distances = {space: SourceDistance.fit(values) for space, values in rows.items() if len(values) > 1}
        of_dev = {space: distance(_present(held[space])) for space, distance in distances.items()}
        known = {space: found for space, found in of_dev.items() if len(found)}
        return cls(
            {space: distances[space] for space in known},
            {space: float(np.median(found)) for space, found in known.items()},
            {space: float(np.quantile(found, FAR, method="higher")) for space, found in known.items()},
        )

    def __call__(self, trained: TrainedRun, clips: ClipSet) -> dict[Space, Float[np.ndarray, " clip"]]:
        """Distance of each clip in each space; NaN where it has no valid step there."""
        with num_threads(trained.experiment.training.threads):
            features = pooled_features(trained.method, clips, np.arange(len(clips)))
        return {space: distance(features[space]) for space, distance in self.distances.items()}


def _evenly(clips: ClipSet, at_most: int) -> Int[np.ndarray, " chosen"]:
    return np.unique(np.linspace(0, len(clips) - 1, min(len(clips), at_most)).round().astype(np.int64))


def _stacked(parts: Sequence[Mapping[Space, np.ndarray]]) -> dict[Space, Float[np.ndarray, "clip feature"]]:
    return {space: np.concatenate([part[space] for part in parts]) for space in parts[0]}


def _present(values: Float[np.ndarray, "clip feature"]) -> Float[np.ndarray, "present feature"]:
    return np.asarray(values[~np.isnan(values).any(axis=1)])


def shift_scores(part: Scored, fitted: FittedShift) -> pd.DataFrame:
    """Each clip of a domain: whether the run is right, its confidence, and its distances (``input_text``)."""
    columns = {
        "clip_id": list(part.clips.clip_ids),
        "video_id": list(part.clips.video_ids),
        "is_right": part.is_right,
        "confidence": part.confidence,
    }
    found = fitted(part.trained, part.clips)
    return pd.DataFrame(columns | {f"{space}_{modality}": values for (space, modality), values in found.items()})


def measure(runs: Sequence[TrainedRun]) -> Measurement | None:
    """AUROC of each shift score, and of the model's doubt, for its errors; by run and domain."""
    kept, warnings = with_probabilities(runs)
    rows: list[dict[str, object]] = []
    scored: list[Scored] = []
    for trained in kept:
        warnings += _unmeasured(trained)
        fitted = FittedShift.of(trained)
        for part in scored_domains(trained):
            scored.append(part)
            rows += _rows(part, fitted)
    if not rows:
        return None
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return Measurement(
        name="shift-errors",
        title="Does a clip's shift foretell errors",
        caption=_caption(table, scored),
        alternative=_alternative(table),
        table=table,
        warnings=(*dict.fromkeys(warnings), *told_undecided(scored), *_without_errors(table)),
    )


def _rows(part: Scored, fitted: FittedShift) -> list[dict[str, object]]:
    doubt: Float[np.ndarray, " clip"] = 1 - part.confidence
    unknown = {"share_far": np.nan, "median_ratio": np.nan}
    rows = [part.columns | {"score": "doubt", "modality": ""} | _foretold(doubt, part) | unknown]
    for (space, modality), distance in fitted(part.trained, part.clips).items():
        seen = distance[~np.isnan(distance)]
        median = fitted.median[space, modality]
        rows.append(
            part.columns
            | {"score": space, "modality": modality}
            | _foretold(distance, part)
            | {"share_far": float((seen > fitted.far[space, modality]).mean()) if len(seen) else np.nan}
            | {"median_ratio": float(np.median(seen)) / median if len(seen) and median > 0 else np.nan}
        )
    return rows


def _foretold(score: Float[np.ndarray, " clip"], part: Scored) -> dict[str, object]:
    """AUROC of a score for the errors, with its bootstrap interval over videos; of the clips that have the score."""
    has = ~np.isnan(score)
    is_wrong = ~part.is_right[has]
    area = auroc(score[has], is_wrong)
    low = high = np.nan
    _, video = np.unique(np.asarray(part.clips.video_ids, dtype=np.str_)[has], return_inverse=True)
    num_videos = int(video.max(initial=-1)) + 1
    if not np.isnan(area) and num_videos > 1:
        drawn = weighted_aurocs(score[has], is_wrong, video, times_drawn(num_videos, DRAWS, 0))
        low, high = (float(bound) for bound in np.nanquantile(drawn, [0.025, 0.975]))
    return {
        "auroc": area,
        "low": low,
        "high": high,
        "num_clips": int(has.sum()),
        "num_errors": int(is_wrong.sum()),
    }


def _unmeasured(trained: TrainedRun) -> list[str]:
    """Sentences on masks that leave nothing to compare."""
    found = []
    row = run_columns(trained)["row"]
    for modality, mask in learned_masks(trained.method).items():
        ratio = mask.keep_ratio()
        if ratio in (0.0, 1.0):
            what = (
                "keeps every feature, so there are no rejected"
                if ratio
                else "keeps no feature, so there are no selected"
            )
            found.append(
                f"{row}, seed {trained.experiment.seed}: the {modality} mask {what} ones to measure a shift in"
            )
    return found


def _without_errors(table: pd.DataFrame) -> list[str]:
    one_kind = table[(table["num_errors"] == 0) | (table["num_errors"] == table["num_clips"])]
    places = one_kind.drop_duplicates([*RUN_COLUMNS, "domain"])
    return [
        f"{row}, seed {seed}, {domain}: its answers are all right, or all wrong, so nothing can foretell which"
        for row, seed, domain in places[["row", "seed", "domain"]].itertuples(index=False)
    ]


def cells(table: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds, by row, sources, domain and score."""
    keys = ["row", "sources", "domain", "role", "score", "modality"]
    return table.groupby(keys, sort=False)[["auroc", "low", "high", "share_far", "median_ratio"]].mean().reset_index()


def _caption(table: pd.DataFrame, scored: Sequence[Scored]) -> str:
    parts = decided_parts(scored)
    sentences = [
        "How well a clip's distance from the sources (Mahalanobis, of time-mean features, fitted to training clips "
        f"without labels) tells wrong answers from right ones, on {told_clips(parts)}, for {told_runs(parts)}: area "
        "under the ROC curve, .5 = says nothing; bars are 95 % bootstrap intervals over videos, averaged over seeds."
    ]
    table = decided(table, scored)
    at_targets = table[table["role"] == "target"]
    shown = at_targets if len(at_targets) else table
    where = "unseen domains" if len(at_targets) else "the sources"
    return " ".join([*sentences, _beside_doubt(shown, where), *_on_the_claim(shown, where)])


def _beside_doubt(table: pd.DataFrame, where: str) -> str:
    """The mean area of each kind of shift, and that of the model's doubt over the same cells of run and domain."""
    areas = table.groupby([*PART_COLUMNS, "score"])["auroc"].mean().unstack("score")
    told, above = [], []
    for space in [space for space in SPACES if space in areas]:
        both = areas[[space, "doubt"]].dropna()
        if not len(both):
            continue
        shift, doubt = both.mean()
        told.append(f"{space} {shift:.3f} (doubt {doubt:.3f}, {number_of(len(both), 'cell')})")
        above += [space] if shift > doubt else []
    if not told:
        return f"On {where} no cell of run and domain has an area both of a shift and of the model's own doubt."
    return (
        f"On {where} the mean area, and that of the model's own doubt in the same cells of run and domain, is "
        f"{', '.join(told)}; above doubt in the mean: {listed(above) or 'none'}."
    )


def _on_the_claim(table: pd.DataFrame, where: str) -> list[str]:
    """Whether selected features move less between domains than rejected ones, as invariant ones would."""
    keys = [*RUN_COLUMNS, "domain", "modality"]
    far = table.pivot_table(index=keys, columns="score", values="share_far")
    if not {"selected", "rejected"} <= set(far.columns):
        return []
    both = far.dropna(subset=["selected", "rejected"])
    if not len(both):
        return []
    fewer = int((both["selected"] < both["rejected"]).sum())
    supports = both["selected"].mean() < both["rejected"].mean() and fewer > len(both) / 2
    return [
        f"Beyond the {FAR:.0%} quantile of the sources' dev clips lie {both['selected'].mean():.1%} of the clips of "
        f"{where} in the selected features and {both['rejected'].mean():.1%} in the rejected ones (fewer in {fewer} of "
        f"{len(both)} cells of run, domain and modality), which {'supports' if supports else 'does not support'} the "
        "paper's claim that what is selected is invariant over domains. The two groups are of different sizes, and of "
        "more features a shift is seen sooner."
    ]


def _alternative(table: pd.DataFrame) -> str:
    told = [
        f"{row}, {sources} to {domain}: "
        + ", ".join(
            f"{score}{' ' + modality if modality else ''} {area:.3f}"
            for score, modality, area in part[["score", "modality", "auroc"]].itertuples(index=False)
        )
        for (row, sources, domain), part in cells(table).groupby(["row", "sources", "domain"], sort=False)
    ]
    return f"Areas under the ROC curve for errors, means over seeds. {'; '.join(told)}."
