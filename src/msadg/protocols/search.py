"""Random search with equal budgets: each row gets the same number of draws, and source validation alone decides.

After Gulrajani and Lopez-Paz, "In Search of Lost Domain Generalization", ICLR 2021: draw 0 is the recipe itself, every
other draw takes all searched settings from their distributions at random, and the best by the sources' dev splits
wins, each choice of sources for itself. Were one choice made for several settings of a table, the dev split of a
domain that is a source in one of them would help to choose for another in which it is the target.
Differences from the published protocol: a draw's score is its mean over seeds (there, each seed has draws of its own);
the draws of a setting differ from row to row (there, methods that share a setting share its draws), so that few draws
are luckier for one row than for another; and no target is even opened: runs of a search are scored on their sources.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from msadg.errors import UsageError
from msadg.methods import load_method
from msadg.metrics.by_domain import LOWER_IS_BETTER
from msadg.protocols.changes import Changes, sources_key
from msadg.protocols.domains import DomainSplit, domain_name
from msadg.protocols.experiment import Experiment
from msadg.protocols.grid import missing, plan, run_grid
from msadg.protocols.grid_engines import GridEngine
from msadg.protocols.recipe import Recipe, RowSpec
from msadg.protocols.search_space import SearchSpace
from msadg.results.record import Record

TUNE_FILE = "tune.jsonl"
"""The records of a search, in its folder; the models beside it are found again by a grid in the same folder."""


@dataclass(frozen=True)
class Draw:
    """One set of settings of a row."""

    row: str
    index: int
    changes: Changes

    @property
    def label(self) -> str:
        """What its runs are called in the records."""
        return f"{self.row}, draw {self.index}"


@dataclass(frozen=True)
class Search:
    """Everything that will be run."""

    recipe: Recipe
    """With a row for each draw."""
    draws: dict[str, list[Draw]]
    """By row; one draw alone where a row has nothing to search."""
    experiments: list[Experiment]
    num_draws: int
    """The budget: of each row that has something to search."""

    def row_of(self, experiment: Experiment) -> str:
        """The row of which an experiment is a draw."""
        return next(draw.row for draws in self.draws.values() for draw in draws if draw.label == experiment.row)


@dataclass(frozen=True)
class Score:
    """What the runs of a draw reached on the dev splits of their sources."""

    draw: Draw
    by_seed: dict[int, float]
    """Mean over the sources of the selection metric; higher is better (``nll`` and ``mae`` are negated)."""
    errors: tuple[str, ...] = ()
    """Of runs that failed, or have no such score; a draw with one of them is not chosen."""

    @property
    def mean(self) -> float:
        """Over seeds; NaN for a draw that is not chosen."""
        return math.nan if self.errors or not self.by_seed else statistics.fmean(self.by_seed.values())


@dataclass(frozen=True)
class Choice:
    """The outcome of one row on one choice of sources."""

    row: str
    setting: str | None
    sources: tuple[str, ...]
    metric: str
    scores: tuple[Score, ...]
    """Of all draws, in their order."""

    @property
    def best(self) -> Score | None:
        """The best draw, of equals the earliest; None where each failed."""
        whole = [score for score in self.scores if not math.isnan(score.mean)]
        return max(whole, key=lambda score: score.mean, default=None)

    @property
    def num_failed(self) -> int:
        """Draws that are left out of the choice."""
        return sum(math.isnan(score.mean) for score in self.scores)

    def to_plain(self) -> dict[str, Any]:
        """Plain values, all draws among them; no score is null, a metric of which less is better is negated."""
        draws = [
            {
                "draw": score.draw.index,
                "settings": score.draw.changes.by_name(),
                "dev_mean": None if math.isnan(score.mean) else score.mean,
                "dev_by_seed": {str(seed): value for seed, value in score.by_seed.items()},
                "errors": list(score.errors),
            }
            for score in self.scores
        ]
        return {
            "row": self.row,
            "setting": self.setting,
            "sources": list(self.sources),
            "metric": self.metric,
            "best_draw": self.best.draw.index if self.best else None,
            "draws": draws,
        }


def rows_to_search(
    recipe: Recipe, names: Sequence[str] = (), splits: Sequence[DomainSplit] = ()
) -> tuple[list[str], dict[str, str]]:
    """Rows that can be searched, and which of all rows are left out, and why.

    Args:
        recipe: whose rows.
        names: which; none stands for all that can be searched, on some of the splits if there are any.
        splits: the sources.

    Raises:
        UnknownNameError: no such row or method.
        UsageError: a row that is named cannot be searched.
    """
    chosen = list(dict.fromkeys(names)) or recipe.all_rows()
    reasons = {row: reason for row in chosen if (reason := _why_not(recipe, row))}
    for row, reason in reasons.items():
        if names:
            raise UsageError(f"row {row!r} cannot be searched: {reason}; leave it out")
    if splits and not names:  # of a row that is named, planning says so
        too_few = "it compares source domains, and there is one"
        reasons |= {row: too_few for row in chosen if not recipe.splits_for(row, splits)}
    return [row for row in chosen if row not in reasons], reasons


def _why_not(recipe: Recipe, row: str) -> str:
    spec = recipe.row(row)
    if load_method(spec.method).fitted_on != "train":
        return "it is asked, not trained, and has nothing to search"
    if spec.keep_ratio_of is not None or spec.intervention != "none":
        return "it is a control of another row, to be given the settings found for that one (best.toml has no controls)"
    if recipe.is_of_classes_only(row):
        return "it has a class prior, and a regression predicts polarity"
    return ""


def plan_search(
    recipe: Recipe,
    space: SearchSpace,
    rows: Sequence[str],
    splits: Sequence[DomainSplit],
    seeds: Sequence[int],
    num_draws: int,
    search_seed: int = 0,
) -> Search:
    """Draw the settings and plan the runs.

    Args:
        recipe: draw 0 of each row.
        space: what the other draws are taken from.
        rows: of ``rows_to_search``.
        splits: which sources; their targets are left out.
        seeds: of each draw; a deterministic method gets the first only.
        num_draws: of each row, draw 0 among them.
        search_seed: of the draws.

    Raises:
        UnknownNameError: no such row or method.
        SettingsError: settings out of range, drawn ones too.
        UsageError: fewer than one draw, or a row whose epochs are selected on the target.
    """
    if num_draws < 1:
        raise UsageError(f"{num_draws} draws cannot be compared; take 1 (the recipe itself) or more")
    for row in rows:
        if (recipe.row(row).selection or recipe.selection) == "oracle":
            raise UsageError(
                f"row {row!r} selects on the target (oracle), and a search never reads one; use source_dev"
            )
    draws = {row: _draws(recipe, space, row, num_draws, search_seed) for row in rows}
    specs = {draw.label: recipe.row(row).changed(draw.changes) for row in rows for draw in draws[row]}
    with_draws = replace(recipe, rows={**recipe.rows, **specs})
    sources = list({sources_key(s.source_domains): replace(s, target_domains=()) for s in splits}.values())
    experiments = []
    for row in rows:
        # Where a row cannot be trained on some of the sources, this says so, once for all of its draws.
        possible = list(dict.fromkeys(e.domains for e in plan(recipe, [row], sources, seeds[:1])))
        experiments += plan(with_draws, [draw.label for draw in draws[row]], possible, seeds)
    return Search(with_draws, draws, experiments, num_draws)


def _draws(recipe: Recipe, space: SearchSpace, row: str, num_draws: int, seed: int) -> list[Draw]:
    spec = recipe.row(row)
    number = num_draws if space.of_row(spec) else 1
    return [Draw(row, index, space.draw(row, spec, seed, index)) for index in range(number)]


def run_search(
    search: Search,
    folder: Path,
    *,
    num_jobs: int | None = None,
    engine: GridEngine | None = None,
    tell: Callable[[Record, int, int], None] | None = None,
) -> list[Choice]:
    """Run what is not recorded yet, and choose; see ``run_grid`` for the arguments."""
    records = run_grid(
        search.recipe, search.experiments, folder, num_jobs=num_jobs, engine=engine, tell=tell, journal=TUNE_FILE
    )
    return choose(search, records)


def missing_runs(search: Search, folder: Path, experiments: Sequence[Experiment]) -> list[Experiment]:
    """What ``run_search`` would run of some experiments of the search."""
    return missing(search.recipe, experiments, folder, journal=TUNE_FILE)


def choose(search: Search, records: Sequence[Record]) -> list[Choice]:
    """The outcome of each row on each choice of sources, by the sources' dev splits alone."""
    found: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        found.setdefault((record.row, sources_key(record.source_domains)), []).append(record)
    draw_of = {draw.label: draw for draws in search.draws.values() for draw in draws}
    cells: dict[tuple[str, str], list[Experiment]] = {}
    for experiment in search.experiments:
        key = draw_of[experiment.row].row, sources_key(experiment.domains.source_domains)
        cells.setdefault(key, []).append(experiment)
    return [_choice(search, row, experiments, found) for (row, _), experiments in cells.items()]


