"""`msadg demo`: the whole way on the embedded corpus: features, training, scores on a domain never seen, a report.

Three domains of everyday speech written for this project (product reviews, film vlogs, sitcom dialogue), real text
features, simulated video. Each domain in turn is held out. Needs no network and no other data.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("-o", "--output", type=Path, default=Path("demo"), help="folder of the results (default: demo)")
    parser.add_argument("--seeds", default="3", help="how many (3) or which (0,3,7); default: 3")
    parser.add_argument("--jobs", type=int, help="processes at a time (default: one for each core)")


def run(arguments: argparse.Namespace) -> int:
    """Run the demo and print its table."""
    from msadg.cli import main
    from msadg.cli.benchmark import run_grid_shown
    from msadg.cli.options import parse_seeds
    from msadg.corpora.catalog import CORPORA
    from msadg.protocols.domains import leave_one_out
    from msadg.protocols.grid_engines import make_grid_engine
    from msadg.protocols.recipe import load_recipe

    output = arguments.output
    recipe = load_recipe("demo", [f'data.stores="{(output / "stores").as_posix()}"'])
    domains = [name for name in CORPORA if name.startswith("vignettes-")]
    seeds = parse_seeds(arguments.seeds)
    rows = list(recipe.rows)
    engine = make_grid_engine(num_jobs=arguments.jobs)
    records = run_grid_shown(recipe, rows, leave_one_out(domains), seeds, output, engine=engine)
    status = main(["report", str(output), "--against", "linear"])
    failed = [record for record in records if record.error]
    for record in failed:
        print(f"failed: {record.row}, {record.setting}, seed {record.seed}: {record.error}", file=sys.stderr)
    return 1 if failed else status
