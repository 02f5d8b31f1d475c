"""Rows against one of them in the mean over all targets, as a section of a report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msadg.report.markdown import escape, grid
from msadg.report.names import MISSING, number, printed
from msadg.report.tables import LEVEL

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Overall:
    """Rows against one of them in the mean over all targets (``results.overall``)."""

    found: pd.DataFrame
    against: str
    metric: str
    labels: Mapping[str, str]
    """What each row is called; one that reads simulated features says so."""

    @property
    def title(self) -> str:
        """Its heading."""
        return f"Mean over all targets: {printed(self.metric)}"

    @property
    def caption(self) -> str:
        """How it was tested."""
        tested = self.found[self.found["p"].notna()]
        return (
            f"Each row less {printed(self.against)}, in the mean over the target cells (setting and domain) that both "
            "have: bootstrap over whole videos, a test set drawn alike in all of its cells, for the seeds that were "
            f"trained; p adjusted by Holm over {len(tested)} rows. *: p < .05. Over seeds: t-interval of the "
            "difference seed by seed, on the clips as they are; none where a row has one seed."
            + ("" if len(tested) == len(self.found) else f" {MISSING} as p: not tested.")
        )

    def lines(self) -> list[list[str]]:
        """The heading of each column, then the cells of each row, in plain text."""
        baseline = f"{printed(self.against)} on them"
        head = [
            "method",
            "target cells",
            "mean",
            baseline,
            "difference",
            "95 % of draws",
            "p (Holm)",
            "95 % over seeds",
        ]
        return [head, *(_line(self.labels[line["row"]], line) for line in self.found.to_dict("records"))]


def overall_to_markdown(overall: Overall) -> str:
    """A heading, the table, and how it was tested; ends with a line break."""
    head, *body = overall.lines()
    escaped = [[escape(cell) for cell in line] for line in body]
    return "\n\n".join([f"### {overall.title}", grid([head, *escaped]), escape(overall.caption)]) + "\n"


def _line(label: str, line: Mapping[Any, Any]) -> list[str]:
    p = float(line["p_adjusted"])
    return [
        label,
        str(line["num_cells"]),
        number(line["mean"]),
        number(line["baseline_mean"]),
        f"{line['difference']:+.3f}" + ("*" if p < LEVEL else ""),
        _range(line["low"], line["high"]),
        "< .001" if p < 0.001 else number(p),
        _range(line["seed_low"], line["seed_high"]),
    ]


def _range(low: float, high: float) -> str:
    return MISSING if math.isnan(low) else f"{low:+.3f} to {high:+.3f}"