def _choice(
    search: Search, row: str, experiments: Sequence[Experiment], found: dict[tuple[str, str], list[Record]]
) -> Choice:
    domains = experiments[0].domains
    sources = sources_key(domains.source_domains)
    # Draws change neither the metric nor the sources, so the first run stands for all of the cell.
    metric = experiments[0].training.selection_metric
    scores = tuple(_score(draw, found.get((draw.label, sources), ()), metric) for draw in search.draws[row])
    return Choice(row, domains.setting, tuple(map(domain_name, domains.source_domains)), metric, scores)


def _score(draw: Draw, records: Sequence[Record], metric: str) -> Score:
    by_seed, errors = {}, []
    for record in records:
        value = math.nan if record.error else source_score(record, metric)
        if math.isnan(value):
            errors.append(f"seed {record.seed}: {record.error or f'no {metric} on dev'}")
        else:
            by_seed[record.seed] = value
    return Score(draw, by_seed, tuple(errors))


def source_score(record: Record, metric: str) -> float:
    """The mean of a metric over the dev splits of a run's sources, higher being better; reads no other domain.

    NaN where a source has no such score; a correlation that does not exist counts as -1, as in selection. Under
    ``leave_one_source_out``, each source is scored by the training that was without it.
    """
    left_out: dict[str, float] = record.extra.get("left_out", {})
    if left_out:
        return statistics.fmean(left_out.values())
    values = [record.dev_metrics.get(domain, {}).get(metric, math.nan) for domain in record.source_domains]
    if metric == "corr" and all(metric in record.dev_metrics.get(d, {}) for d in record.source_domains):
        values = [-1.0 if math.isnan(value) else value for value in values]
    mean = statistics.fmean(values)
    return -mean if metric in LOWER_IS_BETTER else mean


def tuned_recipe(recipe: Recipe, choices: Sequence[Choice], said: str) -> Recipe:
    """The recipe with the rows that were searched, each with the settings that won, by its sources.

    Args:
        recipe: that was searched.
        choices: of ``run_search``.
        said: added to the description.
    """
    rows: dict[str, RowSpec] = {}
    for choice in choices:
        spec = rows.get(choice.row, recipe.row(choice.row))
        if choice.best is not None:
            key = sources_key(choice.sources)
            known = {sources_key(name.split("+")): own for name, own in spec.by_sources.items()}
            known[key] = known.get(key, Changes()).and_then(choice.best.draw.changes)
            spec = replace(spec, by_sources=known)
        rows[choice.row] = spec
    rows = {row: spec if _has_changes(spec) else replace(spec, by_sources={}) for row, spec in rows.items()}
    description = f"{recipe.description}; {said}" if recipe.description else said
    return replace(recipe, description=description, rows=rows, search={})


def _has_changes(spec: RowSpec) -> bool:
    return any(changes.by_name() for changes in spec.by_sources.values())
