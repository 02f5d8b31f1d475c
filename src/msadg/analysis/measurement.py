"""What was measured on trained runs, ready to be shown: numbers, a sentence on them, and words for who cannot see."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One measurement of METHODS 6, or one that goes past it: a long table and what it says."""

    name: str
    """Stem of its files, in lower case with hyphens: ``keep-ratio``. What draws it is found by it."""
    title: str
    """A few words: heading of its section, title of its figure."""
    caption: str
    """What is shown, on which clips, at which level, and whether it supports the paper's claim; made from numbers."""
    alternative: str
    """The figure in words, figures included, for who cannot see it."""
    table: pd.DataFrame
    """One row for each number (or pair of them), with the columns that say what it is of."""
    warnings: tuple[str, ...] = ()
    """What could not be measured, and why: a mask that kept nothing, a feature that never varies."""
