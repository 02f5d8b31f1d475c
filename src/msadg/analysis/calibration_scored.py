"""What trained runs say of the clips of their domains, beside the truth: all that calibration and trust are about."""

from __future__ import annotations

from collections import Counter
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
from msadg.analysis.wording import number_of
from msadg.batches.clips import ClipSet
from msadg.errors import MsadgError
from msadg.methods.method import Method
from msadg.protocols.domains import domain_name
from msadg.protocols.evaluate import predict_logits, softmax
from msadg.protocols.features import load_clips
from msadg.protocols.fit import source_clips
from msadg.protocols.intervention import intervened
from msadg.protocols.run import TrainedRun, check_classes
from msadg.protocols.training import num_threads, resolved_device
from msadg.types import Split

Role = Literal["source", "target"]

RUN_COLUMNS = ("row", "sources", "seed")
"""What tells runs apart in a table; ``run_columns`` fills them."""

PART_COLUMNS = (*RUN_COLUMNS, "domain")
"""What tells apart the parts of a table, each of one run and one domain."""

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
    def is_undecided(self) -> bool:
        """Whether it is equally sure of all clips, of several, as a constant answer is."""
        return len(self.clips) > 1 and not np.ptp(self.confidence) > 1e-9

    @property
    def columns(self) -> dict[str, Any]:
        """Run and domain, as a table has them."""
        return run_columns(self.trained) | {"domain": self.clips.domain, "role": self.role}

    @property
    def place(self) -> tuple[Any, ...]:
        """Those of PART_COLUMNS."""
        return tuple(self.columns[name] for name in PART_COLUMNS)


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


def told_runs(scored: Sequence[Scored]) -> str:
    """How many runs a caption is about, in words.

    Example:
        >>> told_runs([])
        '0 runs'
    """
    runs = {id(part.trained): label_of(part.trained.experiment) for part in scored}
    rows = set(runs.values())
    number = number_of(len(runs), "run")
    return number if len(rows) < 2 else f"{number} of {len(rows)} rows"


def told_clips(scored: Sequence[Scored], split: str = "test") -> str:
    """Which clips a caption is about, in words: ``the test splits of mosi (686 clips) and meld (2,610)``."""
    sizes: Mapping[str, int] = {part.clips.domain: len(part.clips) for part in scored}
    named = [f"{domain} ({size:,}{' clips' if at == 0 else ''})" for at, (domain, size) in enumerate(sizes.items())]
    listed = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
    return f"the {split} split{'s' if len(named) > 1 else ''} of {listed}"


def decided_parts(scored: Sequence[Scored]) -> list[Scored]:
    """Those that a caption's means are about: without the undecided ones; all of them where there are no others."""
    return [part for part in scored if not part.is_undecided] or list(scored)


def decided(table: pd.DataFrame, scored: Sequence[Scored]) -> pd.DataFrame:
    """The rows of a table that are of those parts."""
    places = {part.place for part in decided_parts(scored)}
    return table[[place in places for place in table[list(PART_COLUMNS)].itertuples(index=False, name=None)]]


def told_undecided(scored: Sequence[Scored]) -> list[str]:
    """A sentence on the undecided parts, if there are any; that they are left out, only where there are others."""
    number = Counter(part.columns["row"] for part in scored if part.is_undecided)
    if not number:
        return []
    of = Counter(part.columns["row"] for part in scored)
    named = [f"{row} ({number[row]} of {number_of(of[row], 'cell')} of run and domain)" for row in number]
    left_out = "; left out of what the caption says" if number.total() < len(scored) else ""
    return [
        f"{', '.join(named)}: equally sure of all clips of a domain, so that its confidence tells no clip from another"
        + left_out
    ]
