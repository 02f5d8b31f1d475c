"""Do masks find what is invariant? Precision, recall, complementary share by alpha, order, schedule (METHODS 7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from msadg.analysis.measurement import Measurement
from msadg.analysis.recovery_runs import SimulatedRun, is_on_simulated, middle_of, simulated_runs
from msadg.analysis.remarks import Remarks
from msadg.analysis.selected import measure_recovery
from msadg.analysis.wording import listed, number_of, percent
from msadg.protocols.fit import source_clips
from msadg.protocols.run import TrainedRun
from msadg.results.statistics import t_interval
from msadg.types import MODALITIES

NAME = "recovery"

SHARES = ("precision", "recall", "complementary_share", "spurious_rejected")
"""Fields of ``analysis.recovery.Recovery``."""

COLUMNS = (
    "row", "order", "schedule", "alpha", "redundancy", "sources", "seed", "modality", "share", "value", "by_chance"
)  # fmt: skip

CELL = ("order", "schedule", "alpha", "redundancy", "sources", "modality")
"""Runs of one cell differ by seed."""

SAME = ["alpha", "redundancy", "sources", "modality", "seed"]
"""What two orders must share to be compared."""

Axis = Literal["alpha", "redundancy"]


def measure(runs: Sequence[TrainedRun]) -> Measurement | None:
    """One row of the table for each run, modality and share; None where no run's features were simulated."""
    if not any(is_on_simulated(trained.experiment) for trained in runs):
        return None
    remarks = Remarks()
    chosen = simulated_runs(runs, remarks)
    table = pd.DataFrame([row for run in chosen for row in _shares(run, remarks)], columns=list(COLUMNS))
    return Measurement(
        name=NAME,
        title="Recovery of the truth on simulated domains",
        caption=_caption(table, chosen),
        alternative=_alternative(table),
        table=table,
        warnings=remarks.told(),
    )


def _shares(run: SimulatedRun, remarks: Remarks) -> list[dict[str, object]]:
    found = measure_recovery(run.trained).get("recovery", {})
    identity = {
        "row": run.row,
        "order": run.order,
        "schedule": run.schedule,
        "alpha": run.config.sparsity_weight,
        "redundancy": run.redundancy,
        "sources": "+".join(run.sources),
        "seed": run.seed,
    }
    rows = []
    for modality in sorted(found, key=MODALITIES.index):
        if np.isnan(found[modality]["precision"]):
            remarks.add(run.row, f"the mask of {modality} kept nothing: it has no precision")
        rows += [
            identity
            | {"modality": modality, "share": share, "value": found[modality][share]}
            | {"by_chance": found[modality][f"{share}_by_chance"]}
            for share in SHARES
            if modality != "text" or share != "complementary_share"
        ]
    return rows


def shown(table: pd.DataFrame) -> tuple[pd.DataFrame, Axis]:
    """The part of the table that is drawn, and what goes to the right.

    It is alpha where that varies, at the redundancy nearest to one half and on the sources with the most rows; else it
    is the redundancy.
    """
    most = table["sources"].mode()
    part = table[table["sources"] == most[0]] if len(most) else table
    by_redundancy = part.groupby("redundancy", dropna=False)["alpha"].nunique()
    several = by_redundancy[by_redundancy > 1]
    if several.empty:
        return part, "redundancy" if part["redundancy"].nunique() > 1 else "alpha"
    middle = middle_of(list(several.index))
    same = part["redundancy"].isna() if np.isnan(middle) else part["redundancy"] == middle
    return part[same], "alpha"


def cells(table: pd.DataFrame) -> pd.DataFrame:
    """Of each cell and share, over its seeds: means, how far above chance, and the 95 % t-intervals of both."""
    rows = []
    for key, group in table.groupby([*CELL, "share"], sort=False, dropna=False):
        known = group.dropna(subset=["value"])
        value, above = t_interval(list(known["value"])), t_interval(list(known["value"] - known["by_chance"]))
        rows.append(
            dict(zip([*CELL, "share"], key, strict=True))
            | {"num_seeds": len(known), "mean": value.mean, "half": value.half, "by_chance": known["by_chance"].mean()}
            | {"above": above.mean, "above_half": above.half}
        )
    return pd.DataFrame(rows)


def _caption(table: pd.DataFrame, runs: Sequence[SimulatedRun]) -> str:
    if table.empty:
        return "No run selects simulated features by a learned mask: nothing can be held against the truth."
    part, axis = shown(table)
    by = "weight of sparsity (alpha)" if axis == "alpha" else "redundancy of video with text"
    sources = part["sources"].iloc[0]
    first = next(run for run in runs if "+".join(run.sources) == sources)
    num_clips = sum(len(clips) for clips in source_clips(first.trained.experiment, "dev"))
    num_runs = len(part[["order", "schedule", "alpha", "redundancy", "seed"]].drop_duplicates())
    rest = "" if len(part) == len(table) else " The table has more runs than are drawn."
    fixed = "alpha" if axis == "redundancy" else "redundancy"
    return (
        f"What S2LIF's masks select on simulated domains, held against the truth, by {by}, order (columns) and "
        f"schedule (curves): means over the seeds of {number_of(num_runs, 'run')} trained on {sources} with {fixed} "
        f"{_values(part[fixed])}; bars = 95 % t-intervals over seeds; dotted = what is expected of a random selection "
        "of as many features. Precision is the share of the selected features that are invariant, recall the share of "
        "the invariant features that are selected, complementary share the share of the selected invariant features "
        "of video (or audio) that do not repeat text. A feature counts as the input feature that it correlates with "
        f"most on the sources' {number_of(num_clips, 'dev clip')}.{rest} {_verdict(part)}"
    )


