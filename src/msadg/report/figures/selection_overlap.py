"""Figure 4, second half: positions that runs on different domains share, over what chance would give."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from msadg.analysis.measurement import Measurement
from msadg.analysis.selection_overlap import SEEDS
from msadg.report.curves import style_of
from msadg.report.figures.groups import MOST_GROUPS, plain_axes
from msadg.report.names import printed

WIDEST = 16.0
"""Inches of the figure."""
LETTER = 0.06
"""Inches of a letter below the axis."""
CONTROL = "two seeds & (control)"


def draw(measurement: Measurement) -> Figure:
    """A panel for each modality; by what is compared, a point for each seed over its range of chance."""
    table = measurement.table.sort_values("compared", key=lambda kinds: kinds == SEEDS, kind="stable")
    table = table.assign(between=table["between"].where(table["compared"] != SEEDS, CONTROL))
    rows = list(dict.fromkeys(table["row"]))
    shown = rows[:MOST_GROUPS]
    between, modalities = list(dict.fromkeys(table["between"])), list(dict.fromkeys(table["modality"]))
    width = min(max(max(0.85, 0.25 * (len(shown) + 1)) * len(between), 1.6) * len(modalities) + 0.8, WIDEST)
    names = [_named(pair) for pair in between]
    longest = LETTER * max((len(line) for name in names for line in name.split("\n")), default=0)
    # Names that are wider than their place would run into each other.
    is_turned = longest > 0.95 * (width - 0.8) / len(modalities) / (len(between) + 0.2)
    height = 2.8 + 0.2 * len(shown) + is_turned * longest
    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    panels = figure.subplots(1, len(modalities), squeeze=False)[0]
    for axes, modality in zip(panels, modalities, strict=True):
        plain_axes(axes)
        part = table[table["modality"] == modality]
        for number, row in enumerate(shown):
            offset = (number - (len(shown) - 1) / 2) * 0.8 / len(shown)
            for place, pair in enumerate(between):
                cell = part[(part["row"] == row) & (part["between"] == pair)]
                _draw_cell(axes, cell, place + offset, 0.7 / len(shown), number)
        axes.set_title(modality, fontsize=8)
        axes.set_xticks(range(len(between)), names)
        axes.tick_params(axis="x", labelsize=7, labelrotation=90 if is_turned else 0)
        axes.set_xlim(-0.6, len(between) - 0.4)
        axes.axhline(0, color="0.5", linewidth=0.8, zorder=0)
    panels[0].set_ylabel("shared positions,\nless those by chance")
    _name_rows(figure, shown, len(rows) - len(shown))
    return figure


def _draw_cell(axes: Axes, cell: pd.DataFrame, place: float, width: float, number: int) -> None:
    if cell.empty:
        return
    more, low, high = ((cell[name] - cell["expected"]).to_numpy(np.float64) for name in ("shared", "low", "high"))
    at = place + np.linspace(-0.4, 0.4, len(cell)) * width if len(cell) > 1 else np.array([place])
    axes.vlines(at, low, high, color="0.8", linewidth=3.5 if len(cell) < 7 else 1.5)
    axes.plot(at, more, markersize=3.5, **{**style_of(number), "linestyle": ""})


def _named(pair: str) -> str:
    return "\n".join("+".join(map(printed, sources.split("+"))) for sources in pair.split(" & "))


def _name_rows(figure: Figure, rows: list[str], left_out: int) -> None:
    handles: list[Line2D | Patch] = [
        Line2D([], [], label=printed(row), markersize=4, **{**style_of(number), "linestyle": ""})
        for number, row in enumerate(rows)
    ]
    handles.append(Patch(color="0.85", label="chance, 95 %"))
    columns = max(1, int(figure.get_figwidth() / (0.075 * max(len(str(h.get_label())) for h in handles) + 0.5)))
    title = f"{left_out} more rows in the table" if left_out else None
    legend = figure.legend(
        handles=handles, loc="outside lower center", ncols=columns, frameon=False, title=title, title_fontsize=7
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
