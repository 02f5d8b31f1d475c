"""`msadg report`: tables of a results folder, in Markdown, CSV and LaTeX."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from msadg.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("results", type=Path, help="folder that `msadg train` or `msadg benchmark` wrote")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="where to write (RESULTS/report)")
    parser.add_argument(
        "--metric",
        nargs="+",
        help="tables to make, the first is printed (default: f1_macro accuracy; of regressions mae corr acc2_has0 "
        "acc2_non0 acc7 f1_macro)",
    )
    parser.add_argument("--format", nargs="+", choices=("md", "csv", "tex"), default=["md", "csv", "tex"])
    parser.add_argument("--against", metavar="ROW", help="mark what differs from this row (paired bootstrap)")
    parser.add_argument("--draws", type=int, default=2000, help="draws of the bootstrap (%(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Write the report, print its first table and say where it lies."""
    from msadg.report.markdown import to_markdown
    from msadg.report.writing import build_tables, load_results, write_report

    if arguments.draws < 100:
        raise UsageError(
            f"--draws is {arguments.draws}; expected at least 100, or no p can be below .05 with any certainty"
        )
    records, load_predictions = load_results(arguments.results)
    tables = build_tables(records, load_predictions, arguments.metric, arguments.against, arguments.draws)
    folder = arguments.output or arguments.results / "report"
    write_report(records, tables, folder, arguments.format)
    print(to_markdown(tables[0]), end="")
    print(f"report: {folder}", file=sys.stderr)
    return 0