def _values(column: pd.Series) -> str:
    return listed([f"{value:g}" for value in sorted(column.dropna().unique())]) or "of none"


def _verdict(part: pd.DataFrame) -> str:
    """What the numbers say, of the runs that were asked to be sparse."""
    sparse = part[part["alpha"] > 0]
    if sparse.empty:
        return "No run was asked to be sparse (alpha 0), so nothing is said of the paper's claim."
    found = cells(sparse)
    precision, recall, rejected = (found[found["share"] == s] for s in ("precision", "recall", "spurious_rejected"))
    return (
        "A cell is an order, schedule, alpha, redundancy and modality; it is above chance where its interval over "
        f"seeds is, uncorrected. With alpha > 0, {_held(precision, 'precision')}; {_held(recall, 'recall')}. Of the "
        f"shortcut's features {percent(rejected['mean'].mean())} are rejected, by chance "
        f"{percent(rejected['by_chance'].mean())}. {_shortcut(rejected, recall)}: that selected features are tied to "
        f"the label because they are invariant {_claim(precision)}.{_complement(sparse)}"
    )


def _shortcut(rejected: pd.DataFrame, recall: pd.DataFrame) -> str:
    """What becomes of the shortcut, beside what becomes of the invariant features; of means, without a test."""
    more = rejected["above"].mean()
    if np.isnan(more):
        return "No feature shows a shortcut"
    if more >= 0:
        return "The masks reject the shortcut at least as often as chance would"
    how = "above all" if 1 - rejected["mean"].mean() > recall["mean"].mean() else "too"
    return f"So the masks keep what tells of the label in the sources, the shortcut {how}"


def _claim(precision: pd.DataFrame) -> str:
    """Whether precision is above chance, in those cells that have an interval."""
    known = precision.dropna(subset=["above_half"])
    if known.empty:
        return "cannot be told, for no cell has two seeds with a precision"
    above = int((known["above"] - known["above_half"] > 0).sum())
    grades = {len(known): "is supported", 0: "is not supported"}
    return grades.get(above, f"is supported in {above} of {number_of(len(known), 'cell')}")


def _held(found: pd.DataFrame, share: str) -> str:
    known = found.dropna(subset=["above_half"])
    above, below = known["above"] - known["above_half"] > 0, known["above"] + known["above_half"] < 0
    said = f"{share} is {percent(found['mean'].mean())} in the mean ({percent(found['by_chance'].mean())} by chance)"
    if known.empty:
        return f"{said}, without an interval"
    lacking = f" ({len(found) - len(known)} more have no interval)" if len(known) < len(found) else ""
    return (
        f"{said}, above chance in {above.sum()} and below it in {below.sum()} of {number_of(len(known), 'cell')}"
        f"{lacking}"
    )


def _complement(part: pd.DataFrame) -> str:
    """Whether reading text first makes video complement it: the orders beside each other."""
    share = part[(part["share"] == "complementary_share") & part["value"].notna()]
    # Where all that is invariant repeats text, or nothing does, every selection has the same share.
    share = share[(share["by_chance"] > 0) & (share["by_chance"] < 1)]
    if share.empty:
        return ""
    by_order, difference = _by_order(share)
    means = by_order.groupby("order", sort=False)[["value", "by_chance"]].mean()
    parts = [f"{order} {percent(mean)}" for order, mean in means["value"].items()]
    where = " where text first can be compared with another" if len(difference) else ""
    sentence = f" Complementary share by order{where}: {listed(parts)} ({percent(means['by_chance'].mean())} by chance)"
    more = t_interval(list(difference.groupby("seed").mean()))
    if not more.num_values:
        return f"{sentence}."
    said = f"{100 * more.mean:+.0f} points"
    if more.num_values == 1:
        return f"{sentence}; text first against the other orders: {said}, of one seed."
    within = f"{said}, {100 * (more.mean - more.half):+.0f} to {100 * (more.mean + more.half):+.0f} over seeds"
    clear = abs(more.mean) > more.half
    effect = ("more" if more.mean > 0 else "less") if clear else "neither more nor less, as far as these seeds tell,"
    return f"{sentence}: selected after text, video complements it {effect} than in the other orders ({within})."


def _by_order(share: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """The shares where text-first orders and others can be compared, and by how much text-first ones have more there.

    They can where both selected something at the same alpha, redundancy, sources, modality and seed. Where they
    nowhere can, all shares, and no difference.
    """
    means = share.groupby([*SAME, "order"], sort=False, dropna=False)[["value", "by_chance"]].mean().reset_index()
    text_first = means["order"].str.startswith("T>")
    first, other = (means[is_side].groupby(SAME, dropna=False)["value"].mean() for is_side in (text_first, ~text_first))
    difference = (first - other).dropna()
    compared = pd.MultiIndex.from_frame(means[SAME]).isin(difference.index)
    return means[compared] if len(difference) else means, difference


def _alternative(table: pd.DataFrame) -> str:
    if table.empty:
        return "No figure."
    part, axis = shown(table)
    found = cells(part).dropna(subset=["mean"])
    found = found[found["share"] != "spurious_rejected"]
    means = found.groupby(["order", "modality", "share"], sort=False)[["mean", "by_chance"]].mean()
    said = [
        f"{row['order']}, {row['share'].replace('_', ' ')} of {row['modality']} {row['mean']:.2f} (by chance "
        f"{row['by_chance']:.2f})"
        for row in means.reset_index().to_dict("records")
    ]
    return f"Curves by {axis}, one column of panels for each order. Means over the curves: {'; '.join(said)}."
