"""Cases: single clips that a run was right or wrong on, sure or unsure, and what decided them (METHODS 6, Figure 9).

Which clips are shown is no one's choice: of the clips of a target's test split that a run was right (or wrong) on and
sure (or unsure) of, one is drawn with a fixed seed.
"""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from msadg.analysis.case_reasons import CaseReasons, case_reasons
from msadg.analysis.case_words import WordShare, words_of
from msadg.analysis.measurement import Measurement
from msadg.analysis.stress_curves import label_of
from msadg.batches.clips import ClipSet
from msadg.corpora.catalog import CORPORA, corpus_root, open_corpus
from msadg.corpora.simulated import SimulatedCorpus
from msadg.errors import FeatureError, MsadgError, MsadgWarning
from msadg.extraction.simulated_options import is_simulated
from msadg.extraction.text import TextTokens
from msadg.extraction.text_layer import TextModel
from msadg.methods.method import Method
from msadg.methods.s2lif import S2LIF
from msadg.methods.wrapped import Wrapped
from msadg.protocols.domains import domain_name
from msadg.protocols.evaluate import predict_logits, predictions_of
from msadg.protocols.features import TOKENS, DataConfig, is_clipwise, load_clips
from msadg.protocols.run import TrainedRun
from msadg.protocols.training import num_threads
from msadg.results.predictions import Predictions
from msadg.results.record import ORACLE
from msadg.types import TIME_MARKS, LabelSet, Utterance

Kind = Literal["right and sure", "right and unsure", "wrong and sure", "wrong and unsure"]
KINDS: tuple[Kind, ...] = ("right and sure", "right and unsure", "wrong and sure", "wrong and unsure")

OPEN_LICENCES = ("Apache-2.0",)
"""Of corpora whose transcripts may be printed without asking anyone."""

MOST_CASES = 24
SHOWN = 8
"""Features and steps that are listed of each modality."""


@dataclass(frozen=True, slots=True)
class StepShare:
    """A step of audio or video, and what it did."""

    modality: str
    step: int
    share: float
    start_seconds: float | None
    """On the time axis of the clip's file, where known."""
    kept: bool | None
    """Whether the method kept the frame; None for a method that keeps all."""


@dataclass(frozen=True, slots=True)
class FeatureShare:
    """A feature that the method learned (of a method that reads its inputs as they are, one of those)."""

    modality: str
    index: int
    num_features: int
    share: float


@dataclass(frozen=True, kw_only=True)
class Case:
    """One clip, what a run said of it, and why."""

    kind: Kind
    row: str
    sources: tuple[str, ...]
    seed: int
    domain: str
    clip_id: str
    label_set: LabelSet
    truth: int
    true_polarity: float | None
    predicted: int
    probabilities: tuple[float, ...] | None
    """By class; None in a regression."""
    predicted_polarity: float | None
    """None in a classification."""
    confidence: float
    """The predicted class's probability; in a regression, the distance of the polarity from where another class
    begins."""
    num_alike: int
    """Clips of the same kind, of which this one was drawn."""
    num_clips: int
    """Clips of the domain that were scored."""
    how: str
    modality_shares: Mapping[str, float]
    """What the steps of each modality add up to, sizes first summed; the sign is that of their sum."""
    text: str | None
    """None where the corpus may not be shown."""
    words: tuple[WordShare, ...]
    """Of the transcript, in order; none where it may not be shown or the method reads no text."""
    no_word: float
    """What the encoder's special tokens add."""
    steps: tuple[StepShare, ...]
    """The weightiest of audio and video, the weightiest first."""
    features: tuple[FeatureShare, ...]
    """The weightiest of each modality, the weightiest first."""
    kept_steps: tuple[StepShare, ...] = ()
    """The frames that the method kept, in order."""
    simulated: tuple[str, ...] = ()
    """Modalities whose features were drawn from labels: there is nothing of them to see or hear."""
    clip_path: str | None = None
    """Video file, where there is one and it may be shown."""

    @property
    def is_right(self) -> bool:
        """Whether the predicted class is the true one."""
        return self.truth == self.predicted


