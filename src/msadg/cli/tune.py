"""`msadg tune`: search settings at random, with the same number of draws for every row; sources alone decide.

  msadg tune --settings single-A multi-C --methods erm s2lif --draws 20 --seeds 3 -o tuned
  msadg benchmark --recipe tuned/best.toml --settings single-A multi-C --seeds 5 -o tuned

  msadg tune --leave-one-out a=a.csv b=b.csv c=c.csv --methods erm s2lif -o tuned
  msadg tune --source mosei --methods s2lif --search mine.toml --draws 40 -o tuned

Draw 0 is the recipe as it stands; each other draw takes its settings from the distributions of `recipes/search.toml`
(or --search), and those of the recipe's own [search] on top of them:

  [search]
  training.learning_rate = { log_uniform = [3e-4, 3e-3] }     # for every method that is trained by gradient
  settings.dropout = { choice = [0.0, 0.1, 0.3] }             # for every method that has this setting
  [search.s2lif]
  sparsity_weight = { log_uniform = [1e-4, 1e-1] }            # for one method

Distributions: uniform, log_uniform, int, log_int (two ends), choice (a list). What a row of the recipe sets itself is
not searched in it, unless the row lists it: searched = ["training.learning_rate"]. A draw depends on --search-seed, its
row and its number alone: with more --draws the earlier ones stay, and what is recorded is not run again.

The draw wins that has the best mean over seeds on the dev splits of the sources, for each choice of sources by itself;
under selection = "leave_one_source_out", on the dev split of each source by the training that was without it.
No target is opened. Draws with a failed run are recorded, left out of the choice, and tried again at the next start.
Writes tune.jsonl (every run), tune.json and tune.md (what was chosen), and best.toml (the recipe with the winners).
"""

from __future__ import annotations

import argparse
import functools
import json
import shlex
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msadg.cli.options import (
    add_data_arguments,
    add_recipe_arguments,
    parse_seeds,
    progress_bar,
    recipe_of,
    splits_of,
    tell_line,
)
from msadg.cli.prepare import missing_unprepared, prepare
from msadg.cli.rows import tell_of_own_features, with_trained_text
from msadg.cli.work import add_work_arguments, engine_of
from msadg.errors import UsageError
from msadg.methods import METHODS

