"""Figures 6 and 7: which selected features are dependent, across modalities and within each, by Fisher's z-test.

Measured on the hidden features that the mask sees, x^c' of each clip (``analysis.hidden``), of the sources' dev clips.
Beside the paper's empty conditioning set stands another: the label (and, of several sources, the domain). Two features
that are both tied to the label are dependent through it; given it, they need not be. Beside the selected features
stand the rejected: whether selection made features less dependent is only seen against those.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from msadg.analysis.fisher import LEVEL, RELATIVE_SPREAD, benjamini_hochberg, fisher_test, smallest_dependent
from msadg.analysis.masked_runs import MaskedRun
from msadg.analysis.measured_runs import MeasuredRun, measured_runs
from msadg.analysis.measurement import Measurement
from msadg.analysis.remarks import Remarks
from msadg.analysis.wording import number_of, percent
from msadg.errors import UsageError
from msadg.protocols.run import TrainedRun

NOTHING, LABEL = "nothing", "label and domain"
"""The conditioning sets."""
COLUMNS = (
    "row", "seed", "sources", "num_clips", "given", "num_given", "group", "modality", "other", "feature", "num_tested",
    "dependent", "independent", "dependent_bh", "mean_abs_r", "max_abs_r",
)  # fmt: skip


def measure_across(runs: Sequence[TrainedRun]) -> Measurement:
    """Figure 6: each feature of one modality against those of a later one (text, audio, video)."""
    return _measure(runs, "dependence-across", within=False)


def measure_within(runs: Sequence[TrainedRun]) -> Measurement:
    """Figure 7: each feature against the others of its modality."""
    return _measure(runs, "dependence-within", within=True)


def _measure(runs: Sequence[TrainedRun], name: str, *, within: bool) -> Measurement:
    remarks = Remarks()
    parts = [part for measured in measured_runs(runs, remarks) for part in _parts(measured, within, remarks)]
    table = pd.concat(parts, ignore_index=True)[list(COLUMNS)] if parts else pd.DataFrame(columns=list(COLUMNS))
    return Measurement(
        name=name,
        title="Dependence within a modality" if within else "Dependence across modalities",
        caption=_caption(table, within),
        alternative=_alternative(table),
        table=table,
        warnings=remarks.told(),
    )


def _parts(measured: MeasuredRun, within: bool, remarks: Remarks) -> Iterator[pd.DataFrame]:
    modalities = list(measured.run.masks)
    if not within and len(modalities) < 2:
        _remark(measured, f"has a mask on {modalities[0]} alone: nothing to compare it with", remarks)
    for modality in modalities:
        _remark_constants(measured, modality, remarks)
    for modality, other in [(m, m) for m in modalities] if within else combinations(modalities, 2):
        for group in ("selected", "rejected"):
            members = [_members(measured.run, m, group) for m in (modality, other)]
            if members[0].sum() == 0 or members[1].sum() == 0 or (within and members[0].sum() < 2):
                both = modality if within else f"{modality} and {other}"
                _remark(measured, f"too few {group} features of {both} to hold against each other", remarks)
                continue
            for given in (NOTHING, LABEL):
                try:
                    yield _tested(measured, (modality, other), group, members, given)
                except UsageError as error:
                    _remark(measured, str(error), remarks)


def _remark(measured: MeasuredRun, sentence: str, remarks: Remarks) -> None:
    remarks.add(measured.run.row, sentence, tuple(measured.run.identity.values()))


def _members(run: MaskedRun, modality: str, group: str) -> Bool[np.ndarray, " feature"]:
    selected = run.selected[modality]
    return selected if group == "selected" else ~selected


def _remark_constants(measured: MeasuredRun, modality: str, remarks: Remarks) -> None:
    hidden = measured.hidden.modalities[modality]
    values = hidden.values[hidden.present].astype(np.float64)
    spread = np.linalg.norm(values - values.mean(axis=0), axis=0) if len(values) else np.zeros(values.shape[1])
    for group in ("selected", "rejected"):
        members = _members(measured.run, modality, group)
        num_constant = int((spread[members] <= RELATIVE_SPREAD * np.linalg.norm(values[:, members], axis=0)).sum())
        if num_constant:
            _remark(
                measured,
                f"{num_constant} of {int(members.sum())} {group} {modality} features are the same for every clip: they "
                "have no correlation (NaN, not 0) and count neither as dependent nor as independent",
                remarks,
            )


def _tested(
    measured: MeasuredRun,
    modalities: tuple[str, str],
    group: str,
    members: Sequence[Bool[np.ndarray, " feature"]],
    given: str,
) -> pd.DataFrame:
    """Each member of the first modality against all of the second, itself left out."""
    first, second = (measured.hidden.modalities[m] for m in modalities)
    both = first.present & second.present
    columns = np.hstack([measured.label_columns, measured.domain_columns]) if given == LABEL else None
    if columns is not None and np.isnan(columns[both]).any():
        raise UsageError("some clips have no polarity, so that it cannot be conditioned on")
    test = fisher_test(
        first.values[both][:, members[0]],
        second.values[both][:, members[1]],
        None if columns is None else columns[both],
    )
    within = modalities[0] == modalities[1]
    return pd.DataFrame(
        measured.run.identity
        | {
            "num_clips": test.num_clips,
            "given": given,
            "num_given": test.num_given,
            "group": group,
            "modality": modalities[0],
            "other": modalities[1],
            "feature": np.flatnonzero(members[0]),
        }
        | _shares(test.r.copy(), test.p.copy(), within)
    )


def _shares(
    r: Float[np.ndarray, "first second"], p: Float[np.ndarray, "first second"], within: bool
) -> dict[str, np.ndarray]:
    """Of each first feature, how many second ones were tested, and what share is dependent; the family is all pairs."""
    adjusted = np.full(p.shape, np.nan)
    if within:
        np.fill_diagonal(r, np.nan)
        np.fill_diagonal(p, np.nan)
        above = np.triu_indices(len(p), 1)  # each pair once
        adjusted[above] = benjamini_hochberg(p[above])
        adjusted.T[above] = adjusted[above]
    else:
        adjusted = benjamini_hochberg(p)
    known = ~np.isnan(r)
    num_tested = known.sum(axis=1)
    some = np.where(num_tested > 0, num_tested, np.nan)
    size = np.where(known, np.abs(r), 0)
    dependent = (p < LEVEL).sum(axis=1) / some
    return {
        "num_tested": num_tested,
        "dependent": dependent,
        "independent": 1 - dependent,
        "dependent_bh": (adjusted < LEVEL).sum(axis=1) / some,
        "mean_abs_r": size.sum(axis=1) / some,
        "max_abs_r": np.where(num_tested > 0, size.max(axis=1), np.nan),
    }


def pair_means(table: pd.DataFrame) -> pd.DataFrame:
    """Mean over pairs of every run, then over runs: by modalities, group and conditioning set.

    Of ``max_abs_r``, the largest of all runs.
    """
    known = table[table["num_tested"] > 0]
    keys = ["modality", "other", "group", "given"]
    measures = ["dependent", "dependent_bh", "mean_abs_r"]
    weighted = known.assign(**{name: known[name] * known["num_tested"] for name in measures})
    by_run = weighted.groupby([*keys, "row", "seed", "sources"], sort=False)[[*measures, "num_tested"]].sum()
    by_run = by_run[measures].div(by_run["num_tested"], axis=0)
    means = by_run.groupby(keys, sort=False).mean()
    return means.assign(max_abs_r=known.groupby(keys, sort=False)["max_abs_r"].max())


def _caption(table: pd.DataFrame, within: bool) -> str:
    if table.empty:
        return "No two features could be held together: nothing is shown."
    clips = sorted({int(number) for number in table["num_clips"]})
    means = pair_means(table)
    pairs = list(dict.fromkeys((m, o) for m, o, *_ in means.index))
    num_runs = len(table[["row", "seed", "sources"]].drop_duplicates())
    spread = f"{clips[0]:,}" if len(clips) == 1 else f"{clips[0]:,} to {clips[-1]:,}"
    what = "another selected feature of its modality" if within else "a selected feature of another modality"
    family = "modality" if within else "pair of modalities"
    return " ".join(
        [
            f"Of each selected feature, the share of pairs with {what} that Fisher's z-test calls dependent, over "
            f"{number_of(num_runs, 'run')}; hidden features of each clip (x^c') on the sources' dev clips ({spread} of "
            f"them), level {LEVEL:g}, and corrected by Benjamini-Hochberg over the pairs of one run, {family}, group "
            "(selected, rejected) and conditioning set.",
            _verdict(means, within),
            f"So many clips call |r| = {smallest_dependent(clips[-1]):.3f} dependent already, and clips of one video "
            "are not independent, which makes p-values too small: the sizes |r| say more than the shares.",
            *[_sentence(means, *pair) for pair in pairs],
            "Lines are means over seeds of the features in order, bands reach from the lowest to the highest run.",
        ]
    )


def _sentence(means: pd.DataFrame, modality: str, other: str) -> str:
    parts = []
    for group in ("selected", "rejected"):
        for given in (NOTHING, LABEL):
            if (modality, other, group, given) not in means.index:
                continue
            row = means.loc[means.index == (modality, other, group, given)].iloc[0]
            through = f", given {LABEL}" if given == LABEL else ""
            parts.append(
                f"{group}{through} {percent(row['dependent'])} (corrected {percent(row['dependent_bh'])}, mean |r| "
                f"{row['mean_abs_r']:.2f})"
            )
    pair = modality if modality == other else f"{modality} and {other}"
    return f"{pair[0].upper()}{pair[1:]}: {'; '.join(parts)}."


def _verdict(means: pd.DataFrame, within: bool) -> str:
    if "selected" not in means.index.get_level_values("group"):
        return "No mask kept features to look at, so the claim is not touched."
    selected = means.xs("selected", level="group")
    alone = pd.DataFrame(selected.xs(NOTHING, level="given"))
    claim = f"That selected features are independent {'within a modality' if within else 'across modalities'}"
    if _is_left_standing(alone):
        return (
            f"{claim} is not contradicted: {percent(alone['dependent'].max())} of the pairs at most are called "
            f"dependent, of which chance alone would call {percent(LEVEL)} so, and none is after correction; weaker "
            "dependence than these clips can show is not ruled out."
        )
    return (
        f"{claim} is not supported here: up to {_worst(alone)}; chance alone would call {percent(LEVEL)} of the pairs "
        f"so{_given_label(pd.DataFrame(selected))}. {_against_rejected(means)}"
    )


def _is_left_standing(means: pd.DataFrame) -> bool:
    """Whether no pair is dependent after correction, and before it few more than chance alone would call so."""
    return bool(means["dependent_bh"].max() == 0 and means["dependent"].max() <= 2 * LEVEL)


def _worst(means: pd.DataFrame) -> str:
    corrected = float(means["dependent_bh"].max())
    left = "under 0.1 %" if 0 < corrected < 0.0005 else percent(corrected)
    return (
        f"{percent(means['dependent'].max())} of the pairs are dependent, {left} after correction, the largest |r| "
        f"being {means['max_abs_r'].max():.2f}"
    )


def _given_label(selected: pd.DataFrame) -> str:
    """What conditioning on the label makes of it, where that was measured."""
    if LABEL not in selected.index.get_level_values("given"):
        return ""
    given = pd.DataFrame(selected.xs(LABEL, level="given"))
    if _is_left_standing(given):
        return (
            f"; given {LABEL} it is not contradicted ({percent(given['dependent'].max())} at most, none after "
            "correction)"
        )
    return f"; given {LABEL} it is not supported either (up to {_worst(given)})"


def _against_rejected(means: pd.DataFrame) -> str:
    sizes = means.xs(NOTHING, level="given")["mean_abs_r"].unstack("group")
    if "rejected" not in sizes or "selected" not in sizes:
        return "No rejected features are at hand to say whether selection made them less so."
    sizes = sizes.dropna()
    less = int((sizes["selected"] < sizes["rejected"]).sum())
    return f"By mean |r|, selected features are less dependent than rejected ones in {less} of {len(sizes)} cases."


def _alternative(table: pd.DataFrame) -> str:
    if table.empty:
        return "No figure."
    means = pair_means(table)
    parts = [_sentence(means, *pair) for pair in dict.fromkeys((m, o) for m, o, *_ in means.index)]
    return (
        f"Curves of the share of dependent pairs over the features in order, selected and rejected. {' '.join(parts)}"
    )
