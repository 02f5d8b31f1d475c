"""Predictions under stress as tables: every number as CSV, the means in Markdown, a few for a terminal."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import fields

from msadg.analysis.stress_curves import Curve, Point, StressedRun, with_settings_named
from msadg.analysis.stress_pairs import RELATIVE, StressPair
from msadg.report.markdown import escape, grid
from msadg.report.names import MISSING, number, printed
from msadg.report.tables import LEVEL

COLUMNS = (
    "label",
    "row",
    "method",
    "sources",
    "seed",
    "domain",
    "role",
    "num_clips",
    "modality",
    "kind",
    "rate",
    "repeat",
    "measure",
    "value",
)

MEASURE_NAMES = {
    "js_distance": "Jensen-Shannon distance",
    "total_variation": "total variation",
    "polarity_shift": "mean shift of polarity",
    "flip_share": "share of clips whose class flips",
    "accuracy": "accuracy",
    "f1_macro": "macro-F1",
    "mae": "mean absolute error",
    "accuracy_change": "change of accuracy",
    "f1_macro_change": "change of macro-F1",
    "mae_change": "change of mean absolute error",
}


HEADLINES = {
    "js_distance": "mean Jensen-Shannon distance from the undisturbed prediction",
    "polarity_shift": "mean shift of the predicted polarity, in points of -3 to 3",
}
"""The movement that the short table shows: of a classification, of a regression."""


def to_csv(runs: Sequence[StressedRun]) -> str:
    """One line per run, domain, perturbation, repeat and measure, unrounded."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for run in with_settings_named(runs):
        experiment = run.experiment
        for stress in run.found:
            role = "source" if stress.domain in run.sources else "target"
            head = [run.label, experiment.row, experiment.method.name, "+".join(run.sources), experiment.seed]
            cell = [stress.domain, role, len(stress.video_id), stress.modality, stress.kind, repr(stress.rate)]
            for measure, values in stress.values.items():
                writer.writerows([*head, *cell, at, measure, repr(value)] for at, value in enumerate(values))
    return file.getvalue()


def to_markdown(curves: Sequence[Curve], heading: str) -> str:
    """One table per modality and measure: a line for each label and kind, a column for each rate."""
    parts = [heading.rstrip(), _explained(curves)]
    for modality, measure in dict.fromkeys((curve.modality, curve.measure) for curve in curves):
        chosen = [c for c in curves if (c.modality, c.measure) == (modality, measure)]
        rates = sorted({point.rate for curve in chosen for point in curve.points})
        head = ["method", "what", *(percent(rate) for rate in rates)]
        lines = [[escape(printed(c.label)), c.kind, *(_cell(c, rate) for rate in rates)] for c in chosen]
        parts += [f"## {modality}: {MEASURE_NAMES[measure]}", grid([head, *lines])]
    return "\n\n".join(parts) + "\n"


def to_short_table(curves: Sequence[Curve]) -> str:
    """At the highest rate of each kind: how far predictions moved and, in brackets, how macro-F1 changed."""
    tables = []
    shown = [(curve.modality, curve.measure) for curve in curves if curve.measure in HEADLINES]
    for modality, moved in dict.fromkeys(shown):
        alike = {curve.label for curve in curves if curve.measure == moved}
        chosen = [curve for curve in curves if curve.modality == modality and curve.label in alike]
        kinds = dict.fromkeys(curve.kind for curve in chosen)
        labels = dict.fromkeys(curve.label for curve in chosen)
        highest = {kind: max(c.points[-1].rate for c in chosen if c.kind == kind) for kind in kinds}
        head = ["method", "macro-F1", *(k if k == "missing" else f"{k} {percent(highest[k])}" for k in kinds)]
        rows = [[escape(printed(label)), *_short_cells(chosen, label, kinds, moved)] for label in labels]
        title = f"{modality}: {HEADLINES[moved]} (change of macro-F1)"
        tables.append(f"{title}\n\n{grid([head, *rows])}")
    return "\n\n".join(tables)


