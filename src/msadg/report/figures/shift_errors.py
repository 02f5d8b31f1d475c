"""How well a clip's distance from the sources foretells errors, by space and modality, beside the model's doubt."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from msadg.analysis.measurement import Measurement
from msadg.analysis.shift_errors import cells
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

ORDER = ("doubt", "input", "hidden", "selected", "rejected")


def draw(measurement: Measurement) -> Figure:
    """A panel for each domain, a line for each score, a mark with its interval for each row."""
    known = measurement.table[measurement.table["auroc"].notna()]
    table = known if len(known) else measurement.table
    styles = styles_of(groups_of(measurement.table))  # a row without any area keeps its colour for other figures
    groups = [group for group in styles if not of_group(table, group).empty]
    domains, scores = domains_of(table), _scores_of(table)
    mean = cells(table)
    line_inches = 0.11 * len(groups) + 0.1
    height = 0.8 + line_inches * len(scores) + legend_inches(groups)
    figure = Figure(figsize=(0.9 + 2.2 * max(len(domains), 2), height), dpi=150, layout="constrained")
    panels = figure.subplots(1, len(domains), squeeze=False, sharey=True, sharex=True)[0]
    for axes, domain in zip(panels, domains, strict=True):
        plain_axes(axes)
        axes.grid(axis="x", linewidth=0.4, color="0.88")
        axes.axvline(0.5, color="0.5", linewidth=0.9)
        for number, group in enumerate(groups):
            part = of_group(mean, group)
            aside = 0.7 * ((number + 0.5) / len(groups) - 0.5)
            _draw_group(axes, part[part["domain"] == domain], scores, aside, styles[group])
        axes.set_title(titled(table, domain), fontsize=8)
        axes.set_xlabel("AUROC for errors")
    panels[0].set_yticks(range(len(scores)), [" ".join(score).strip() for score in scores])
    panels[0].set_ylim(len(scores) - 0.5, -0.5)
    name_groups(figure, groups, left_out=num_left_out(measurement.table), styles=styles)
    return figure


def _scores_of(table: pd.DataFrame) -> list[tuple[str, str]]:
    """(score, modality), doubt first, then from the input to what the mask rejects."""
    found = dict.fromkeys(zip(table["score"], table["modality"], strict=True))
    return sorted(found, key=lambda score: ORDER.index(score[0]))


def _draw_group(axes: Axes, part: pd.DataFrame, scores: list[tuple[str, str]], aside: float, style: Style) -> None:
    known = part[part["auroc"].notna()]
    if known.empty:
        return
    places = [scores.index(score) + aside for score in zip(known["score"], known["modality"], strict=True)]
    # Means over seeds of bounds may lie within rounding of the mean itself.
    bars = np.clip([known["auroc"] - known["low"], known["high"] - known["auroc"]], 0, None)
    axes.errorbar(known["auroc"], places, xerr=np.nan_to_num(bars), markersize=3.5, **{**style, "linestyle": ""})
