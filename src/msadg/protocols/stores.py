"""The features that runs need, made once for each domain before the first of them starts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import numpy as np

from msadg.corpora.label_sets import told
from msadg.errors import CorpusError, UnknownNameError, UsageError
from msadg.extraction.catalog import make_extractor
from msadg.extraction.engines.engine import make_engine
from msadg.extraction.extractor import Extractor
from msadg.extraction.simulated_options import SIMULATED, is_simulated, simulation_named
from msadg.extraction.text_layer import TextModel
from msadg.protocols.domains import domain_name
from msadg.protocols.features import (
    TOKENS,
    DataConfig,
    all_utterances_of,
    folder_of,
    is_clipwise,
    label_set_of,
    open_store,
)
from msadg.store.fill import fill_store
from msadg.store.manifest import FILE_NAME as MANIFEST
from msadg.store.reader import Store
from msadg.types import MODALITIES, SENTIMENT, SPLITS, Utterance

Progress = Callable[[str, int, int], None]
"""(what, clips done, clips in all)"""


def prepare_stores(
    data: DataConfig, domains: Sequence[str], progress: Progress | None = None, splits: Collection[str] = SPLITS
) -> None:
    """Extract what is missing of some splits, so that runs only read.

    Raises:
        UnknownNameError: a modality or extractor that there is not.
        CorpusError: a corpus that cannot be read, or simulated features of one whose classes are not the sentiments.
        StoreError: a store that another extractor wrote, or a full disk.
    """
    for modality in _modalities_of(data, domains):
        for domain in domains:
            _prepare(data, domain, modality, progress, splits)


def clips_to_extract(data: DataConfig, domains: Sequence[str], splits: Collection[str] = SPLITS) -> dict[str, int]:
    """How many clips ``prepare_stores`` would extract, by domain and folder; what has all is left out.

    Clips are told by their ids: that a transcript or a file changed is found when they are hashed.

    Raises:
        UnknownNameError, CorpusError: as ``prepare_stores``.
        StoreError: a store that cannot be read.
    """
    lacking: dict[str, int] = {}
    for modality in _modalities_of(data, domains):
        for domain in domains:
            lacking |= _lacking(data, domain, modality, splits)
    return {store: number for store, number in lacking.items() if number}


def _lacking(data: DataConfig, domain: str, modality: str, splits: Collection[str]) -> dict[str, int]:
    utterances = all_utterances_of(data, domain)
    first: dict[str, int] = {}
    if is_simulated(data.features[modality]):
        splits = SPLITS
        if _rides(data, modality) and (ridden := _ridden(data)) != data:
            first = _lacking(ridden, domain, "text", SPLITS)
    folder = folder_of(data, domain, modality)
    store = Store(folder) if (folder / MANIFEST).exists() else None
    wanted = [u.clip_id for u in utterances if u.split in splits]
    number = sum(store is None or store.input_sha256(clip_id) is None for clip_id in wanted)
    return {**first, f"{domain_name(domain)} {folder.name}": number}


def _modalities_of(data: DataConfig, domains: Sequence[str]) -> list[str]:
    """Those that are read, text first: simulated video may ride on it."""
    for modality in data.features:
        if modality not in MODALITIES:
            raise UnknownNameError("modality", modality, MODALITIES)
        if is_simulated(data.features[modality]):
            _check_simulable(data, domains, modality)
    return sorted(data.features, key=MODALITIES.index)


def _check_simulable(data: DataConfig, domains: Sequence[str], modality: str) -> None:
    for domain in domains:
        label_set = label_set_of(data, domain)
        if label_set != SENTIMENT:
            raise CorpusError(
                f"{domain_name(domain)} is labelled with {told(label_set)}, and simulated {modality} is drawn from a "
                f"world whose classes are {', '.join(SENTIMENT.classes)}; take other {modality} features, or none"
            )


def _prepare(data: DataConfig, domain: str, modality: str, progress: Progress | None, splits: Collection[str]) -> None:
    utterances = all_utterances_of(data, domain)
    folder = folder_of(data, domain, modality)
    told = None if progress is None else lambda done, total: progress(f"{domain_name(domain)} {modality}", done, total)
    if is_simulated(data.features[modality]):
        if _rides(data, modality) and (ridden := _ridden(data)) != data:
            _prepare(ridden, domain, "text", progress, SPLITS)
        fill_store(folder, utterances, _simulated(data, domain, modality, utterances), progress=told)
    else:
        engine = make_engine() if is_clipwise(data, modality) else None
        wanted = [u for u in utterances if u.split in splits]
        fill_store(folder, wanted, extractor_of(data, modality), progress=told, engine=engine)
    open_store.cache_clear()


def extractor_of(data: DataConfig, modality: str) -> Extractor:
    """The extractor of a modality that works on clips and transcripts; nothing heavy is loaded yet.

    Raises:
        UnknownNameError: there is no such extractor.
        UsageError: the modality is simulated: drawn from labels, so there is nothing that works on a clip.
    """
    name = data.features[modality]
    if is_simulated(name):
        raise UsageError(f"{modality} is simulated: it was drawn from labels, and no clip has any")
    if modality != "text" or is_clipwise(data, modality):
        return make_extractor(modality, name)
    from msadg.extraction.text import TextEncoder, TextTokens

    if name.endswith(TOKENS):
        return TextTokens(name.removesuffix(TOKENS), lowercase=data.lowercase)
    text = TextModel.parse(name)
    return TextEncoder(text.model, lowercase=data.lowercase, layer=text.layer)


def _rides(data: DataConfig, modality: str) -> bool:
    """Whether simulated features of a modality are drawn for the real text beside them."""
    return modality != "text" and not is_simulated(data.features.get("text", SIMULATED))


def _ridden(data: DataConfig) -> DataConfig:
    """The data with the text that simulated features ride on: an encoder's last layer, before any training.

    Token ids say nothing by their size; and rows with a frozen and a trained encoder, or with two of its layers, are
    to meet the same video.
    """
    if is_clipwise(data, "text"):
        return data
    encoder = TextModel.parse(data.features["text"].removesuffix(TOKENS)).model
    return replace(data, features={**data.features, "text": encoder})


def _simulated(data: DataConfig, domain: str, modality: str, utterances: Sequence[Utterance]) -> Extractor:
    from msadg.extraction.simulated import SimulatedFeatures, TextEvidence, text_evidence

    config = simulation_named(modality, data.features[modality])
    if not _rides(data, modality):
        return SimulatedFeatures(modality, config)
    text = Store(folder_of(_ridden(data), domain, "text"))

    def evidence() -> dict[str, float]:
        present = [u for u in utterances if u.clip_id in text]
        pooled = np.stack([text.features(u.clip_id).values.astype(np.float64).mean(axis=0) for u in present])
        values = text_evidence(pooled, np.array([u.sentiment for u in present]), [u.video_id for u in present])
        by_clip = dict.fromkeys((u.clip_id for u in utterances), 0.0)
        return by_clip | {u.clip_id: float(e) for u, e in zip(present, values, strict=True)}

    # The evidence is a fit, whose last bits may differ between machines; what it was fitted to is what is hashed.
    fitted_to = hashlib.sha256(f"{text.manifest.digest} {text.inputs_sha256}".encode())
    for u in utterances:
        fitted_to.update(repr((u.clip_id, u.video_id, u.sentiment)).encode())
    source = f"real text, {text.manifest.extractor}, {text.manifest.digest[:16]}"
    return SimulatedFeatures(modality, config, TextEvidence(evidence, fitted_to.hexdigest(), source))
