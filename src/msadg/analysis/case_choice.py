"""Which clips become cases, of which runs: no one's choice.

Of the clips of a target's test split that a run was right (or wrong) on and sure (or unsure) of, one is drawn with a
fixed seed.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np
from jaxtyping import Float, Int

from msadg.analysis.case import KINDS, Kind
from msadg.methods.method import Method
from msadg.methods.s2lif import S2LIF
from msadg.methods.wrapped import Wrapped
from msadg.protocols.domains import domain_name
from msadg.protocols.run import TrainedRun
from msadg.results.predictions import Predictions
from msadg.results.record import ORACLE


def one_by_sources(runs: Iterable[TrainedRun]) -> list[TrainedRun]:
    """Of the runs on the same sources the one that says most of itself.

    One that was not chosen on the target before one that was, S2LIF before another method, one whose logits are a sum
    before one whose are not, the more modalities the better, the lowest seed. Controls that were scored with changed
    features are left out.
    """
    chosen: dict[tuple[str, ...], TrainedRun] = {}
    for trained in runs:
        experiment = trained.experiment
        if experiment.intervention != "none" or not trained.method.modalities:
            continue
        sources = tuple(map(domain_name, experiment.domains.source_domains))
        best = chosen.get(sources)
        if best is None or _rank(trained) < _rank(best):
            chosen[sources] = trained
    return list(chosen.values())


def _rank(trained: TrainedRun) -> tuple[bool, bool, bool, int, int]:
    method, experiment = _innermost(trained.method), trained.experiment
    kind = experiment.selection == ORACLE, not isinstance(method, S2LIF), type(method).evidence is Method.evidence
    return *kind, -len(method.modalities), experiment.seed


def _innermost(method: Method) -> Method:
    return _innermost(method.inner) if isinstance(method, Wrapped) else method


def confidence_of(predictions: Predictions, *, round_labels: bool = True) -> Float[np.ndarray, " clip"]:
    """The predicted class's probability; of a polarity, how far it lies from where another class begins."""
    if predictions.probabilities is not None:
        return np.asarray(predictions.probabilities.max(axis=1))
    assert predictions.predicted_polarity is not None
    size = np.abs(predictions.predicted_polarity)
    return np.asarray(np.abs(size - 0.5) if round_labels else size)


def draw_cases(
    predictions: Predictions, confidence: Float[np.ndarray, " clip"], seed: int
) -> list[tuple[Kind, int, int]]:
    """One clip of each kind that there is: the kind, the clip's place, and how many clips are of that kind.

    Sure is the quarter of all clips with the highest confidence, unsure the one with the lowest. A prediction that is
    equally sure of every clip (a constant's) is neither.
    """
    low, high = np.quantile(confidence, [0.25, 0.75])
    if low == high:
        return []
    is_right = predictions.predicted == predictions.sentiment
    quarter = {"sure": confidence >= high, "unsure": confidence <= low}
    drawn = []
    for kind in KINDS:
        is_kind = (is_right == kind.startswith("right")) & quarter[kind.rpartition(" ")[2]]
        places: Int[np.ndarray, " kind"] = np.flatnonzero(is_kind)
        if len(places):
            # By the clips themselves, so that their order in a store decides nothing.
            order = sorted(places.tolist(), key=lambda at: (_draw_of(str(predictions.clip_id[at]), seed), at))
            drawn.append((kind, int(order[0]), len(places)))
    return drawn


def _draw_of(clip_id: str, seed: int) -> int:
    return zlib.crc32(f"{seed} {clip_id}".encode())
