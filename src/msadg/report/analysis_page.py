"""The measurements of some runs as one Markdown page: figures, captions, and what could not be measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msadg.analysis.measurement import Measurement
from msadg.report.measurement_files import has_figure


def to_markdown(measurements: Sequence[Measurement], failed: Sequence[str] = ()) -> str:
    """The page; its figures and tables lie beside it.

    Args:
        measurements: in the order in which they are shown.
        failed: why others could not be made.
    """
    parts = ["# What the runs learned", *(_section(measurement) for measurement in measurements)]
    if failed:
        parts.append("## Not measured\n\n" + "\n".join(f"- {reason}" for reason in failed))
    return "\n\n".join(parts) + "\n"


def _section(measurement: Measurement) -> str:
    return "\n\n".join([f"## {measurement.title}", *_content(measurement)])


def _content(measurement: Measurement) -> Iterator[str]:
    if has_figure(measurement):
        yield f"![{_in_brackets(measurement.alternative)}]({measurement.name}.svg)"
    yield measurement.caption
    if measurement.warnings:
        yield "\n".join(f"- {warning}" for warning in measurement.warnings)
    yield f"Table: [CSV]({measurement.name}.csv), [Parquet]({measurement.name}.parquet)."


def _in_brackets(text: str) -> str:
    return text.replace("[", r"\[").replace("]", r"\]").replace("\n", " ")
