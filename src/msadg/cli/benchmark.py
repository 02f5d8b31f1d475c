"""`msadg benchmark`: a grid of methods x settings x seeds, on all cores, resumable.

  msadg benchmark --table 2 --seeds 5 -o results/tables        (the first paper's Table 2, and rows that it lacks)
  msadg benchmark --table 1 --settings single-A --methods "ridg (T, frozen)" "erm (T, frozen)" -o results/tables
  msadg benchmark --settings all --methods constant linear erm s2lif --seeds 5 -o results/text
  msadg benchmark --recipe controls --settings single-A multi-C --methods all --seeds 3 -o results/controls
  msadg benchmark --leave-one-out a=a.csv b=b.csv c=c.csv --methods erm s2lif -o results/mine
  on a Ray cluster (results, stores and corpora on a disk that all of its machines share):
    msadg benchmark --settings all --seeds 5 --engine ray --ray-address auto -o results/text

What is recorded in the results folder is not run again, so an interrupted grid is completed by the same command.
A run that fails is recorded with its error and does not stop the others; the next start tries it again. So does a row
whose features cannot be had (a language model that is neither here nor to be fetched): the others are run.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msadg.cli.options import (
    add_data_arguments,
    add_recipe_arguments,
    parse_seeds,
    progress_bar,
    recipe_of,
    splits_of,
    tell_line,
)
from msadg.cli.paper_table import rows_of_table, splits_of_table
from msadg.cli.prepare import cell_of, missing_unprepared, prepare, recorded_cells
from msadg.cli.rows import rows_that_can_be, tell_of_own_features, with_trained_text
from msadg.cli.work import add_work_arguments, engine_of
from msadg.errors import FeatureError, UsageError
from msadg.methods import METHODS

if TYPE_CHECKING:
    from msadg.protocols.domains import DomainSplit
    from msadg.protocols.experiment import Experiment
    from msadg.protocols.grid_engines import GridEngine
    from msadg.protocols.recipe import Recipe
    from msadg.results.record import Record


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "--methods", nargs="+", metavar="ROW",
        help=f"rows of the table: {', '.join(METHODS)}, rows of the recipe, or all (default: all but language models)",
    )  # fmt: skip
    parser.add_argument(
        "--table", type=int, choices=(1, 2, 3),
        help="the first paper's table of this number, by the recipe tables unless --recipe names another; --settings "
        "and --methods take a part of it; language models are asked only by --methods, with their row or all",
    )  # fmt: skip
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--settings", nargs="+", metavar="SETTING", help="single-A ... multi-C, or all (default)")
    which.add_argument("--leave-one-out", nargs="+", metavar="DOMAIN", help="each of these in turn is the target")
    which.add_argument("--source", nargs="+", metavar="DOMAIN", help="one choice of sources; with --target")
    parser.add_argument("--target", nargs="+", default=[], metavar="DOMAIN", help="with --source")
    parser.add_argument("--seeds", default="5", help="how many (5) or which (0,3,7); default: 5")
    parser.add_argument("-o", "--output", type=Path, default=Path("results"), help="results folder (default: results)")
    parser.add_argument("--dry-run", action="store_true", help="only say which runs are missing, and which features")
    add_work_arguments(parser)
    add_recipe_arguments(parser)
    add_data_arguments(parser)
    parser.set_defaults(recipe=None)  # quick, or tables


def run(arguments: argparse.Namespace) -> int:
    """Run the grid; exit status 1 if a run failed."""
    from msadg.protocols.grid import RECORDS_FILE
    from msadg.report.notes import notes_on_code

    arguments.recipe = arguments.recipe or ("quick" if arguments.table is None else "tables")
    _check_output(arguments.output)
    recipe = with_trained_text(recipe_of(arguments), arguments.text)
    if arguments.table is not None:
        splits = splits_of_table(arguments)
        rows = rows_of_table(arguments.table, recipe, arguments.methods, splits)
    elif arguments.target and not arguments.source:
        raise UsageError("--target goes with --source")
    else:
        splits = splits_of(arguments, arguments.target)
        rows = _rows(arguments.methods, recipe, splits)
    tell_of_own_features(rows, recipe, arguments)
    refused: dict[str, str] = {}
    recorded = functools.cache(functools.partial(recorded_cells, arguments.output / RECORDS_FILE))

    def refuse(experiment: Experiment, error: FeatureError) -> None:
        if experiment.row not in refused and cell_of(experiment) not in recorded():
            refused[experiment.row] = f"not run: {experiment.row}: its features cannot be had: {error}"
            print(refused[experiment.row], file=sys.stderr)

    records = run_grid_shown(
        recipe,
        rows,
        splits,
        parse_seeds(arguments.seeds),
        arguments.output,
        engine=engine_of(arguments),
        dry_run=arguments.dry_run,
        leave_out=refuse,
    )
    for sentence in refused.values():  # again, where the grid in between was long
        print(sentence, file=sys.stderr)
    failed = [record for record in records if record.error]
    for record in failed:
        where = _place(record.setting, record.source_domains)
        print(f"failed: {record.row}, {where}, seed {record.seed}: {record.error}", file=sys.stderr)
    for sentence, number in Counter(note for record in records for note in record.extra.get("warnings", ())).items():
        print(f"warning, in {number} of {len(records)} runs: {sentence}", file=sys.stderr)
    for note in notes_on_code(records):
        print(f"note: {note}", file=sys.stderr)
    if not arguments.dry_run:
        done = f"{len(records) - len(failed)} runs are recorded in {arguments.output}"
        table = "" if arguments.table is None else f" --table {arguments.table}"
        print(f"{done}; tables: msadg report {arguments.output}{table}", file=sys.stderr)
    return 1 if failed or refused else 0


def _check_output(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"-o {folder} is a file; name a folder, which is made if there is none")


def _rows(names: list[str] | None, recipe: Recipe, splits: list[DomainSplit]) -> list[str]:
    """Those that are named; or all that can be, of which language models have to be asked for (``all``)."""
    if names is None or names == ["all"]:
        rows = _without_class_priors(recipe.all_rows(), recipe)
        return rows_that_can_be(rows, recipe, splits, with_language_models=names is not None)
    for name in names:
        recipe.row(name)
    return list(dict.fromkeys(names))


def _without_class_priors(rows: list[str], recipe: Recipe) -> list[str]:
    """The rows that the recipe's task has a meaning for; says which are left out.

    Who asks for all rows asks for those there can be; a row that is named and cannot be is an error.
    """
    left_out = [row for row in rows if recipe.is_of_classes_only(row)]
    if left_out:
        print(
            f"left out: {'; '.join(left_out)}: a class prior is about the shares of classes, and a regression predicts "
            "polarity",
            file=sys.stderr,
        )
    return [row for row in rows if row not in left_out]


def run_grid_shown(
    recipe: Recipe,
    rows: list[str],
    splits: list[DomainSplit],
    seeds: list[int],
    folder: Path,
    *,
    engine: GridEngine,
    dry_run: bool = False,
    leave_out: Callable[[Experiment, FeatureError], None] | None = None,
) -> list[Record]:
    """Extract what is missing, run the grid with a progress bar, return its records; a dry run only says what is.

    An experiment whose features cannot be had stops the grid, unless ``leave_out`` is to be told of it.
    """
    from msadg.analysis.selected import measure_recovery
    from msadg.protocols.grid import RECORDS_FILE, missing, plan, run_grid

    experiments = plan(recipe, rows, splits, seeds)
    if dry_run:
        todo = missing_unprepared(experiments, folder / RECORDS_FILE, lambda these: missing(recipe, these, folder))
        for experiment in todo:
            where = _place(experiment.domains.setting, experiment.domains.source_domains)
            print(f"{experiment.row}, {where}, seed {experiment.seed}")
        print(f"{len(todo)} of {len(experiments)} runs are missing in {folder}", file=sys.stderr)
        return []
    experiments = prepare(experiments, leave_out=leave_out)
    todo = missing(recipe, experiments, folder)
    with progress_bar() as progress:
        done_before = len(experiments) - len(todo)  # or the time left would be told as if they had been fast
        task = progress.add_task("runs", total=len(experiments), completed=done_before, before=done_before, note="")

        def show(record: Record, *_: int) -> None:
            where = _place(record.setting, record.source_domains)
            note = f"{record.row}, {where}, seed {record.seed}: {_said(record)}"
            progress.update(task, advance=1, note=note)
            tell_line(progress, task)

        records = run_grid(recipe, experiments, folder, measure=measure_recovery, tell=show, engine=engine)
        progress.update(task, completed=len(records))
    return records


def _place(setting: str | None, sources: Sequence[str]) -> str:
    """The setting of a run; of one without, its sources."""
    from msadg.protocols.domains import domain_name

    return setting or "+".join(map(domain_name, sources))


def _said(record: Record) -> str:
    """How a run ended, in a few words: its worst target, by macro-F1; by the error where polarities were predicted."""
    from msadg.metrics.by_domain import worst

    if record.error:
        return "failed"
    scored = [record.metrics[domain] for domain in record.target_domains if domain in record.metrics]
    for metric, name in (("mae", "MAE"), ("f1_macro", "F1")):
        values = [scores[metric] for scores in scored if metric in scores]
        if values:  # a target that is labelled with classes has no error
            return f"worst target {name} {worst(metric, values):.3f}"
    return "done"
