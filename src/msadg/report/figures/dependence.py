"""Figures 6 and 7: how many others a feature depends on, and how strongly, selected features against rejected ones."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from msadg.analysis.dependence import LABEL, NOTHING
from msadg.analysis.fisher import LEVEL
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

LINES: dict[tuple[str, str], Line] = {("selected", NOTHING): "-", ("rejected", NOTHING): ":", ("selected", LABEL): "--"}
SAID = {
    ("selected", NOTHING): "selected",
    ("rejected", NOTHING): "rejected",
    ("selected", LABEL): f"selected, given {LABEL}",
}


def draw(measurement: Measurement) -> Figure:
    """A column for each pair of modalities: above, the share of dependent pairs; below, mean |r|."""
    table = measurement.table
    groups = groups_of(table)
    pairs = list(dict.fromkeys(zip(table["modality"], table["other"], strict=True)))
    width = 2.6 * max(len(pairs), 2)
    figure = Figure(figsize=(width, 4.4 + legend_inches(groups, 3)), dpi=150, layout="constrained")
    panels = figure.subplots(2, len(pairs), squeeze=False, sharey="row", sharex=True)
    for column, (modality, other) in zip(panels.T, pairs, strict=True):
        part = table[(table["modality"] == modality) & (table["other"] == other)]
        for axes, measure, scale in zip(column, ("dependent", "mean_abs_r"), (100.0, 1.0), strict=True):
            plain_axes(axes)
            for group, style in styles_of(groups).items():
                rows = of_group(part, group)
                for (kept, given), line in LINES.items():
                    shown = rows[(rows["group"] == kept) & (rows["given"] == given)]
                    draw_in_order(axes, shown, measure, {**style, "linestyle": line}, scale=scale, has_band=line == "-")
        column[0].axhline(100 * LEVEL, linewidth=0.8, color="0.4")
        column[0].set_title(f"{modality} with {other}" if modality != other else f"within {modality}", fontsize=8)
        column[0].set_ylim(-2, 102)
        column[1].set_xlabel(f"{modality} features in order, %")
    panels[1, 0].set_ylim(bottom=0)  # once all is drawn: a limit set before is not widened
    panels[0, 0].set_ylabel("pairs called dependent, %")
    panels[1, 0].set_ylabel("mean |r| of its pairs")
    lines = [Line2D([], [], color="0.2", linestyle=line, label=SAID[key]) for key, line in LINES.items()]
    chance = Line2D([], [], color="0.4", linewidth=0.8, label="by chance")
    name_groups(figure, groups, [*lines, chance], num_left_out(table))
    return figure
