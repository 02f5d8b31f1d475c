"""The features a run reads: stored once for each domain, opened by every run after that."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from msadg.batches.clips import ClipSet
from msadg.corpora.catalog import CORPORA, corpus_root, open_corpus
from msadg.corpora.label_sets import check_one_label_set, told
from msadg.corpora.simulated import SimulatedCorpus
from msadg.errors import CorpusError, FeatureError
from msadg.extraction.catalog import ExtractorSpec, is_in_catalogue
from msadg.extraction.simulated_options import is_simulated, simulated_folder
from msadg.extraction.simulated_truth import SimulationConfig
from msadg.extraction.text_layer import TextModel
from msadg.protocols.domains import domain_name
from msadg.settings import settings_from
from msadg.store.folders import store_path
from msadg.store.reader import Store
from msadg.types import SPLITS, LabelReading, LabelSet, Split, Utterance

TOKENS = "-tokens"
"""Suffix of a text encoder's name: its token ids are stored, for an encoder that is trained."""


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which data a run reads, by name."""

    features: Mapping[str, str] = field(default_factory=lambda: {"text": "minilm"})
    """Modality -> extractor, with its options: ``{"text": "minilm", "video": "hog:rate=10"}``."""
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
def _read_corpus(domain: str, labels: LabelReading, data_root: Path | None, empty: bool) -> tuple[Utterance, ...]:
    root = corpus_root(domain, data_root)
    return tuple(open_corpus(domain, labels=labels, root=root, allow_empty_text=empty).all_utterances())


def _reading(data: DataConfig, domain: str) -> tuple[str, LabelReading, Path | None, bool]:
    # A clip without a transcript is no fault where there is more to learn from than text.
    return domain, data.labels, data.data_root, set(data.features) != {"text"}


def all_utterances_of(data: DataConfig, domain: str) -> tuple[Utterance, ...]:
    """All labelled clips of a domain, in the order of the corpus."""
    return _read_corpus(*_reading(data, domain))


def utterances_of(data: DataConfig, domain: str, split: Split) -> list[Utterance]:
    """The labelled clips of one split of a domain, in the order of the corpus."""
    return [u for u in all_utterances_of(data, domain) if u.split == split]


def label_set_of(data: DataConfig, domain: str) -> LabelSet:
    """What the classes of a domain are."""
    return all_utterances_of(data, domain)[0].label_set


def is_clipwise(data: DataConfig, modality: str) -> bool:
    """Whether the features of a modality are made by an extractor of the catalogue, not by a text encoder."""
    name = data.features[modality]
    return not is_simulated(name) and (modality != "text" or is_in_catalogue(modality, name))


def folder_of(data: DataConfig, domain: str, modality: str) -> Path:
    """Where the features of a domain lie."""
    if is_simulated(data.features[modality]):
        name = simulated_folder(modality, data.features[modality])
        if data.labels != "round":
            name += f"-{data.labels}"  # drawn from the class, so from how it is read
    elif is_clipwise(data, modality):
        name = ExtractorSpec.parse(modality, data.features[modality]).folder
    else:
        name = f"{modality}-{TextModel.parse(data.features[modality]).short}"
    if modality == "text" and data.lowercase and not is_clipwise(data, modality):
        name += "-lowercase"
    return store_path(data.stores, domain_name(domain), name)


@lru_cache(maxsize=64)
def open_store(folder: Path) -> Store:
    """A store, opened once for all runs of this process."""
    return Store(folder)


def load_clips(data: DataConfig, domain: str, split: Split, domain_index: int = -1) -> ClipSet:
    """The clips of one split of a domain, with their stored features.

    Raises:
        StoreError: the features are not there (``prepare_stores`` makes them).
    """
    utterances = utterances_of(data, domain, split)
    stores = {modality: open_store(folder_of(data, domain, modality)) for modality in data.features}
    return ClipSet(
        domain_name(domain),
        utterances,
        stores,
        domain_index,
        max_steps={"text": data.max_text_tokens},
        labels=data.labels,
    )


def feature_manifests(data: DataConfig, domains: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What a record says of the features, by modality.

    Raises:
        FeatureError: domains whose features come from different extractors.
    """
    described: dict[str, dict[str, Any]] = {}
    for modality in data.features:
        manifests = {domain: open_store(folder_of(data, domain, modality)).manifest for domain in domains}
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
            **({"row_note": first.settings["row_note"]} if "row_note" in first.settings else {}),
            "inputs": {domain_name(d): open_store(folder_of(data, d, modality)).inputs_sha256 for d in domains},
        }
    return described


