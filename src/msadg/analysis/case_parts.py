"""What is shown of a case: its words, steps and features, each with what it added to the prediction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from msadg.analysis.case import Case, FeatureShare, Kind, StepShare
from msadg.analysis.case_reasons import CaseReasons
from msadg.analysis.case_words import words_of
from msadg.analysis.stress_curves import label_of
from msadg.batches.clips import ClipSet
from msadg.corpora.catalog import CORPORA
from msadg.corpora.simulated import SimulatedCorpus
from msadg.errors import FeatureError
from msadg.extraction.simulated_options import is_simulated
from msadg.extraction.text import TextTokens
from msadg.extraction.text_layer import TextModel
from msadg.protocols.domains import domain_name
from msadg.protocols.features import TOKENS, DataConfig, is_clipwise
from msadg.protocols.run import TrainedRun
from msadg.results.predictions import Predictions
from msadg.types import TIME_MARKS, Utterance

SHOWN = 8
"""Features and steps that are listed of each modality."""


def case_of(
    trained: TrainedRun,
    clips: ClipSet,
    at: int,
    predictions: Predictions,
    confidence: float,
    kind: Kind,
    num_alike: int,
    reasons: CaseReasons,
    utterance: Utterance,
    shown: bool,
) -> Case:
    """What is shown of the clip at a place of its domain; its transcript and file only if they may be ``shown``."""
    experiment = trained.experiment
    tokens = tokens_of(experiment.data, utterance.text) if shown and "text" in reasons.steps else []
    words, no_word = words_of(utterance.text, tokens, reasons.steps["text"]) if tokens else ((), 0.0)
    polarity, predicted = predictions.polarity[at], predictions.predicted_polarity
    timed = {m: _step_shares(m, clips, at, reasons) for m in reasons.steps if m != "text"}
    return Case(
        kind=kind,
        row=label_of(experiment),
        sources=tuple(map(domain_name, experiment.domains.source_domains)),
        seed=experiment.seed,
        domain=clips.domain,
        clip_id=clips.clip_ids[at],
        label_set=clips.label_set,
        truth=int(predictions.sentiment[at]),
        true_polarity=None if np.isnan(polarity) else float(polarity),
        predicted=int(predictions.predicted[at]),
        probabilities=None if predictions.probabilities is None else tuple(predictions.probabilities[at].tolist()),
        predicted_polarity=None if predicted is None else float(predicted[at]),
        confidence=confidence,
        num_alike=num_alike,
        num_clips=len(clips),
        how=reasons.how,
        modality_shares={m: float(s.sum()) for m, s in reasons.steps.items()},
        text=utterance.text if shown and not is_placeholder(clips.domain) else None,
        words=words if not is_placeholder(clips.domain) else (),
        no_word=no_word,
        steps=tuple(_weightiest([step for part in timed.values() for step in part])),
        features=tuple(_feature_shares(reasons)),
        kept_steps=tuple(step for step in timed.get("video", []) if step.kept),
        simulated=tuple(m for m in reasons.steps if is_simulated(experiment.data.features[m])),
        clip_path=utterance.clip_path if shown else None,
    )


def is_placeholder(domain: str) -> bool:
    """Whether the transcripts of a domain are placeholders."""
    return domain in CORPORA and issubclass(CORPORA[domain], SimulatedCorpus)


def tokens_of(data: DataConfig, text: str) -> list[str]:
    """A token for each step of the text's features; [] where no encoder made them, or that one is not at hand."""
    encoder = TextModel.parse(data.features["text"].removesuffix(TOKENS)).model if _has_encoder(data) else None
    try:
        return [] if encoder is None else _tokenizer(encoder, data.lowercase).tokens_of(text)
    except FeatureError:
        return []


def _has_encoder(data: DataConfig) -> bool:
    return not is_simulated(data.features["text"]) and not is_clipwise(data, "text")


@lru_cache(maxsize=4)
def _tokenizer(model: str, lowercase: bool) -> TextTokens:
    return TextTokens(model, lowercase=lowercase)


def _step_shares(modality: str, clips: ClipSet, at: int, reasons: CaseReasons) -> list[StepShare]:
    shares = reasons.steps[modality]
    starts = _starts(clips, modality, clips.clip_ids[at], len(shares))
    kept = reasons.kept if modality == "video" else None
    return [
        StepShare(modality, step, float(share), starts[step], None if kept is None else bool(kept[step]))
        for step, share in enumerate(shares.tolist())
    ]


def _starts(clips: ClipSet, modality: str, clip_id: str, num_steps: int) -> list[float | None]:
    store = next((s for s in clips.stores[modality] if clip_id in s), None)
    marks = None if store is None else store.marks(clip_id)
    if store is None or marks is None or len(marks) != num_steps or TIME_MARKS[0] not in store.manifest.marks:
        return [None] * num_steps  # a sequence that was thinned has other steps than the store
    seconds = marks[:, store.manifest.marks.index(TIME_MARKS[0])]
    return [None if np.isnan(value) else float(value) for value in seconds]


def _weightiest(steps: Sequence[StepShare]) -> list[StepShare]:
    return sorted((step for step in steps if step.share), key=lambda step: -abs(step.share))[:SHOWN]


def _feature_shares(reasons: CaseReasons) -> Iterator[FeatureShare]:
    for modality, shares in reasons.features.items():
        order = np.argsort(-np.abs(shares), kind="stable")[:SHOWN].tolist()
        yield from (FeatureShare(modality, i, len(shares), float(shares[i])) for i in order if shares[i])
