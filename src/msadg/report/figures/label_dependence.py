"""Figure 8 by features: how much the label explains of each, selected against rejected."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from msadg.analysis.measurement import Measurement
from msadg.report.figures.groups import (
    Line,
    draw_in_order,
    groups_of,
    legend_inches,
    name_groups,
    num_left_out,
    of_group,
    plain_axes,
    styles_of,
)

LINES: dict[bool, Line] = {True: "-", False: ":"}


def draw(measurement: Measurement) -> Figure:
    """A panel for each modality: eta squared of the features in order."""
    table = measurement.table
    groups, modalities = groups_of(table), list(dict.fromkeys(table["modality"]))
    height = 2.4 + legend_inches(groups, 2)
    figure = Figure(figsize=(2.6 * max(len(modalities), 2), height), dpi=150, layout="constrained")
    panels = figure.subplots(1, len(modalities), squeeze=False, sharey=True)[0]
    for axes, modality in zip(panels, modalities, strict=True):
        plain_axes(axes)
        part = table[table["modality"] == modality]
        for group, style in styles_of(groups).items():
            rows = of_group(part, group)
            for selected, line in LINES.items():
                shown = rows[rows["selected"].astype(bool) == selected]
                draw_in_order(axes, shown, "eta_squared", {**style, "linestyle": line}, scale=100, has_band=selected)
        axes.set_title(modality, fontsize=8)
        axes.set_xlabel("features in order, %")
    panels[0].set_ylim(bottom=0)  # once all is drawn: a limit set before is not widened
    panels[0].set_ylabel("explained by the label\n(eta squared), %")
    lines = [
        Line2D([], [], color="0.2", linestyle=line, label="selected" if selected else "rejected")
        for selected, line in LINES.items()
    ]
    name_groups(figure, groups, lines, num_left_out(table))
    return figure