@lru_cache(maxsize=32)
def _clips_digest(domain: str, labels: LabelReading, data_root: Path | None, empty: bool) -> str:
    """Of a domain's clips and labels; kept, since every key of a grid asks for it."""
    digest = hashlib.sha256()
    # A simulated polarity follows from id and class; runs from before there was one keep their keys.
    follows = domain in CORPORA and issubclass(CORPORA[domain], SimulatedCorpus)
    for u in _read_corpus(domain, labels, data_root, empty):
        polarity = None if follows else u.polarity
        digest.update(repr((u.clip_id, u.video_id, u.split, u.sentiment, polarity)).encode())
    return digest.hexdigest()


def data_digest(data: DataConfig, domain: str) -> str:
    """Digest of a domain's clips: ids, videos, splits, labels, and the inputs of their stored features."""
    digest = hashlib.sha256(_clips_digest(*_reading(data, domain)).encode())
    for modality in data.features:
        digest.update((open_store(folder_of(data, domain, modality)).inputs_sha256 or "").encode())
    return digest.hexdigest()[:16]


def check_splits(data: DataConfig, sources: Sequence[str], targets: Sequence[str]) -> None:
    """Stop before anything is trained where a split is empty that will be needed, or the label sets differ.

    Raises:
        CorpusError: a source without train, dev or test clips, or a target without test clips; or label sets as
            ``check_label_sets`` refuses them.
    """
    check_label_sets(data, [*sources, *targets])
    for domain, needed in [*((d, SPLITS) for d in sources), *((d, ("test",)) for d in targets)]:
        present = {u.split for u in all_utterances_of(data, domain)}
        for split in needed:
            if split not in present:
                role = "source" if needed == SPLITS else "target"
                raise CorpusError(
                    f"{domain}: no clip is in split {split!r}; a {role} needs {', '.join(needed)} "
                    "(dev chooses the epoch, test is scored). Give some of its videos this split"
                )


def check_label_sets(data: DataConfig, domains: Sequence[str]) -> None:
    """Stop before anything is trained where the classes of the corpora are not the same.

    Raises:
        CorpusError: two corpora with different label sets.
    """
    check_one_label_set({domain_name(domain): label_set_of(data, domain) for domain in domains})


def check_polarity(data: DataConfig, sources: Sequence[str]) -> None:
    """Stop where a source of a regression has clips without polarity.

    Raises:
        CorpusError: it has, and says of how many; or its classes know none.
    """
    for domain in sources:
        label_set = label_set_of(data, domain)
        if not label_set.has_polarity:
            raise CorpusError(
                f"{domain_name(domain)} is labelled with {told(label_set)}, which has no polarity, so there is nothing "
                "for a regression to learn; use task = 'classification'"
            )
        utterances = [u for u in all_utterances_of(data, domain) if u.split != "test"]
        without = [u for u in utterances if u.polarity is None]
        if without:
            raise CorpusError(
                f"{domain}: {len(without)} of {len(utterances)} clips of train and dev have a class but no polarity "
                f"(first: {without[0].clip_id}), so a regression cannot learn from it; as a target it is scored by the "
                "classes that predicted polarities mean. Take other sources, or task = 'classification'"
            )


def feature_kinds(data: DataConfig, domain: str, modality: str) -> list[str] | None:
    """The truth about simulated features; None for real ones."""
    kinds = open_store(folder_of(data, domain, modality)).manifest.settings.get("kinds")
    return list(kinds) if isinstance(kinds, list) else None


def simulated_world(data: DataConfig, domain: str, modality: str) -> SimulationConfig | None:
    """The world that simulated features were drawn from; None for real ones."""
    settings = open_store(folder_of(data, domain, modality)).manifest.settings
    if not settings.get("simulated"):
        return None
    config: Any = settings["config"]
    return settings_from(SimulationConfig, config, where=f"{modality} features of {domain}")
