"""`msadg stress`: how much predictions move when steps are dropped, frozen, swapped or noised, or a modality is gone.

  msadg stress runs/first
  msadg stress with=runs/a with=runs/b without=runs/c --target meld --kinds drop,noise --rates 0.1,0.5
  msadg stress results/text --rows erm "erm + SV" --compare "erm + SV" erm

Runs of one name are seeds of one curve; without a name, a run is called as its row. Of the folder that `msadg
benchmark` wrote, every run of the rows named is taken. Writes stress.csv (every number), stress.md (the means) and
figures (PNG and SVG) of how far predictions moved and of macro-F1; with --compare, stress-pairs.csv (the paired tests).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from msadg.errors import MsadgError, RunError, UsageError

if TYPE_CHECKING:
    from rich.progress import TaskID

    from msadg.analysis.stress_config import StressConfig
    from msadg.analysis.stress_curves import Curve, PlannedRun, StressedRun
    from msadg.analysis.stress_pairs import StressPair
    from msadg.protocols.experiment import Experiment
    from msadg.protocols.run import TrainedRun
    from msadg.results.record import Record

FIGURES = ("js_distance", "polarity_shift", "f1_macro", "f1_macro_change")
"""As far as there are: of a classification the first, of a regression the second."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="[NAME=]RUN",
        help="folders that `msadg train` or `msadg benchmark` wrote, by what their curve is called",
    )
    parser.add_argument(
        "--rows", nargs="+", metavar="ROW", help="of a benchmark's folder (default: all that read what is disturbed)"
    )
    parser.add_argument("--target", nargs="+", metavar="DOMAIN", help="domains to score (default: each run's targets)")
    parser.add_argument("--kinds", default="drop,repeat,jitter,noise,missing", help="default: %(default)s")
    parser.add_argument("--rates", default="0.1,0.3,0.5,0.7", help="shares of a clip's steps (default: %(default)s)")
    parser.add_argument(
        "--modalities", help="disturbed one at a time (default: audio and video, or text of a run that has neither)"
    )
    parser.add_argument("--repeats", type=int, default=3, help="draws of each perturbation (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the perturbations (default: %(default)s)")
    parser.add_argument(
        "--noise-spreads",
        type=float,
        default=1.0,
        metavar="X",
        help="deviation of the noise, in each feature's standard deviations in the sources (default: %(default)s)",
    )
    parser.add_argument(
        "--compare",
        nargs=2,
        action="append",
        default=[],
        metavar=("CURVE", "AGAINST"),
        help="test how far one row moves against another, seed by seed, at the highest rates; in each setting, where "
        "there are several; may be repeated",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="default: RUN/stress; of several, ./stress")
    parser.add_argument("--stores", type=Path, help="folder of the stored features, if it moved")
    parser.add_argument("--data-root", type=Path, help="folder of the corpora, if it moved")
    parser.add_argument("--json", action="store_true", help="print the curves as JSON instead of a table")


def run(arguments: argparse.Namespace) -> int:
    """Measure, write, print."""
    from msadg.analysis.stress_curves import curves_of
    from msadg.analysis.stress_pairs import pairs_of, planned_comparisons
    from msadg.report.stress_table import pairs_to_markdown, to_short_table

    named = [_named(word) for word in arguments.runs]
    loaded = _loaded(named, arguments)
    config = _config(arguments, [trained for _, trained in loaded])
    if not arguments.rows and len(loaded) > len(named):
        loaded = _that_read(config, loaded)
    asked = [(label, against) for label, against in arguments.compare]
    comparisons = planned_comparisons(_planned(loaded, arguments.target or ()), asked)
    runs = _stressed(loaded, config, tuple(arguments.target or ()))
    curves, pairs = curves_of(runs), pairs_of(runs, comparisons)
    folder = arguments.output or (named[0][1] / "stress" if len(named) == 1 else Path("stress"))
    _write(runs, curves, pairs, folder, _heading(config))
    print(json.dumps([_plain(curve) for curve in curves], indent=1) if arguments.json else to_short_table(curves))
    if pairs and not arguments.json:
        print(f"\n{pairs_to_markdown(pairs)}", end="")
    print(f"stress: {folder}", file=sys.stderr)
    return 0


def _named(word: str) -> tuple[str | None, Path]:
    name, equals, path = word.partition("=")
    return (None, Path(word)) if not equals or Path(word).exists() else (name, Path(path))


def _loaded(
    named: Sequence[tuple[str | None, Path]], arguments: argparse.Namespace
) -> list[tuple[str | None, TrainedRun]]:
    """The runs of every folder: one, or those of a grid's rows."""
    from msadg.protocols.grid import is_grid, load_grid
    from msadg.protocols.run import load_run

    if arguments.rows and not any(is_grid(folder) for _, folder in named):
        raise UsageError("--rows chooses among the runs of a benchmark's folder, and none was named; leave it out")
    moved = {"stores": arguments.stores, "data_root": arguments.data_root}
    found: list[tuple[str | None, TrainedRun]] = []
    unread: list[str] = []

    def leave_out(record: Record, error: MsadgError) -> None:
        unread.append(f"{record.row}, {'+'.join(record.source_domains)}, seed {record.seed}: {error}")
        print(f"left out: {unread[-1]}", file=sys.stderr)

    for name, folder in named:
        if is_grid(folder):
            runs: Iterable[TrainedRun] = load_grid(folder, arguments.rows or (), **moved, leave_out=leave_out)
        else:
            runs = [load_run(folder, **moved)]
        found += [(name, trained) for trained in runs]
    if unread and not found:
        raise RunError("no run could be read; the messages above say why")
    if not found:
        raise UsageError(f"{', '.join(str(folder) for _, folder in named)}: no run has finished there yet")
    return found


