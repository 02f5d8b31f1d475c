"""Calibration by domain: reliability diagrams, and the calibration error before and after temperature scaling."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from msadg.analysis.masked_runs import group_names
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
from msadg.report.names import printed

DIAGONAL = "0.6"


def draw(measurement: Measurement) -> Figure:
    """A diagram for each domain; each mark is the mean over seeds of one bin, the diagonal is perfect calibration."""
    table = measurement.table
    groups, domains = groups_of(table), domains_of(table)
    extra = [Line2D([], [], color=DIAGONAL, linewidth=0.9, label="as right as sure")]
    height = 2.5 + legend_inches(groups, 1)
    figure = Figure(figsize=(2.5 * max(len(domains), 2), height), dpi=150, layout="constrained")
    panels = figure.subplots(1, len(domains), squeeze=False, sharex=True, sharey=True)[0]
    for axes, domain in zip(panels, domains, strict=True):
        plain_axes(axes)
        axes.plot([0, 1], [0, 1], color=DIAGONAL, linewidth=0.9)
        for group, style in styles_of(groups).items():
            part = of_group(table, group)
            _draw_bins(axes, part[part["domain"] == domain], style)
        axes.set_title(titled(table, domain), fontsize=8)
        axes.set_xlabel("confidence")
    panels[0].set_xlim(max(0.0, float(table["confidence"].min()) - 0.03), 1.01)
    panels[0].set_ylim(0, 1.02)
    panels[0].set_ylabel("share of right answers")
    name_groups(figure, groups, extra, left_out=num_left_out(table))
    return figure


def _draw_bins(axes: Axes, part: pd.DataFrame, style: Style) -> None:
    if part.empty:
        return
    mean = part.groupby("bin")[["confidence", "share_right"]].mean()
    axes.plot(mean["confidence"], mean["share_right"], markersize=3.5, **style)


def draw_errors(measurement: Measurement) -> Figure:
    """For each domain and row the calibration error before (hollow) and after (filled), means over seeds."""
    table = measurement.table
    groups, domains = groups_of(table), domains_of(table)
    names = group_names(groups)
    longest = max(len(printed(names[group])) for group in groups)
    width = 2.1 * max(len(domains), 2) + 0.06 * longest
    figure = Figure(figsize=(width, 0.9 + 0.26 * len(groups) + 0.35), dpi=150, layout="constrained")
    panels = figure.subplots(1, len(domains), squeeze=False, sharey=True, sharex=True)[0]
    for axes, domain in zip(panels, domains, strict=True):
        plain_axes(axes)
        axes.grid(axis="x", linewidth=0.4, color="0.88")
        for place, (group, style) in enumerate(styles_of(groups).items()):
            part = of_group(table, group)
            _draw_change(axes, place, part[part["domain"] == domain], style)
        axes.set_title(titled(table, domain), fontsize=8)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.set_xlabel("ECE")
    panels[0].set_xlim(left=0)
    panels[0].set_yticks(range(len(groups)), [printed(names[group]) for group in groups], parse_math=False)
    panels[0].set_ylim(len(groups) - 0.5, -0.5)
    look = {"color": "0.3", "marker": "o", "linestyle": "", "markersize": 4}
    handles = [
        Line2D([], [], markerfacecolor="white", label="before", **look),  # type: ignore[arg-type]
        Line2D([], [], label="after temperature scaling", **look),  # type: ignore[arg-type]
    ]
    left_out = num_left_out(table)
    title = f"{left_out} more in the table" if left_out else None
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, title=title, title_fontsize=7)
    return figure


def _draw_change(axes: Axes, place: int, part: pd.DataFrame, style: Style) -> None:
    if part.empty:
        return
    before, after = part["ece_before"].mean(), part["ece_after"].mean()
    axes.plot([before, after], [place, place], color=style["color"], linewidth=1)
    mark = {**style, "linestyle": "", "markersize": 4.5}
    axes.plot([before], [place], **{**mark, "markerfacecolor": "white"})
    axes.plot([after], [place], **mark)


def domains_of(table: pd.DataFrame) -> list[str]:
    """The domains in the order met: sources first."""
    return list(dict.fromkeys(table["domain"]))


def titled(table: pd.DataFrame, domain: str) -> str:
    """The domain, and whether it is a source or a target, where that is the same for all runs."""
    roles = set(table.loc[table["domain"] == domain, "role"])
    return f"{domain} ({roles.pop()})" if len(roles) == 1 else domain
