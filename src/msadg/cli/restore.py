"""`msadg restore`: make a results folder from the file that `msadg archive` wrote.

  msadg restore docs/results/tables/runs.parquet -o results/tables
  msadg report results/tables --against "erm (M, frozen)"                   their tables, with tests
  msadg benchmark --table 1 -o results/tables                               goes on with what is missing

The corpora must be at hand (MSADG_DATA; --domain for manifests of your own): labels and clips are read from them, and
must be those that were scored. Runs that the folder has already are left as they are; so is what was restored before
Ctrl-C. Weights are not in the file: for what reads a trained model (analyse, stress, predict), make the run again with
the same `msadg benchmark` and another -o.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from msadg.cli.archive import add_corpora_arguments, manifests_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("archive", type=Path, metavar="FILE", help="that `msadg archive` wrote")
    parser.add_argument("-o", "--output", type=Path, default=Path("results"), help="results folder (default: results)")
    add_corpora_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Restore and say what was added."""
    from msadg.cli.options import progress_bar
    from msadg.protocols.scored_clips import scored_clips
    from msadg.results.restore import restore

    manifests = manifests_of(arguments.domain)
    with progress_bar() as bar:
        task = bar.add_task("runs", total=None, note="")
        added, already = restore(
            arguments.archive,
            arguments.output,
            scored_clips(arguments.data_root, manifests),
            lambda done, total: bar.update(task, completed=done, total=total),
            manifests,
        )
    there = f"; {already} were there already" if already else ""
    print(f"{arguments.output}: {len(added)} runs added{there}")
    return 0