if TYPE_CHECKING:
    from msadg.errors import FeatureError
    from msadg.protocols.experiment import Experiment
    from msadg.protocols.grid_engines import GridEngine
    from msadg.protocols.recipe import Recipe
    from msadg.protocols.search import Choice, Search
    from msadg.protocols.search_space import SearchSpace
    from msadg.results.record import Record


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "--methods", nargs="+", default=["all"], metavar="ROW",
        help=f"rows to search: {', '.join(METHODS)}, rows of the recipe, or all (default)",
    )  # fmt: skip
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--settings", nargs="+", metavar="SETTING", help="single-A ... multi-C, or all (default)")
    which.add_argument("--leave-one-out", nargs="+", metavar="DOMAIN", help="all of these but one in turn are sources")
    which.add_argument("--source", nargs="+", metavar="DOMAIN", help="one choice of sources")
    parser.add_argument("--draws", type=int, default=20, help="of each row, the recipe itself among them (%(default)s)")
    parser.add_argument("--seeds", default="3", help="of each draw: how many (3) or which (0,3,7); default: 3")
    parser.add_argument(
        "--search", default="search", metavar="FILE", help="recipe with the distributions (%(default)s)"
    )
    parser.add_argument("--search-seed", type=int, default=0, help="of the draws (%(default)s)")
    parser.add_argument("-o", "--output", type=Path, default=Path("tuned"), help="folder (default: tuned)")
    parser.add_argument("--dry-run", action="store_true", help="only say which runs are missing, with their settings")
    parser.add_argument("--json", action="store_true", help="print what was chosen as one JSON object")
    add_work_arguments(parser)
    add_recipe_arguments(parser)
    add_data_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Search, choose, write, print; exit status 1 if a run failed."""
    from msadg.protocols.recipe_toml import recipe_toml
    from msadg.protocols.search import TUNE_FILE, missing_runs, plan_search, rows_to_search, tuned_recipe
    from msadg.report.tune_table import tune_tables
    from msadg.store.atomic import write_text

    engine = engine_of(arguments)
    recipe = with_trained_text(recipe_of(arguments), arguments.text)
    space = _space(arguments.search, recipe, arguments.recipe)
    splits = splits_of(arguments)
    rows, left_out = rows_to_search(recipe, [] if arguments.methods == ["all"] else arguments.methods, splits)
    for row, reason in left_out.items():
        print(f"left out: row {row!r}: {reason}", file=sys.stderr)
    tell_of_own_features(rows, recipe, arguments)
    seeds = parse_seeds(arguments.seeds)
    search = plan_search(recipe, space, rows, splits, seeds, arguments.draws, arguments.search_seed)
    find_missing = functools.partial(missing_runs, search, arguments.output)
    if arguments.dry_run:
        return _tell_missing(search, missing_unprepared(search.experiments, arguments.output / TUNE_FILE, find_missing))
    refused: dict[str, str] = {}

    def refuse(experiment: Experiment, error: FeatureError) -> None:
        refused.setdefault(search.row_of(experiment), f"its features cannot be had: {error}")

    search = replace(search, experiments=prepare(search.experiments, leave_out=refuse))
    for row, reason in refused.items():
        print(f"not searched: {row}: {reason}", file=sys.stderr)
    todo = find_missing(search.experiments)
    choices = _search_shown(search, engine, len(todo), arguments.output)
    said = _how(arguments, seeds, search)
    files = {
        "tune.json": json.dumps(_plain(choices, arguments, seeds, space), indent=1) + "\n",
        "tune.md": tune_tables(choices, search.num_draws, said),
        "best.toml": recipe_toml(tuned_recipe(recipe, choices, "settings by msadg tune"), textwrap.fill(said, 118)),
    }
    for name, text in files.items():
        write_text(arguments.output / name, text)
    print(files["tune.json"] if arguments.json else files["tune.md"], end="")
    return _tell_end(choices, arguments) or int(bool(refused))


def _space(search: str, recipe: Recipe, name: str) -> SearchSpace:
    from msadg.protocols.recipe import load_recipe
    from msadg.protocols.search_space import search_space_from

    declared = load_recipe(search).search
    if not declared:
        raise UsageError(
            f"--search {search}: the recipe has no [search] part; see `msadg tune --help` for how to write one"
        )
    own = search_space_from(recipe.search, f"{name}: [search]")
    return own.on_top_of(search_space_from(declared, f"{search}: [search]"))


def _tell_missing(search: Search, experiments: list[Any]) -> int:
    from msadg.protocols.recipe_toml import toml_value

    changes = {draw.label: draw.changes.by_name() for draws in search.draws.values() for draw in draws}
    for experiment in experiments:
        drawn = " ".join(f"{name}={toml_value(value)}" for name, value in changes[experiment.row].items())
        sources = "+".join(s.partition("=")[0] for s in experiment.domains.source_domains)
        print(f"{experiment.row}, {sources}, seed {experiment.seed}: {drawn or 'the recipe itself'}")
    print(f"{len(experiments)} of {len(search.experiments)} runs are missing", file=sys.stderr)
    return 0


def _search_shown(search: Search, engine: GridEngine, num_missing: int, folder: Path) -> list[Choice]:
    """Run the search with a progress bar."""
    from msadg.protocols.search import run_search, source_score

    metric = {experiment.row: experiment.training.selection_metric for experiment in search.experiments}
    with progress_bar() as progress:
        number = len(search.experiments)
        task = progress.add_task(
            "runs", total=number, completed=number - num_missing, before=number - num_missing, note=""
        )

        def show(record: Record, *_: int) -> None:
            name = metric[record.row]
            said = "failed" if record.error else f"dev {name} {abs(source_score(record, name)):.3f}"
            sources = "+".join(record.source_domains)
            progress.update(task, advance=1, note=f"{record.row}, {sources}, seed {record.seed}: {said}")
            tell_line(progress, task)

        choices = run_search(search, folder, engine=engine, tell=show)
        progress.update(task, completed=number)
    return choices


def _how(arguments: argparse.Namespace, seeds: list[int], search: Search) -> str:
    return (
        f"{search.num_draws} draws of each row (search seed {arguments.search_seed}; draw 0 is the recipe "
        f"{Path(arguments.recipe).stem} itself), seeds {', '.join(map(str, seeds))} of each draw. The best mean on the "
        "dev splits of the sources won, for each choice of sources by itself; no target was opened."
    )


def _plain(
    choices: list[Choice], arguments: argparse.Namespace, seeds: list[int], space: SearchSpace
) -> dict[str, Any]:
    return {
        "draws": arguments.draws,
        "search_seed": arguments.search_seed,
        "seeds": seeds,
        "recipe": arguments.recipe,
        "changes_of_recipe": arguments.set,
        "search": space.to_plain(),
        "choices": [choice.to_plain() for choice in choices],
    }


def _tell_end(choices: list[Choice], arguments: argparse.Namespace) -> int:
    failed = [choice for choice in choices if choice.num_failed]
    for choice in failed:
        sources, number = "+".join(choice.sources), f"{choice.num_failed} of {len(choice.scores)} draws"
        rest = "" if choice.best else "; best.toml leaves this row as the recipe has it"
        print(f"failed: {choice.row} on {sources}, {number}, left out of the choice{rest}", file=sys.stderr)
    best = arguments.output / "best.toml"
    print(f"winners: {best}; next: {_next_command(arguments, best)}", file=sys.stderr)
    return 1 if failed else 0


def _next_command(arguments: argparse.Namespace, best: Path) -> str:
    """The benchmark of the winners, on the domains that were searched."""
    domains = {
        "--settings": arguments.settings,
        "--leave-one-out": arguments.leave_one_out,
        "--source": arguments.source,
    }
    chosen = [word for option, names in domains.items() if names for word in (option, *names)]
    target = " --target DOMAIN" if arguments.source else ""
    words = ["msadg", "benchmark", "--recipe", str(best), "-o", str(arguments.output), *chosen]
    return shlex.join(words) + target
