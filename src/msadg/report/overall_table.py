"""Rows against one of them in the mean over all targets, as a section of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msadg.report.markdown import escape, grid
from msadg.report.names import number, printed
from msadg.report.tables import LEVEL

if TYPE_CHECKING:
    import pandas as pd


def overall_to_markdown(found: pd.DataFrame, against: str, metric: str) -> str:
    """A heading, the table, and how it was tested; ends with a line break."""
    name = printed(against)
    head = ["method", "target cells", "mean", f"{name} on them", "difference", "95 % interval", "p (Holm)"]
    body = [_line({str(key): value for key, value in line.items()}) for line in found.to_dict("records")]
    how = (
        f"Each row less {name}, in the mean over the target cells (setting and domain) that both have: bootstrap over "
        "whole videos, a test set drawn alike in all of its cells, for the seeds that were trained; p adjusted by Holm "
        f"over {len(body)} rows. *: p < .05."
    )
    return "\n\n".join([f"### Mean over all targets: {printed(metric)}", grid([head, *body]), escape(how)]) + "\n"


def _line(line: dict[str, Any]) -> list[str]:
    p = float(line["p_adjusted"])
    return [
        escape(printed(line["row"])),
        str(line["num_cells"]),
        number(line["mean"]),
        number(line["baseline_mean"]),
        f"{line['difference']:+.3f}" + (r"\*" if p < LEVEL else ""),
        f"{line['low']:+.3f} to {line['high']:+.3f}",
        "< .001" if p < 0.001 else number(p),
    ]
