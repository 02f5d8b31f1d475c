"""All that the page shows, ready to be laid out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from msadg.analysis.all_measurements import CASES, measure
from msadg.analysis.case import Case
from msadg.analysis.cases import find_cases
from msadg.analysis.measurement import Measurement
from msadg.analysis.wording import number_of
from msadg.errors import MsadgWarning
from msadg.protocols.run import TrainedRun
from msadg.report.html.frames import KeyFramePicture, key_frames
from msadg.report.html.grid import Grid, grid_of, grid_of_frame, grid_of_scores
from msadg.report.html.losses import MOST_ROWS, Courses, courses_in_words, dev_courses, draw_courses, loss_courses
from msadg.report.html.score_figure import draw_scores, scores_in_words, summary_cells
from msadg.report.html.sections import (
    data_grid,
    environment_grid,
    failures_grid,
    features_grid,
    run_warnings,
    settings_grids,
)
from msadg.report.html.svg import inline_svg
from msadg.report.measurement_files import drawing_of, has_figure
from msadg.report.overall_table import Overall
from msadg.report.tables import Table
from msadg.results.aggregate import row_of
from msadg.results.record import Record


@dataclass(frozen=True, kw_only=True)
class ShownTable:
    """A table of scores with its figure."""

    table: Table
    grid: Grid
    figure: Markup | None


@dataclass(frozen=True, kw_only=True)
class ShownOverall:
    """Rows against one of them in the mean over all targets."""

    overall: Overall
    grid: Grid


@dataclass(frozen=True, kw_only=True)
class ShownMeasurement:
    """A measurement with its figure and the head of its table."""

    measurement: Measurement
    grid: Grid
    figure: Markup | None


@dataclass(frozen=True, kw_only=True)
class ShownCase:
    """A case with its frames."""

    case: Case
    frames: list[KeyFramePicture]
    no_frames: str
    """Why there are none; empty where there are some."""


@dataclass(frozen=True, kw_only=True)
class ShownCourse:
    """Losses or scores by epoch."""

    title: str
    caption: str
    figure: Markup


@dataclass(frozen=True, kw_only=True)
class Content:
    """The whole page."""

    title: str
    summary: str
    tables: list[ShownTable]
    overall: list[ShownOverall]
    failures: Grid | None
    warnings: list[str]
    measurements: list[ShownMeasurement]
    measurement_notes: list[str]
    cases: list[ShownCase]
    case_notes: list[str]
    has_cases: bool
    courses: list[ShownCourse]
    settings: list[Grid]
    data: Grid
    features: Grid
    environment: Grid
    version: str
    notes: list[str] = field(default_factory=list)
    """What the whole page lacks, and why."""


def content_of(
    title: str,
    records: Sequence[Record],
    tables: Sequence[Table],
    runs: Sequence[TrainedRun],
    *,
    overall: Sequence[Overall] = (),
    with_measurements: bool = True,
    with_cases: bool = True,
    show_transcripts: bool = False,
    notes: Sequence[str] = (),
    tell: Callable[[str], None] = lambda _: None,
) -> Content:
    """Gather what the page shows.

    Args:
        title: of the page.
        records: of the runs.
        tables: of their scores.
        runs: those of them whose weights are at hand.
        overall: comparisons of them over all targets.
        with_measurements: whether to measure the runs.
        with_cases: whether to show single clips.
        show_transcripts: whether those of every corpus may be shown.
        notes: what the page lacks, and why.
        tell: told of what is about to be done.
    """
    from msadg import __version__

    measured, measurement_notes = _measured(runs, tell) if with_measurements else ([], [])
    tell("cases")
    cases, case_notes = find_cases(runs, may_show=show_transcripts) if with_cases else ([], [])
    tell("figures")
    return Content(
        title=title,
        summary=_summary(records),
        tables=[_shown_table(table) for table in tables],
        overall=[_shown_overall(one) for one in overall],
        failures=failures_grid(records),
        warnings=run_warnings(records),
        measurements=[_shown_measurement(measurement) for measurement in measured],
        measurement_notes=measurement_notes,
        cases=[_shown_case(case) for case in cases],
        case_notes=case_notes,
        has_cases=with_cases,
        courses=list(_shown_courses(runs)),
        settings=settings_grids(records),
        data=data_grid(records),
        features=features_grid(records),
        environment=environment_grid(records),
        version=__version__,
        notes=list(notes),
    )


def _measured(runs: Sequence[TrainedRun], tell: Callable[[str], None]) -> tuple[list[Measurement], list[str]]:
    """Every measurement that these runs allow, save the cases, which have a section of their own; why others failed."""
    notes: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MsadgWarning)  # a measurement says in its own warnings what it met
        return list(measure(runs, notes.append, tell, skip=[CASES])) if runs else [], notes


def _shown_table(table: Table) -> ShownTable:
    figure = None
    if len(summary_cells(table)) > 1:
        title = f"{table.title}, mean and worst target"
        figure = inline_svg(lambda: draw_scores(table), f"t-{_id(table.name)}", title, scores_in_words(table))
    return ShownTable(table=table, grid=grid_of_scores(table), figure=figure)


def _shown_overall(overall: Overall) -> ShownOverall:
    head, *body = overall.lines()
    return ShownOverall(overall=overall, grid=grid_of(overall.title, head, body))


def _shown_measurement(measurement: Measurement) -> ShownMeasurement:
    figure = None
    if has_figure(measurement):
        draw = drawing_of(measurement.name)
        name = f"m-{_id(measurement.name)}"
        figure = inline_svg(lambda: draw(measurement), name, measurement.title, measurement.alternative)
    grid = grid_of_frame(measurement.title, measurement.table)
    return ShownMeasurement(measurement=measurement, grid=grid, figure=figure)


def _shown_case(case: Case) -> ShownCase:
    frames, why = key_frames(case)
    return ShownCase(case=case, frames=frames, no_frames=why)


def _shown_courses(runs: Sequence[TrainedRun]) -> list[ShownCourse]:
    shown = []
    for name, title, unit, courses, what in (
        ("losses", "Terms of the loss in training", "loss", loss_courses(runs), LOSSES_ARE),
        ("dev", "Scores on dev clips in training", "score", dev_courses(runs), DEV_SCORES_ARE),
    ):
        if courses:
            figure = inline_svg(lambda c=courses, u=unit: draw_courses(c, u), name, title, courses_in_words(courses))  # type: ignore[misc]
            shown.append(ShownCourse(title=title, caption=f"{_panels_are(courses)} {what}", figure=figure))
    return shown


LOSSES_ARE = "Each term is the mean over the clips of an epoch."
DEV_SCORES_ARE = (
    "The score is the metric that the choice of the epoch goes by (training.selection_metric; an error is negated, so "
    "that higher is better), mean over the dev splits of the sources; of rows marked (oracle), of the targets. With "
    "leave_one_source_out it is shown and does not choose: the number of epochs was chosen in other runs."
)


def _panels_are(courses: Courses) -> str:
    more = f" {len(courses) - MOST_ROWS} more rows are not drawn." if len(courses) > MOST_ROWS else ""
    return (
        "A panel for each row that was trained by epochs; stages follow one another. Lines: mean over the row's "
        f"trainings (seeds and sources) that still ran; shades: from the least to the most of them.{more}"
    )


def _summary(records: Sequence[Record]) -> str:
    rows = len({row_of(record) for record in records})
    seeds = len({record.seed for record in records})
    sources = len({record.source_domains for record in records})
    failed = sum(record.error is not None for record in records)
    said = (
        f"{number_of(len(records), 'run')}: {number_of(rows, 'row')}, {number_of(sources, 'choice')} of sources, "
        f"{number_of(seeds, 'seed')}."
    )
    return said + (f" {failed} of them failed." if failed else "")


def _id(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name)
