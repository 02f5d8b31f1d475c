"""The features a run reads: stored once for each domain, opened by every run after that."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from msadg.batches.clips import ClipSet
from msadg.corpora.catalog import corpus_root, open_corpus
from msadg.errors import CorpusError, FeatureError, UnknownNameError
from msadg.extraction.extractor import Extractor
from msadg.protocols.domains import domain_name
from msadg.store.fill import fill_store
from msadg.store.folders import store_path
from msadg.store.reader import Store
from msadg.types import MODALITIES, SPLITS, LabelReading, Split, Utterance

SIMULATED = "simulated"
"""Extractor name, of any modality, of the simulated features of METHODS 7."""

TOKENS = "-tokens"
"""Suffix of a text encoder's name: its token ids are stored, for an encoder that is trained."""

Progress = Callable[[str, int, int], None]
"""(what, clips done, clips in all)"""


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which data a run reads, by name."""

    features: Mapping[str, str] = field(default_factory=lambda: {"text": "minilm"})
    """Modality -> extractor: ``{"text": "minilm", "video": "simulated"}``."""
    labels: LabelReading = "round"
    """How polarity becomes a class."""
    stores: Path = Path("stores")
    """Folder of all stores."""
    data_root: Path | None = None
    """Folder of the corpora; None reads MSADG_DATA."""
    lowercase: bool = False
    """Lower the transcripts before a cased encoder reads them (MOSI's are all upper case)."""
    max_text_tokens: int = 128
    """Longer transcripts are cut when batches are made, and that is counted."""


@lru_cache(maxsize=32)
def _utterances(domain: str, labels: LabelReading, data_root: Path | None) -> tuple[Utterance, ...]:
    return tuple(open_corpus(domain, labels=labels, root=corpus_root(domain, data_root)).all_utterances())


def folder_of(data: DataConfig, domain: str, modality: str) -> Path:
    """Where the features of a domain lie."""
    from msadg.extraction.pretrained import short_name

    name = f"{modality}-{short_name(data.features[modality])}"
    if data.features[modality] == SIMULATED and data.labels != "round":
        name += f"-{data.labels}"  # drawn from the class, so from how it is read
    if modality == "text" and data.lowercase:
        name += "-lowercase"
    return store_path(data.stores, domain_name(domain), name)


def prepare_stores(data: DataConfig, domains: Sequence[str], progress: Progress | None = None) -> None:
    """Extract what is missing, so that runs only read.

    Raises:
        UnknownNameError: a modality or extractor that there is not.
        CorpusError: a corpus that cannot be read.
        StoreError: a store that another extractor wrote, or a full disk.
    """
    for modality in data.features:
        if modality not in MODALITIES:
            raise UnknownNameError("modality", modality, MODALITIES)
    # Text first: simulated video may ride on it.
    for modality in sorted(data.features, key=MODALITIES.index):
        for domain in domains:
            _prepare(data, domain, modality, progress)


def _prepare(data: DataConfig, domain: str, modality: str, progress: Progress | None) -> None:
    utterances = _utterances(domain, data.labels, data.data_root)
    folder = folder_of(data, domain, modality)
    told = None if progress is None else lambda done, total: progress(f"{domain_name(domain)} {modality}", done, total)
    fill_store(folder, utterances, _extractor(data, domain, modality, utterances), progress=told)
    _store.cache_clear()


def _extractor(data: DataConfig, domain: str, modality: str, utterances: Sequence[Utterance]) -> Extractor:
    name = data.features[modality]
    if name == SIMULATED:
        return _simulated(data, domain, modality, utterances)
    if modality == "text":
        from msadg.extraction.text import TextEncoder, TextTokens

        if name.endswith(TOKENS):
            return TextTokens(name.removesuffix(TOKENS), lowercase=data.lowercase)
        return TextEncoder(name, lowercase=data.lowercase)
    raise FeatureError(
        f"there is no {modality} extractor {name!r} yet; {modality} can be {SIMULATED!r}, "
        f"or be left out of the features"
    )


def _simulated(data: DataConfig, domain: str, modality: str, utterances: Sequence[Utterance]) -> Extractor:
    from msadg.extraction.simulated import SimulatedFeatures, TextEvidence, text_evidence

    rides = modality != "text" and data.features.get("text", SIMULATED) != SIMULATED
    if not rides:
        return SimulatedFeatures(modality)
    text = Store(folder_of(data, domain, "text"))

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
    return SimulatedFeatures(modality, text_evidence=TextEvidence(evidence, fitted_to.hexdigest(), source))


@lru_cache(maxsize=64)
def _store(folder: Path) -> Store:
    return Store(folder)


def load_clips(data: DataConfig, domain: str, split: Split, domain_index: int = -1) -> ClipSet:
    """The clips of one split of a domain, with their stored features.

    Raises:
        StoreError: the features are not there (``prepare_stores`` makes them).
    """
    utterances = [u for u in _utterances(domain, data.labels, data.data_root) if u.split == split]
    stores = {modality: _store(folder_of(data, domain, modality)) for modality in data.features}
    return ClipSet(domain_name(domain), utterances, stores, domain_index, max_steps={"text": data.max_text_tokens})


def feature_manifests(data: DataConfig, domains: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What a record says of the features, by modality.

    Raises:
        FeatureError: domains whose features come from different extractors.
    """
    described: dict[str, dict[str, Any]] = {}
    for modality in data.features:
        manifests = {domain: _store(folder_of(data, domain, modality)).manifest for domain in domains}
        digests = {domain: manifest.digest for domain, manifest in manifests.items()}
        if len(set(digests.values())) > 1:
            raise FeatureError(
                f"the {modality} features of {', '.join(domains)} come from different extractors or settings "
                f"({', '.join(f'{d}: {digest[:8]}' for d, digest in digests.items())}); extract them again alike"
            )
        first = manifests[domains[0]]
        described[modality] = {
            "extractor": first.extractor,
            "version": first.version,
            "digest": first.digest,
            "simulated": bool(first.settings.get("simulated", False)),
            "inputs": {domain_name(d): _store(folder_of(data, d, modality)).inputs_sha256 for d in domains},
        }
    return described


@lru_cache(maxsize=32)
def _clips_digest(domain: str, labels: LabelReading, data_root: Path | None) -> str:
    """Of a domain's clips and labels; kept, since every key of a grid asks for it."""
    digest = hashlib.sha256()
    for u in _utterances(domain, labels, data_root):
        digest.update(repr((u.clip_id, u.video_id, u.split, u.sentiment, u.polarity)).encode())
    return digest.hexdigest()


def data_digest(data: DataConfig, domain: str) -> str:
    """Digest of a domain's clips: ids, videos, splits, labels, and the inputs of their stored features."""
    digest = hashlib.sha256(_clips_digest(domain, data.labels, data.data_root).encode())
    for modality in data.features:
        digest.update((_store(folder_of(data, domain, modality)).inputs_sha256 or "").encode())
    return digest.hexdigest()[:16]


def check_splits(data: DataConfig, sources: Sequence[str], targets: Sequence[str]) -> None:
    """Stop before anything is trained where a split is empty that will be needed.

    Raises:
        CorpusError: a source without train, dev or test clips, or a target without test clips.
    """
    for domain, needed in [*((d, SPLITS) for d in sources), *((d, ("test",)) for d in targets)]:
        present = {u.split for u in _utterances(domain, data.labels, data.data_root)}
        for split in needed:
            if split not in present:
                role = "source" if needed == SPLITS else "target"
                raise CorpusError(
                    f"{domain}: no clip is in split {split!r}; a {role} needs {', '.join(needed)} "
                    "(dev chooses the epoch, test is scored). Give some of its videos this split"
                )


def feature_kinds(data: DataConfig, domain: str, modality: str) -> list[str] | None:
    """The truth about simulated features; None for real ones."""
    kinds = _store(folder_of(data, domain, modality)).manifest.settings.get("kinds")
    return list(kinds) if isinstance(kinds, list) else None
