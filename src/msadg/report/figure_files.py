"""A figure as files: PNG for a slide, SVG for a page; the same figure gives the same bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from msadg.store.atomic import atomic_path


def write_figure(draw: Callable[[], Figure], stem: str, folder: Path) -> list[Path]:
    """Write ``STEM.png`` and ``STEM.svg``, each whole or not at all.

    Args:
        draw: makes the figure; called under the style of all figures.
        stem: of both files.
        folder: where they go.
    """
    paths = [folder / f"{stem}{suffix}" for suffix in (".png", ".svg")]
    # Without a salt of its own an SVG has other ids each time, and without "Date" it has today's.
    with rc_context({"svg.hashsalt": "msadg", "font.family": "DejaVu Sans", "font.size": 8}):
        figure = draw()
        with atomic_path(paths[0]) as beside:
            FigureCanvasAgg(figure).print_png(beside)  # type: ignore[no-untyped-call]
        with atomic_path(paths[1]) as beside:
            FigureCanvasSVG(figure).print_svg(beside, metadata={"Date": None})  # type: ignore[no-untyped-call]
    return paths
