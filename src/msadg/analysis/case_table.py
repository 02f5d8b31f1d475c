"""Cases as a measurement: a table of what each word, step and feature added, and what may be said of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd

from msadg.analysis.case import Case
from msadg.analysis.case_parts import SHOWN
from msadg.analysis.cases import find_cases
from msadg.analysis.measurement import Measurement
from msadg.protocols.run import TrainedRun


def measure(runs: Sequence[TrainedRun]) -> Measurement | None:
    """Figure 9 as a table: what each word, step and feature added to the prediction of some clips.

    None where no run reads anything.
    """
    cases, notes = find_cases(runs)
    if not cases and not notes:
        return None
    num_right = sum(case.is_right for case in cases)
    domains = ", ".join(dict.fromkeys(case.domain for case in cases)) or "no domain"
    rows = ", ".join(dict.fromkeys(case.row for case in cases)) or "no row"
    return Measurement(
        name="cases",
        title="Cases: what decided single predictions",
        caption=(
            f"{len(cases)} test clips of {domains}, predicted by {rows}: on each target one clip that the run was "
            "right and sure on, right and unsure, wrong and sure, wrong and unsure, drawn with seed 0 among all of its "
            f"kind (sure: the quarter of the clips with the highest confidence; unsure: the lowest). {num_right} are "
            f"right. {_meaning(cases)} {_claim(cases)}"
        ),
        alternative="; ".join(told(case) for case in cases) or "no case",
        table=to_frame(cases),
        warnings=tuple(notes),
    )


def told(case: Case) -> str:
    """A case in one sentence.

    Example:
        ``vignettes-films/test/f1: right and sure, positive (.93); "loved" +.31``
    """
    weightiest = max(case.words, key=lambda word: abs(word.share), default=None)
    most = f'; weightiest word "{weightiest.text}" {weightiest.share:+.2f}' if weightiest else ""
    said = case.label_set.classes[case.predicted]
    truth = "" if case.is_right else f", in truth {case.label_set.classes[case.truth]}"
    return f"{case.clip_id}: {case.kind}, {said} (confidence {case.confidence:.2f}){truth}{most}"


def to_frame(cases: Iterable[Case]) -> pd.DataFrame:
    """One line for each word, step and feature of each case."""
    columns = [
        "clip_id", "domain", "kind", "row", "sources", "seed", "truth", "predicted", "confidence",
        "modality", "simulated", "part", "place", "word", "share",
    ]  # fmt: skip
    return pd.DataFrame([line for case in cases for line in _lines(case)], columns=columns)


def _lines(case: Case) -> Iterator[dict[str, object]]:
    for line in _parts(case):
        yield {**_identity(case), "simulated": line["modality"] in case.simulated, **line}


def _identity(case: Case) -> dict[str, object]:
    return {
        "clip_id": case.clip_id,
        "domain": case.domain,
        "kind": case.kind,
        "row": case.row,
        "sources": "+".join(case.sources),
        "seed": case.seed,
        "truth": case.label_set.classes[case.truth],
        "predicted": case.label_set.classes[case.predicted],
        "confidence": case.confidence,
    }


def _parts(case: Case) -> Iterator[dict[str, object]]:
    for modality, share in case.modality_shares.items():
        yield {"modality": modality, "part": "modality", "place": -1, "word": "", "share": share}
    for place, word in enumerate(case.words):
        yield {"modality": "text", "part": "word", "place": place, "word": word.text, "share": word.share}
    for step in case.steps:
        yield {"modality": step.modality, "part": "step", "place": step.step, "word": "", "share": step.share}
    for feature in case.features:
        line = {"modality": feature.modality, "part": "feature", "place": feature.index, "word": ""}
        yield {**line, "share": feature.share}


def _meaning(cases: Sequence[Case]) -> str:
    polarity = any(case.predicted_polarity is not None for case in cases)
    what = "the sign of the predicted polarity" if polarity else "the predicted class"
    return f"Shares are of all that speaks for (+) or against (-) {what}; a modality's is the sum over its steps."


def _claim(cases: Sequence[Case]) -> str:
    """How much hangs on how few features: single cases can illustrate the paper's claim, never prove it."""
    halves = [few for case in cases for few in _features_for_half(case)]
    if not halves:
        return "Nothing is said of features here, since the runs' logits are no sum over them."
    return (
        f"Among the {SHOWN} weightiest features of a modality, {np.median(halves):.0f} in the median over clips and "
        "modalities carry half of what these carry together. Single cases show what a prediction rests on; they "
        "neither support nor refute the paper's claim on which features are selected."
    )


def _features_for_half(case: Case) -> Iterator[int]:
    """Of each modality, how many of its features carry half of what all of those shown carry."""
    for modality in dict.fromkeys(feature.modality for feature in case.features):
        shares = [feature.share for feature in case.features if feature.modality == modality]
        sizes = np.sort(np.abs(shares))[::-1]
        yield int(np.searchsorted(np.cumsum(sizes), sizes.sum() / 2)) + 1
