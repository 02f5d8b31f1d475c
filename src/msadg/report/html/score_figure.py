"""The last columns of a table as a figure: the mean over the targets of each row, with its interval."""

from __future__ import annotations

import math
from typing import Any

from matplotlib.figure import Figure

from msadg.metrics.by_domain import LOWER_IS_BETTER
from msadg.report.curves import COLOURS, MARKERS
from msadg.report.html.grid import marked, told_interval
from msadg.report.names import printed
from msadg.report.tables import Cell, Table

SUMMARIES = ("mean_target", "worst_target")
WIDTH_INCHES, ROW_INCHES = 6.4, 0.26


def summary_cells(table: Table) -> list[tuple[str, dict[str, Cell]]]:
    """The label of each row that has a summary, as in the table, and its cells by summary.

    A list, since two rows may have one label: a method, and the same one chosen on the target.
    """
    places = {column.domain: at for at, column in enumerate(table.columns) if column.domain in SUMMARIES}
    found = [
        (marked(row), {name: cell for name, at in places.items() if (cell := row.cells[at]) is not None})
        for row in table.rows
    ]
    return [(label, cells) for label, cells in found if cells]


def draw_scores(table: Table) -> Figure:
    """Draw a line for each row: mean and worst target, with 95 % t-intervals over seeds where there are several."""
    rows = summary_cells(table)
    figure = Figure(figsize=(WIDTH_INCHES, 0.95 + ROW_INCHES * len(rows)), dpi=150, layout="constrained")
    axes = figure.subplots()
    for place, name in enumerate(SUMMARIES):
        style: dict[str, Any] = {"color": COLOURS[place], "marker": MARKERS[place], "markersize": 4, "linestyle": ""}
        heights, means, halves = [], [], []
        for at, (_, cells) in enumerate(rows):
            if name in cells:
                heights.append(at + (-0.13, 0.13)[place])
                means.append(cells[name].interval.mean)
                halves.append(0.0 if math.isnan(cells[name].interval.half) else cells[name].interval.half)
        axes.errorbar(means, heights, xerr=halves, capsize=2, linewidth=1.2, label=printed(name), **style)
    axes.set_yticks(range(len(rows)), [label.replace("$", r"\$") for label, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(axis="x", linewidth=0.4, color="0.88")
    axes.spines[["top", "right"]].set_visible(False)
    less = " (less is better)" if table.metric in LOWER_IS_BETTER else ""
    axes.set_xlabel(f"{printed(table.metric)}{less}")
    figure.legend(loc="outside upper right", ncols=2, frameon=False)
    return figure


def scores_in_words(table: Table) -> str:
    """The same figure for who cannot see it."""
    rows = [
        f"{label}: {', '.join(f'{printed(name)} {told_interval(cell)}' for name, cell in cells.items())}"
        for label, cells in summary_cells(table)
    ]
    intervals = "with 95 % t-intervals over seeds where there are several"
    return f"{printed(table.metric)} of each row, {intervals}. {'; '.join(rows)}."
