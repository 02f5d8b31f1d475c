"""`msadg archive`: put the runs of a results folder into one small file, to publish or to keep.

  msadg archive results/tables -o docs/results/tables/runs.parquet
  msadg restore docs/results/tables/runs.parquet -o results/tables      (on another machine: the way back)

The file holds every record (settings, scores, seeds, revision of the code) and the class that each run gave each test
clip: a few kilobytes a run. That is all that tables and their tests need. No label, transcript or id of a corpus is in
it, no folder of this machine, no weights and, of a classification, no probabilities.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from msadg.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("results", type=Path, help="folder that `msadg benchmark`, `tune` or `train` wrote")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="to write (RESULTS/runs.parquet)")
    parser.add_argument("--data-root", type=Path, help="folder of the corpora (default: as the runs had it)")


def run(arguments: argparse.Namespace) -> int:
    """Write the file and say what is in it."""
    from msadg.protocols.scored_clips import scored_clips
    from msadg.report.writing import load_results
    from msadg.results.aggregate import shown_runs
    from msadg.results.archive import write_archive

    path = arguments.output or arguments.results / "runs.parquet"
    if path.suffix != ".parquet":
        raise UsageError(f"-o {path}: the file is in Parquet's format; give it a name that ends in .parquet")
    records, load = load_results(arguments.results)
    failed = [record for record in records if record.error is not None]
    keys = write_archive(path, shown_runs(records), load, scored_clips(arguments.data_root))
    if failed:
        print(f"left out: {len(failed)} runs that failed", file=sys.stderr)
    print(f"{path}: {len(keys)} runs, {path.stat().st_size / 1e6:.2f} MB")
    return 0
