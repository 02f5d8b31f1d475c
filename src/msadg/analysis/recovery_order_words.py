"""What the comparison of learning in order with learning at once says, in words."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from msadg.analysis.wording import listed, number_of

LEVEL = 0.05


def caption_of(table: pd.DataFrame, num_clips: int) -> str:
    """What is shown, on which clips, and when learning in order helps."""
    scores = table[table["measure"] == "f1_macro"]
    if scores.empty:
        return "No target has a shift: the sources' shortcut has no strength, so there is nothing to compare."
    targets = scores.drop_duplicates("target").sort_values("shift")
    named = listed([f"{row['target']} ({row['shift']:.2g})" for row in targets.to_dict("records")])
    shown = (
        f"Macro-F1 on the test clips (up to {num_clips} each) of targets by how far the shortcut has turned there "
        f"(shift: 0 = as in the sources, 0.5 = gone, 1 = reversed), by redundancy of video with text: {named}. Trained "
        f"on {listed(list(scores['sources'].unique()))}, {_seeds(scores)}; the target was read by no choice. Top: each "
        "method, bars = 95 % t-intervals over seeds. Middle: learning in order minus learning at once or ERM, bars = "
        "95 % of a paired bootstrap over the target's videos, filled = p below .05 after Holm over all differences of "
        "the table. Bottom: of the selected video features that are invariant, the share that complements text; dotted "
        "= by chance."
    )
    return " ".join([shown, *_verdicts(table)])


def _seeds(scores: pd.DataFrame) -> str:
    fewest, most = int(scores["num_seeds"].min()), int(scores["num_seeds"].max())
    return number_of(most, "seed") if fewest == most else f"{fewest} to {most} seeds"


def _verdicts(table: pd.DataFrame) -> Iterator[str]:
    differences = table[table["measure"] == "f1_macro_difference"]
    if differences.empty:
        yield "Nothing was learned at once that could be held against what was learned in order."
    for (row, against), part in differences.groupby(["row", "against"], sort=False):
        better, worse = (part[(part["p_holm"] < LEVEL) & (sign * part["mean"] > 0)] for sign in (1, -1))
        yield (
            f"{row} minus {against}: {part['mean'].mean():+.3f} in the mean of {number_of(len(part), 'cell')} "
            f"({part['mean'].min():+.3f} to {part['mean'].max():+.3f}); it helps in {len(better)}{_where(better)} "
            f"and hurts in {len(worse)}{_where(worse)}; by shift {_by(part, 'shift')}; by redundancy "
            f"{_by(part, 'redundancy')}."
        )
    shares = table[table["measure"].str.startswith("complementary_share")]
    inner = shares[(shares["by_chance"] > 0) & (shares["by_chance"] < 1)]
    if not inner.empty:
        above = (inner["mean"] - inner["by_chance"]).groupby(inner["row"], sort=False).mean()
        parts = [f"{row} {100 * value:+.0f} points" for row, value in above.items()]
        yield f"Complementary share above chance, in the mean where both kinds exist: {listed(parts)}."


def _where(part: pd.DataFrame) -> str:
    """In which cells, the first few."""
    places = [f"{row['redundancy']:g}/{row['shift']:.2g}" for row in part.to_dict("records")]
    more = f" and {len(places) - 4} more" if len(places) > 4 else ""
    return f" (redundancy/shift {', '.join(places[:4])}{more})" if places else ""


def _by(part: pd.DataFrame, column: str) -> str:
    means = part.groupby(column)["mean"].mean()
    return listed([f"{value:.2g}: {mean:+.3f}" for value, mean in means.items()])


def alternative_of(table: pd.DataFrame) -> str:
    """The figure in words."""
    scores = table[table["measure"] == "f1_macro"]
    if scores.empty:
        return "No figure."
    means = scores.groupby(["row", "shift"], sort=False)["mean"].mean().reset_index()
    said = []
    for row, part in means.groupby("row", sort=False):
        values = [f"{mean:.2f} at shift {shift:.2g}" for shift, mean in zip(part["shift"], part["mean"], strict=True)]
        said.append(f"{row}: {', '.join(values)}")
    shown = "One column of panels for each target, redundancy to the right"
    return f"{shown}. Macro-F1, means over redundancies: {'; '.join(said)}."
