"""Make records of runs of which no more is left than their scores: `scores.csv`, as `msadg report` wrote it.

  git show COMMIT:docs/results/tables/scores.csv > old.csv
  python scripts/restore_scores.py old.csv --recipe tables --origin COMMIT -o results/tables

Runs that the folder has already are left as they are; the others get a record with the scores of every seed, under
the key that the run has today, and a warning that says where they come from: what the recipe says of these rows must be
what it said then. They have no predictions, so tables show them without tests. For results from before `msadg archive`;
whoever has a results folder needs none of this.
"""

import argparse
import csv
import sys
from collections import defaultdict
from pathlib import Path

from msadg.cli.prepare import prepare
from msadg.methods import load_method
from msadg.protocols.domains import domain_name, paper_setting
from msadg.protocols.experiment import Experiment
from msadg.protocols.features import feature_manifests
from msadg.protocols.recipe import load_recipe
from msadg.protocols.score import resolved_settings
from msadg.results.aggregate import group_runs
from msadg.results.journal import append_record, read_records
from msadg.results.record import Record

Scores = dict[str, dict[str, float]]


def scores_by_run(path: Path, num_seeds: int) -> dict[tuple[str, str, int], Scores]:
    """(row, setting, seed) -> domain -> metric -> score; seeds are 0, 1 ... in the order of the values."""
    found: dict[tuple[str, str, int], Scores] = defaultdict(lambda: defaultdict(dict))
    with path.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            if line["role"] != "summary":
                values = line["values"].split()
                if len(values) not in (1, num_seeds):
                    sys.exit(f"{path}: {line['row']}, {line['setting']} has {len(values)} values, not {num_seeds}")
                for seed, value in enumerate(values):
                    found[line["row"], line["setting"], seed][line["domain"]][line["metric"]] = float(value)
    return found


def record_of(experiment: Experiment, scores: Scores, origin: str) -> Record:
    """A record that says of a run what its scores say."""
    domains = experiment.domains
    note = f"only the scores of {origin} are left of these runs: no predictions, keep ratios or warnings"
    is_trained = not load_method(experiment.method.name).deterministic
    return Record(
        key=experiment.key(),
        row=experiment.row,
        method=experiment.method.name,
        settings=resolved_settings(experiment),
        setting=domains.setting,
        source_domains=tuple(map(domain_name, domains.source_domains)),
        target_domains=tuple(map(domain_name, domains.target_domains)),
        selection=experiment.selection,
        seed=experiment.seed,
        revision=f"an earlier one ({origin})",
        features=feature_manifests(experiment.data, domains.all_domains),
        metrics=scores,
        extra={"warnings": [note], "training_key": experiment.training_key()}
        | ({"epochs": experiment.training.epochs} if is_trained else {}),
    )


def main() -> None:
    """Restore what the folder lacks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scores", type=Path)
    parser.add_argument("--recipe", default="tables")
    parser.add_argument("--origin", required=True, help="where the scores are from: a commit")
    parser.add_argument("--seeds", type=int, default=5, help="of each row that is trained (%(default)s)")
    parser.add_argument("-o", "--output", type=Path, required=True, help="results folder")
    arguments = parser.parse_args()
    recipe, journal = load_recipe(arguments.recipe), arguments.output / "records.jsonl"
    there = {
        (row, setting.name, run.seed)
        for (row, setting), runs in group_runs(read_records(journal)).items()
        for run in runs
    }
    wanted = {
        run: scores for run, scores in scores_by_run(arguments.scores, arguments.seeds).items() if run not in there
    }
    experiments = {
        run: recipe.experiment(run[0], paper_setting(run[1]), run[2]) for run in wanted if run[0] in recipe.all_rows()
    }
    prepare(list(experiments.values()))
    for run, experiment in experiments.items():
        append_record(journal, record_of(experiment, dict(wanted[run]), arguments.origin))
    lost = sorted({row for row, _, _ in wanted.keys() - experiments.keys()})
    print(f"{journal}: {len(experiments)} records added", file=sys.stderr)
    if lost:
        print(f"rows that the recipe does not have: {', '.join(lost)}", file=sys.stderr)


if __name__ == "__main__":
    main()
