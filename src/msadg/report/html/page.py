"""The page: a template filled with what there is to show; every text in it is escaped."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from msadg.report.html.content import Content
from msadg.report.names import printed
from msadg.store.atomic import write_text

LEVELS = 4
"""Of weight: how strongly a word is coloured, how thickly underlined."""
PRINTED_FROM = 0.05
"""A word's share is printed with it from here; all are in the list below it."""


def write_page(content: Content, path: Path) -> None:
    """Write the page, whole or not at all; the same content gives the same bytes."""
    write_text(path, render_page(content))


def render_page(content: Content) -> str:
    """Return the page as HTML that refers to nothing outside itself."""
    room = files("msadg.report.html")
    environment = Environment(
        loader=DictLoader({"page": (room / "page.html.j2").read_text(encoding="utf-8")}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(printed=printed, signed=signed, percent=percent, weight=weight_class, anchor=anchor)
    style = Markup((room / "style.css").read_text(encoding="utf-8"))  # noqa: S704  (our own file)
    return environment.get_template("page").render(content=content, style=style, printed_from=PRINTED_FROM)


def signed(value: float) -> str:
    """A share as it is printed.

    Example:
        >>> signed(0.314), signed(-0.05)
        ('+.31', '−.05')
    """
    return f"{value:+.2f}".replace("-", "\N{MINUS SIGN}").replace("0.", ".", 1)


def percent(value: float) -> str:
    """A probability for the length of a bar and for print.

    Example:
        >>> percent(0.1234)
        '12.3%'
    """
    return f"{100 * value:.1f}%"


def weight_class(share: float, largest: float) -> str:
    """Which colour and thickness a word gets: by its share of the largest one.

    Example:
        >>> weight_class(0.3, 0.3), weight_class(-0.16, 0.3), weight_class(0.001, 0.3)
        ('for-4', 'against-3', '')
    """
    level = min(int(abs(share) / largest * LEVELS + 0.999), LEVELS) if largest > 0 else 0
    if level == 0 or abs(share) < largest / 20:
        return ""
    return f"{'for' if share > 0 else 'against'}-{level}"


def anchor(text: str) -> str:
    """A text as an id of the page."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
