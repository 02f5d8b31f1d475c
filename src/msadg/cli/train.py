"""`msadg train`: train one method on source domains, choose its epoch on them, score it everywhere.

  msadg train --method s2lif --source mosei meld --target mosi -o runs/first
  msadg train --source a=my/a.csv --target b=my/b.csv --set methods.s2lif.order=text

  msadg train --source a=my/a.csv --target b=my/b.csv --text minilm --video hog    reads text, then video

Modalities that are named are read, after those of the recipe; --set methods.s2lif.order="video>text" says otherwise.
A run that was stopped goes on by the same command with --resume, to the same weights.
"""

from __future__ import annotations

import argparse
import math
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msadg.cli.options import add_data_arguments, add_recipe_arguments, progress_bar, recipe_of
from msadg.cli.prepare import prepare
from msadg.cli.reading import named_modalities, reading_changes
from msadg.errors import MsadgWarning
from msadg.methods import METHODS

if TYPE_CHECKING:
    from msadg.protocols.observer import Observer
    from msadg.results.record import Record


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--method", default="s2lif", help=f"{', '.join(METHODS)}, or a row of the recipe")
    parser.add_argument("--setting", help="one of the papers' (single-A ... multi-C), instead of --source and --target")
    parser.add_argument(
        "--source", nargs="+", default=[], metavar="DOMAIN", help="trained on; NAME or NAME=MANIFEST.csv"
    )
    parser.add_argument("--target", nargs="+", default=[], metavar="DOMAIN", help="scored on, never seen in training")
    parser.add_argument("--seed", type=int, default=0, help="of initial weights, batches, dropout (default: 0)")
    parser.add_argument("-o", "--output", type=Path, help="folder of the run (default: runs/METHOD-SOURCES-SEED)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in this folder")
    parser.add_argument("--json", action="store_true", help="print the record as one JSON object")
    add_recipe_arguments(parser)
    add_data_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Train, score, append the record, print the scores."""
    from msadg.analysis.selected import measure_recovery
    from msadg.protocols.domains import paper_setting, split_domains
    from msadg.protocols.run import train_run
    from msadg.protocols.score import score_run
    from msadg.results.journal import append_record
    from msadg.results.predictions import write_predictions

    recipe = recipe_of(arguments)
    if changes := reading_changes(recipe.methods, arguments):
        arguments.set = [*changes, *arguments.set]
        recipe = recipe_of(arguments)
    if arguments.setting:
        domains = paper_setting(arguments.setting)
    else:
        domains = split_domains(arguments.source, arguments.target)
    experiment = recipe.experiment(arguments.method, domains, arguments.seed)
    folder = arguments.output or Path("runs") / _folder_name(arguments.method, domains.source_domains, arguments.seed)
    prepare([experiment])
    with _watched(folder) as observers:
        trained = train_run(experiment, folder, resume=arguments.resume, observers=observers)
    unread = [m for m in named_modalities(arguments) if m not in trained.method.modalities]
    if unread and trained.method.modalities:
        reads = ", ".join(trained.method.modalities)
        message = f"{', '.join(unread)} was named, but this row of the recipe reads {reads} alone; see its order or"
        warnings.warn(MsadgWarning(f"{message} modalities"), stacklevel=1)
    record, predictions = score_run(trained, measure=measure_recovery)
    write_predictions(folder / "runs" / record.key / "predictions.parquet", predictions)
    append_record(folder / "records.jsonl", record)
    print(record.to_json() if arguments.json else scores_of(record))
    print(f"run: {folder}", file=sys.stderr)
    return 0


def _folder_name(method: str, sources: tuple[str, ...], seed: int) -> str:
    return f"{method}-{'+'.join(s.partition('=')[0] for s in sources)}-{seed}".replace("/", "--").replace(" ", "_")


HEADS = {
    "f1_macro": "macro-F1",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced",
    "ece": "ECE",
}
REGRESSION_HEADS = {
    "mae": "MAE",
    "corr": "r",
    "acc2_has0": "Acc-2 has0",
    "acc2_non0": "Acc-2 non0",
    "acc7": "Acc-7",
    "f1_macro": "macro-F1",
}


def scores_of(record: Record) -> str:
    """The headline scores of a record as a plain table; a dash where a domain has no such score."""
    heads = REGRESSION_HEADS if record.settings.get("task") == "regression" else HEADS
    widths = {metric: max(len(head), 6) for metric, head in heads.items()}
    lines = [f"{'domain':<24} {'role':<7} " + " ".join(f"{head:>{widths[m]}}" for m, head in heads.items())]
    for domain, metrics in record.metrics.items():
        role = "source" if domain in record.source_domains else "target"
        values = (f"{metrics[m]:.3f}" if m in metrics and not math.isnan(metrics[m]) else "-" for m in heads)
        cells = " ".join(f"{value:>{width}}" for value, width in zip(values, widths.values(), strict=True))
        lines.append(f"{domain:<24} {role:<7} {cells}")
    keep = record.extra.get("keep_ratio") or {}
    if keep:
        lines.append("features kept: " + ", ".join(f"{modality} {ratio:.0%}" for modality, ratio in keep.items()))
    for modality, found in record.extra.get("recovery", {}).items():
        shares = [name for name in found if f"{name}_by_chance" in found and not math.isnan(found[name])]
        said = ", ".join(f"{s.replace('_', ' ')} {found[s]:.2f} (chance {found[f'{s}_by_chance']:.2f})" for s in shares)
        lines.append(f"simulated truth, {modality}: {said or 'nothing selected'}")
    return "\n".join(lines)


@contextmanager
def _watched(folder: Path) -> Iterator[list[Observer]]:
    """A progress bar and a TensorBoard log, as observers of a training run."""
    from msadg.protocols.observer import EpochReport, Observer, TensorBoard

    with progress_bar() as progress:

        class Bar(Observer):
            """Epochs done, losses by name, keep ratios, dev score."""

            def on_start(self, phases: int, epochs: int, steps_per_epoch: int) -> None:
                self.epochs = progress.add_task("epochs", total=phases * epochs, note="")
                self.steps = progress.add_task("steps", total=steps_per_epoch, note="")

            def on_step(self, phase: str, epoch: int, step: int, losses: Mapping[str, float]) -> None:
                note = " ".join(f"{name} {value:.3f}" for name, value in losses.items())
                progress.update(self.steps, completed=step, note=f"{phase} {epoch + 1}: {note}")

            def on_epoch(self, report: EpochReport) -> None:
                keep = " ".join(f"{k} {v:.2f}" for k, v in report.measurements.items() if k.startswith("keep_"))
                best = "*" if report.is_best else " "
                progress.update(self.epochs, completed=report.epoch + 1, note=f"dev {report.score:.3f}{best} {keep}")

        yield [Bar(), TensorBoard(folder / "tensorboard")]
