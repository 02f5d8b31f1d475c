"""`msadg report`: tables of a results folder, in Markdown, CSV and LaTeX; or everything on one page.

  msadg report results --against erm               what was run: single-source, multi-source
  msadg report results --table 1 --published       as the first paper's Table 1, its numbers in brackets beside ours
  msadg report results more/run -o report.html     one file to open, print or send: tables, figures, measurements,
                                                   losses, cases, settings, data cards, environment

Written are report.md, scores.csv with every metric, and two files a table; or, where the output's name ends in .html,
that file alone. It refers to nothing outside itself. Transcripts and frames are on it only of corpora whose licence
says that they may be shown.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msadg.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from msadg.report.tables import Table
    from msadg.results.record import Record


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument(
        "results", type=Path, nargs="+", metavar="RESULTS",
        help="folder that `msadg train` or `msadg benchmark` wrote; several for an .html",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", type=Path, metavar="DIR|HTML",
        help="folder to write to (RESULTS/report, RESULTS/table-1), or a file that ends in .html",
    )  # fmt: skip
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
    parser.add_argument("--format", nargs="+", choices=("md", "csv", "tex"), help="of a folder (default: all)")
    parser.add_argument(
        "--against",
        metavar="ROW",
        help="mark what differs from this row (paired bootstrap); every row is held against it in the mean, too",
    )
    parser.add_argument("--draws", type=int, default=2000, help="draws of the bootstrap (%(default)s)")
    page = parser.add_argument_group("one page (-o FILE.html)")
    page.add_argument("--title", help="of the page (default: msadg report: RESULTS)")
    page.add_argument("--no-cases", action="store_true", help="no single clips: neither transcripts nor frames")
    page.add_argument(
        "--show-transcripts", action="store_true",
        help="show the transcripts and frames of every corpus: you have the right to",
    )  # fmt: skip
    page.add_argument("--no-measurements", action="store_true", help="without what `msadg analyse` measures: quicker")
    page.add_argument("--stores", type=Path, help="folder of the stored features, if it moved")
    page.add_argument("--data-root", type=Path, help="folder of the corpora, if it moved")


def run(arguments: argparse.Namespace) -> int:
    """Write the report, print its first table and say where it lies."""
    is_page = arguments.output is not None and arguments.output.suffix.lower() in (".html", ".htm")
    _check(arguments, is_page)
    return _write_page(arguments) if is_page else _write_folder(arguments)


def _check(arguments: argparse.Namespace, is_page: bool) -> None:
    if arguments.published and arguments.table is None:
        raise UsageError("--published shows the paper's numbers in a table of its own; name it with --table 1, 2 or 3")
    if arguments.published and "accuracy" not in (arguments.metric or ["accuracy"]):
        raise UsageError("the paper prints accuracy alone; add it (--metric accuracy ...) or leave out --published")
    if arguments.draws < 100:
        raise UsageError(
            f"--draws is {arguments.draws}; expected at least 100, or no p can be below .05 with any certainty"
        )
    if is_page and arguments.format is not None:
        raise UsageError(
            f"--format is for a folder of files, and {arguments.output} is one page; leave one of them out"
        )
    if is_page and arguments.no_cases and arguments.show_transcripts:
        raise UsageError("--no-cases leaves out all transcripts, --show-transcripts shows them; leave one of them out")
    if is_page:
        return
    if len(arguments.results) > 1:
        raise UsageError(
            f"{len(arguments.results)} folders were given; several go on one page: add -o report.html, or report each"
        )
    for option in ("title", "no_cases", "show_transcripts", "no_measurements", "stores", "data_root"):
        if getattr(arguments, option):
            raise UsageError(f"--{option.replace('_', '-')} is for one page; add -o report.html, or leave it out")


def _tables(arguments: argparse.Namespace, records: list[Record], load_predictions: Any) -> tuple[list[Record], Any]:
    from msadg.report.paper_tables import build_paper_tables, records_of_table
    from msadg.report.writing import build_tables

    how = {"metrics": arguments.metric, "against": arguments.against, "draws": arguments.draws}
    if arguments.table is None:
        return records, build_tables(records, load_predictions, **how)
    records = records_of_table(records, arguments.table)
    published = arguments.published
    return records, build_paper_tables(records, load_predictions, arguments.table, published=published, **how)


def _write_folder(arguments: argparse.Namespace) -> int:
    from msadg.report.markdown import to_markdown
    from msadg.report.writing import FORMATS, load_results, overall_comparison, write_report

    (results,) = arguments.results
    records, load_predictions = load_results(results)
    records, tables = _tables(arguments, records, load_predictions)
    folder = arguments.output or results / ("report" if arguments.table is None else f"table-{arguments.table}")
    overall = overall_comparison(records, load_predictions, arguments.against, _metrics(arguments, tables))
    write_report(records, tables, folder, arguments.format or FORMATS, overall)
    print(to_markdown(tables[0]), end="")
    print(f"report: {folder}", file=sys.stderr)
    return 0


def _metrics(arguments: argparse.Namespace, tables: Sequence[Table]) -> list[str]:
    """Those shown, the primary one first: macro-F1, where accuracy stands before it because the paper prints it."""
    shown = [table.metric for table in tables]
    return ["f1_macro", *shown] if arguments.table is not None and "f1_macro" in shown else shown


def _tell(what: str) -> None:
    """Say on standard error what is being done: measuring many runs takes a while."""
    print(f"report: {what} ...", file=sys.stderr)


def _write_page(arguments: argparse.Namespace) -> int:
    from msadg.report.html.content import content_of
    from msadg.report.html.page import write_page
    from msadg.report.html.runs import load_all_results, load_all_runs
    from msadg.report.markdown import to_markdown
    from msadg.report.writing import overall_comparison

    records, load_predictions = load_all_results(arguments.results)
    records, tables = _tables(arguments, records, load_predictions)
    overall = overall_comparison(records, load_predictions, arguments.against, _metrics(arguments, tables))
    needs_runs = {record.key for record in records if record.error is None}
    runs, notes = load_all_runs(arguments.results, needs_runs, stores=arguments.stores, data_root=arguments.data_root)
    content = content_of(
        arguments.title or f"msadg report: {', '.join(folder.resolve().name for folder in arguments.results)}",
        records,
        tables,
        runs,
        overall=overall,
        with_measurements=not arguments.no_measurements,
        with_cases=not arguments.no_cases,
        show_transcripts=arguments.show_transcripts,
        notes=notes,
        tell=_tell,
    )
    write_page(content, arguments.output)
    print(to_markdown(tables[0]), end="")
    for note in [*notes, *content.measurement_notes, *content.case_notes]:
        print(f"note: {note}", file=sys.stderr)
    print(f"report: {arguments.output}", file=sys.stderr)
    return 0
