"""Who picks the weights that are kept: rules that read the sources only, and one, marked, that reads the target.

``source_dev``: the best epoch by the mean over the sources' dev splits. ``leave_one_source_out``: how many epochs
are best on average on the dev split of a source that was not trained on; then all sources are trained for as many.
``oracle``: the best epoch by the targets' dev splits: an upper bound, never a result (Gulrajani and Lopez-Paz, 2021).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np

from msadg.errors import UnknownNameError, UsageError

Selection = Literal["source_dev", "leave_one_source_out", "oracle"]

SELECTIONS: tuple[Selection, ...] = get_args(Selection)


def check_selection(selection: str, source_domains: Sequence[str]) -> Selection:
    """Return the rule.

    Raises:
        UnknownNameError: no such rule.
        UsageError: leaving one source out with a single source.
    """
    for known in SELECTIONS:
        if known == selection:
            if known == "leave_one_source_out" and len(source_domains) < 2:
                raise UsageError(
                    f"selection leave_one_source_out needs two source domains, got {', '.join(source_domains)}; "
                    "use source_dev"
                )
            return known
    raise UnknownNameError("selection rule", selection, SELECTIONS)


def best_common_epochs(histories: Sequence[Sequence[dict[str, Any]]]) -> list[int]:
    """How many epochs of each phase are best on average over the runs that each left one source out.

    Args:
        histories: ``TrainingState.history`` of each run; they may differ in length where patience ended one. Epochs
            that are no candidates are never the best.

    Example:
        >>> run = lambda *scores: [{"phase": "all", "score": score} for score in scores]
        >>> best_common_epochs([run(0.1, 0.5, 0.4), run(0.2, 0.3, 0.6)])
        [3]
    """
    phases = list(dict.fromkeys(entry["phase"] for entry in histories[0]))
    epochs = []
    for phase in phases:
        scores = [[_score_of(e) for e in history if e["phase"] == phase] for history in histories]
        shortest = min(map(len, scores))
        epochs.append(int(np.mean([run[:shortest] for run in scores], axis=0).argmax()) + 1)
    return epochs


def score_after(history: Sequence[Mapping[str, Any]], num_epochs: int) -> float:
    """What a run scored after so many epochs of its last phase.

    Example:
        >>> score_after([{"phase": "a", "score": 0.9}, {"phase": "b", "score": 0.1}, {"phase": "b", "score": 0.2}], 2)
        0.2
    """
    last = [entry for entry in history if entry["phase"] == history[-1]["phase"]]
    return float(last[num_epochs - 1]["score"])


def _score_of(entry: dict[str, Any]) -> float:
    return float(entry["score"]) if entry.get("is_candidate", True) else -math.inf
