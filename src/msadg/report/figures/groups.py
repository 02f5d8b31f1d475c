"""What figures of many runs share: their groups (a row on some sources), the style of each, legends and axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from msadg.analysis.masked_runs import group_names
from msadg.report.curves import Style, style_of
from msadg.report.names import printed

MOST_GROUPS = 8
"""More curves in one panel cannot be told apart; the table has them all."""

RANKS = np.linspace(0, 100, 101)
"""Places, in percent, at which features in order are read."""

Line = Literal["-", "--", ":"]

Group = tuple[str, str]
"""Row and sources."""


def groups_of(table: pd.DataFrame) -> list[Group]:
    """The groups of a table in the order met, as many as a figure shows.

    Of more than that, the first of each row, then the second of each, and so on: else the last rows would have none.
    """
    groups = list(dict.fromkeys(zip(table["row"], table["sources"], strict=True)))
    rows = [row for row, _ in groups]
    turn = {group: rows[:at].count(group[0]) for at, group in enumerate(groups)}
    chosen = sorted(groups, key=turn.__getitem__)[:MOST_GROUPS]
    return [group for group in groups if group in chosen]


def num_left_out(table: pd.DataFrame) -> int:
    """How many groups a figure does not show."""
    return len(table[["row", "sources"]].drop_duplicates()) - len(groups_of(table))


def styles_of(groups: Sequence[Group]) -> dict[Group, Style]:
    """Of each group its colour, marker and line."""
    return {group: style_of(number) for number, group in enumerate(groups)}


def of_group(table: pd.DataFrame, group: Group) -> pd.DataFrame:
    """The rows of a table that are of a group."""
    return table[(table["row"] == group[0]) & (table["sources"] == group[1])]


def name_groups(
    figure: Figure,
    groups: Sequence[Group],
    more: Sequence[Line2D] = (),
    left_out: int = 0,
    styles: Mapping[Group, Style] | None = None,
) -> None:
    """A legend below all panels: the groups, where there are several, and other lines.

    Args:
        figure: with its panels.
        groups: that are drawn.
        more: lines that are no group's.
        left_out: groups that are in the table alone.
        styles: of the groups; None stands for ``styles_of(groups)``.
    """
    names = group_names(groups)
    styles = styles_of(groups) if styles is None else styles
    handles = [Line2D([], [], label=_spelled(names[group]), markersize=4, **styles[group]) for group in groups]
    handles = [*(handles if len(groups) > 1 else []), *more]
    if not handles:
        return
    letters = max(len(str(handle.get_label())) for handle in handles)
    columns = max(1, min(len(handles), int(figure.get_figwidth() / (0.075 * letters + 0.5))))
    title = f"{left_out} more in the table" if left_out else None
    legend = figure.legend(
        handles=handles, loc="outside lower center", ncols=columns, frameon=False, title=title, title_fontsize=7
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def legend_inches(groups: Sequence[Group], num_more: int = 0) -> float:
    """Height that a legend takes at most."""
    return 0.2 * ((len(groups) if len(groups) > 1 else 0) + num_more) + 0.15


def _spelled(name: str) -> str:
    spelled = printed(name)
    return f" {spelled}" if spelled.startswith("_") else spelled  # matplotlib would leave it out


def plain_axes(axes: Axes) -> None:
    """No frame, a faint grid."""
    axes.grid(axis="y", linewidth=0.4, color="0.88")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def in_order(table: pd.DataFrame, column: str) -> Float[np.ndarray, "run rank"] | None:
    """Of each run its features' numbers from the smallest to the largest, read at RANKS; None where there are none."""
    curves = [
        np.quantile(part[column].dropna().to_numpy(np.float64), RANKS / 100)
        for _, part in table.groupby(["seed"], sort=False)
        if part[column].notna().any()
    ]
    return np.array(curves) if curves else None


def draw_in_order(
    axes: Axes, table: pd.DataFrame, column: str, style: Style, *, scale: int | float = 1, has_band: bool = True
) -> None:
    """Draw the mean over runs of features in order and, as a band, from the lowest to the highest run."""
    curves = in_order(table, column)
    if curves is None:
        return
    axes.plot(RANKS, scale * curves.mean(axis=0), **{**style, "marker": ""})
    if has_band and len(curves) > 1:
        low, high = scale * curves.min(axis=0), scale * curves.max(axis=0)
        axes.fill_between(RANKS, low, high, color=style["color"], alpha=0.12, linewidth=0)
