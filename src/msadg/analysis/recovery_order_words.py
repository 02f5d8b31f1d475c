"""What the comparison of learning in order with learning at once says, in words."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from msadg.analysis.wording import listed, number_of

LEVEL = 0.05

COMPLEMENTARY = "complementary_share of "
"""What a modality's measure begins with."""


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """The part of the table that is drawn and told of.

    It is that of the sources with the most scores; of complementary shares it has those of one modality.
    """
    most = table.loc[table["measure"] == "f1_macro", "sources"].mode()
    part = table[table["sources"] == most[0]] if len(most) else table
    other = part["measure"].str.startswith(COMPLEMENTARY) & (
        part["measure"] != f"{COMPLEMENTARY}{complementary_modality(part)}"
    )
    return part[~other]


def complementary_modality(table: pd.DataFrame) -> str:
    """The modality that complements text: video, or audio where there is nothing of video."""
    found = set(table["measure"])
    return "audio" if f"{COMPLEMENTARY}audio" in found and f"{COMPLEMENTARY}video" not in found else "video"


def targets_of(scores: pd.DataFrame) -> list[tuple[str, float]]:
    """Each target with its shift, by shift; twice where its shift is not the same for all runs."""
    pairs = scores[["target", "shift"]].drop_duplicates().sort_values(["shift", "target"])
    return list(pairs.itertuples(index=False, name=None))


def caption_of(table: pd.DataFrame, num_clips: int) -> str:
    """What is shown, on which clips, and when learning in order helps."""
    part = shown(table)
    scores = part[part["measure"] == "f1_macro"]
    if scores.empty:
        return "No target has a shift: the sources' shortcut has no strength, so there is nothing to compare."
    named = listed([f"{target} ({shift:.2g})" for target, shift in targets_of(scores)])
    said = (
        f"Macro-F1 on the test clips (up to {num_clips} each) of targets by how far the shortcut has turned there "
        f"(shift: 0 = as in the sources, 0.5 = gone, 1 = reversed), by redundancy of video with text: {named}. Trained "
        f"on {scores['sources'].iloc[0]}, {_seeds(scores)}; the target was read by no choice. Top: each "
        "method, bars = 95 % t-intervals over seeds. Middle: learning in order minus learning at once or ERM, bars = "
        "95 % of a paired bootstrap over the target's videos, filled = p below .05 after Holm over all differences of "
        f"the table. Bottom: of the selected {complementary_modality(part)} features that are invariant, the share "
        f"that complements text; dotted = by chance.{_rest(table, part)}"
    )
    return " ".join([said, *_verdicts(part)])


def _rest(table: pd.DataFrame, part: pd.DataFrame) -> str:
    """What the table has and the figure does not."""
    left = [f"runs trained on {name}" for name in table["sources"].unique() if name not in set(part["sources"])]
    measures = set(table["measure"]) - set(part["measure"])
    left += [f"the {name.replace('_', ' ')}" for name in sorted(measures) if name.startswith(COMPLEMENTARY)]
    return f" In the table alone: {listed(left)}." if left else ""


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
    shares = table[table["measure"].str.startswith(COMPLEMENTARY)]
    inner = shares[(shares["by_chance"] > 0) & (shares["by_chance"] < 1)]
    if not inner.empty:
        above = (inner["mean"] - inner["by_chance"]).groupby(inner["row"], sort=False).mean()
        parts = [f"{row} {100 * value:+.0f} points" for row, value in above.items()]
        name = f"Complementary share of {complementary_modality(table)}"
        yield f"{name} above chance, in the mean where both kinds exist: {listed(parts)}."


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
    part = shown(table)
    scores = part[part["measure"] == "f1_macro"]
    if scores.empty:
        return "No figure."
    means = scores.groupby(["row", "shift"], sort=False)["mean"].mean().reset_index()
    said = []
    for row, own in means.groupby("row", sort=False):
        values = [f"{mean:.2f} at shift {shift:.2g}" for shift, mean in zip(own["shift"], own["mean"], strict=True)]
        said.append(f"{row}: {', '.join(values)}")
    panels = "One column of panels for each target, redundancy to the right"
    return f"{panels}. Macro-F1, means over redundancies: {'; '.join(said)}."
