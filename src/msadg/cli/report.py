"""`msadg report`: tables of a results folder, in Markdown, CSV and LaTeX.

  msadg report results --against erm               what was run: single-source, multi-source
  msadg report results --table 1 --published       as the first paper's Table 1, its numbers in brackets beside ours

Written are report.md, scores.csv with every metric, and two files a table.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from msadg.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("results", type=Path, help="folder that `msadg train` or `msadg benchmark` wrote")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR", help="where to write (RESULTS/report, RESULTS/table-1)"
    )
    parser.add_argument(
        "--table", type=int, choices=(1, 2, 3),
        help="lay out as the first paper's table of this number: accuracy first, then macro-F1 and the worst target",
    )  # fmt: skip
    parser.add_argument(
        "--published", action="store_true",
        help="with --table: the paper's accuracies in brackets, also of its rows that were not run",
    )  # fmt: skip
    parser.add_argument(
        "--metric",
        nargs="+",
        help="tables to make, the first is printed (default: f1_macro accuracy; of regressions mae corr acc2_has0 "
        "acc2_non0 acc7 f1_macro; with --table accuracy f1_macro)",
    )
    parser.add_argument("--format", nargs="+", choices=("md", "csv", "tex"), default=["md", "csv", "tex"])
    parser.add_argument("--against", metavar="ROW", help="mark what differs from this row (paired bootstrap)")
    parser.add_argument("--draws", type=int, default=2000, help="draws of the bootstrap (%(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Write the report, print its first table and say where it lies."""
    from msadg.report.markdown import to_markdown
    from msadg.report.paper_tables import build_paper_tables, records_of_table
    from msadg.report.writing import build_tables, load_results, write_report

    if arguments.published and arguments.table is None:
        raise UsageError("--published shows the paper's numbers in a table of its own; name it with --table 1, 2 or 3")
    if arguments.published and "accuracy" not in (arguments.metric or ["accuracy"]):
        raise UsageError("the paper prints accuracy alone; add it (--metric accuracy ...) or leave out --published")
    if arguments.draws < 100:
        raise UsageError(
            f"--draws is {arguments.draws}; expected at least 100, or no p can be below .05 with any certainty"
        )
    records, load_predictions = load_results(arguments.results)
    how = {"metrics": arguments.metric, "against": arguments.against, "draws": arguments.draws}
    if arguments.table is None:
        tables = build_tables(records, load_predictions, **how)
    else:
        records = records_of_table(records, arguments.table)
        tables = build_paper_tables(records, load_predictions, arguments.table, published=arguments.published, **how)
    folder = arguments.output or arguments.results / (
        "report" if arguments.table is None else f"table-{arguments.table}"
    )
    write_report(records, tables, folder, arguments.format)
    print(to_markdown(tables[0]), end="")
    print(f"report: {folder}", file=sys.stderr)
    return 0