def _that_read(
    config: StressConfig, loaded: Sequence[tuple[str | None, TrainedRun]]
) -> list[tuple[str | None, TrainedRun]]:
    """Those that something of what is disturbed can move; the others would draw flat lines."""
    return [(name, run) for name, run in loaded if set(run.method.modalities) & set(config.modalities)] or list(loaded)


def _config(arguments: argparse.Namespace, trained: Sequence[TrainedRun]) -> StressConfig:
    from msadg.analysis.stress_config import StressConfig

    modalities = _listed(arguments.modalities) if arguments.modalities else ("audio", "video")
    if not arguments.modalities and not any(set(modalities) & set(t.experiment.data.features) for t in trained):
        modalities = ("text",)
    return StressConfig(
        kinds=_listed(arguments.kinds),
        rates=_numbers(arguments.rates),
        modalities=modalities,
        repeats=arguments.repeats,
        seed=arguments.seed,
        noise_spreads=arguments.noise_spreads,
    )


def _stressed(
    loaded: Sequence[tuple[str | None, TrainedRun]], config: StressConfig, targets: tuple[str, ...]
) -> list[StressedRun]:
    from msadg.analysis.stress import stress_run
    from msadg.analysis.stress_curves import StressedRun, label_of
    from msadg.cli.options import progress_bar
    from msadg.cli.prepare import prepare
    from msadg.protocols.domains import absolute

    names = tuple(map(absolute, targets))
    prepare([_scored_on(trained.experiment, names) for _, trained in loaded])
    runs = []
    with progress_bar() as progress:
        for name, trained in loaded:
            label = name or label_of(trained.experiment)
            _tell_of_unread(label, trained, config)
            task = progress.add_task(f"{label}, seed {trained.experiment.seed}", total=None, note="")

            def show(done: int, total: int, task: TaskID = task) -> None:
                progress.update(task, completed=done, total=total)

            found = stress_run(trained, config, names, progress=show)
            runs.append(StressedRun(label=label, experiment=trained.experiment, found=found))
    return runs


def _tell_of_unread(label: str, trained: TrainedRun, config: StressConfig) -> None:
    from msadg.analysis.stress import stressed_modalities

    unread = [m for m in stressed_modalities(trained, config) if m not in trained.method.modalities]
    if unread:
        reads = " and ".join(trained.method.modalities) or "nothing"
        print(f"note: {label} reads {reads}: what happens to {', '.join(unread)} cannot move it", file=sys.stderr)


def _scored_on(experiment: Experiment, names: Sequence[str]) -> Experiment:
    from msadg.protocols.domains import DomainSplit, domain_name

    sources = experiment.domains.source_domains
    known = set(map(domain_name, sources))
    targets = tuple(name for name in names if domain_name(name) not in known)
    return replace(experiment, domains=DomainSplit(sources, targets)) if names else experiment


def _planned(loaded: Sequence[tuple[str | None, TrainedRun]], targets: Sequence[str]) -> list[PlannedRun]:
    """What is known of the runs before minutes of scoring."""
    from msadg.analysis.stress import default_domains
    from msadg.analysis.stress_curves import PlannedRun, label_of
    from msadg.protocols.domains import domain_name

    def names(domains: Sequence[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(map(domain_name, domains)))

    return [
        PlannedRun(
            name or label_of(trained.experiment),
            trained.experiment.seed,
            names(trained.experiment.domains.source_domains),
            names(targets or default_domains(trained.experiment.domains)),
        )
        for name, trained in loaded
    ]


def _write(
    runs: Sequence[StressedRun], curves: Sequence[Curve], pairs: Sequence[StressPair], folder: Path, heading: str
) -> None:
    from msadg.report.curves import write_curves
    from msadg.report.stress_table import pairs_to_csv, pairs_to_markdown, to_csv, to_markdown
    from msadg.store.atomic import write_text

    write_text(folder / "stress.csv", to_csv(runs))
    write_text(folder / "stress.md", to_markdown(curves, heading) + (f"\n{pairs_to_markdown(pairs)}" if pairs else ""))
    if pairs:
        write_text(folder / "stress-pairs.csv", pairs_to_csv(pairs))
    known = {curve.measure for curve in curves}
    for measure in [figure for figure in FIGURES if figure in known]:
        write_curves(curves, measure, folder)


def _heading(config: StressConfig) -> str:
    draws = f"{config.repeats} draws from seed {config.seed}" if config.repeats > 1 else f"seed {config.seed}"
    return f"# Predictions under stress\n\n{draws}; noise of {config.noise_spreads:g} source standard deviations."


def _listed(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in _listed(text))
    except ValueError:
        raise UsageError(f"--rates {text!r}: expected numbers over 0, up to 1, such as 0.1,0.3") from None


def _plain(curve: Curve) -> dict[str, object]:
    """A curve as JSON has it: NaN is null."""
    fields = asdict(curve)
    for point in fields["points"]:
        point.update({key: None for key in ("low", "high") if point[key] != point[key]})
    return fields
