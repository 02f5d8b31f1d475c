"""What the first paper prints: its Tables 1, 2 and 3, number by number.

Reference: Zhao, Qu, Feng, Cai, Tang, ACM MM 2024, doi:10.1145/3664647.3681056. ``published.csv`` holds the accuracies
as they stand there, in the order of each table (Table 2 has MAD (M) fine-tuned before frozen), under our names of rows:
V, T and M are the modalities that are read, frozen or fine-tuned is the text encoder. The rows that Table 2 has under
*MSA+Mask* are named with their mask. The paper's category *Ours* is S2LIF here: in a table of ours, that word would be
somebody else's.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from msadg.errors import UsageError
from msadg.protocols.domains import SETTINGS

TABLES = (1, 2, 3)

TITLES = {1: "single-source", 2: "multi-source", 3: "ablation on multi-source A"}

REMARKS = {
    2: (
        "The paper prints Qwen-VL's numbers of setting B in another order than in its other settings: what is MELD's "
        "elsewhere stands under MOSI, MOSEI's under MELD, MOSI's under MOSEI. They are shown as they stand",
    )
}
"""What is to be known of a table's own numbers."""

Place = tuple[str, str]
"""A setting and a domain: a column."""


@dataclass(frozen=True, kw_only=True)
class PublishedTable:
    """One table of the paper."""

    number: int
    categories: Mapping[str, str]
    """Row -> category, in the paper's order."""
    places: tuple[Place, ...]
    """Its columns, in its order."""
    accuracy: Mapping[tuple[str, str, str], float]
    """(row, setting, domain) -> what is printed, rounded or cut to three digits there."""

    @property
    def title(self) -> str:
        """``Table 1 (single-source)``."""
        return f"Table {self.number} ({TITLES[self.number]})"

    @property
    def settings(self) -> tuple[str, ...]:
        """In the paper's order."""
        return tuple(dict.fromkeys(setting for setting, _ in self.places))

    @property
    def rows(self) -> tuple[str, ...]:
        """In the paper's order."""
        return tuple(self.categories)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is to be known of its numbers."""
        return REMARKS.get(self.number, ())

    def is_source(self, place: Place) -> bool:
        """Whether a column's domain is trained on."""
        setting, domain = place
        return domain in SETTINGS[setting]

    def admits(self, row: str) -> bool:
        """Whether a row that may not be the paper's belongs here: in Table 3 none, elsewhere all but Table 3's own."""
        return row in self.categories or (self.number != 3 and row not in published_table(3).categories)


@lru_cache(maxsize=len(TABLES))
def published_table(number: int) -> PublishedTable:
    """One of the paper's tables.

    Raises:
        UsageError: there is no table of that number.

    Example:
        >>> published_table(3).accuracy["s2lif (T > V, frozen)", "multi-A", "mosi"]
        0.674
    """
    if number not in TABLES:
        raise UsageError(f"--table {number}: expected one of {', '.join(map(str, TABLES))}, the paper's tables")
    text = (files("msadg.report") / "published.csv").read_text(encoding="utf-8")
    lines = [line for line in csv.DictReader(text.splitlines()) if int(line["table"]) == number]
    return PublishedTable(
        number=number,
        categories={line["row"]: line["category"] for line in lines},
        places=tuple(dict.fromkeys((line["setting"], line["domain"]) for line in lines)),
        accuracy={(line["row"], line["setting"], line["domain"]): float(line["accuracy"]) for line in lines},
    )
