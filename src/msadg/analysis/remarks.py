"""What could not be measured, once for all runs that it is true of."""

from __future__ import annotations

from collections import Counter

from msadg.analysis.wording import number_of


class Remarks:
    """Collects sentences, each with the rows whose runs it is about."""

    def __init__(self) -> None:
        self._rows: dict[str, Counter[str]] = {}

    def add(self, row: str, sentence: str) -> None:
        """Note a sentence on a run of a row."""
        self._rows.setdefault(sentence, Counter())[row] += 1

    def told(self) -> tuple[str, ...]:
        """Each sentence after the rows that it is about.

        Example:
            >>> remarks = Remarks()
            >>> for row in ("erm", "erm", "mult"):
            ...     remarks.add(row, "no masks")
            >>> remarks.told()
            ('erm (2 runs), mult (1 run): no masks',)
        """
        sentences = []
        for sentence, rows in self._rows.items():
            names = [f"{row} ({number_of(number, 'run')})" for row, number in rows.items()]
            rest = len(names) - 6
            shown = ", ".join(names[:6]) + (f" and {rest} more rows" if rest > 0 else "")
            sentences.append(f"{shown}: {sentence}")
        return tuple(sentences)
