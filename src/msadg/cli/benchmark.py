"""`msadg benchmark`: a grid of methods x settings x seeds, on all cores, resumable.

  msadg benchmark --settings all --methods constant linear erm s2lif --seeds 5 -o results/text
  msadg benchmark --recipe controls --settings single-A multi-C --methods all --seeds 3 -o results/controls
  msadg benchmark --leave-one-out a=a.csv b=b.csv c=c.csv --methods erm s2lif -o results/mine

What is recorded in the results folder is not run again, so an interrupted grid is completed by the same command.
A run that fails is recorded with its error and does not stop the others; the next start tries it again.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from msadg.cli.options import (
    add_data_arguments,
    add_recipe_arguments,
    parse_seeds,
    prepare,
    progress_bar,
    recipe_of,
)
from msadg.errors import UsageError
from msadg.methods import METHODS

if TYPE_CHECKING:
    from msadg.protocols.domains import DomainSplit
    from msadg.protocols.recipe import Recipe
    from msadg.results.record import Record


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "--methods", nargs="+", default=["all"], metavar="ROW",
        help=f"rows of the table: {', '.join(METHODS)}, rows of the recipe, or all (default)",
    )  # fmt: skip
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--settings", nargs="+", metavar="SETTING", help="single-A ... multi-C, or all (default)")
    which.add_argument("--leave-one-out", nargs="+", metavar="DOMAIN", help="each of these in turn is the target")
    which.add_argument("--source", nargs="+", metavar="DOMAIN", help="one choice of sources; with --target")
    parser.add_argument("--target", nargs="+", default=[], metavar="DOMAIN", help="with --source")
    parser.add_argument("--seeds", default="5", help="how many (5) or which (0,3,7); default: 5")
    parser.add_argument("--jobs", type=int, help="processes at a time (default: one for each core)")
    parser.add_argument("-o", "--output", type=Path, default=Path("results"), help="results folder (default: results)")
    parser.add_argument("--dry-run", action="store_true", help="only say which runs are missing")
    add_recipe_arguments(parser)
    add_data_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the grid; exit status 1 if a run failed."""
    recipe = recipe_of(arguments)
    records = run_grid_shown(
        recipe,
        _rows(arguments.methods, recipe),
        _splits(arguments),
        parse_seeds(arguments.seeds),
        arguments.output,
        num_jobs=arguments.jobs,
        dry_run=arguments.dry_run,
    )
    failed = [record for record in records if record.error]
    for record in failed:
        print(f"failed: {record.row}, {record.setting}, seed {record.seed}: {record.error}", file=sys.stderr)
    for sentence, number in Counter(note for record in records for note in record.extra.get("warnings", ())).items():
        print(f"warning, in {number} of {len(records)} runs: {sentence}", file=sys.stderr)
    if not arguments.dry_run:
        done = f"{len(records) - len(failed)} runs are recorded in {arguments.output}"
        print(f"{done}; tables: msadg report {arguments.output}", file=sys.stderr)
    return 1 if failed else 0


def _rows(names: list[str], recipe: Recipe) -> list[str]:
    if names == ["all"]:
        return [*METHODS, *(row for row in recipe.rows if row not in METHODS)] if not recipe.rows else list(recipe.rows)
    for name in names:
        recipe.row(name)
    return list(dict.fromkeys(names))


def _splits(arguments: argparse.Namespace) -> list[DomainSplit]:
    from msadg.protocols.domains import SETTINGS, leave_one_out, paper_setting, split_domains

    if arguments.target and not arguments.source:
        raise UsageError("--target goes with --source")
    if arguments.source:
        return [split_domains(arguments.source, arguments.target)]
    if arguments.leave_one_out:
        return leave_one_out(arguments.leave_one_out)
    names = arguments.settings or ["all"]
    return [paper_setting(name) for name in (SETTINGS if names == ["all"] else names)]


def run_grid_shown(
    recipe: Recipe,
    rows: list[str],
    splits: list[DomainSplit],
    seeds: list[int],
    folder: Path,
    *,
    num_jobs: int | None = None,
    dry_run: bool = False,
) -> list[Record]:
    """Extract what is missing, run the grid with a progress bar, return its records."""
    from msadg.analysis.selected import measure_recovery
    from msadg.protocols.grid import missing, plan, run_grid

    experiments = plan(recipe, rows, splits, seeds)
    prepare(experiments)
    if dry_run:
        for experiment in missing(recipe, experiments, folder):
            print(f"{experiment.row}, {experiment.domains.setting}, seed {experiment.seed}")
        return []
    with progress_bar() as progress:
        task = progress.add_task("runs", total=len(experiments), note="")

        def show(record: Record, done: int, total: int) -> None:
            worst = min(
                (record.metrics[d]["f1_macro"] for d in record.target_domains if d in record.metrics), default=0
            )
            said = "failed" if record.error else f"worst target F1 {worst:.3f}"
            note = f"{record.row}, {record.setting}, seed {record.seed}: {said}"
            progress.update(task, completed=done, total=total, note=note)

        records = run_grid(recipe, experiments, folder, num_jobs=num_jobs, measure=measure_recovery, tell=show)
        progress.update(task, completed=len(records))
    return records
