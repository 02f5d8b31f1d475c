"""What masks select where the truth is known: a row of panels for each share, a column for each order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from msadg.analysis.measurement import Measurement
from msadg.analysis.recovery_table import cells, shown
from msadg.report.curves import Style, style_of
from msadg.types import MODALITIES

SHOWN = {"precision": "precision", "recall": "recall", "complementary_share": "complementary\nshare"}
LABELS = {"alpha": "weight of sparsity, alpha", "redundancy": "redundancy of video with text"}
PANEL_INCHES = (2.1, 1.35)
CHANCE = (0, (1, 1.5))


def draw(measurement: Measurement) -> Figure:
    """Draw the measurement ``recovery``."""
    part, axis = shown(measurement.table)
    found = cells(part)
    orders, schedules = list(found["order"].unique()), list(found["schedule"].unique())
    rows = _rows(found)
    size = (PANEL_INCHES[0] * max(len(orders), 2) + 0.5, PANEL_INCHES[1] * len(rows) + 0.8)
    figure = Figure(figsize=size, dpi=150, layout="constrained")
    panels = figure.subplots(len(rows), len(orders), squeeze=False, sharex=True, sharey=True)
    ticks = sorted(found[axis].dropna().unique())
    for line, (share, modality) in zip(panels, rows, strict=True):
        for axes, order in zip(line, orders, strict=True):
            chosen = found[(found["share"] == share) & (found["modality"] == modality) & (found["order"] == order)]
            here = [schedule for schedule in schedules if (chosen["schedule"] == schedule).any()]
            for place, schedule in enumerate(here):
                # Beside each other, or their bars would hide one another.
                aside = (place - (len(here) - 1) / 2) * (0.12 if axis == "alpha" else 0.02)
                curve = chosen[chosen["schedule"] == schedule].sort_values(axis)
                _draw_curve(axes, curve, _places(curve, axis, ticks) + aside, style_of(schedules.index(schedule)))
            _dress(axes, ticks, axis)
        line[0].set_ylabel(f"{modality}:\n{SHOWN[share]}")
    for axes, order in zip(panels[0], orders, strict=True):
        axes.set_title(order, fontsize=8)
    for axes in panels[-1]:
        axes.set_xlabel(LABELS[axis])
    handles = [Line2D([], [], label=name, markersize=4, **style_of(number)) for number, name in enumerate(schedules)]
    handles.append(Line2D([], [], color="0.35", linestyle=CHANCE, linewidth=1.2, label="by chance"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    return figure


def _rows(found: pd.DataFrame) -> list[tuple[str, str]]:
    """The shares that there are, share by share."""
    there = {(row["share"], row["modality"]) for _, row in found.dropna(subset=["mean"]).iterrows()}
    return [(share, modality) for share in SHOWN for modality in MODALITIES if (share, modality) in there]


def _places(curve: pd.DataFrame, axis: str, ticks: Sequence[float]) -> Float[np.ndarray, " point"]:
    """Where the points of a curve lie: redundancies by their size, alphas side by side."""
    values = [float(ticks.index(value)) if axis == "alpha" else value for value in curve[axis]]
    return np.array(values, dtype=np.float64)


def _draw_curve(axes: Axes, curve: pd.DataFrame, places: Float[np.ndarray, " point"], style: Style) -> None:
    error = curve["half"].fillna(0.0)
    axes.errorbar(places, curve["mean"], yerr=error, markersize=3, elinewidth=0.8, capsize=1.5, **style)
    axes.plot(places, curve["by_chance"], color=style["color"], linestyle=CHANCE, linewidth=1.2)


def _dress(axes: Axes, ticks: Sequence[float], axis: str) -> None:
    axes.grid(axis="y", linewidth=0.4, color="0.88")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_ylim(-0.03, 1.03)
    axes.set_yticks([0, 0.5, 1])
    places = list(range(len(ticks))) if axis == "alpha" else ticks
    axes.set_xticks(places, [_said(value) for value in ticks])


def _said(value: float) -> str:
    """A tick: small weights as powers of ten.

    Example:
        >>> _said(0.0), _said(0.03), _said(0.25)
        ('0', '3e-2', '0.25')
    """
    return f"{value:.0e}".replace("e-0", "e-") if 0 < value < 0.2 else f"{value:g}"
