"""A run folder: settings, weights, history; made by training, read by everything that comes after.

``run.json`` says what was asked for, ``state.safetensors`` where training stands, ``model.safetensors`` what it ended
with, ``history.json`` what each epoch brought, ``sources.safetensors`` what its sources looked like.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from msadg.batches.clips import ClipSet
from msadg.corpora.label_sets import check_one_label_set, label_set_from
from msadg.errors import MsadgWarning, RunError
from msadg.methods import load_method
from msadg.methods.method import Method
from msadg.protocols.before_training import check_encoder, check_lengths, tell_of_missing_classes
from msadg.protocols.checkpoint import STATE_FILE, TrainingState, load_tensors, load_weights, save_tensors
from msadg.protocols.domains import domain_name
from msadg.protocols.experiment import Experiment, experiment_from
from msadg.protocols.features import check_label_sets, check_polarity, label_set_of
from msadg.protocols.fit import fit, new_method, source_clips
from msadg.protocols.observer import Observer
from msadg.protocols.sources import SOURCES_FILE, read_sources, sources_of, write_sources
from msadg.protocols.training import num_threads
from msadg.results.record import labelled_with
from msadg.store.atomic import write_text

RUN_FILE = "run.json"
MODEL_FILE = "model.safetensors"
HISTORY_FILE = "history.json"
LOCK_FILE = ".lock"
SHOWN = 8
"""Runs of a folder that are named where one has to be chosen."""
LEFTOVER = re.compile(r"\..+\.[0-9a-f]{12}\.(json|safetensors)")
"""What ``store.atomic`` writes beside a file before it takes the file's place."""


