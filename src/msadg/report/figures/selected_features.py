"""Figure 4, first half: heat maps of the masks, a line for each choice of sources, and what all of them select."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure

from msadg.analysis.measurement import Measurement
from msadg.report.curves import COLOURS
from msadg.report.names import printed

MOST_ROWS = 6
"""Of the benchmark; the table has them all."""

BLUES = LinearSegmentedColormap.from_list("kept", colormaps["Blues"](np.linspace(0.35, 1, 64)))
ALL = "all of them"


def draw(measurement: Measurement) -> Figure:
    """A line of panels for each row of the benchmark, a column for each modality; of each row its lowest seed."""
    table = measurement.table
    rows, modalities = list(dict.fromkeys(table["row"])), list(dict.fromkeys(table["modality"]))
    shown = rows[:MOST_ROWS]
    parts = [_lowest_seed(table[table["row"] == row]) for row in shown]
    lines = [part["sources"].nunique() + (part["sources"].nunique() > 1) for part in parts]
    heights = [0.2 * number + 0.6 for number in lines]
    figure = Figure(figsize=(3.0 * len(modalities) + 1.2, sum(heights) + 0.3), dpi=150, layout="constrained")
    panels = figure.subplots(len(shown), len(modalities), squeeze=False, height_ratios=heights)
    for line, row, part in zip(panels, shown, parts, strict=True):
        for axes, modality in zip(line, modalities, strict=True):
            chosen = part[part["modality"] == modality]
            if chosen.empty:
                axes.set_axis_off()
                continue
            _draw_masks(axes, chosen)
            axes.set_title(f"{printed(row)}, seed {chosen['seed'].iloc[0]}: {modality}", fontsize=8, parse_math=False)
    for axes, modality in zip(panels[-1], modalities, strict=True):
        more = f" ({len(rows) - len(shown)} more rows in the table)" if len(rows) > len(shown) else ""
        axes.set_xlabel(f"position of the {modality} feature{more}")
    return figure


def _lowest_seed(part: pd.DataFrame) -> pd.DataFrame:
    """The seed whose choices of sources are the most; of equals, the lowest."""
    counts = part.groupby("seed")["sources"].nunique()
    return part[part["seed"] == counts.idxmax()]


def _draw_masks(axes: Axes, part: pd.DataFrame) -> None:
    weights = {
        str(sources): np.abs(rows["weight"].to_numpy(np.float64))
        for sources, rows in part.groupby("sources", sort=False)
    }
    width = max(map(len, weights.values()))
    largest = max(float(values.max()) for values in weights.values()) or 1.0
    names = ["+".join(map(printed, sources.split("+"))) for sources in weights]
    lines = [_coloured(values, largest, width) for values in weights.values()]
    if len(weights) > 1 and len({len(values) for values in weights.values()}) == 1:
        everywhere = np.all([values > 0 for values in weights.values()], axis=0)
        line = np.ones((width, 3))
        line[everywhere] = to_rgb(COLOURS[1])
        lines.append(line)
        names.append(ALL)
    axes.imshow(np.stack(lines), aspect="auto", interpolation="nearest")
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set_yticks(np.arange(len(names) - 1) + 0.5, minor=True)
    axes.grid(which="minor", axis="y", color="0.5", linewidth=0.5)
    axes.tick_params(which="minor", left=False)


def _coloured(values: np.ndarray, largest: float, width: int) -> np.ndarray:
    line = np.ones((width, 3))
    line[len(values) :] = 0.9  # a narrower run has no such feature
    line[: len(values)][values > 0] = BLUES(values[values > 0] / largest)[:, :3]
    return line
