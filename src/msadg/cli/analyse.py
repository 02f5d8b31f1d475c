"""`msadg analyse`: what trained runs learned: which features they select, how dependent, how sparse, tied to what.

Name run folders, or the results folder of a benchmark, whose rows, settings and seeds are then all read. Each
measurement becomes a table (CSV and Parquet) and a figure (PNG and SVG); `analysis.md` holds every figure with a
caption that says what was measured, on which clips and at which level, and whether it supports the claim that learned
features are sparse, independent across modalities and tied to the label. What a selection is like is measured on the
sources' dev clips; calibration, coverage, shift against errors, faithfulness, cases and the use of order on test clips,
the targets' among them: nothing may be chosen by those.

  msadg analyse runs/first                           one run
  msadg analyse results -o analysis                  all rows of a benchmark
  msadg analyse results --rows s2lif "mult + mask"   two of them

How to read it:
  Overlap between domains needs runs of one row and seed on different sources (msadg benchmark --settings all).
  Bands over seeds need several seeds. Selected features are held against rejected ones and against chance: with
  thousands of clips a test calls nearly every pair dependent, so look at the sizes (|r|, eta squared) first.
  What cannot be measured (no mask, no video, weights or a store that are gone) is said, and the rest is made.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from msadg.analysis import all_measurements
from msadg.errors import MsadgError, RunError, UsageError

if TYPE_CHECKING:
    from msadg.analysis.measurement import Measurement
    from msadg.protocols.run import TrainedRun
    from msadg.results.record import Record


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "runs", nargs="+", type=Path, metavar="RUN", help="folders that `msadg train` or `msadg benchmark` wrote"
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FOLDER", help="default: RUN/analysis; of several, ./analysis"
    )
    parser.add_argument("--rows", nargs="+", metavar="ROW", help="of a benchmark's folder (default: all)")
    parser.add_argument("--stores", type=Path, help="folder of the stored features, if it moved")
    parser.add_argument("--data-root", type=Path, help="folder of the corpora, if it moved")


def run(arguments: argparse.Namespace) -> int:
    """Measure, write, print."""
    from msadg.report.analysis_page import to_markdown
    from msadg.report.measurement_files import write_measurement
    from msadg.store.atomic import write_text

    failed: list[str] = []
    runs = _loaded(arguments, failed)
    folder = arguments.output or (arguments.runs[0] / "analysis" if len(arguments.runs) == 1 else Path("analysis"))
    print(f"{len(runs)} run{'' if len(runs) == 1 else 's'} read", file=sys.stderr)
    made: list[Measurement] = []
    try:
        for measurement in _measured(runs, failed):
            for warning in measurement.warnings:
                print(f"warning: {measurement.name}: {warning}", file=sys.stderr)
            write_measurement(measurement, folder)
            made.append(measurement)
    finally:  # also where it is interrupted after minutes
        if made:
            write_text(folder / "analysis.md", to_markdown(made, failed))
    if not made:
        raise RunError("nothing could be measured on these runs; the messages above say why")
    for measurement in made:
        print(f"{measurement.title}: {measurement.caption}\n")
    print(f"analysis: {folder}", file=sys.stderr)
    return 1 if failed else 0


def _loaded(arguments: argparse.Namespace, failed: list[str]) -> list[TrainedRun]:
    """The runs that are named; a run of a benchmark that cannot be read is told and noted."""
    from msadg.analysis.told_apart import told_apart
    from msadg.protocols.grid import is_grid, load_grid
    from msadg.protocols.run import load_run

    grids = [folder for folder in arguments.runs if is_grid(folder)]
    if arguments.rows and not grids:
        raise UsageError("--rows chooses among the runs of a benchmark's folder, and none was named; leave it out")
    moved = {"stores": arguments.stores, "data_root": arguments.data_root}

    def leave_out(record: Record, error: MsadgError) -> None:
        failed.append(f"{record.row}, {'+'.join(record.source_domains)}, seed {record.seed}: {error}")
        print(f"msadg analyse: {failed[-1]}", file=sys.stderr)

    found: list[TrainedRun] = []
    for folder in arguments.runs:
        if folder in grids:
            found += load_grid(folder, arguments.rows or (), **moved, leave_out=leave_out)
        else:
            found.append(load_run(folder, **moved))
    if failed and not found:
        raise RunError("no run could be read; the messages above say why")
    if not found:
        raise UsageError(f"{', '.join(map(str, arguments.runs))}: no run has finished there yet")
    return told_apart(found)


def _measured(runs: Sequence[TrainedRun], failed: list[str]) -> Iterator[Measurement]:
    """Every measurement that can be made, one after the other; why another could not is told and noted."""
    from msadg.cli.options import progress_bar

    def fail(reason: str) -> None:
        failed.append(reason)
        print(f"msadg analyse: {reason}", file=sys.stderr)

    with progress_bar() as progress:
        total, num_done = len(all_measurements.MEASURED_BY), count()
        task = progress.add_task("measure", total=total, note="")
        yield from all_measurements.measure(
            runs, fail, lambda name: progress.update(task, completed=next(num_done), note=name)
        )
        progress.update(task, completed=total, note="")
