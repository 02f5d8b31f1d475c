"""Masks and hidden features of runs together, as far as both can be had."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from msadg.analysis.hidden import HiddenClips, hidden_of
from msadg.analysis.masked_runs import MaskedRun, masked_runs
from msadg.analysis.remarks import Remarks
from msadg.errors import MsadgError
from msadg.protocols.run import TrainedRun
from msadg.types import Split


@dataclass(frozen=True, kw_only=True)
class MeasuredRun:
    """A run that selects features, and what it makes of the sources' clips."""

    run: MaskedRun
    hidden: HiddenClips

    @property
    def label_columns(self) -> Float[np.ndarray, "clip column"]:
        """What the label is, as columns: one for each class; the polarity of a run that predicts that."""
        if self.run.trained.experiment.task == "regression":
            return self.hidden.polarity.astype(np.float64)[:, None]
        return _indicators(self.hidden.sentiment)

    @property
    def domain_columns(self) -> Float[np.ndarray, "clip column"]:
        """Which source a clip is from, one column for each."""
        return _indicators(self.hidden.domain)


def measured_runs(runs: Sequence[TrainedRun], remarks: Remarks, split: Split = "dev") -> Iterator[MeasuredRun]:
    """Those of the runs whose hidden features can be had; why the others' cannot is remarked."""
    for run in masked_runs(runs, remarks):
        try:
            yield MeasuredRun(run=run, hidden=hidden_of(run.trained, split))
        except MsadgError as error:
            remarks.add(run.row, f"its features cannot be read, so nothing of them is measured: {error}")


def _indicators(codes: np.ndarray) -> Float[np.ndarray, "clip column"]:
    columns: Float[np.ndarray, "clip column"] = (codes[:, None] == np.unique(codes)[None, :]).astype(np.float64)
    return columns
