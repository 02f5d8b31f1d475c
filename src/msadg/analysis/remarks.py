"""What could not be measured, once for all runs that it is true of."""

from __future__ import annotations

from collections.abc import Hashable

from msadg.analysis.wording import number_of


class Remarks:
    """Collects sentences, each with the rows whose runs it is about."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, set[Hashable]]] = {}

    def add(self, row: str, sentence: str, run: Hashable = None) -> None:
        """Note a sentence on a run of a row.

        Args:
            row: label of the row.
            sentence: what is true of the run.
            run: tells it from the other runs of the row, so that what is said of it several times counts once; None
                is a run of which nothing else was said.
        """
        self._rows.setdefault(sentence, {}).setdefault(row, set()).add(object() if run is None else run)

    def told(self) -> tuple[str, ...]:
        """Each sentence after the rows that it is about.

        Example:
            >>> remarks = Remarks()
            >>> for row in ("erm", "erm", "mult"):
            ...     remarks.add(row, "no masks")
            >>> remarks.told()
            ('erm (2 runs), mult (1 run): no masks',)
            >>> remarks = Remarks()
            >>> for modality in ("text", "video"):
            ...     remarks.add("erm", "too few clips", run="seed 0")
            >>> remarks.told()
            ('erm (1 run): too few clips',)
        """
        sentences = []
        for sentence, rows in self._rows.items():
            names = [f"{row} ({number_of(len(runs), 'run')})" for row, runs in rows.items()]
            rest = len(names) - 6
            shown = ", ".join(names[:6]) + (f" and {rest} more rows" if rest > 0 else "")
            sentences.append(f"{shown}: {sentence}")
        return tuple(sentences)
