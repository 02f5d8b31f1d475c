"""When learning in order helps: scores and differences by redundancy, one column for each target; complements below."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from msadg.analysis.measurement import Measurement
from msadg.analysis.recovery_order_words import COMPLEMENTARY, LEVEL, complementary_modality, shown, targets_of
from msadg.report.curves import Style, style_of
from msadg.report.figures.recovery import CHANCE

PANEL_INCHES = (1.45, 1.55)


def draw(measurement: Measurement) -> Figure:
    """Draw the measurement ``learning-in-order``."""
    table = shown(measurement.table)
    scores = table[table["measure"] == "f1_macro"]
    if scores.empty:
        return _sentence(measurement.caption)
    differences = table[table["measure"] == "f1_macro_difference"]
    shares = table[table["measure"].str.startswith(COMPLEMENTARY)]
    targets = targets_of(scores)
    columns = max(len(targets), 3)
    size = (PANEL_INCHES[0] * columns + 0.6, PANEL_INCHES[1] * 3 + 0.3)
    figure = Figure(figsize=size, dpi=150, layout="constrained")
    grid = figure.add_gridspec(3, columns)
    labels = list(scores["row"].unique())
    styles = {label: style_of(number) for number, label in enumerate(labels)}
    pairs = list(differences[["row", "against"]].drop_duplicates().itertuples(index=False, name=None))
    pair_styles = {pair: style_of(len(labels) + number) for number, pair in enumerate(pairs)}
    tops: list[Axes] = []
    middles: list[Axes] = []
    for place, (target, shift) in enumerate(targets):
        tops.append(figure.add_subplot(grid[0, place], sharey=tops[0] if tops else None))
        middles.append(figure.add_subplot(grid[1, place], sharey=middles[0] if middles else None))
        scores_here, differences_here = (
            part[(part["target"] == target) & (part["shift"] == shift)] for part in (scores, differences)
        )
        _draw_scores(tops[-1], scores_here, styles)
        _draw_differences(middles[-1], differences_here, pair_styles)
        tops[-1].set_title(f"shift {shift:.2g}", fontsize=8)
        middles[-1].set_xlabel("redundancy")
        for axes in (tops[-1], middles[-1]):
            axes.tick_params(labelleft=place == 0)
    tops[0].set_ylabel("macro-F1")
    tops[0].set_ylim(0, 1)
    middles[0].set_ylabel("in order\nminus at once")
    bottom = figure.add_subplot(grid[2, :2])
    _draw_shares(bottom, shares, styles)
    bottom.set_ylabel(f"complementary\nshare of {complementary_modality(table)}")
    beside = figure.add_subplot(grid[2, 2:])
    beside.set_axis_off()
    beside.legend(handles=_handles(styles, pair_styles, bool(len(shares))), loc="center", ncols=2, frameon=False)
    return figure


def _handles(styles: dict[str, Style], pair_styles: dict[tuple[str, str], Style], has_shares: bool) -> list[Line2D]:
    handles = [Line2D([], [], label=label, markersize=4, **style) for label, style in styles.items()]
    for (row, against), style in pair_styles.items():
        handles.append(Line2D([], [], label=f"{row} minus {against}", markersize=4, markerfacecolor="white", **style))
    if pair_styles:
        name = f"p < {LEVEL:g} (Holm)"
        handles.append(Line2D([], [], label=name, color="0.35", marker="o", linestyle="", markersize=4))
    if has_shares:
        handles.append(Line2D([], [], color="0.35", linestyle=CHANCE, linewidth=1.2, label="by chance"))
    return handles


def _draw_scores(axes: Axes, scores: pd.DataFrame, styles: dict[str, Style]) -> None:
    _dress(axes)
    for number, (label, style) in enumerate(styles.items()):
        curve = scores[scores["row"] == label].sort_values("redundancy")
        places = curve["redundancy"] + _aside(number, len(styles))
        error = (curve["high"] - curve["mean"]).fillna(0.0)
        axes.errorbar(places, curve["mean"], yerr=error, markersize=3, elinewidth=0.8, **style)


def _draw_differences(axes: Axes, differences: pd.DataFrame, styles: dict[tuple[str, str], Style]) -> None:
    _dress(axes)
    axes.axhline(0, linewidth=0.8, color="0.5")
    for number, ((row, against), style) in enumerate(styles.items()):
        curve = differences[(differences["row"] == row) & (differences["against"] == against)].sort_values("redundancy")
        places = curve["redundancy"] + _aside(number, len(styles))
        error = [(curve["mean"] - curve["videos_low"]).fillna(0.0), (curve["videos_high"] - curve["mean"]).fillna(0.0)]
        axes.errorbar(places, curve["mean"], yerr=error, markersize=3.5, elinewidth=0.8, mfc="white", **style)
        clear = curve["p_holm"] < LEVEL
        axes.plot(places[clear], curve["mean"][clear], markersize=3.5, zorder=4, **style | {"linestyle": ""})


def _draw_shares(axes: Axes, shares: pd.DataFrame, styles: dict[str, Style]) -> None:
    _dress(axes)
    axes.set_xlabel("redundancy of video with text")
    axes.set_ylim(-0.05, 1.05)
    for number, (label, style) in enumerate(styles.items()):
        curve = shares[shares["row"] == label].sort_values("redundancy")
        if not curve.empty:
            places = curve["redundancy"] + _aside(number, len(styles))
            error = (curve["high"] - curve["mean"]).fillna(0.0)
            axes.errorbar(places, curve["mean"], yerr=error, markersize=3, elinewidth=0.8, **style)
    chance = shares.groupby("redundancy")["by_chance"].mean()
    axes.plot(chance.index, chance, color="0.35", linestyle=CHANCE, linewidth=1.2)


def _aside(number: int, count: int) -> float:
    """Beside each other, or their bars would hide one another."""
    return (number - (count - 1) / 2) * 0.025


def _dress(axes: Axes) -> None:
    axes.grid(axis="y", linewidth=0.4, color="0.88")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlim(-0.1, 1.1)
    axes.set_xticks([0, 0.5, 1], ["0", ".5", "1"])


def _sentence(sentence: str) -> Figure:
    """A sentence where there is nothing to draw."""
    figure = Figure(figsize=(4.5, 1.2), dpi=150)
    figure.text(0.5, 0.5, sentence, ha="center", va="center", wrap=True)
    return figure
