"""Accuracy and macro-F1 on the clips that a model is surest of, by domain."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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

MEASURES = {"accuracy": "accuracy", "f1_macro": "macro-F1"}


def draw(measurement: Measurement) -> Figure:
    """A column for each domain; means over seeds and, as a band, from the lowest to the highest seed."""
    table = measurement.table
    groups, domains = groups_of(table), domains_of(table)
    height = 2.0 * len(MEASURES) + 0.3 + legend_inches(groups)
    figure = Figure(figsize=(2.5 * max(len(domains), 2), height), dpi=150, layout="constrained")
    panels = figure.subplots(len(MEASURES), len(domains), squeeze=False, sharex=True, sharey="row")
    for row, (measure, name) in zip(panels, MEASURES.items(), strict=True):
        for axes, domain in zip(row, domains, strict=True):
            plain_axes(axes)
            for group, style in styles_of(groups).items():
                part = of_group(table, group)
                _draw_group(axes, part[(part["domain"] == domain) & (part["measure"] == measure)], style)
        row[0].set_ylabel(name)
        row[0].set_ylim(0, 1.02)
    for axes, domain in zip(panels[0], domains, strict=True):
        axes.set_title(titled(table, domain), fontsize=8)
    for axes in panels[-1]:
        axes.set_xlabel("share of clips answered, %")
    panels[0, 0].set_xlim(0, 102)
    panels[0, 0].set_xticks([0, 25, 50, 75, 100])
    name_groups(figure, groups, left_out=num_left_out(table))
    return figure


def _draw_group(axes: Axes, part: pd.DataFrame, style: Style) -> None:
    if part.empty:
        return
    by_coverage = part.groupby("coverage")["value"].agg(["mean", "min", "max"])
    shares = 100 * by_coverage.index.to_numpy(np.float64)
    axes.plot(shares, by_coverage["mean"], markersize=3, markevery=(1, 4), **style)
    axes.fill_between(shares, by_coverage["min"], by_coverage["max"], color=style["color"], alpha=0.12, linewidth=0)
