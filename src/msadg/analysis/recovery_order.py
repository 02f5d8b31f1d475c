"""When does learning in order help? By redundancy of video with text, and by how far the target's shortcut has turned.

A run that learns its modalities in order (T>V) is held against one that learns them at once (T&V) and against ERM, on
the same seeds, sources and simulated features. With rho the strength of the shortcut in a domain
(``extraction.simulated_truth``) and rho_s its mean over the sources, the shift of a target is

    shift = (1 - rho / rho_s) / 2        0: the shortcut holds there; 1/2: there is none; 1: it is reversed

so that of ``corpora.simulated_shift``, with simulated-a and simulated-b as sources, is what their names say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

import numpy as np
import pandas as pd

from msadg.analysis.measurement import Measurement
from msadg.analysis.recovery_order_runs import Cell, Cells, cells_of, predictions_by_target, strengths_of
from msadg.analysis.recovery_order_words import COMPLEMENTARY, alternative_of, caption_of, shown
from msadg.analysis.remarks import Remarks
from msadg.analysis.selected import measure_recovery
from msadg.metrics.confusion import f1_macro
from msadg.protocols.run import TrainedRun
from msadg.results.predictions import Predictions
from msadg.results.statistics import Interval, holm, paired_cluster_bootstrap, t_interval

NAME = "learning-in-order"

DRAWS = 20_000
"""Of the bootstrap: p goes down to 1e-4, so that a hundred differences can still be told from chance after Holm."""

COLUMNS = (
    "measure", "row", "against", "sources", "target", "rho", "shift", "redundancy", "num_seeds", "mean",
    "low", "high", "videos_low", "videos_high", "p", "p_holm", "by_chance",
)  # fmt: skip

NOTHING_AT_ONCE = (
    "nothing learned in order can be held against something learned at once: add runs of ERM, or of S2LIF with all "
    "modalities in one stage (text&video), with the same sources, alpha, redundancy and seeds"
)

Said = Mapping[int, Mapping[str, Predictions]]
"""Seed -> target -> predictions."""


def measure(runs: Sequence[TrainedRun]) -> Measurement | None:
    """One row for each score, difference and complementary share; None where nothing was learned at two redundancies.

    ``low`` and ``high`` are of the 95 % t-interval over seeds. A difference has those of the paired bootstrap over the
    target's videos as well (``videos_low``, ``videos_high``); its p is adjusted by Holm for all those of the table.
    """
    remarks = Remarks()
    cells = cells_of(runs, remarks)
    if not cells:
        return None
    said = {cell: {seed: predictions_by_target(run) for seed, run in seeds.items()} for cell, seeds in cells.items()}
    scores = [row for cell in cells for row in _scores(cell, cells[cell], said[cell], remarks)]
    differences = [row for pair in _pairs(cells) for row in _differences(*pair, cells, said)]
    shares = [row for cell in cells for row in _complementary(cell, cells[cell])]
    table = pd.DataFrame([*scores, *differences, *shares], columns=list(COLUMNS))
    table["p_holm"] = holm(list(table["p"].astype(np.float64)))
    return Measurement(
        name=NAME,
        title="When learning in order helps",
        caption=caption_of(table, num_clips=_num_clips(said, set(shown(table)["sources"]))),
        alternative=alternative_of(table),
        table=table,
        warnings=remarks.told() if differences else (*remarks.told(), NOTHING_AT_ONCE),
    )


def _num_clips(said: Mapping[Cell, Said], sources: Set[str]) -> int:
    """Of the largest target of the runs on these sources."""
    chosen = [seeds for cell, seeds in said.items() if "+".join(cell.sources) in sources]
    return max(len(p.clip_id) for seeds in chosen for targets in seeds.values() for p in targets.values())


def _identity(cell: Cell, interval: Interval) -> dict[str, object]:
    return {
        "row": cell.label,
        "sources": "+".join(cell.sources),
        "redundancy": cell.redundancy,
        "num_seeds": interval.num_values,
        "mean": interval.mean,
        "low": interval.mean - interval.half,
        "high": interval.mean + interval.half,
    }


def _score(said: Predictions) -> float:
    return f1_macro(said.predicted, said.sentiment, said.label_set.num_classes)


def _scores(cell: Cell, runs: Mapping[int, TrainedRun], said: Said, remarks: Remarks) -> Iterator[dict[str, object]]:
    strengths = strengths_of(next(iter(runs.values())))
    if not strengths:
        remarks.add(cell.label, "the sources have no shortcut, so that no target has a shift")
    for target, (rho, shift) in strengths.items():
        values = [_score(targets[target]) for targets in said.values() if target in targets]
        place = {"target": target, "rho": rho, "shift": shift}
        yield {"measure": "f1_macro"} | _identity(cell, t_interval(values)) | place


def _pairs(cells: Cells) -> Iterator[tuple[Cell, Cell]]:
    """Each cell that learns in order, with each that learns the same at once."""
    return ((one, other) for one in cells for other in cells if other.is_reference_of(one))


def _differences(one: Cell, other: Cell, cells: Cells, said: Mapping[Cell, Said]) -> Iterator[dict[str, object]]:
    seeds = [seed for seed in said[one] if seed in said[other]]
    strengths = strengths_of(next(iter(cells[one].values())))
    for target, (rho, shift) in strengths.items():
        both = [(said[one][s][target], said[other][s][target]) for s in seeds if target in said[other][s]]
        if not both:
            continue
        interval = t_interval([_score(a) - _score(b) for a, b in both])
        drawn = paired_cluster_bootstrap([a for a, _ in both], [b for _, b in both], draws=DRAWS)
        yield {
            "measure": "f1_macro_difference",
            **_identity(one, interval),
            "against": other.label,
            "target": target,
            "rho": rho,
            "shift": shift,
            "videos_low": drawn.low,
            "videos_high": drawn.high,
            "p": drawn.p,
        }


def _complementary(cell: Cell, runs: Mapping[int, TrainedRun]) -> Iterator[dict[str, object]]:
    """Of a cell whose masks select: the share of the selected invariant video (or audio) that complements text."""
    found = [measure_recovery(run).get("recovery", {}) for run in runs.values()]
    for modality in ("video", "audio"):
        shares = [f[modality] for f in found if modality in f and not np.isnan(f[modality]["complementary_share"])]
        if shares and cell.masks.startswith("learned"):
            interval = t_interval([share["complementary_share"] for share in shares])
            chance = float(np.mean([share["complementary_share_by_chance"] for share in shares]))
            yield {"measure": f"{COMPLEMENTARY}{modality}", "by_chance": chance} | _identity(cell, interval)
