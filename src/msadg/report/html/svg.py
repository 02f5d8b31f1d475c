"""A matplotlib figure as a part of a page: vector, named, and without an id that another figure has."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from html import escape

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

PIXELS_PER_POINT = 96 / 72
SMALLEST = 0.85
"""A figure is shrunk to so much of its size where the page is narrow, and scrolls in its box where that is not enough:
at less, its letters of 7 and 8 points could not be read."""


def inline_svg(draw: Callable[[], Figure], name: str, title: str, description: str) -> Markup:
    """Return a figure as an ``svg`` element, to the same bytes each time.

    Args:
        draw: makes the figure.
        name: begins each of its ids: no other figure of the page may have it.
        title: a few words.
        description: the figure in words.
    """
    # As in ``figure_files``: without a salt of its own an SVG has other ids each time.
    with rc_context({"svg.hashsalt": "msadg", "font.family": "DejaVu Sans", "font.size": 8}):
        figure, file = draw(), io.BytesIO()
        FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None})  # type: ignore[no-untyped-call]
    text = file.getvalue().decode("utf-8")
    body = text[text.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->\s*", "", body, flags=re.DOTALL)
    # A style element would count for the whole page.
    body = re.sub(r"<style[^>]*>.*?</style>\s*", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'\bhref="#', f'href="#{name}-', body)
    body = re.sub(r"url\(#", f"url(#{name}-", body)
    body = re.sub(r'\bd="[^"]*"', _rounded, body)
    opening, rest = re.match(r"(<svg[^>]*>)(.*)", body, flags=re.DOTALL).groups()  # type: ignore[union-attr]
    named = f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
    return Markup(_opening(opening, name) + named + rest.strip())  # noqa: S704  (matplotlib's own, the rest is escaped)


def _rounded(path: re.Match[str]) -> str:
    """A path to a hundredth of a point: half the size, and nothing that could be seen is lost."""
    return re.sub(r"(\.\d\d)\d+", r"\1", path[0])


def _opening(text: str, name: str) -> str:
    box = re.search(r'viewBox="([^"]*)"', text)
    assert box is not None
    width = float(box[1].split()[2]) * PIXELS_PER_POINT
    style = f"width:{width:.0f}px;min-width:{SMALLEST * width:.0f}px;stroke-linejoin:round;stroke-linecap:butt"
    links = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    label = f'role="img" aria-labelledby="{name}-title {name}-desc"'
    return f'<svg {links} viewBox="{box[1]}" style="{style}" {label}>'
