"""From a clip to the features that a run reads: by the run's own extractors, checked to be the ones it learned from."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped

from msadg.errors import RunError
from msadg.extraction.clipwise import ClipExtractor
from msadg.extraction.engines.answer import extracted
from msadg.extraction.extractor import Extractor, Loss
from msadg.extraction.simulated_options import is_simulated
from msadg.extraction.text import TextTokens
from msadg.protocols.features import DataConfig
from msadg.protocols.sources import SourceModality, Sources
from msadg.protocols.stores import extractor_of
from msadg.store.manifest import Manifest, differences_between
from msadg.store.values import UnusableValuesError, stored_values
from msadg.types import TIME_MARKS, Clip, Features, Steps


@dataclass(frozen=True)
class Observed:
    """One modality of a clip, as a method reads it."""

    steps: Steps
    """A batch of one clip."""
    times: Float[np.ndarray, "time 2"]
    """Start and end of each step on the time axis of the clip's file; NaN where not known."""
    tokens: tuple[str, ...] = ()
    """Text: one for each step."""
    is_cut: bool = False
    """Whether steps were left out since the run reads no more."""


class FeatureMaker:
    """Makes the features that a run reads.

    Args:
        data: of the run.
        sources: what the run knows of its sources; None for a run from before that was kept, which cannot be checked.
    """

    def __init__(self, data: DataConfig, sources: Sources | None) -> None:
        self.data = data
        self.sources = sources
        self._extractors: dict[str, Extractor] = {}

    def is_simulated(self, modality: str) -> bool:
        """Whether the run's features of a modality were drawn from labels: no clip has any."""
        return is_simulated(self.data.features[modality])

    def extractor(self, modality: str) -> Extractor:
        """The run's extractor of a modality.

        Raises:
            RunError: the one that goes by its name here makes other features than the run learned from.
        """
        if modality not in self._extractors:
            extractor = extractor_of(self.data, modality)
            if self.sources is not None:
                check_extractor(extractor, self.sources.modalities[modality])
            self._extractors[modality] = extractor
        return self._extractors[modality]

    def observe(self, clip: Clip, modality: str) -> Observed | Loss:
        """Return a clip's features of one modality, or why it has none."""
        extractor = self.extractor(modality)
        # As a store is filled: a clip extractor on one thread, whose last bits may depend on how many there are.
        (made,) = [extracted(extractor, clip)] if isinstance(extractor, ClipExtractor) else extractor.extract([clip])
        if isinstance(made, Loss):
            return made
        if not made.valid.any():
            return Loss("values", f"not one of its {len(made.valid)} steps shows anything")
        try:
            # Rounded as in a store: a run never saw the digits beyond.
            values, _ = stored_values(made, Manifest.of(extractor), where=extractor.name)
        except UnusableValuesError as error:
            return Loss("values", error.what)
        tokens = extractor.tokens_of(clip.text) if isinstance(extractor, TextTokens) else []
        kept = min(len(made.valid), self.data.max_text_tokens) if modality == "text" else len(made.valid)
        times = _times(made, extractor.marks)[:kept]
        return Observed(_steps(values[:kept], made.valid[:kept]), times, tuple(tokens[:kept]), kept < len(made.valid))


def check_extractor(extractor: Extractor, seen: SourceModality) -> None:
    """Stop where an extractor is not the one that a run learned from.

    Raises:
        RunError: says how they differ.
    """
    here = Manifest.of(extractor)
    if here.digest == seen.digest:
        return
    differences = differences_between(seen.extractor, here.identity)
    raise RunError(
        f"the run learned from {extractor.modality} features of {seen.extractor['extractor']} (digest "
        f"{seen.digest[:12]}), and that extractor makes others here (digest {here.digest[:12]}): "
        f"{differences}. Install the weights or the version that the run had, or train again"
    )


def _steps(values: Shaped[np.ndarray, "time feature"], valid: Bool[np.ndarray, " time"]) -> Steps:
    tensor = torch.from_numpy(np.array(values))
    return Steps((tensor.float() if tensor.is_floating_point() else tensor.long())[None], torch.tensor(valid)[None])


def _times(features: Features, marks: tuple[str, ...]) -> Float[np.ndarray, "time 2"]:
    if features.marks is None or not set(TIME_MARKS) <= set(marks):
        return np.full((len(features.valid), 2), np.nan)
    return features.marks[:, [marks.index(name) for name in TIME_MARKS]].astype(np.float64)


def feature_names(extractor: Extractor) -> dict[str, slice]:
    """Name of a feature, or of a block of them -> its columns; {} for an extractor whose features have no names.

    An extractor's module says so by ``BLOCKS`` or ``FEATURES``, an importer by its setting ``columns``.
    """
    module = sys.modules[type(extractor).__module__]
    blocks: Mapping[str, slice] | None = getattr(module, "BLOCKS", None)
    if blocks:
        return dict(blocks)
    names: Any = getattr(module, "FEATURES", None) or extractor.settings.get("columns")
    if not isinstance(names, tuple | list) or len(names) != extractor.dim:
        return {}
    return {str(name): slice(at, at + 1) for at, name in enumerate(names)}
