"""Losses and dev scores by epoch: one panel for each row, its runs together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from msadg.analysis.stress_curves import label_of
from msadg.analysis.wording import number_of
from msadg.protocols.run import TrainedRun
from msadg.report.curves import Style, style_of
from msadg.report.names import number, printed

PANEL_INCHES = (2.5, 2.1)
COLUMNS = 3
MOST_ROWS = 24


@dataclass(frozen=True)
class Course:
    """What one number did over the epochs of the runs of a row."""

    name: str
    values: Float[np.ndarray, "run epoch"]
    """NaN after the end of a run, and where an epoch has no such number."""

    @property
    def last(self) -> float:
        """Mean over the runs of the last epoch of each."""
        ends = [run[~np.isnan(run)][-1] for run in self.values if not np.isnan(run).all()]
        return float(np.mean(ends)) if ends else math.nan


Courses = Mapping[str, tuple[Course, ...]]
"""By row."""


def loss_courses(runs: Sequence[TrainedRun]) -> Courses:
    """Each term of the loss, mean over an epoch's clips, by row; rows without epochs (a closed form) are left out."""
    return _courses(runs, lambda entry: entry["losses"])


def dev_courses(runs: Sequence[TrainedRun]) -> Courses:
    """The score after each epoch on the dev clips that selection reads, mean over domains; higher is better."""
    return _courses(runs, lambda entry: {"score": entry["score"]} if entry.get("dev") else {})


def _courses(runs: Sequence[TrainedRun], read: Callable[[dict[str, object]], object]) -> Courses:
    by_row: dict[str, list[list[dict[str, float]]]] = {}
    for row, history in _trainings(runs):
        epochs: list[dict[str, float]] = [read(entry) for entry in history]  # type: ignore[misc]
        if any(epochs):
            by_row.setdefault(row, []).append(epochs)
    return {row: tuple(_rows_courses(histories)) for row, histories in by_row.items()}


def _trainings(runs: Sequence[TrainedRun]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The row and the history of each training; runs of a row that differ in what was scored are one training."""
    met: list[tuple[str, tuple[str, ...], int, list[dict[str, Any]]]] = []
    for trained in runs:
        experiment = trained.experiment
        training = label_of(experiment), experiment.domains.source_domains, experiment.seed, trained.state.history
        if training not in met:
            met.append(training)
            yield training[0], training[3]


def _rows_courses(histories: Sequence[Sequence[Mapping[str, float]]]) -> list[Course]:
    names = dict.fromkeys(name for history in histories for epoch in history for name in epoch)
    longest = max(len(history) for history in histories)
    courses = []
    for name in names:
        values = np.full((len(histories), longest), np.nan)
        for at, history in enumerate(histories):
            values[at, : len(history)] = [epoch.get(name, math.nan) for epoch in history]
        courses.append(Course(name, values))
    return courses


def draw_courses(courses: Courses, unit: str) -> Figure:
    """Draw a panel for each row: the mean over its runs, from the least to the most behind it."""
    shown = dict(list(courses.items())[:MOST_ROWS])
    num_columns = min(COLUMNS, len(shown))
    num_lines = math.ceil(len(shown) / num_columns)
    figure = Figure(
        figsize=(PANEL_INCHES[0] * num_columns, PANEL_INCHES[1] * num_lines + 0.5), dpi=150, layout="constrained"
    )
    panels = list(figure.subplots(num_lines, num_columns, squeeze=False).flat)
    names = list(dict.fromkeys(course.name for row in shown.values() for course in row))
    styles = {name: style_of(at) for at, name in enumerate(names)}
    for axes, (row, found) in zip(panels, shown.items(), strict=False):
        _draw_panel(axes, found, styles)
        axes.set_title(f"{printed(row)} ({number_of(len(found[0].values), 'run')})", fontsize=8, parse_math=False)
        axes.set_ylabel(unit)
        axes.set_xlabel("epoch")
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    if len(names) > 1:
        handles = {h.get_label(): h for axes in panels for h in axes.get_lines()}
        columns = max(1, int(PANEL_INCHES[0] * num_columns / 1.5))
        figure.legend(
            [handles[name] for name in names if name in handles],
            [name.replace("_", " ") for name in names if name in handles],
            loc="outside lower center",
            ncols=columns,
            frameon=False,
        )
    return figure


def _draw_panel(axes: Axes, courses: Sequence[Course], styles: Mapping[str, Style]) -> None:
    axes.grid(axis="y", linewidth=0.4, color="0.88")
    axes.spines[["top", "right"]].set_visible(False)
    for course in courses:
        has_any = ~np.isnan(course.values).all(axis=0)
        epochs, values = np.arange(1, len(has_any) + 1)[has_any], course.values[:, has_any]
        style = styles[course.name]
        axes.plot(epochs, np.nanmean(values, axis=0), label=course.name, markersize=2, **style)
        low, high = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
        axes.fill_between(epochs, low, high, color=style["color"], alpha=0.15, linewidth=0)
    everything = np.concatenate([course.values.ravel() for course in courses])
    if np.nanmin(everything) > 0 and np.nanmax(everything) > 20 * np.nanmin(everything):
        axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))


def courses_in_words(courses: Courses) -> str:
    """Where each line ends, for who cannot see the figure."""
    rows = [
        f"{printed(row)}: {', '.join(f'{course.name} {number(course.last)}' for course in found)}"
        for row, found in list(courses.items())[:MOST_ROWS]
    ]
    return f"Values of the last epoch, means over runs. {'; '.join(rows)}."
