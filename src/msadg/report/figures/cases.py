"""Cases as a figure: for each clip, the words or steps that decided its prediction (Figure 9)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from msadg.analysis.masked_runs import group_names
from msadg.analysis.measurement import Measurement
from msadg.report.curves import COLOURS
from msadg.report.names import printed

FOR, AGAINST = COLOURS[0], COLOURS[1]
MOST_CASES, MOST_BARS, COLUMNS = 12, 6, 3
PANEL_INCHES = (2.5, 1.75)
CASE = ["clip_id", "row", "sources", "seed", "kind"]


def draw(measurement: Measurement) -> Figure:
    """Draw a panel for each case: its weightiest words and steps, to the right what speaks for the prediction."""
    cases = [lines for _, lines in measurement.table.groupby(CASE, sort=False)]
    shown = cases[:MOST_CASES]
    names = group_names(list(dict.fromkeys((lines["row"].iloc[0], lines["sources"].iloc[0]) for lines in shown)))
    num_lines, num_columns = math.ceil(len(shown) / COLUMNS), min(COLUMNS, len(shown))
    width = PANEL_INCHES[0] + (0.5 if any(lines["simulated"].any() for lines in shown) else 0)
    height = PANEL_INCHES[1] + (0.12 if len(names) > 1 else 0)
    figure = Figure(figsize=(width * num_columns, height * num_lines + 0.3), dpi=150, layout="constrained")
    panels = list(figure.subplots(num_lines, num_columns, squeeze=False).flat)
    for axes, lines in zip(panels, shown, strict=False):
        _draw_case(axes, lines)
        axes.set_title(_title(lines.iloc[0], names), fontsize=7, loc="left", parse_math=False)
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    more = f"\n{len(cases) - len(shown)} more in the table" if len(cases) > len(shown) else ""
    figure.supxlabel(f"share of all that speaks for (solid) or against (hatched) the prediction{more}", fontsize=8)
    return figure


def _draw_case(axes: Axes, lines: pd.DataFrame) -> None:
    parts = lines[lines["part"].isin(("word", "step"))]
    if not len(parts):
        parts = lines[lines["part"] == "modality"]
    order = np.argsort(-parts["share"].abs().to_numpy(), kind="stable")[:MOST_BARS]
    shown = parts.iloc[order]
    shares = shown["share"].to_numpy()
    bars = axes.barh(range(len(shown)), shares, color=[FOR if share > 0 else AGAINST for share in shares], height=0.7)
    for bar, share in zip(bars, shares, strict=True):
        bar.set_hatch("" if share > 0 else "////")
        bar.set_edgecolor("white")
    named = shown[["modality", "simulated", "part", "place", "word"]]
    labels = [_label(*values) for values in named.itertuples(index=False)]
    axes.set_yticks(range(len(shown)), labels, fontsize=7, parse_math=False)
    axes.set_ylim(MOST_BARS - 0.4, -0.6)
    axes.axvline(0, linewidth=0.8, color="0.4")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=7)


def _title(case: pd.Series, names: Mapping[tuple[str, str], str]) -> str:
    """Domain, kind and prediction; above them the run, where there are several."""
    run = f"{printed(names[case['row'], case['sources']])}\n" if len(names) > 1 else ""
    said = f"{case['predicted']} ({case['confidence']:.2f})"
    truth = "" if case["predicted"] == case["truth"] else f", truth {case['truth']}"
    return f"{run}{case['domain']}: {case['kind']}\n{said}{truth}"


def _label(modality: str, simulated: bool, part: str, place: int, word: str) -> str:
    if part == "word":
        return word if len(word) <= 14 else f"{word[:13]}…"
    return f"{'simulated ' if simulated else ''}{modality}{f' {place}' if part == 'step' else ''}"
