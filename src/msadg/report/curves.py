"""Predictions under stress as a figure: one panel per modality and kind, one curve per row, its band behind it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from msadg.analysis.movement import MOVEMENTS
from msadg.analysis.perturb import KINDS
from msadg.analysis.stress import CHANGES, SCORES
from msadg.analysis.stress_curves import Curve
from msadg.report.figure_files import write_figure
from msadg.report.names import printed
from msadg.report.stress_table import MEASURE_NAMES

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Told apart by colour-blind readers, the two most alike in grey last: Okabe, Ito, "Color Universal Design", 2008."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", ":", "-.")
"""Change when the colours begin again."""

TITLES = {
    "drop": "steps dropped",
    "repeat": "steps frozen",
    "jitter": "neighbours swapped",
    "noise": "noise added",
    "missing": "modality missing",
}

PANEL_INCHES = (2.5, 2.3)
LEGEND_INCHES = 0.26
"""Height of one line of the legend."""

Style = dict[str, Any]


def write_curves(curves: Sequence[Curve], measure: str, folder: Path) -> list[Path]:
    """Write ``stress-MEASURE.png`` and ``.svg``, each whole or not at all; the same curves give the same bytes."""
    return write_figure(lambda: draw_curves(curves, measure), f"stress-{measure}", folder)


def draw_curves(curves: Sequence[Curve], measure: str) -> Figure:
    """Draw one measure: a row of panels for each modality, a column for each kind, the legend below them all."""
    shown = [curve for curve in curves if curve.measure == measure]
    modalities = list(dict.fromkeys(curve.modality for curve in shown))
    kinds = [kind for kind in KINDS if any(curve.kind == kind for curve in shown)]
    labels = list(dict.fromkeys(curve.label for curve in shown))
    styles = {label: style_of(number) for number, label in enumerate(labels)}
    names = {label: _without_layout(printed(label)) for label in labels}
    columns = _legend_columns([names[label] for label in labels], PANEL_INCHES[0] * max(len(kinds), 2))
    legend_lines = math.ceil(len(labels) / columns)
    width, height = PANEL_INCHES[0] * max(len(kinds), 2), PANEL_INCHES[1] * len(modalities)
    figure = Figure(figsize=(width, height + LEGEND_INCHES * (legend_lines + 2)), dpi=150, layout="constrained")
    panels = figure.subplots(len(modalities), len(kinds), squeeze=False)
    for row, modality in zip(panels, modalities, strict=True):
        for axes, kind in zip(row, kinds, strict=True):
            part = [curve for curve in shown if (curve.modality, curve.kind) == (modality, kind)]
            if not part:
                axes.set_axis_off()  # text does not freeze
                continue
            _draw_panel(axes, part, kind, styles, labels)
            axes.set_title(f"{modality}: {TITLES[kind]}", fontsize=8)
        next(axes for axes in row if axes.axison).set_ylabel(_unit_of(measure))
    for is_missing in (False, True):  # a whole modality may move so much more that nothing else would be seen
        columns_alike = [at for at, kind in enumerate(kinds) if (kind == "missing") == is_missing]
        _scale_alike([axes for axes in panels[:, columns_alike].flat if axes.axison], measure)
    handles = [Line2D([], [], label=names[label], markersize=4, **styles[label]) for label in labels]
    legend = figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)
    legend.set_title(_bands(shown), prop=FontProperties(size=7))
    for text in legend.get_texts():
        text.set_parse_math(False)
    return figure


def _bands(curves: Sequence[Curve]) -> str:
    about = {"seeds": "t-interval over seeds", "videos": "bootstrap over videos (one seed)"}
    said = [about[band] for band in ("seeds", "videos") if any(curve.band == band for curve in curves)]
    return f"bands: 95 %, {', '.join(said)}" if said else ""


def style_of(number: int) -> Style:
    """Colour, marker and line of the n-th label; no two of the first 28 are alike."""
    place = number % len(COLOURS)
    line = LINES[number // len(COLOURS) % len(LINES)]
    return {"color": COLOURS[place], "marker": MARKERS[place], "linestyle": line, "linewidth": 1.3}


def _scale_alike(panels: Sequence[Axes], measure: str) -> None:
    """Give panels one scale, the smallest that shows all of them; a movement begins at 0."""
    if not panels:
        return
    limits = np.array([axes.get_ylim() for axes in panels])
    low, high = limits[:, 0].min(), limits[:, 1].max()
    if measure in MOVEMENTS:
        low, high = 0.0, max(high, 0.01)
    for axes in panels:
        axes.set_ylim(low, high)


def _draw_panel(
    axes: Axes, curves: Sequence[Curve], kind: str, styles: dict[str, Style], labels: Sequence[str]
) -> None:
    axes.grid(axis="y", linewidth=0.4, color="0.88")
    if curves[0].measure in CHANGES:
        axes.axhline(0, linewidth=0.8, color="0.5")
    axes.spines[["top", "right"]].set_visible(False)
    for curve in curves:
        if kind == "missing":
            _draw_whole(axes, curve, labels.index(curve.label), styles[curve.label])
        else:
            _draw_curve(axes, curve, styles[curve.label])
    if kind == "missing":
        axes.set_xlim(-0.6, len(labels) - 0.4)
        axes.set_xticks([])
        axes.set_xlabel("all steps")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        axes.set_xlim(left=0)
        axes.set_xlabel("share of steps, %")


def _draw_curve(axes: Axes, curve: Curve, style: Style) -> None:
    rates, means, low, high = np.array([(100 * p.rate, p.mean, p.low, p.high) for p in curve.points]).T
    axes.plot(rates, means, markersize=3, **style)
    axes.fill_between(rates, low, high, color=style["color"], alpha=0.15, linewidth=0)


def _draw_whole(axes: Axes, curve: Curve, place: int, style: Style) -> None:
    """The point of a whole modality gone; a hollow one where the run stands without that."""
    before, after = curve.points[0], curve.points[-1]
    if curve.measure in SCORES:
        axes.plot([place], [before.mean], markersize=5, markerfacecolor="white", **style | {"linestyle": ""})
    error = None if math.isnan(after.low) else [[after.mean - after.low], [after.high - after.mean]]
    axes.errorbar([place], [after.mean], yerr=error, markersize=5, capsize=2, **style | {"linestyle": ""})


def _unit_of(measure: str) -> str:
    if measure in ("polarity_shift", "mae", "mae_change"):
        return f"{MEASURE_NAMES[measure]}, points"
    return MEASURE_NAMES[measure] if measure in CHANGES else f"{MEASURE_NAMES[measure]}, 0 to 1"


def _without_layout(label: str) -> str:
    """A label as a legend takes it: one that begins with an underscore would be left out."""
    return f" {label}" if label.startswith("_") else label


def _legend_columns(names: Sequence[str], width_inches: float) -> int:
    """How many entries fit beside each other: a letter of 8 points is about 0.075 inches wide, a handle 0.5."""
    widest = max(0.075 * len(name) + 0.5 for name in names)
    return max(1, min(len(names), int(width_inches / widest)))
