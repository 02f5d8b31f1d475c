"""Figure 8: do the selected features depend on the label, and more so than the rejected ones?

Effect and test of each feature are ``analysis.label_effects``'s, on the hidden features that the mask sees
(``analysis.hidden``), of the sources' dev clips. Selected and rejected features are compared by how many depend on the
label (Fisher's exact test) and by how much (Mann-Whitney's test of eta squared).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from msadg.analysis.fisher import LEVEL, benjamini_hochberg
from msadg.analysis.label_effects import label_effects
from msadg.analysis.measured_runs import MeasuredRun, measured_runs
from msadg.analysis.measurement import Measurement
from msadg.analysis.remarks import Remarks
from msadg.analysis.wording import number_of, percent
from msadg.errors import UsageError
from msadg.protocols.run import TrainedRun

COLUMNS = (
    "row", "seed", "sources", "num_clips", "modality", "feature", "selected", "eta_squared", "p", "p_bh", "dependent",
    "dependent_bh",
)  # fmt: skip
SHARE_COLUMNS = (
    "row", "seed", "sources", "num_clips", "modality", "num_selected", "num_rejected", "selected_dependent",
    "rejected_dependent", "selected_dependent_bh", "rejected_dependent_bh", "selected_eta_squared",
    "rejected_eta_squared", "p_shares", "p_shares_bh", "rank_biserial", "p_effects", "p_effects_bh",
)  # fmt: skip
SATURATED = 0.75
"""From this share of dependent features on, selected and rejected ones can hardly differ in it."""
NOT_INDEPENDENT = "Clips of one video are not independent, nor are features of one run: both make p-values too small."
RUN = ["row", "seed", "sources", "num_clips", "modality"]


def measure(runs: Sequence[TrainedRun]) -> Measurement:
    """One row of the table for each feature: how much of it the label explains."""
    remarks = Remarks()
    table = _features(runs, remarks)
    shares = _shares(table)
    return Measurement(
        name="label-dependence",
        title="How much the label explains of each feature",
        caption=_effects_caption(table, shares),
        alternative="No figure."
        if table.empty
        else f"Curves of eta squared over the features in order, selected and rejected. {_effects(shares)}",
        table=table,
        warnings=remarks.told(),
    )


def measure_shares(runs: Sequence[TrainedRun]) -> Measurement:
    """One row of the table for each run and modality: what share of selected and rejected features depends."""
    remarks = Remarks()
    table = _features(runs, remarks)
    shares = _shares(table)
    return Measurement(
        name="label-dependence-shares",
        title="Share of features that depend on the label",
        caption=_shares_caption(shares),
        alternative="No figure." if shares.empty else f"Bars, selected beside rejected. {_dependent(shares)}",
        table=shares,
        warnings=() if not table.empty else remarks.told(),
    )


def _features(runs: Sequence[TrainedRun], remarks: Remarks) -> pd.DataFrame:
    parts = [part for measured in measured_runs(runs, remarks) for part in _parts(measured, remarks)]
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)] if parts else pd.DataFrame(columns=list(COLUMNS))


def _parts(measured: MeasuredRun, remarks: Remarks) -> Iterator[pd.DataFrame]:
    for modality, selected in measured.run.selected.items():
        hidden = measured.hidden.modalities[modality]
        label, there = measured.label_columns, hidden.present & ~np.isnan(measured.label_columns).any(axis=1)
        try:
            found = label_effects(hidden.values[there], label[there], measured.domain_columns[there])
        except UsageError as error:
            remarks.add(measured.run.row, f"{modality}: {error}")
            continue
        num_constant = int(np.isnan(found.eta_squared).sum())
        if num_constant:
            remarks.add(
                measured.run.row,
                f"{num_constant} of {len(selected)} {modality} features are the same for every clip: nothing of them "
                "can depend on the label (NaN, not 0), and they are left out of the shares",
            )
        for group, members in (("selected", selected), ("rejected", ~selected)):
            if not members.any():
                remarks.add(measured.run.row, f"no {modality} feature is {group}, so there is nothing to compare with")
        adjusted = benjamini_hochberg(found.p)
        yield pd.DataFrame(
            measured.run.identity
            | {
                "num_clips": int(there.sum()),
                "modality": modality,
                "feature": np.arange(len(selected)),
                "selected": selected,
                "eta_squared": found.eta_squared,
                "p": found.p,
                "p_bh": adjusted,
                "dependent": found.p < LEVEL,
                "dependent_bh": adjusted < LEVEL,
            }
        )


def _shares(table: pd.DataFrame) -> pd.DataFrame:
    known = table[table["eta_squared"].notna()]
    rows = [dict(zip(RUN, key, strict=True)) | _compared(part) for key, part in known.groupby(RUN, sort=False)]
    shares = pd.DataFrame(rows, columns=list(SHARE_COLUMNS))
    for test in ("p_shares", "p_effects"):
        shares[f"{test}_bh"] = benjamini_hochberg(shares[test].to_numpy(np.float64))
    return shares


def _compared(part: pd.DataFrame) -> dict[str, float | int]:
    """Selected and rejected features of one run and modality."""
    from scipy.stats import fisher_exact, mannwhitneyu

    groups = {"selected": part[part["selected"]], "rejected": part[~part["selected"].astype(bool)]}
    found: dict[str, float | int] = {}
    for name, group in groups.items():
        found[f"num_{name}"] = len(group)
        for column in ("dependent", "dependent_bh", "eta_squared"):
            found[f"{name}_{column}"] = float(group[column].astype(float).mean()) if len(group) else float("nan")
    kept, left = (group["eta_squared"].to_numpy(np.float64) for group in groups.values())
    if not len(kept) or not len(left):
        return found | dict.fromkeys(["p_shares", "rank_biserial", "p_effects"], float("nan"))
    counts = [
        [int(group["dependent"].sum()), int((~group["dependent"].astype(bool)).sum())] for group in groups.values()
    ]
    return found | {
        "p_shares": float(fisher_exact(counts).pvalue),
        "rank_biserial": rank_biserial(kept, left),
        "p_effects": float(mannwhitneyu(kept, left).pvalue),
    }


def rank_biserial(first: Float[np.ndarray, " first"], second: Float[np.ndarray, " second"]) -> float:
    """How often a first number is larger than a second, less how often it is smaller, in [-1, 1].

    Example:
        >>> rank_biserial(np.array([3.0, 4.0]), np.array([1.0, 2.0]))
        1.0
    """
    from scipy.stats import mannwhitneyu

    larger = float(mannwhitneyu(first, second).statistic)
    return 2 * larger / (len(first) * len(second)) - 1


def _by_modality(shares: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for modality, part in shares.groupby("modality", sort=False):
        yield str(modality), part


def _dependent(shares: pd.DataFrame) -> str:
    return " ".join(
        f"{m[0].upper()}{m[1:]}: selected {percent(part['selected_dependent'].mean())} (corrected "
        f"{percent(part['selected_dependent_bh'].mean())}), rejected {percent(part['rejected_dependent'].mean())} "
        f"(corrected {percent(part['rejected_dependent_bh'].mean())})."
        for m, part in _by_modality(shares)
    )


def _effects(shares: pd.DataFrame) -> str:
    return " ".join(
        f"{m[0].upper()}{m[1:]}: mean eta squared {part['selected_eta_squared'].mean():.3f} of selected, "
        f"{part['rejected_eta_squared'].mean():.3f} of rejected features (rank-biserial "
        f"{part['rank_biserial'].mean():+.2f})."
        for m, part in _by_modality(shares)
    )


def _clips(shares: pd.DataFrame) -> str:
    clips = sorted({int(number) for number in shares["num_clips"]})
    return f"{clips[0]:,}" if len(clips) == 1 else f"{clips[0]:,} to {clips[-1]:,}"


def _num_runs(shares: pd.DataFrame) -> str:
    return number_of(len(shares[["row", "seed", "sources"]].drop_duplicates()), "run")


def _shares_caption(shares: pd.DataFrame) -> str:
    if shares.empty:
        return "No feature could be tested against the label: nothing is shown."
    comparable = shares["p_shares"].notna()
    beyond = shares["p_shares_bh"] < LEVEL
    higher, lower = int((beyond & _more_dependent(shares)).sum()), int((beyond & ~_more_dependent(shares)).sum())
    tests = int(comparable.sum())
    if not tests:
        verdict = "No mask both keeps and rejects features, so that nothing says whether selection looks for the label."
    else:
        supported = higher > tests / 2
        verdict = (
            f"The share is higher among the selected in {higher} of {tests} comparisons and lower in {lower} (Fisher's "
            f"exact test, level {LEVEL:g}, Benjamini-Hochberg over the comparisons): that selection prefers features "
            "tied to the label is "
            f"{'supported' if supported else 'not supported here'}."
        )
        if not supported and float(shares[["selected_dependent", "rejected_dependent"]].min().min()) > SATURATED:
            verdict += (
                " Nearly every feature depends on the label, selected or not, so that only the sizes (eta squared) can "
                "tell the two apart."
            )
    return (
        "Share of selected and of rejected features whose mean differs between the classes of the label (or that "
        f"follow the polarity, in a regression; F-test, level {LEVEL:g}, raw and with Benjamini-Hochberg over a run's "
        f"modality; of several sources, within domains), over {_num_runs(shares)}, on the sources' dev clips "
        f"({_clips(shares)} of them). {verdict} {_dependent(shares)} Bars are means over seeds, dots runs. "
        f"{NOT_INDEPENDENT}"
    )


def _more_dependent(shares: pd.DataFrame) -> pd.Series:
    return shares["selected_dependent"] > shares["rejected_dependent"]


def _effects_caption(table: pd.DataFrame, shares: pd.DataFrame) -> str:
    if table.empty or shares.empty:
        return "No feature could be tested against the label: nothing is shown."
    tests = int(shares["p_effects"].notna().sum())
    beyond = shares["p_effects_bh"] < LEVEL
    higher, lower = (int((beyond & (sign * shares["rank_biserial"] > 0)).sum()) for sign in (1, -1))
    verdict = (
        f"Selected features are tied to the label more than rejected ones in {higher} of {tests} comparisons and less "
        f"in {lower} (Mann-Whitney, level {LEVEL:g}, Benjamini-Hochberg over the comparisons), which "
        f"{'supports' if higher > tests / 2 else 'does not support'} the claim that selection looks for the label."
        if tests
        else "No mask both keeps and rejects features, so that nothing says whether selection looks for the label."
    )
    return (
        f"Share of each feature's variance that the label explains (eta squared; of several sources, within domains), "
        f"over {_num_runs(shares)}, for the hidden features of each clip (x^c') on the sources' dev clips "
        f"({_clips(shares)} of them). {verdict} {_effects(shares)} Lines are means over seeds, bands reach from the "
        f"lowest to the highest run. {NOT_INDEPENDENT}"
    )
