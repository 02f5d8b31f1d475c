"""Figure 5: keep ratio by epoch, a panel for each modality."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

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
from msadg.results.statistics import t_interval


def draw(measurement: Measurement) -> Figure:
    """Mean over seeds with its 95 % t-interval; dots where the kept weights are from."""
    table = measurement.table
    groups, modalities = groups_of(table), list(dict.fromkeys(table["modality"]))
    height = 2.4 + legend_inches(groups)
    figure = Figure(figsize=(2.6 * max(len(modalities), 2), height), dpi=150, layout="constrained")
    panels = figure.subplots(1, len(modalities), squeeze=False, sharey=True)[0]
    for axes, modality in zip(panels, modalities, strict=True):
        plain_axes(axes)
        for group, style in styles_of(groups).items():
            part = of_group(table, group)
            _draw_group(axes, part[part["modality"] == modality], style)
        axes.set_title(modality, fontsize=8)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_xlabel("epoch")
        axes.set_ylim(0, 103)
    panels[0].set_ylabel("features kept, %")
    name_groups(figure, groups, left_out=num_left_out(table))
    return figure


def _draw_group(axes: Axes, part: pd.DataFrame, style: Style) -> None:
    if part.empty:
        return
    by_epoch = part.groupby("epoch")["keep_ratio"].apply(lambda ratios: t_interval(list(100 * ratios)))
    epochs = by_epoch.index.to_numpy()
    mean, half = np.array([(found.mean, found.half) for found in by_epoch]).T
    axes.plot(epochs, mean, **{**style, "marker": "" if len(epochs) > 1 else style["marker"]})
    low, high = np.clip([mean - half, mean + half], 0, 100)
    axes.fill_between(epochs, low, high, color=style["color"], alpha=0.15, linewidth=0)
    kept = part[part["is_kept"]]
    axes.plot(kept["epoch"], 100 * kept["keep_ratio"], markersize=3, **{**style, "linestyle": ""})
