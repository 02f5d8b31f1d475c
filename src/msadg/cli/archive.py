"""`msadg archive`: put the runs of a results folder into one small file, to publish or to keep.

  msadg archive results/tables -o docs/results/tables/runs.parquet
  msadg restore docs/results/tables/runs.parquet -o results/tables      (on another machine: the way back)

The file holds the record of every run that tables show (settings, scores, seeds, revision of the code) and the class
that it gave each test clip: a few kilobytes a run, more of a regression. That is all that tables and their tests need.
No label, transcript or id of a corpus is in it, no folder of this machine, no weights and, of a classification, no
probabilities. The corpora must be at hand: a digest of what was scored goes with the runs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msadg.errors import UsageError

if TYPE_CHECKING:
    from msadg.errors import RunError
    from msadg.results.record import Record


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("results", type=Path, help="folder that `msadg benchmark` or `msadg train` wrote")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="to write (RESULTS/runs.parquet)")
    add_corpora_arguments(parser)


def add_corpora_arguments(parser: argparse.ArgumentParser) -> None:
    """Where the corpora are that the runs scored."""
    parser.add_argument("--data-root", type=Path, help="folder of the corpora (default: as recorded, or MSADG_DATA)")
    parser.add_argument(
        "--domain", nargs="+", default=[], metavar="NAME=PATH", help="manifests of your own, where they are now"
    )


def manifests_of(words: Sequence[str]) -> dict[str, str]:
    """Name -> ``name=path``.

    Raises:
        UsageError: not of that form.
    """
    for word in words:
        name, equals, path = word.partition("=")
        if not (name and equals and path):
            raise UsageError(f"--domain {word}: a manifest is given as name=path")
    return {word.partition("=")[0]: word for word in words}


def run(arguments: argparse.Namespace) -> int:
    """Write the file and say what is in it; exit status 1 if a run had to be left out."""
    from msadg.protocols.scored_clips import scored_clips
    from msadg.report.writing import load_results
    from msadg.results.aggregate import keys_of, shown_runs
    from msadg.results.archive import write_archive

    path = arguments.output or arguments.results / "runs.parquet"
    if path.suffix != ".parquet":
        raise UsageError(f"-o {path}: the file is in Parquet's format; give it a name that ends in .parquet")
    records, load = load_results(arguments.results)
    shown = {key for run in shown_runs(records) for key in keys_of(run)}
    lost: list[str] = []

    def leave_out(record: Record, error: RunError) -> None:
        lost.append(f"{record.row}, {'+'.join(record.source_domains)}, seed {record.seed}: {error}")

    clips_of = scored_clips(arguments.data_root, manifests_of(arguments.domain))
    keys = write_archive(path, [record for record in records if record.key in shown], load, clips_of, leave_out)
    if failed := sum(record.error is not None for record in records):
        print(f"left out: {failed} runs that failed", file=sys.stderr)
    if lost:
        print(f"left out: {len(lost)} runs without predictions (first: {lost[0]})", file=sys.stderr)
    print(f"{path}: {len(keys)} runs, {path.stat().st_size / 1e6:.2f} MB")
    return 1 if lost else 0
