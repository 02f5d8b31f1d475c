"""What is found out before training spends hours: too long a clip, a class without one, ids of another encoder.

Features are not read here, and of a target no more than how many steps its clips have.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from msadg.batches.clips import ClipSet
from msadg.errors import MsadgWarning, UsageError
from msadg.methods import load_method
from msadg.protocols.experiment import Experiment
from msadg.protocols.features import TOKENS, folder_of, load_clips
from msadg.results.record import ORACLE
from msadg.settings import settings_from
from msadg.store.manifest import Manifest, check_same_extractor, read_manifest
from msadg.types import Split


def check_lengths(experiment: Experiment) -> None:
    """Stop where a clip that will be trained on or scored is longer than the method can read.

    Raises:
        UsageError: it is; names the clip, both lengths, and what to do.
    """
    method = load_method(experiment.method.name)
    config: Any = settings_from(method.Config, experiment.method.settings, f"settings of {experiment.method.name}")
    limits = {modality: method.longest(config, modality) for modality in experiment.data.features}
    if not any(limits.values()):
        return
    domains = experiment.domains
    needed: list[tuple[str, Split]] = [(name, split) for name in domains.source_domains for split in ("train", "dev")]
    needed += [(name, "test") for name in domains.all_domains]
    needed += [(name, "dev") for name in domains.target_domains if experiment.selection == ORACLE]
    for domain, split in needed:
        with warnings.catch_warnings():  # told again when the clips are read to work with them
            warnings.simplefilter("ignore", MsadgWarning)
            clips = load_clips(experiment.data, domain, split)
        _check_longest(experiment.method.name, clips, limits)


def _check_longest(method: str, clips: ClipSet, limits: dict[str, int | None]) -> None:
    for modality, limit in limits.items():
        lengths = clips.columns[modality].lengths
        if limit is not None and lengths.max() > limit:
            raise UsageError(
                f"{int((lengths > limit).sum())} of {len(clips)} clips of {clips.domain} have more steps of {modality} "
                f"than the {limit} that {method} has learned positions for (longest: "
                f"{clips.clip_ids[int(lengths.argmax())]}, {lengths.max()}); raise its max_steps, or take positions "
                "that have no end (positions = 'sinusoidal', and not published)"
            )


def tell_of_missing_classes(train_sets: Sequence[ClipSet]) -> None:
    """Warn of classes that no training clip of a source has, or of all sources; training goes on.

    Warns:
        MsadgWarning: names the sources and the classes, and what comes of it.
    """
    classes = train_sets[0].label_set.classes
    counts = {c.domain: np.bincount(c.sentiment, minlength=len(classes)) for c in train_sets}
    total = np.sum(list(counts.values()), axis=0)
    nowhere = [name for name, count in zip(classes, total, strict=True) if not count]
    if nowhere:
        message = f"no source has a training clip that is {' or '.join(nowhere)}, so nothing can be learned of it"
        warnings.warn(MsadgWarning(f"{message}; where the truth has it, it counts as recall and F1 of 0"), stacklevel=3)
    for domain, count in counts.items():
        lacking = [n for n, own, every in zip(classes, count, total, strict=True) if not own and every]
        if lacking:
            message = f"{domain} has no training clip that is {' or '.join(lacking)}, which other sources have: what"
            warnings.warn(MsadgWarning(f"{message} tells the domain then tells the class"), stacklevel=3)


def check_encoder(experiment: Experiment) -> None:
    """Stop where an encoder is to be trained on token ids that were not made for it.

    Raises:
        StoreError: a source's ids are of another tokenizer or encoder.
        FeatureError: the encoder cannot be had.
    """
    if experiment.method.finetune is None:
        return
    from msadg.extraction.text import TextTokens

    data = experiment.data
    tokens = TextTokens(data.features["text"].removesuffix(TOKENS), lowercase=data.lowercase)
    _ = tokens.settings  # where the encoder cannot be had, that is what is told
    asked = Manifest.of(tokens)
    for domain in experiment.domains.source_domains:
        folder = folder_of(data, domain, "text")
        check_same_extractor(folder, read_manifest(folder), asked)