@dataclass(frozen=True)
class TrainedRun:
    """A method with the weights that selection chose."""

    experiment: Experiment
    method: Method
    state: TrainingState

    @property
    def keep_ratios(self) -> dict[str, float]:
        """Of the kept weights, by modality; empty for a method without masks."""
        measured = self.method.measurements()
        return {name.removeprefix("keep_"): value for name, value in measured.items() if name.startswith("keep_")}


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Make a folder and hold it for this process, clear of what a killed one was about to write.

    Raises:
        RunError: another process trains there.
    """
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK_FILE).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RunError(
                f"{folder}: another process is training here; wait for it, or choose another folder"
            ) from None
        for path in folder.glob(".*"):
            if LEFTOVER.fullmatch(path.name):
                path.unlink()
        yield


def open_run(folder: Path, experiment: Experiment, *, resume: bool) -> None:
    """Describe the run in its folder, or check that the one there is the same run.

    Raises:
        RunError: the folder exists and is not to be gone on with, or belongs to other settings.
    """
    label_set = label_set_of(experiment.data, experiment.domains.source_domains[0])
    wanted = {"training_key": experiment.training_key(), "experiment": experiment.to_dict()} | labelled_with(label_set)
    if not any(path.name != LOCK_FILE for path in folder.iterdir()):
        write_text(folder / RUN_FILE, json.dumps(wanted, indent=1))
        return
    if not resume:
        raise RunError(f"{folder} exists already; choose another folder, or go on with it by --resume")
    found = _read_run_file(folder)
    if found["training_key"] != wanted["training_key"]:
        raise RunError(
            f"{folder} was begun with other settings ({_first_difference(found['experiment'], wanted['experiment'])}); "
            "resume with the same settings, or choose another folder"
        )


def _read_run_file(folder: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        if weights := sorted([*folder.glob(f"models/*/{RUN_FILE}"), *folder.glob(f"*/{RUN_FILE}")]):
            named = "; ".join(f"{path.parent} ({_told_run(path)})" for path in weights[:SHOWN])
            rest = f"; and {len(weights) - SHOWN} more" if len(weights) > SHOWN else ""
            raise RunError(
                f"{folder} has the weights of {len(weights)} runs, each in a folder of its own; name one: {named}{rest}"
            ) from None
        if (folder / "records.jsonl").exists():
            raise RunError(
                f"{folder} has records but no weights (was it made by `msadg restore`?); to have them, make the runs "
                "again with the same `msadg benchmark` and another -o"
            ) from None
        raise RunError(
            f"{folder} is not a run: it has no {RUN_FILE}; expected a folder that `msadg train` wrote"
        ) from None
    except ValueError as error:
        raise RunError(f"{folder / RUN_FILE} is damaged: {error}") from None
    return content


def _told_run(path: Path) -> str:
    """Row, sources and seed of a run, from its file; nothing else of it need be readable."""
    try:
        experiment = json.loads(path.read_text(encoding="utf-8"))["experiment"]
        sources = "+".join(map(domain_name, experiment["domains"]["source_domains"]))
        return f"{experiment['row']} from {sources}, seed {experiment['seed']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "which cannot be read"


def _first_difference(found: Any, wanted: Any, path: str = "") -> str:
    if isinstance(found, dict) and isinstance(wanted, dict):
        for key in [*found, *wanted]:
            if found.get(key) != wanted.get(key):
                return _first_difference(found.get(key), wanted.get(key), f"{path}.{key}" if path else key)
    return f"{path}: {found!r} there, {wanted!r} now" if path else "its features changed"


def check_classes(trained: TrainedRun, clip_sets: Sequence[ClipSet]) -> None:
    """Stop where clips are to be scored whose classes are not those that a run was trained on.

    Raises:
        CorpusError: names both.
    """
    run = f"the run on {'+'.join(map(domain_name, trained.experiment.domains.source_domains))}"
    for clips in clip_sets:
        check_one_label_set({run: trained.method.task.label_set, clips.domain: clips.label_set})


def train_run(
    experiment: Experiment, folder: Path, *, resume: bool = False, observers: Sequence[Observer] = ()
) -> TrainedRun:
    """Train an experiment in a folder, from the beginning or from where it was stopped.

    Raises:
        RunError: see ``open_run`` and ``Trainer.run``.
        UsageError: the method cannot work on these features, or a clip is longer than it can read.
        StoreError: token ids that were not made for the encoder that is to be trained on them.
        CorpusError: a regression on a source without polarity, or sources whose classes are not the same.
    """
    # What can be wrong with the settings is found out before the folder is taken.
    check_label_sets(experiment.data, experiment.domains.source_domains)
    train_sets = source_clips(experiment, load_method(experiment.method.name).fitted_on)
    if experiment.task == "regression":
        check_polarity(experiment.data, experiment.domains.source_domains)
    if experiment.task == "classification" and load_method(experiment.method.name).fitted_on == "train":
        tell_of_missing_classes(train_sets)
    check_encoder(experiment)
    check_lengths(experiment)
    method = new_method(experiment, train_sets[0].feature_dims, train_sets[0].label_set)
    with only_one(folder):
        open_run(folder, experiment, resume=resume)
        if (folder / MODEL_FILE).exists():
            trained = _finished(folder, experiment, method)
            _keep_sources(experiment, train_sets, folder)  # a run from before they were kept
        else:
            with num_threads(experiment.training.threads):
                state = fit(experiment, method, train_sets, folder, observers)
            trained = TrainedRun(experiment, method.eval().cpu(), state)
            _keep_sources(experiment, train_sets, folder)
            write_text(folder / HISTORY_FILE, json.dumps(state.history, indent=1))
            save_tensors(folder / MODEL_FILE, method.state_dict(), {"state": asdict(state)})
            for leftover in [folder / STATE_FILE, *folder.glob("best-*.safetensors")]:
                leftover.unlink(missing_ok=True)
    _warn(trained.method, trained.state)
    return trained


def _keep_sources(experiment: Experiment, train_sets: Sequence[ClipSet], folder: Path) -> None:
    if not (folder / SOURCES_FILE).exists():
        write_sources(folder, sources_of(train_sets, source_clips(experiment, "dev"), experiment.seed))


def _warn(method: Method, state: TrainingState) -> None:
    for sentence in method.warnings([entry["measurements"] for entry in state.history]):
        warnings.warn(MsadgWarning(sentence), stacklevel=2)


def load_run(folder: Path, *, stores: Path | None = None, data_root: Path | None = None) -> TrainedRun:
    """Read a finished run.

    Args:
        folder: that ``train_run`` wrote.
        stores: where its features are now, if they moved.
        data_root: where its corpora are now, if they moved.

    Raises:
        RunError: not a run, not finished, or damaged.
    """
    content = _read_run_file(folder)
    if not (folder / MODEL_FILE).exists():
        raise RunError(f"{folder} is not finished: it has no {MODEL_FILE}; go on with `msadg train --resume`")
    experiment = experiment_from(content["experiment"], where=str(folder / RUN_FILE))
    data = replace(
        experiment.data,
        stores=stores or experiment.data.stores,
        data_root=data_root or experiment.data.data_root,
    )
    experiment = replace(experiment, data=data)
    sources = read_sources(folder)
    dims = sources.feature_dims if sources else source_clips(experiment, "dev")[0].feature_dims
    label_set = label_set_from(content.get("label_set"), str(folder / RUN_FILE))
    return _finished(folder, experiment, new_method(experiment, dims, label_set))


def _finished(folder: Path, experiment: Experiment, method: Method) -> TrainedRun:
    """The run of a folder that has its final weights, put into a method of its settings."""
    weights, meta = load_tensors(folder / MODEL_FILE)
    load_weights(method, weights, where=str(folder / MODEL_FILE))
    return TrainedRun(experiment, method.eval(), TrainingState(**meta["state"]))
