"""What trained runs say of the clips of their domains, beside the truth: all that calibration and trust are about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from msadg.analysis.remarks import Remarks
from msadg.analysis.stress_curves import label_of
from msadg.batches.clips import ClipSet
from msadg.errors import MsadgError
from msadg.methods.method import Method
from msadg.protocols.domains import domain_name
from msadg.protocols.evaluate import predict_logits, softmax
from msadg.protocols.features import load_clips
from msadg.protocols.intervention import intervened
from msadg.protocols.run import TrainedRun, check_classes, source_clips
from msadg.protocols.training import num_threads, resolved_device
from msadg.types import Split

Role = Literal["source", "target"]

RUN_COLUMNS = ("row", "sources", "seed")
"""What tells runs apart in a table; ``run_columns`` fills them."""

_said: WeakKeyDictionary[Method, dict[tuple[str, str, str], np.ndarray]] = WeakKeyDictionary()
"""Logits by method, then by domain, split and intervention: several measurements are made on the same ones."""


@dataclass(frozen=True, eq=False)
class Scored:
    """What one run says of one split of a domain."""

    trained: TrainedRun
    clips: ClipSet
    role: Role
    """Whether the run was trained on the domain (another split of it)."""
    logits: Float[np.ndarray, "clip sentiment"]

    @cached_property
    def probabilities(self) -> Float[np.ndarray, "clip sentiment"]:
        """Of the classes."""
        return softmax(self.logits)

    @property
    def confidence(self) -> Float[np.ndarray, " clip"]:
        """Probability of the likeliest class."""
        return np.asarray(self.probabilities.max(axis=1))

    @property
    def predicted(self) -> Int[np.ndarray, " clip"]:
        """The likeliest class, the first of a tie."""
        return np.asarray(self.probabilities.argmax(axis=1))

    @property
    def is_right(self) -> Bool[np.ndarray, " clip"]:
        """Whether that is the clip's class."""
        return np.asarray(self.predicted == self.clips.sentiment)

    @property
    def columns(self) -> dict[str, Any]:
        """Run and domain, as a table has them."""
        return run_columns(self.trained) | {"domain": self.clips.domain, "role": self.role}


def run_columns(trained: TrainedRun) -> dict[str, Any]:
    """Row, source domains and seed of a run, as a table has them."""
    sources = "+".join(map(domain_name, trained.experiment.domains.source_domains))
    return {"row": label_of(trained.experiment), "sources": sources, "seed": trained.experiment.seed}


def scored_domains(trained: TrainedRun, split: Split = "test") -> list[Scored]:
    """What a run says of one split of each of its domains, sources first.

    Raises:
        CorpusError: a domain whose classes are not those that the run was trained on.
        StoreError: a domain's features are not there.
    """
    domains = trained.experiment.domains
    roles: dict[str, Role] = dict.fromkeys(domains.source_domains, "source")
    roles |= dict.fromkeys(domains.target_domains, "target")
    clip_sets = [load_clips(trained.experiment.data, name, split) for name in roles]
    check_classes(trained, clip_sets)
    logits = logits_of(trained, clip_sets, split)
    return [Scored(trained, *parts) for parts in zip(clip_sets, roles.values(), logits, strict=True)]


def scored_dev(trained: TrainedRun) -> list[Scored]:
    """What a run says of its sources' dev clips."""
    clip_sets = source_clips(trained.experiment, "dev")
    logits = logits_of(trained, clip_sets, "dev")
    return [Scored(trained, clips, "source", said) for clips, said in zip(clip_sets, logits, strict=True)]


def logits_of(trained: TrainedRun, clip_sets: Sequence[ClipSet], split: str) -> list[np.ndarray]:
    """The run's logits (clip, output) of some clips, under its intervention; kept as long as its method is.

    Args:
        trained: the run; the weights of its method do not change any more.
        clip_sets: whole splits of domains.
        split: which one they are.
    """
    experiment = trained.experiment
    known = _said.setdefault(trained.method, {})
    missing = [c for c in clip_sets if (c.domain, split, experiment.intervention) not in known]
    if missing:
        device = resolved_device(experiment.training.device)
        method = trained.method.to(device)
        dev_sets = source_clips(experiment, "dev") if experiment.intervention != "none" else []
        with num_threads(experiment.training.threads), intervened(method, experiment.intervention, dev_sets, device):
            for clips in missing:
                said = predict_logits(method, clips, device=device)["logits"]
                known[clips.domain, split, experiment.intervention] = said
        method.cpu()
    return [known[clips.domain, split, experiment.intervention] for clips in clip_sets]


def with_probabilities(runs: Sequence[TrainedRun]) -> tuple[list[TrainedRun], list[str]]:
    """The runs that predict classes of clips that can be read, and sentences on the others.

    Raises:
        MsadgError: there are runs that predict classes, and the clips of none of them can be read.
    """
    remarks, kept, last = Remarks(), [], None
    for trained in runs:
        row = label_of(trained.experiment)
        if trained.method.task.is_regression:
            remarks.add(row, "predicts polarity, which has no probability, and is left out")
            continue
        try:
            scored_domains(trained)
            scored_dev(trained)
        except MsadgError as error:
            remarks.add(row, f"its clips cannot be read, so nothing of it is measured: {error}")
            last = error
        else:
            kept.append(trained)
    if last is not None and not kept:
        raise last
    return kept, list(remarks.told())


def told_runs(runs: Sequence[TrainedRun]) -> str:
    """How many runs a caption is about, in words.

    Example:
        >>> told_runs([])
        '0 runs'
    """
    rows = {label_of(trained.experiment) for trained in runs}
    number = f"{len(runs)} run{'' if len(runs) == 1 else 's'}"
    return number if len(rows) < 2 else f"{number} of {len(rows)} rows"


def told_clips(scored: Sequence[Scored], split: str = "test") -> str:
    """Which clips a caption is about, in words: ``the test splits of mosi (686 clips) and meld (2,610)``."""
    sizes: Mapping[str, int] = {part.clips.domain: len(part.clips) for part in scored}
    named = [f"{domain} ({size:,}{' clips' if at == 0 else ''})" for at, (domain, size) in enumerate(sizes.items())]
    listed = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
    return f"the {split} split{'s' if len(named) > 1 else ''} of {listed}"


def undecided_rows(scored: Sequence[Scored]) -> list[str]:
    """The rows that are equally sure of all clips of a domain, such as a constant answer."""
    return list(dict.fromkeys(str(part.columns["row"]) for part in scored if not np.ptp(part.confidence) > 1e-9))


def decided(table: pd.DataFrame, scored: Sequence[Scored]) -> pd.DataFrame:
    """The table without those rows, which a caption's means are not about; whole where there are no others."""
    part = table[~table["row"].isin(undecided_rows(scored))]
    return part if len(part) else table


def told_undecided(scored: Sequence[Scored]) -> list[str]:
    """A sentence on those rows, if there are any."""
    named = undecided_rows(scored)
    if not named:
        return []
    return [
        f"{', '.join(named)}: equally sure of all clips of a domain, so that its confidence tells no clip from "
        "another; left out of what the caption says"
    ]
