"""Deletion curves: the predicted class's probability as steps or features go, by evidence, in reverse and at random."""

from __future__ import annotations

from typing import Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from msadg.analysis.measurement import Measurement
from msadg.report.curves import Style
from msadg.report.figures.groups import (
    groups_of,
    legend_inches,
    name_groups,
    num_left_out,
    of_group,
    plain_axes,
    styles_of,
)
from msadg.report.figures.reliability import domains_of, titled
from msadg.types import MODALITIES

LINES: dict[str, Literal["-", ":", "--"]] = {"evidence": "-", "random": ":", "reverse": "--"}
WORDS = {"evidence": "by evidence", "random": "at random", "reverse": "in reverse"}
MANY_GROUPS = 3
"""Of more groups the reverse order is left out, for the panels would be full."""


def draw(measurement: Measurement) -> Figure:
    """A row of panels for each domain and unit, a column for each modality; means over clips and seeds."""
    table = measurement.table
    groups, domains = groups_of(table), domains_of(table)
    units = [unit for unit in ("steps", "features") if (table["unit"] == unit).any()]
    modalities = [modality for modality in MODALITIES if (table["modality"] == modality).any()]
    orders = [order for order in LINES if order != "reverse" or len(groups) <= MANY_GROUPS]
    colour = "0.2" if len(groups) > 1 else str(styles_of(groups)[groups[0]]["color"])
    handles = [Line2D([], [], color=colour, linestyle=LINES[order], label=WORDS[order]) for order in orders]
    size = (2.5 * max(len(modalities), 2), 1.9 * len(domains) * len(units) + 0.3 + legend_inches(groups, len(orders)))
    figure = Figure(figsize=size, dpi=150, layout="constrained")
    panels = figure.subplots(len(domains) * len(units), len(modalities), squeeze=False, sharex=True, sharey=True)
    probabilities = table[(table["measure"] == "probability") & (table["test"] == "deletion")]
    for row, (domain, unit) in zip(panels, [(d, u) for d in domains for u in units], strict=True):
        here = probabilities[(probabilities["domain"] == domain) & (probabilities["unit"] == unit)]
        for axes, modality in zip(row, modalities, strict=True):
            plain_axes(axes)
            _draw_panel(axes, here[here["modality"] == modality], styles_of(groups), orders)
            axes.set_title(f"{titled(table, domain)}: {modality} {unit}", fontsize=8)
        row[0].set_ylabel("probability")
    for axes in panels[-1]:
        axes.set_xlabel("share deleted, %")
    panels[0, 0].set_xlim(0, 100)
    panels[0, 0].set_xticks([0, 25, 50, 75, 100])
    name_groups(figure, groups, handles, left_out=num_left_out(table))
    return figure


def _draw_panel(axes: Axes, part: pd.DataFrame, styles: dict[tuple[str, str], Style], orders: list[str]) -> None:
    for group, style in styles.items():
        own = of_group(part, group)
        for order in orders:
            mean = own[own["order"] == order].groupby("share")["value"].mean()
            if len(mean):
                marker = style["marker"] if order == "evidence" else ""
                look = {**style, "linestyle": LINES[order], "marker": marker}
                axes.plot(100 * mean.index.to_numpy(), mean.to_numpy(), markersize=3, **look)
