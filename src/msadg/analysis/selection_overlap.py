"""Figure 4, second half: do runs on different domains select the same features more often than chance would?

Two runs are compared position by position where they have the same row and seed, so the same initial weights, and
different sources. As a control, so are runs of the same row and sources and different seeds, which chance governs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from msadg.analysis.fisher import LEVEL, benjamini_hochberg
from msadg.analysis.masked_runs import MaskedRun, masked_runs
from msadg.analysis.measurement import Measurement
from msadg.analysis.overlap import overlap_of
from msadg.analysis.remarks import Remarks
from msadg.analysis.wording import listed, number_of
from msadg.protocols.run import TrainedRun

NAME = "selection-overlap"
DOMAINS, ALL_DOMAINS, SEEDS = "two domains", "all domains", "two seeds"
"""What is compared: runs on two choices of sources, on all of them at once, or, the control, with two seeds."""
COLUMNS = (
    "row", "compared", "seed", "between", "common_source", "modality", "num_features", "sizes", "shared", "jaccard",
    "expected", "low", "high", "p", "p_bh",
)  # fmt: skip


def measure(runs: Sequence[TrainedRun]) -> Measurement:
    """One row of the table for each pair of runs (or all of them at once) and modality."""
    remarks = Remarks()
    masked = _that_reject(masked_runs(runs, Remarks()), remarks)
    rows = [row for group in _groups(masked) for row in _compared(*group, remarks)]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    for _, part in table.groupby("compared"):  # each kind of comparison is a family of tests of its own
        table.loc[part.index, "p_bh"] = benjamini_hochberg(part["p"].to_numpy(np.float64))
    warnings = remarks.told()
    if not (table["compared"] == DOMAINS).any():
        warnings += (
            "no two runs have the same row and seed and different source domains, so that no overlap between domains "
            "can be measured; name such runs, or a benchmark of several settings",
        )
    return Measurement(
        name=NAME,
        title="Overlap of what different domains select",
        caption=_caption(table),
        alternative=_alternative(table),
        table=table,
        warnings=warnings,
    )


def _that_reject(masked: Sequence[MaskedRun], remarks: Remarks) -> list[MaskedRun]:
    """Runs without those whose overlap is decided by their masks keeping everything, or nothing."""
    found = []
    for run in masked:
        sizes = {modality: selected.mean() for modality, selected in run.selected.items()}
        for modality in [modality for modality, share in sizes.items() if share in (0, 1)]:
            kept = "everything" if sizes[modality] else "nothing"
            remarks.add(run.row, f"the {modality} mask kept {kept}: its overlap with any other is no choice")
        if any(0 < share < 1 for share in sizes.values()):
            found.append(run)
    return found


Group = tuple[str, Sequence[MaskedRun]]


def _groups(masked: Sequence[MaskedRun]) -> Iterator[Group]:
    """What is compared, and the runs: those of a row and seed; those of a row and sources."""
    by_seed: dict[tuple[object, ...], dict[tuple[str, ...], MaskedRun]] = {}
    by_sources: dict[tuple[object, ...], dict[int, MaskedRun]] = {}
    for run in masked:
        by_seed.setdefault((run.row, run.seed), {}).setdefault(run.sources, run)
        by_sources.setdefault((run.row, run.sources), {}).setdefault(run.seed, run)
    for found in by_seed.values():
        # A pair is called the same whichever of its runs came first.
        domains = {sources: found[sources] for sources in sorted(found, key=lambda names: (len(names), names))}
        yield from ((DOMAINS, pair) for pair in combinations(domains.values(), 2))
        if len(domains) > 2:
            yield ALL_DOMAINS, list(domains.values())
    for seeds in by_sources.values():
        yield from ((SEEDS, pair) for pair in combinations(seeds.values(), 2))


def _compared(compared: str, group: Sequence[MaskedRun], remarks: Remarks) -> Iterator[dict[str, object]]:
    head = group[0]
    common = set.intersection(*(set(run.sources) for run in group))
    names = [f"seed {run.seed}" if compared == SEEDS else "+".join(run.sources) for run in group]
    for modality in head.masks:
        if not all(modality in run.masks for run in group):
            remarks.add(head.row, f"{' and '.join(names)}: not all have a {modality} mask, so it is not compared")
            continue
        widths = [len(run.masks[modality]) for run in group]
        if len(set(widths)) > 1:
            sizes = " and ".join(map(str, widths))
            remarks.add(
                head.row,
                f"{' and '.join(names)} have {modality} masks of {sizes} features, so that no position of one is one "
                "of the other; compare runs of one width",
            )
            continue
        found = overlap_of([run.selected[modality] for run in group])
        yield {
            "row": head.row,
            "compared": compared,
            "seed": head.seed if compared != SEEDS else -1,
            "between": " & ".join(names),
            "common_source": "+".join(sorted(common)),
            "modality": modality,
            "num_features": found.num_features,
            "sizes": " & ".join(map(str, found.sizes)),
            "shared": found.shared,
            "jaccard": found.jaccard,
            "expected": found.expected,
            "low": found.low,
            "high": found.high,
            "p": found.p,
            "p_bh": float("nan"),
        }


def _told(part: pd.DataFrame) -> str:
    """Mean overlap by modality, against chance."""
    sentences = []
    for modality, rows in part.groupby("modality", sort=False):
        known = rows[rows["p"].notna()]
        beyond, above = int((known["p_bh"] < LEVEL).sum()), int((known["shared"] > known["expected"]).sum())
        sentences.append(
            f"{modality} {rows['shared'].mean():.1f} positions (Jaccard {rows['jaccard'].mean():.2f}) where chance "
            f"gives {rows['expected'].mean():.1f} ({rows['low'].mean():.1f} to {rows['high'].mean():.1f}); more than "
            f"its mean in {above} of {len(known)} that leave chance a choice, significantly more in {beyond}"
        )
    return "; ".join(sentences)


def _caption(table: pd.DataFrame) -> str:
    pairs = table[table["compared"] == DOMAINS]
    if pairs.empty:
        sentence = "No two runs of one row and seed were trained on different domains."
        if table.empty:
            return f"{sentence} No overlap is shown."
        return f"{sentence} Between seeds of one domain, whose initial weights differ: {_told(table)}."
    sentences = [
        f"Positions that two runs of one row and seed, trained on different domains, both select, in the mean over "
        f"{number_of(len(pairs.drop_duplicates(['row', 'seed', 'between'])), 'pair')} of runs: {_told(pairs)}. Chance "
        f"is hypergeometric, for masks that keep as many; its 95 % range is in brackets; level {LEVEL:g}, one-sided, "
        "Benjamini-Hochberg over all pairs. No clip is read."
    ]
    if not pairs["common_source"].eq("").all():
        sentences.append("Some pairs have a source domain in common, which alone makes them alike.")
    together = table[table["compared"] == ALL_DOMAINS]
    if not together.empty:
        sentences.append(f"Selected in all domains at once: {_told(together)}.")
    control = table[table["compared"] == SEEDS]
    if not control.empty:
        sentences.append(f"Between seeds of one domain, whose initial weights differ: {_told(control)}.")
    return " ".join([*sentences, _verdict(pairs, control)])


def _verdict(pairs: pd.DataFrame, control: pd.DataFrame) -> str:
    share, by_chance = _share_beyond(pairs), _share_beyond(control)
    if np.isnan(share):
        return "Every mask of these pairs kept everything, or nothing: there is no overlap to compare with chance."
    if share > 0.5 and not share <= by_chance:
        return (
            f"That domains select the same features is supported: {100 * share:.0f} % of the comparisons are beyond "
            "chance. It need not mean that the features are invariant: one initialisation can make the same positions "
            "easy to reject whatever the domain."
        )
    return (
        f"That domains select the same features is not supported: {100 * share:.0f} % of the comparisons are beyond "
        f"chance{'' if np.isnan(by_chance) else f', and {100 * by_chance:.0f} % of those between seeds'}."
    )


def _share_beyond(pairs: pd.DataFrame) -> float:
    """How many comparisons are beyond chance, of those that leave it a choice; NaN where none does."""
    known = pairs[pairs["p"].notna()]
    return float((known["p_bh"] < LEVEL).mean()) if len(known) else float("nan")


def _alternative(table: pd.DataFrame) -> str:
    pairs = table[table["compared"] == DOMAINS]
    pairs = table if pairs.empty else pairs
    if pairs.empty:
        return "No figure."
    modalities = listed(list(dict.fromkeys(pairs["modality"])))
    return f"Points of shared {modalities} positions, less what chance gives, over its ranges in grey. {_told(pairs)}."
