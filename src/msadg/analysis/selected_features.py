"""Figure 4, first half: which features each domain's run selects, position by position."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from msadg.analysis.masked_runs import MaskedRun, masked_runs
from msadg.analysis.measurement import Measurement
from msadg.analysis.remarks import Remarks
from msadg.analysis.wording import listed, number_of, percent
from msadg.protocols.run import TrainedRun

NAME = "selected-features"
COLUMNS = ("row", "seed", "sources", "modality", "feature", "weight", "selected")


def measure(runs: Sequence[TrainedRun]) -> Measurement:
    """The mask of every run and modality: one row of the table for each feature."""
    remarks = Remarks()
    masked = masked_runs(runs, remarks)
    parts = [_features(run, modality) for run in masked for modality in run.masks]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))
    for run in masked:
        _remark_extremes(run, remarks)
    return Measurement(
        name=NAME,
        title="Selected and rejected features",
        caption=_caption(table),
        alternative=_alternative(table),
        table=table,
        warnings=remarks.told(),
    )


def _features(run: MaskedRun, modality: str) -> pd.DataFrame:
    weight = run.masks[modality]
    return pd.DataFrame(
        run.identity
        | {"modality": modality, "feature": np.arange(len(weight)), "weight": weight, "selected": weight != 0}
    )[list(COLUMNS)]


def _remark_extremes(run: MaskedRun, remarks: Remarks) -> None:
    for modality, selected in run.selected.items():
        if not selected.any():
            remarks.add(run.row, f"the {modality} mask kept nothing, so no feature of {modality} is selected")
        elif selected.all():
            remarks.add(run.row, f"the {modality} mask kept everything, so no feature of {modality} is rejected")


def _shares(table: pd.DataFrame) -> pd.DataFrame:
    """Of each modality, the mean share that is selected, and its smallest and largest over runs."""
    by_run = table.groupby(["modality", "row", "seed", "sources"], sort=False)["selected"].mean()
    return by_run.groupby("modality", sort=False).agg(["mean", "min", "max"])


def _caption(table: pd.DataFrame) -> str:
    if table.empty:
        return "No run selects features: nothing is shown."
    num_runs = len(table[["row", "seed", "sources"]].drop_duplicates())
    shares = listed(
        [
            f"{percent(row['mean'])} of {modality} ({percent(row['min'])} to {percent(row['max'])})"
            for modality, row in _shares(table).iterrows()
        ]
    )
    return (
        f"Features that the masks of {number_of(num_runs, 'run')} keep, by the domains trained on; the darker, the "
        f"larger |m|, and white is rejected. Kept in the mean (least to most): {shares}. Runs of one row and one seed "
        "begin with the same weights, so that a position means the same in each; positions of different seeds have "
        "nothing in common (unless inputs reach the mask as they are), and the figure shows one seed. No clip is read. "
        "The paper claims that the selected features are sparse: the shares say how far; whether domains share more "
        "positions than chance gives is the next measurement."
    )


def _alternative(table: pd.DataFrame) -> str:
    if table.empty:
        return "No figure."
    shares = [f"{percent(row['mean'])} of {modality}" for modality, row in _shares(table).iterrows()]
    return f"Heat maps of the masks, one line for each choice of source domains: kept are {listed(shares)}."
