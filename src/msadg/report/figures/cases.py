"""Cases as a figure: for each clip, the words or steps that decided its prediction (Figure 9)."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from msadg.analysis.measurement import Measurement
from msadg.report.curves import COLOURS

FOR, AGAINST = COLOURS[0], COLOURS[1]
MOST_CASES, MOST_BARS, COLUMNS = 12, 6, 3
PANEL_INCHES = (2.5, 1.75)


def draw(measurement: Measurement) -> Figure:
    """Draw a panel for each case: its weightiest words and steps, to the right what speaks for the prediction."""
    clip_ids = list(dict.fromkeys(measurement.table["clip_id"]))[:MOST_CASES]
    num_lines = math.ceil(len(clip_ids) / COLUMNS)
    num_columns = min(COLUMNS, len(clip_ids))
    figure = Figure(
        figsize=(PANEL_INCHES[0] * num_columns, PANEL_INCHES[1] * num_lines + 0.3), dpi=150, layout="constrained"
    )
    panels = list(figure.subplots(num_lines, num_columns, squeeze=False).flat)
    for axes, clip_id in zip(panels, clip_ids, strict=False):
        _draw_case(axes, measurement.table[measurement.table["clip_id"] == clip_id])
    limits = np.array([axes.get_xlim() for axes in panels[: len(clip_ids)]])
    for axes in panels[: len(clip_ids)]:
        axes.set_xlim(limits[:, 0].min(), limits[:, 1].max())
    for axes in panels[len(clip_ids) :]:
        axes.set_axis_off()
    figure.supxlabel("share of all that speaks for (solid) or against (hatched) the prediction", fontsize=8)
    return figure


def _draw_case(axes: Axes, lines: pd.DataFrame) -> None:
    first = lines.iloc[0]
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
    labels = [_label(*values) for values in shown[["modality", "part", "place", "word"]].itertuples(index=False)]
    axes.set_yticks(range(len(shown)), labels, fontsize=7, parse_math=False)
    axes.set_ylim(MOST_BARS - 0.4, -0.6)
    axes.axvline(0, linewidth=0.8, color="0.4")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=7)
    said = f"{first['predicted']} ({first['confidence']:.2f})"
    truth = "" if first["predicted"] == first["truth"] else f", truth {first['truth']}"
    axes.set_title(f"{first['domain']}: {first['kind']}\n{said}{truth}", fontsize=7, loc="left", parse_math=False)


def _label(modality: str, part: str, place: int, word: str) -> str:
    if part == "word":
        return word if len(word) <= 14 else f"{word[:13]}…"
    return f"{modality} {place}" if part == "step" else modality
