"""Rows against one of them in the mean over all targets, as a section of a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msadg.report.markdown import escape, grid
from msadg.report.names import number, printed
from msadg.report.tables import LEVEL

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Overall:
    """Rows against one of them in the mean over all targets (``results.overall``)."""

    found: pd.DataFrame
    against: str
    metric: str

    @property
    def title(self) -> str:
        """Its heading."""
        return f"Mean over all targets: {printed(self.metric)}"

    @property
    def caption(self) -> str:
        """How it was tested."""
        return (
            f"Each row less {printed(self.against)}, in the mean over the target cells (setting and domain) that both "
            "have: bootstrap over whole videos, a test set drawn alike in all of its cells, for the seeds that were "
            f"trained; p adjusted by Holm over {len(self.found)} rows. *: p < .05."
        )

    def lines(self) -> list[list[str]]:
        """The heading of each column, then the cells of each row, in plain text."""
        baseline = f"{printed(self.against)} on them"
        head = ["method", "target cells", "mean", baseline, "difference", "95 % interval", "p (Holm)"]
        return [head, *(_line({str(key): value for key, value in line.items()}) for line in self._records())]

    def _records(self) -> list[dict[Any, Any]]:
        return self.found.to_dict("records")


def overall_to_markdown(overall: Overall) -> str:
    """A heading, the table, and how it was tested; ends with a line break."""
    head, *body = overall.lines()
    escaped = [[escape(cell) for cell in line] for line in body]
    return "\n\n".join([f"### {overall.title}", grid([head, *escaped]), escape(overall.caption)]) + "\n"


def _line(line: dict[str, Any]) -> list[str]:
    p = float(line["p_adjusted"])
    return [
        printed(line["row"]),
        str(line["num_cells"]),
        number(line["mean"]),
        number(line["baseline_mean"]),
        f"{line['difference']:+.3f}" + ("*" if p < LEVEL else ""),
        f"{line['low']:+.3f} to {line['high']:+.3f}",
        "< .001" if p < 0.001 else number(p),
    ]
