"""`msadg evaluate`: score a trained run on domains that it never saw.

msadg evaluate runs/first --target meld
msadg evaluate runs/first --target other=my/other.csv --intervention rejected
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from msadg.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("run_folder", metavar="RUN", type=Path, help="folder that `msadg train` wrote")
    parser.add_argument(
        "--target", nargs="+", metavar="DOMAIN", help="domains to score (default: the run's own targets)"
    )
    parser.add_argument(
        "--split", choices=["train", "dev", "test"], default="test", help="of each domain (default: test)"
    )
    parser.add_argument(
        "--intervention",
        choices=["none", "noise", "rejected"],
        default="none",
        help="control: replace the selected features by noise, or by the rejected ones",
    )
    parser.add_argument("--stores", type=Path, help="folder of the stored features, if it moved")
    parser.add_argument("--data-root", type=Path, help="folder of the corpora, if it moved")
    parser.add_argument("--json", action="store_true", help="print the record as one JSON object instead of a table")


def run(arguments: argparse.Namespace) -> int:
    """Score and print; the record is appended to the run's."""
    from dataclasses import replace

    from msadg.analysis.selected import measure_recovery
    from msadg.cli.prepare import prepare
    from msadg.cli.train import scores_of
    from msadg.protocols.domains import DomainSplit, absolute
    from msadg.protocols.run import load_run
    from msadg.protocols.score import score_run
    from msadg.results.journal import append_record
    from msadg.results.predictions import write_predictions

    trained = load_run(arguments.run_folder, stores=arguments.stores, data_root=arguments.data_root)
    experiment = replace(trained.experiment, intervention=arguments.intervention)
    if arguments.target:
        sources = experiment.domains.source_domains
        seen = sorted({t.partition("=")[0] for t in arguments.target} & {s.partition("=")[0] for s in sources})
        if seen:
            unseen = ", ".join(experiment.domains.target_domains) or "none was named"
            raise UsageError(
                f"{arguments.run_folder} was trained on {', '.join(seen)}, so scoring it there is not domain "
                f"generalisation (its test split is scored beside every target anyway); unseen by this run: {unseen}"
            )
        experiment = replace(experiment, domains=DomainSplit(sources, tuple(map(absolute, arguments.target))))
    if arguments.intervention != "none":
        experiment = replace(experiment, row=f"{experiment.row} ({arguments.intervention})")
    prepare([experiment])
    record, predictions = score_run(trained, experiment, split=arguments.split, measure=measure_recovery)
    write_predictions(arguments.run_folder / "runs" / record.key / "predictions.parquet", predictions)
    append_record(arguments.run_folder / "records.jsonl", record)
    print(record.to_json() if arguments.json else scores_of(record))
    print(f"record added to {arguments.run_folder / 'records.jsonl'}", file=sys.stderr)
    return 0