def pairs_to_csv(pairs: Sequence[StressPair]) -> str:
    """One line per pair, perturbation and measure, unrounded."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    names = [field.name for field in fields(StressPair)]
    writer.writerow(names)
    writer.writerows([getattr(pair, name) for name in names] for pair in pairs)
    return file.getvalue()


def pairs_to_markdown(pairs: Sequence[StressPair]) -> str:
    """One table per pair of rows: each perturbation at its highest rate, each measure a column."""
    parts = []
    for label, against in dict.fromkeys((pair.label, pair.against) for pair in pairs):
        chosen = [pair for pair in pairs if (pair.label, pair.against) == (label, against)]
        measures = list(dict.fromkeys(pair.measure for pair in chosen))
        by_cell = {(p.modality, p.kind, p.rate, p.measure): p for p in chosen}
        cells = dict.fromkeys((p.modality, p.kind, p.rate) for p in chosen)
        lines = [
            [f"{m}: {kind}" + ("" if kind == "missing" else f" {percent(rate)}")]
            + [_pair_cell(by_cell.get((m, kind, rate, measure))) for measure in measures]
            for m, kind, rate in cells
        ]
        title = f"## {escape(printed(label))} against {escape(printed(against))}"
        said = (
            f"Means of both over {chosen[0].num_seeds} seeds. \\*: the difference has p < .05 by paired t over seeds, "
            "Holm-adjusted over a column. Relative: divided by what the modality missing altogether does; without a "
            "value where in some seed that is nothing."
        )
        parts += [title, grid([["what", *map(_pair_heading, measures)], *lines]), said]
    return "\n\n".join(parts) + "\n"


def _pair_heading(measure: str) -> str:
    relative = measure.startswith(RELATIVE)
    return ("relative " if relative else "") + MEASURE_NAMES[measure.removeprefix(RELATIVE)]


def _pair_cell(pair: StressPair | None) -> str:
    if pair is None:
        return MISSING
    return f"{_rounded(pair.first)} / {_rounded(pair.second)}" + ("\\*" if pair.p_adjusted < LEVEL else "")


def percent(rate: float) -> str:
    """A rate as people say it.

    Example:
        >>> percent(0.3), percent(0.125), percent(1.0)
        ('30 %', '12.5 %', '100 %')
    """
    return f"{100 * rate:.4g} %"


def _short_cells(curves: Sequence[Curve], label: str, kinds: Iterable[str], moved: str) -> list[str]:
    by_cell = {(c.kind, c.measure): c.points for c in curves if c.label == label}
    score = next(points[0].mean for (_, measure), points in by_cell.items() if measure == "f1_macro")
    cells = [_rounded(score)]
    for kind in kinds:
        points = by_cell.get((kind, moved))
        if points is None:
            cells.append(MISSING)
            continue
        change = _rounded(by_cell[kind, "f1_macro_change"][-1].mean)
        cells.append(f"{_rounded(points[-1].mean)} ({'' if change.startswith('-') else '+'}{change})")
    return cells


def _cell(curve: Curve, rate: float) -> str:
    point = next((point for point in curve.points if point.rate == rate), None)
    return MISSING if point is None else _with_bounds(point)


def _with_bounds(point: Point) -> str:
    if math.isnan(point.low) or point.low == point.high:
        return _rounded(point.mean)
    return f"{_rounded(point.mean)} [{_rounded(point.low)}, {_rounded(point.high)}]"


def _rounded(value: float) -> str:
    """A number without the sign of a zero."""
    return number(round(value, 3) + 0.0)


def _explained(curves: Sequence[Curve]) -> str:
    said = [
        "Means over domains, seeds and repeats. The rate is the share of a clip's steps that it happens to, rounded "
        "down; 0 % is the run as it is, and `missing` takes every step."
    ]
    bands = {curve.band for curve in curves}
    if "seeds" in bands:
        said.append("In brackets: 95 % t-interval over seeds.")
    if "videos" in bands:
        said.append("In brackets, of a single seed: 95 % of the bootstrap over videos; macro-F1 has none.")
    return " ".join(said)
