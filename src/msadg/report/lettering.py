"""Lettering for pictures: text measured in pixels, wrapped, and in fonts that have its letters."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from matplotlib import font_manager
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties

BASE = "DejaVu Sans"
"""Comes with matplotlib."""
UNKNOWN = "\N{WHITE SQUARE}"
DPI = 100
"""Pixels an inch: 72 points are 100 pixels."""

MOST_IN_A_LINE = 400
"""Letters; more are not measured."""


class Lettering:
    """Fonts for some text, and how wide a line of it is.

    Args:
        texts: everything that will be written.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        letters = {letter for text in texts for letter in printable(text)}
        self.families, self.unknown = _fonts_for(frozenset(letters))
        self._renderer: Any = RendererAgg(1, 1, DPI)  # type: ignore[no-untyped-call]

    def clean(self, text: str) -> str:
        """Return the text on one line, with a square for each letter that no font of this machine has."""
        return "".join(UNKNOWN if letter in self.unknown else letter for letter in printable(text))

    def font(self, points: int | float) -> FontProperties:
        """Return the fonts at a size."""
        return FontProperties(family=list(self.families), size=points)

    def width(self, text: str, points: int | float) -> float:
        """Return the width of a line in pixels."""
        return float(self._renderer.get_text_width_height_descent(text, self.font(points), False)[0]) if text else 0.0

    def shortened(self, text: str, points: int | float, width: int | float) -> str:
        """Return a line that is no wider than that; its middle gives way to three dots."""
        text = self.clean(text)
        if self.width(text, points) <= width:
            return text
        kept = min(len(text), MOST_IN_A_LINE)
        while kept > 2 and self.width(f"{text[: kept // 2]}…{text[-(kept // 2) :]}", points) > width:
            kept -= max(kept // 20, 2)
        return f"{text[: kept // 2]}…{text[-(kept // 2) :]}"

    def wrapped(self, text: str, points: int | float, width: int | float, most: int) -> tuple[list[str], int]:
        """Return at most so many lines, none wider than that, and how many words were left out."""
        words = self.clean(text).split()
        lines: list[str] = []
        line, at = "", 0
        while at < len(words):
            longer = f"{line} {words[at]}" if line else words[at]
            if len(longer) <= MOST_IN_A_LINE and self.width(longer, points) <= width:
                line, at = longer, at + 1
            elif line:
                lines.append(line)
                line = ""
            else:  # A single word that is wider than a line, or text without blanks.
                fits = self._prefix(words[at], points, width)
                lines.append(words[at][:fits])
                words[at] = words[at][fits:]
            if len(lines) == most:
                return lines, len(words) - at
        return [*lines, line] if line else lines, 0

    def _prefix(self, word: str, points: int | float, width: int | float) -> int:
        """How many letters of a word fit, at least one."""
        low, high = 1, min(len(word), MOST_IN_A_LINE)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.width(word[:middle], points) <= width else (low, middle - 1)
        return low


def printable(text: str) -> str:
    r"""Return the text on one line, without what has no picture: line ends, tabs, control characters, half letters.

    Example:
        >>> printable("a line\n\tand\x00 more")
        'a line and more'
    """
    drawn = (letter if unicodedata.category(letter)[0] != "C" else " " if letter.isspace() else "" for letter in text)
    return " ".join("".join(drawn).split())


@lru_cache(maxsize=64)
def _fonts_for(letters: frozenset[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return the families that have some letters, and the letters that none has; installed fonts alone are asked."""
    missing = {letter for letter in letters if ord(letter) not in _charmap(font_manager.findfont(BASE))}
    families = [BASE]
    entries = sorted(font_manager.fontManager.ttflist, key=lambda entry: (entry.name, entry.fname)) if missing else []
    for entry in entries:
        if not missing:
            break
        is_plain = entry.style == "normal" and entry.weight in (400, "normal", "regular")
        # Last Resort has every letter, and draws none of them.
        if not is_plain or "Emoji" in entry.name or entry.name.startswith("Last Resort") or entry.name in families:
            continue
        found = {letter for letter in missing if ord(letter) in _charmap(entry.fname)}
        if found:
            families.append(entry.name)
            missing -= found
    return tuple(families), frozenset(missing)


@lru_cache(maxsize=512)
def _charmap(path: str) -> frozenset[int]:
    try:
        return frozenset(font_manager.get_font(path).get_charmap())
    except (RuntimeError, OSError):  # a font that cannot be read
        return frozenset()
