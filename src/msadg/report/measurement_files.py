"""A measurement as files: its table as CSV and Parquet, its figure as PNG and SVG."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msadg.analysis.measurement import Measurement
from msadg.report.figures import DRAWN_BY
from msadg.store.atomic import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def has_figure(measurement: Measurement) -> bool:
    """Whether there is something to draw, and something that draws it."""
    return measurement.name in DRAWN_BY and not measurement.table.empty


def write_measurement(measurement: Measurement, folder: Path) -> list[Path]:
    """Write ``NAME.csv``, ``NAME.parquet`` and, where there is something to see, ``NAME.png`` and ``NAME.svg``."""
    from msadg.report.figure_files import write_figure

    paths = [folder / f"{measurement.name}{suffix}" for suffix in (".csv", ".parquet")]
    with atomic_path(paths[0]) as beside:
        measurement.table.to_csv(beside, index=False)
    with atomic_path(paths[1]) as beside:
        measurement.table.to_parquet(beside, index=False)
    if has_figure(measurement):
        draw = drawing_of(measurement.name)
        paths += write_figure(lambda: draw(measurement), measurement.name, folder)
    return paths


def drawing_of(name: str) -> Callable[[Measurement], Figure]:
    """What draws a measurement of this name."""
    module, _, function = DRAWN_BY[name].partition(":")
    draw: Callable[[Measurement], Figure] = getattr(importlib.import_module(module), function)
    return draw
