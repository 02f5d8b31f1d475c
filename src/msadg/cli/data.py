"""`msadg data`: list the known corpora, and check what lies on disk against their cards."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msadg.errors import CorpusError

if TYPE_CHECKING:
    from msadg.corpora.corpus import CheckResult, Corpus


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verbs `check` and `list`."""
    verbs = parser.add_subparsers(dest="data_verb", required=True, metavar="check|list")
    check = verbs.add_parser("check", help="count splits and classes, beside the card; status 1 if any differs")
    check.add_argument(
        "corpora",
        nargs="*",
        metavar="CORPUS",
        help="known name, or name=path/to/manifest.csv; by default every known corpus that is there",
    )
    check.add_argument("--root", type=Path, help="folder that holds them, in the place of $MSADG_DATA")
    check.add_argument("--labels", choices=("round", "sign"), default="round", help="reading of a polarity")
    check.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    listing = verbs.add_parser("list", help="known corpora, a line each")
    listing.add_argument("--json", action="store_true", help="one JSON object instead of lines")


def run(arguments: argparse.Namespace) -> int:
    """List, or check; 1 where a corpus is not what its card says."""
    if arguments.data_verb == "list":
        return _list(as_json=arguments.json)
    return _check(arguments)


def _list(*, as_json: bool) -> int:
    from msadg.corpora.catalog import CORPORA

    lines: list[dict[str, Any]] = []
    for name, corpus in CORPORA.items():
        card = corpus.card
        counts = card.num_utterances
        lines.append(
            {
                "corpus": name,
                "utterances": None if counts is None else sum(counts.values()),
                "label": "polarity" if card.polarity else "class",
                "label_set": None if card.label_set is None else card.label_set.name,
                "title": card.title,
                "language": card.language,
                "licence": card.licence,
            }
        )
    if as_json:
        print(json.dumps({"corpora": lines}, indent=2))
        return 0
    for line in lines:
        count = "" if line["utterances"] is None else f"{line['utterances']:,} utterances, "
        label = line["label"] if line["label_set"] == "sentiment" else f"{line['label']} of {line['label_set']}"
        print(f"{line['corpus']:<20} {line['title']} ({count}{label}; licence: {line['licence']})")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from msadg.corpora.catalog import CORPORA

    reports: list[dict[str, Any]] = []
    for spec in arguments.corpora or CORPORA:
        try:
            corpus = _open(spec, arguments, is_only=len(arguments.corpora) == 1)
        except CorpusError as error:
            # Unasked for, a corpus that is not there is no fault.
            is_fault = bool(arguments.corpora)
            reports.append({"corpus": spec, "met": not is_fault, "is_there": False, "error": str(error)})
            continue
        try:
            reports.append(_report(corpus.check()))
        except CorpusError as error:
            reports.append({"corpus": corpus.name, "met": False, "is_there": True, "error": str(error)})
    if arguments.json:
        print(json.dumps({"labels": arguments.labels, "checks": reports}, indent=2))
    else:
        for report in reports:
            _print_report(report, arguments.labels)
    return 0 if all(report["met"] for report in reports) else 1


def _open(spec: str, arguments: argparse.Namespace, *, is_only: bool) -> Corpus:
    """Open from --root: the folder that holds the corpora or, for one corpus, its own."""
    from msadg.corpora.catalog import open_corpus

    root: Path | None = arguments.root
    if root is None or "=" in spec or spec.startswith(("vignettes-", "simulated-")):  # need no folder
        return open_corpus(spec, arguments.labels)
    is_own = is_only and root.is_dir() and not (root / spec).is_dir()
    return open_corpus(spec, arguments.labels, root if is_own else root / spec)


def _report(result: CheckResult) -> dict[str, Any]:
    return {
        "corpus": result.corpus,
        "met": not result.differences,
        "is_there": True,
        "classes": list(result.label_set.classes),
        "counts": result.counts,
        "card": result.expected or result.expected_sizes,
        "num_dropped": result.num_dropped,
        "differences": list(result.differences),
    }


def _print_report(report: dict[str, Any], labels: str) -> None:
    if "error" in report:
        state = "cannot be read" if report["is_there"] else "is not there"
        print(f"{report['corpus']} {state}: {report['error']}\n")
        return
    rows = []
    for split, counts in report["counts"].items():
        stated, verdict = _card_of(report["card"], split, counts)
        rows.append([split, *(f"{count:,}" for count in counts), f"{sum(counts):,}", stated, verdict])
    header = ["split", *report["classes"], "all", "card", ""]
    _print_table(f"{report['corpus']}, labels={labels}", header, rows)
    if report["num_dropped"]:
        print(f"dropped by the card's rule: {report['num_dropped']:,}")
    for difference in report["differences"]:
        print(f"{report['corpus']}: {difference}")


def _card_of(card: Any, split: str, counts: tuple[int, ...]) -> tuple[str, str]:
    """What the card states of a split, its classes or its size, and whether that is met."""
    if card is None:
        return "not stated", ""
    stated = card.get(split, (0,) * len(counts))
    if isinstance(stated, int):
        return f"{stated:,} in all", "met" if stated == sum(counts) else "DIFFERS"
    return " / ".join(f"{count:,}" for count in stated), "met" if tuple(stated) == counts else "DIFFERS"


def _print_table(title: str, header: list[str], rows: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for column in header:
        table.add_column(column)
    for row in rows:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 120).print(table)
