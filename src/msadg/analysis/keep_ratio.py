"""Figure 5: what share of each modality's features the mask keeps, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from msadg.analysis.masked_runs import learned_masks, why_unmasked
from msadg.analysis.measurement import Measurement
from msadg.analysis.remarks import Remarks
from msadg.analysis.stress_curves import label_of
from msadg.analysis.wording import listed, number_of, percent
from msadg.protocols.domains import domain_name
from msadg.protocols.run import TrainedRun
from msadg.types import MODALITIES

NAME = "keep-ratio"
COLUMNS = ("row", "seed", "sources", "modality", "phase", "epoch", "keep_ratio", "is_kept")


def measure(runs: Sequence[TrainedRun]) -> Measurement:
    """One row of the table for each run, modality and epoch; ``is_kept`` is the epoch whose weights were kept."""
    remarks = Remarks()
    rows = [row for run in runs for row in _epochs(run, remarks)]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return Measurement(
        name=NAME,
        title="Keep ratio by epoch",
        caption=_caption(table),
        alternative=_alternative(table),
        table=table,
        warnings=remarks.told(),
    )


def _epochs(trained: TrainedRun, remarks: Remarks) -> list[dict[str, object]]:
    experiment, history = trained.experiment, trained.state.history
    if experiment.intervention != "none":
        return []  # the weights, and so the history, of another row
    masks = learned_masks(trained.method)
    if not masks:
        remarks.add(label_of(experiment), why_unmasked(trained.method))
        return []
    kept_at = _kept_at(trained)
    identity = {
        "row": label_of(experiment),
        "seed": experiment.seed,
        "sources": "+".join(map(domain_name, experiment.domains.source_domains)),
    }
    return [
        identity
        | {
            "modality": modality,
            "phase": entry["phase"],
            "epoch": number + 1,  # over all phases; the first is 1
            "keep_ratio": entry["measurements"][f"keep_{modality}"],
            "is_kept": number in kept_at,
        }
        for modality in MODALITIES
        if modality in masks
        for number, entry in enumerate(history)
        if f"keep_{modality}" in entry["measurements"]
    ]


def _kept_at(trained: TrainedRun) -> set[int]:
    """Of each phase, the place in the history of the last epoch that was better than all before it."""
    best: dict[str, int] = {}
    for number, entry in enumerate(trained.state.history):
        if entry.get("is_best"):
            best[entry["phase"]] = number
    return set(best.values())


def _ends(table: pd.DataFrame) -> pd.DataFrame:
    """Of every run and modality, the ratio after the first epoch, at the epoch that was kept, and after the last."""
    groups = table.groupby(["modality", "row", "seed", "sources"], sort=False)
    kept = table[table["is_kept"]].groupby(["modality", "row", "seed", "sources"], sort=False)["keep_ratio"].last()
    return pd.DataFrame({"first": groups["keep_ratio"].first(), "kept": kept, "last": groups["keep_ratio"].last()})


def _caption(table: pd.DataFrame) -> str:
    if table.empty:
        return "No run has a mask: no keep ratio is shown."
    ends = _ends(table)
    means = ends.groupby("modality", sort=False).mean()
    parts = [
        f"{modality} {percent(row['first'])} after the first epoch, {percent(row['kept'])} at the epoch that was kept, "
        f"{percent(row['last'])} after the last"
        for modality, row in means.iterrows()
    ]
    num_runs = len(table[["row", "seed", "sources"]].drop_duplicates())
    sparse = [str(modality) for modality, row in means.iterrows() if row["kept"] < 0.5]
    verdict = (
        f"Less than half is kept of {listed(sparse)}, which supports the claim that selected features are sparse."
        if len(sparse) == len(means)
        else (f"Less than half is kept of {listed(sparse)} only: " if sparse else "More than half is kept of each: ")
        + "the claim that selected features are sparse is not supported in general."
    )
    return (
        f"Share of features that each modality's mask keeps, by epoch: mean over seeds, {number_of(num_runs, 'run')}, "
        "band = 95 % t-interval over seeds (of the runs that still trained), dots = epochs whose weights were kept. "
        f"No clip is read. In the mean: {'; '.join(parts)}. {verdict}"
    )


def _alternative(table: pd.DataFrame) -> str:
    if table.empty:
        return "No figure."
    means = _ends(table).groupby("modality", sort=False).mean()
    parts = [f"{m} from {percent(row['first'])} to {percent(row['last'])}" for m, row in means.iterrows()]
    return f"Curves of the keep ratio over epochs, by modality: {listed(parts)}."