def find_cases(
    runs: Sequence[TrainedRun], *, may_show: bool = False, seed: int = 0, most: int = MOST_CASES
) -> tuple[list[Case], list[str]]:
    """Cases of one run for each choice of sources, one of each kind on each target, and what is to be said of them.

    Of the runs on the same sources the one is taken that says most of itself: one that was not chosen on the target
    before one that was, S2LIF before another method, one whose logits are a sum before one whose are not, the more
    modalities the better, the lowest seed.
    Of a run without targets, clips of its sources are shown.

    Args:
        runs: trained; controls that were scored with changed features are left out.
        may_show: whether the transcripts and frames of every corpus may be shown. By default only of those whose
            licence says so.
        seed: of the draw.
        most: more cases are not looked for.
    """
    cases: list[Case] = []
    notes: list[str] = []
    for trained in _one_by_sources(runs):
        for domain in _scored(trained):
            if len(cases) + len(KINDS) > most:
                notes.append(f"No more than {most} cases are shown; those of {_named(trained, domain)} are left out.")
                continue
            try:
                found = list(_cases_of(trained, domain, may_show, seed))
            except (MsadgError, OSError) as error:
                notes.append(f"No cases of {_named(trained, domain)}: {error}")
                continue
            absent = [kind for kind in KINDS if kind not in {case.kind for case in found}]
            if absent:
                notes.append(f"{_named(trained, domain)}: no clip is {', or '.join(absent)}.")
            cases += found
    withheld = sorted({case.domain for case in cases if case.text is None and not _is_simulated(case.domain)})
    if withheld:
        notes.append(
            f"Transcripts and frames of {', '.join(withheld)} are withheld: nothing on their cards says that they may "
            "be shown. `msadg report --show-transcripts` shows them, for who may."
        )
    wordless = sorted(
        {case.domain for case in cases if case.text and "text" in case.modality_shares and not case.words}
    )
    if wordless:
        notes.append(
            f"No shares of single words are known on {', '.join(wordless)}: the text features are not of an encoder's "
            "tokens, or that encoder is not at hand."
        )
    return cases, notes


def measure_cases(runs: Sequence[TrainedRun]) -> Measurement | None:
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
            f"right. Shares are of all that speaks for or against the predicted class. {_claim(cases)}"
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
        "modality", "part", "place", "word", "share",
    ]  # fmt: skip
    return pd.DataFrame([line for case in cases for line in _lines(case)], columns=columns)


