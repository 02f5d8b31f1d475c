"""Figure 4, second half: positions that runs on different domains share, over what chance would give."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from msadg.analysis.measurement import Measurement
from msadg.analysis.selection_overlap import ALL_DOMAINS, DOMAINS, SEEDS
from msadg.report.curves import style_of
from msadg.report.figures.groups import MOST_GROUPS
from msadg.report.names import printed

KINDS = (DOMAINS, ALL_DOMAINS, SEEDS)
"""Of comparisons, from top to bottom."""
PANEL_INCHES = 2.6
LETTER = 0.06
"""Inches of a letter beside the axis."""
CONTROL = "two seeds (control)"


def draw(measurement: Measurement) -> Figure:
    """A panel for each modality; by what is compared, a point for each seed over its range of chance."""
    table = measurement.table
    named = table["between"].map(_named)
    table = table.assign(between=named.where(table["compared"] != SEEDS, CONTROL))
    table.loc[table["compared"] == ALL_DOMAINS, "between"] = "all of them"
    table = table.sort_values("compared", key=lambda kinds: kinds.map(KINDS.index), kind="stable")
    rows = list(dict.fromkeys(table["row"]))
    shown = rows[:MOST_GROUPS]
    between, modalities = list(dict.fromkeys(table["between"])), list(dict.fromkeys(table["modality"]))
    beside = LETTER * max((len(name) for name in between), default=0)
    height = 0.09 * (len(shown) + 1) * len(between) + 0.9 + 0.2 * len(shown)
    figure = Figure(figsize=(PANEL_INCHES * len(modalities) + beside, height), dpi=150, layout="constrained")
    panels = figure.subplots(1, len(modalities), squeeze=False, sharey=True)[0]
    for axes, modality in zip(panels, modalities, strict=True):
        axes.grid(axis="x", linewidth=0.4, color="0.88")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        part = table[table["modality"] == modality]
        for number, row in enumerate(shown):
            offset = (number - (len(shown) - 1) / 2) * 0.8 / len(shown)
            for place, pair in enumerate(between):
                cell = part[(part["row"] == row) & (part["between"] == pair)]
                _draw_cell(axes, cell, place + offset, 0.7 / len(shown), number)
        axes.set_title(modality, fontsize=8)
        axes.set_xlabel("shared positions,\nless those by chance")
        axes.axvline(0, color="0.5", linewidth=0.8, zorder=0)
    panels[0].set_yticks(range(len(between)), between, fontsize=7, parse_math=False)
    panels[0].set_ylim(len(between) - 0.4, -0.6)
    _name_rows(figure, shown, len(rows) - len(shown))
    return figure


def _draw_cell(axes: Axes, cell: pd.DataFrame, place: float, height: float, number: int) -> None:
    if cell.empty:
        return
    more, low, high = ((cell[name] - cell["expected"]).to_numpy(np.float64) for name in ("shared", "low", "high"))
    at = place + np.linspace(-0.4, 0.4, len(cell)) * height if len(cell) > 1 else np.array([place])
    axes.hlines(at, low, high, color="0.8", linewidth=2.5 if len(cell) < 7 else 1)
    axes.plot(more, at, markersize=3, **{**style_of(number), "linestyle": ""})


def _named(pair: str) -> str:
    return " and ".join("+".join(map(printed, sources.split("+"))) for sources in pair.split(" & "))


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
