"""Figure 8 as the paper has it: the share of selected, and of rejected, features that depend on the label."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from msadg.analysis.masked_runs import group_names
from msadg.analysis.measurement import Measurement
from msadg.report.curves import COLOURS
from msadg.report.figures.groups import groups_of, num_left_out, of_group
from msadg.report.names import printed

BARS = {"selected": COLOURS[0], "rejected": "0.75"}


def draw(measurement: Measurement) -> Figure:
    """A panel for each modality, two bars for each group: mean over seeds, a dot for each run."""
    table = measurement.table
    groups, modalities = groups_of(table), list(dict.fromkeys(table["modality"]))
    names = group_names(groups)
    letters = max(len(name) for name in names.values())
    width = 1.9 * len(modalities) + 0.075 * letters
    figure = Figure(figsize=(max(width, 3.6), 1.0 + 0.45 * len(groups)), dpi=150, layout="constrained")
    panels = figure.subplots(1, len(modalities), squeeze=False, sharey=True)[0]
    for axes, modality in zip(panels, modalities, strict=True):
        axes.grid(axis="x", linewidth=0.4, color="0.88")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        part = table[table["modality"] == modality]
        for place, group in enumerate(groups):
            _draw_bars(axes, of_group(part, group), place)
        axes.set_title(modality, fontsize=8)
        axes.set_xlim(0, 105)
        axes.set_xlabel("depend on the label, %")
    panels[0].set_yticks(range(len(groups)), [printed(names[group]) for group in groups])
    for text in panels[0].get_yticklabels():
        text.set_parse_math(False)
    panels[0].set_ylim(len(groups) - 0.5, -0.5)
    handles = [Patch(color=colour, label=name) for name, colour in BARS.items()]
    left_out = num_left_out(table)
    title = f"{left_out} more in the table" if left_out else None
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, title=title, title_fontsize=7)
    return figure


def _draw_bars(axes: Axes, part: pd.DataFrame, place: int) -> None:
    if part.empty:
        return  # no mask on this modality
    for side, (name, colour) in zip((-0.2, 0.2), BARS.items(), strict=True):
        shares = 100 * part[f"{name}_dependent"].dropna().to_numpy(np.float64)
        if not len(shares):
            axes.text(1, place + side, f"none {name}", ha="left", va="center", fontsize=7, color="0.3")
            continue
        axes.barh(place + side, shares.mean(), height=0.36, color=colour)
        if len(shares) > 1:
            at = place + side + np.linspace(-0.1, 0.1, len(shares))
            axes.plot(shares, at, linestyle="", marker="o", markersize=2, color="black")