def _lines(case: Case) -> Iterator[dict[str, object]]:
    same = {
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
    for modality, share in case.modality_shares.items():
        yield {**same, "modality": modality, "part": "modality", "place": -1, "word": "", "share": share}
    for place, word in enumerate(case.words):
        yield {**same, "modality": "text", "part": "word", "place": place, "word": word.text, "share": word.share}
    for step in case.steps:
        yield {**same, "modality": step.modality, "part": "step", "place": step.step, "word": "", "share": step.share}
    for feature in case.features:
        line = {"modality": feature.modality, "part": "feature", "place": feature.index, "word": ""}
        yield {**same, **line, "share": feature.share}


def _claim(cases: Sequence[Case]) -> str:
    """How much hangs on how few features: single cases can illustrate the paper's claim, never prove it."""
    halves = [few for case in cases if (few := _features_for_half(case)) is not None]
    if not halves:
        return "Nothing is said of features here, since the runs' logits are no sum over them."
    return (
        f"Among the {SHOWN} weightiest features of a modality, {np.median(halves):.0f} in the median carry half of "
        "what these carry together. Single cases show what a prediction rests on; they neither support nor refute the "
        "paper's claim on which features are selected."
    )


def _features_for_half(case: Case) -> int | None:
    sizes = np.sort(np.abs([feature.share for feature in case.features]))[::-1]
    if not len(sizes) or sizes.sum() == 0:
        return None
    return int(np.searchsorted(np.cumsum(sizes), sizes.sum() / 2)) + 1


def _named(trained: TrainedRun, domain: str) -> str:
    return f"{label_of(trained.experiment)} on {domain_name(domain)}"


def _one_by_sources(runs: Iterable[TrainedRun]) -> list[TrainedRun]:
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


def _scored(trained: TrainedRun) -> tuple[str, ...]:
    """The targets of a run; its sources where it has none."""
    domains = trained.experiment.domains
    return domains.target_domains or domains.source_domains


def _rank(trained: TrainedRun) -> tuple[bool, bool, bool, int, int]:
    method, experiment = _innermost(trained.method), trained.experiment
    kind = experiment.selection == ORACLE, not isinstance(method, S2LIF), type(method).evidence is Method.evidence
    return *kind, -len(method.modalities), experiment.seed


def _innermost(method: Method) -> Method:
    return _innermost(method.inner) if isinstance(method, Wrapped) else method


def _cases_of(trained: TrainedRun, domain: str, may_show: bool, seed: int) -> Iterator[Case]:
    experiment = trained.experiment
    with warnings.catch_warnings(), num_threads(experiment.training.threads):
        warnings.simplefilter("ignore", MsadgWarning)  # of clips that lack a modality: scoring has told of them
        clips = load_clips(experiment.data, domain, "test")
        method = trained.method.eval()
        predictions = predictions_of(predict_logits(method, clips)["logits"], clips)
        confidence = confidence_of(predictions, round_labels=experiment.data.labels == "round")
        utterances = _utterances(experiment.data, domain)
        shown = may_show or may_be_shown(domain)
        for kind, at, num_alike in draw_cases(predictions, confidence, seed):
            reasons = case_reasons(method, clips, at, int(predictions.predicted[at]))
            utterance = utterances[clips.clip_ids[at]]
            yield _case(
                trained, clips, at, predictions, float(confidence[at]), kind, num_alike, reasons, utterance, shown
            )


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


def may_be_shown(domain: str) -> bool:
    """Whether the transcripts of a domain may be printed: its card's licence says so.

    Example:
        >>> may_be_shown("vignettes-films"), may_be_shown("mosi"), may_be_shown("mine=clips.csv")
        (True, False, False)
    """
    return domain in CORPORA and CORPORA[domain].card.licence in OPEN_LICENCES


def _utterances(data: DataConfig, domain: str) -> dict[str, Utterance]:
    root = corpus_root(domain, data.data_root)
    corpus = open_corpus(domain, labels=data.labels, root=root, allow_empty_text=True)
    return {utterance.clip_id: utterance for utterance in corpus.all_utterances() if utterance.split == "test"}


def _case(
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
    experiment = trained.experiment
    tokens = _tokens(experiment.data, utterance.text) if shown and "text" in reasons.steps else []
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
        modality_shares={m: float(np.copysign(np.abs(s).sum(), s.sum())) for m, s in reasons.steps.items()},
        text=utterance.text if shown and not _is_simulated(clips.domain) else None,
        words=words if not _is_simulated(clips.domain) else (),
        no_word=no_word,
        steps=tuple(_weightiest([step for part in timed.values() for step in part])),
        features=tuple(_feature_shares(reasons)),
        kept_steps=tuple(step for step in timed.get("video", []) if step.kept),
        simulated=tuple(m for m in reasons.steps if is_simulated(experiment.data.features[m])),
        clip_path=utterance.clip_path if shown else None,
    )


def _is_simulated(domain: str) -> bool:
    """Whether the transcripts of a domain are placeholders."""
    return domain in CORPORA and issubclass(CORPORA[domain], SimulatedCorpus)


def _tokens(data: DataConfig, text: str) -> list[str]:
    """One for each step of the text's features; [] where no encoder made them, or the one that did cannot be had."""
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
