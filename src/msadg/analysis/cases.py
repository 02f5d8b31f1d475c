"""Cases: single clips that a run was right or wrong on, sure or unsure, and what decided them (METHODS 6, Figure 9)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

from msadg.analysis.case import KINDS, Case
from msadg.analysis.case_choice import confidence_of, draw_cases, one_by_sources
from msadg.analysis.case_parts import case_of, is_placeholder
from msadg.analysis.case_reasons import case_reasons
from msadg.analysis.stress_curves import label_of
from msadg.corpora.catalog import CORPORA, corpus_root, open_corpus
from msadg.errors import MsadgError, MsadgWarning
from msadg.protocols.domains import domain_name
from msadg.protocols.evaluate import predict_logits, predictions_of
from msadg.protocols.features import DataConfig, load_clips
from msadg.protocols.run import TrainedRun
from msadg.protocols.training import num_threads
from msadg.types import Utterance

OPEN_LICENCES = ("Apache-2.0",)
"""Of corpora whose transcripts may be printed without asking anyone."""
MOST_CASES = 24


def find_cases(
    runs: Sequence[TrainedRun], *, may_show: bool = False, seed: int = 0, most: int = MOST_CASES
) -> tuple[list[Case], list[str]]:
    """Cases of one run for each choice of sources, one of each kind on each target, and what is to be said of them.

    Of the runs on the same sources the one is taken that says most of itself (``one_by_sources``). Of a run without
    targets, clips of its sources are shown.

    Args:
        runs: trained; controls that were scored with changed features are left out.
        may_show: whether the transcripts and frames of every corpus may be shown. By default only of those whose
            licence says so.
        seed: of the draw.
        most: more cases are not looked for.
    """
    cases: list[Case] = []
    notes: list[str] = []
    for trained in one_by_sources(runs):
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
    withheld = sorted({case.domain for case in cases if case.text is None and not is_placeholder(case.domain)})
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


def _named(trained: TrainedRun, domain: str) -> str:
    return f"{label_of(trained.experiment)} on {domain_name(domain)}"


def _scored(trained: TrainedRun) -> tuple[str, ...]:
    """The targets of a run; its sources where it has none."""
    domains = trained.experiment.domains
    return domains.target_domains or domains.source_domains


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
            yield case_of(
                trained, clips, at, predictions, float(confidence[at]), kind, num_alike, reasons, utterance, shown
            )


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
