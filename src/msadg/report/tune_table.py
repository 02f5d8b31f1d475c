"""What a search found, as Markdown: for each choice of sources a table with a line a row, and the settings below."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msadg.metrics.by_domain import LOWER_IS_BETTER
from msadg.protocols.recipe_toml import toml_value
from msadg.protocols.search import Choice
from msadg.report.markdown import escape, grid
from msadg.report.names import MISSING, number, printed, spread
from msadg.results.statistics import t_interval


def tune_tables(choices: Sequence[Choice], num_draws: int, said: str) -> str:
    """All tables; ends with a line break.

    Args:
        choices: of ``run_search``.
        num_draws: the budget of each row.
        said: how the draws were made, in a sentence or two.
    """
    by_sources: dict[tuple[str, ...], list[Choice]] = {}
    for choice in choices:
        by_sources.setdefault(choice.sources, []).append(choice)
    parts = ["# Settings found by random search", said]
    for group in by_sources.values():
        parts += [f"### {escape(_heading(group[0]))}", _table(group, num_draws)]
        parts += ["\n".join([*map(_won, group), *_failures(group)])]
    return "\n\n".join(parts) + "\n"


def _heading(choice: Choice) -> str:
    sources = "+".join(map(printed, choice.sources))
    return f"{choice.setting}: from {sources}" if choice.setting else f"from {sources}"


def _table(choices: Sequence[Choice], num_draws: int) -> str:
    metrics = dict.fromkeys(printed(choice.metric) for choice in choices)
    named = next(iter(metrics)) if len(metrics) == 1 else "score"
    head = ["row", "best draw", f"dev {named}", "draw 0", "all draws: mean, sd", "worst", "draws scored"]
    return grid([head, *(_line(choice, num_draws) for choice in choices)])


def _line(choice: Choice, num_draws: int) -> list[str]:
    scored = [score.mean for score in choice.scores if not math.isnan(score.mean)]
    counted = f"{len(scored)} of {len(choice.scores)}"
    counted += "" if len(choice.scores) == num_draws else ", nothing to search"
    label = escape(printed(choice.row))
    if choice.best is None:
        return [label, *[MISSING] * 5, counted]
    interval = t_interval(list(choice.best.by_seed.values()))
    deviation = statistics.stdev(scored) if len(scored) > 1 else math.nan
    over_draws = (
        f"{_shown(statistics.fmean(scored), choice)}, {MISSING if math.isnan(deviation) else number(deviation)}"
    )
    return [
        label,
        str(choice.best.draw.index),
        spread(_signed(interval.mean, choice), interval.half),
        _shown(choice.scores[0].mean, choice),
        over_draws,
        _shown(min(scored), choice),
        counted,
    ]


def _won(choice: Choice) -> str:
    best = choice.best
    said = settings_in_words(best.draw.changes.by_name()) if best else ""
    which = f", draw {best.draw.index}" if best else ", no draw"
    return f"- {escape(printed(choice.row))}{which}: {said or 'as the recipe has it'}"


def settings_in_words(changes: Mapping[str, Any]) -> str:
    """Changed settings in one line, as Markdown; those of the method by their bare names.

    Example:
        >>> settings_in_words({"training.epochs": 3, "settings.dim": 8})
        '`training.epochs = 3`, `dim = 8`'
    """
    return ", ".join(f"`{name.removeprefix('settings.')} = {toml_value(v)}`" for name, v in changes.items())


def _signed(value: float, choice: Choice) -> float:
    return -value if choice.metric in LOWER_IS_BETTER else value


def _shown(value: float, choice: Choice) -> str:
    return MISSING if math.isnan(value) else number(_signed(value, choice))


def _failures(choices: Sequence[Choice]) -> Iterator[str]:
    for choice in choices:
        errors = [f"draw {s.draw.index}, {error}" for s in choice.scores for error in s.errors]
        if errors:
            yield "- " + escape(
                f"{printed(choice.row)}: {choice.num_failed} of {len(choice.scores)} draws are left out of the choice; "
                f"runs failed: {len(errors)} (first: {errors[0]})"
            )
