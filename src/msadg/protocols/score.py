"""From a trained run to its record: every domain's test split is opened once, to score."""

from __future__ import annotations

import platform
import subprocess
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from msadg.batches.clips import ClipSet
from msadg.errors import MsadgWarning
from msadg.methods import load_method
from msadg.metrics.by_domain import summarise_domains
from msadg.protocols.domains import domain_name
from msadg.protocols.evaluate import predict_logits, predictions_of, scores_of
from msadg.protocols.experiment import Experiment
from msadg.protocols.features import feature_manifests, label_set_of, load_clips
from msadg.protocols.fit import source_clips
from msadg.protocols.intervention import intervened
from msadg.protocols.run import TrainedRun, check_classes
from msadg.protocols.training import num_threads, resolved_device
from msadg.results.predictions import Predictions, joined_predictions
from msadg.results.record import Record, labelled_with
from msadg.settings import settings_from, settings_to_dict
from msadg.types import Split

Measure = Callable[[TrainedRun], Mapping[str, Any]]
"""What else a record holds of a trained run (``analysis`` measures the recovery of a known truth)."""


def score_run(
    trained: TrainedRun, experiment: Experiment | None = None, *, split: Split = "test", measure: Measure | None = None
) -> tuple[Record, Predictions]:
    """Score a run on the sources and the targets.

    Args:
        trained: the run.
        experiment: how to score it: its row, targets and intervention; None for the run's own.
        split: of each domain.
        measure: adds to the record's ``extra``.

    Raises:
        CorpusError: a domain whose classes are not those that the run was trained on.
    """
    experiment = experiment or trained.experiment
    domains = experiment.domains
    dev_sets = source_clips(experiment, "dev")
    device = resolved_device(experiment.training.device)
    method = trained.method.to(device)
    with num_threads(experiment.training.threads), intervened(method, experiment.intervention, dev_sets, device):
        test_sets = [load_clips(experiment.data, name, split) for name in domains.all_domains]
        check_classes(trained, test_sets)
        _tell_of_lacking_classes(test_sets, split)
        outputs = {clips.domain: predict_logits(method, clips, device=device) for clips in test_sets}
        dev_outputs = {clips.domain: predict_logits(method, clips, device=device) for clips in dev_sets}
    method.cpu()
    parts = [predictions_of(outputs[clips.domain]["logits"], clips) for clips in test_sets]
    metrics = {clips.domain: scores_of(outputs[clips.domain]["logits"], clips) for clips in test_sets}
    sources = tuple(map(domain_name, domains.source_domains))
    targets = tuple(map(domain_name, domains.target_domains))
    extra = {
        "epochs": len(trained.state.history),
        "best_epochs": trained.state.best_epochs,
        "train_seconds": trained.state.seconds,
        "keep_ratio": trained.keep_ratios,
        "intervention": experiment.intervention,
        "modalities": list(trained.method.modalities),
        "training_key": experiment.training_key(),
        "split": split,
        "stages": {
            name: {clips.domain: _headline(outputs[clips.domain][name], clips) for clips in test_sets}
            for name in outputs[test_sets[0].domain]
            if name != "logits"
        },
        "summary": summarise_domains(metrics, sources, targets),
        **({"left_out": trained.state.left_out} if trained.state.left_out else {}),
    }
    record = Record(
        key=experiment.key(split),
        row=experiment.row if split == "test" else f"{experiment.row} ({split} split)",
        method=experiment.method.name,
        settings=resolved_settings(experiment),
        setting=domains.setting,
        source_domains=sources,
        target_domains=targets,
        selection=experiment.selection,
        seed=experiment.seed,
        revision=code_revision(),
        features=feature_manifests(experiment.data, domains.all_domains),
        metrics=metrics,
        dev_metrics={clips.domain: scores_of(dev_outputs[clips.domain]["logits"], clips) for clips in dev_sets},
        extra=extra | labelled_with(trained.method.task.label_set) | dict(measure(trained) if measure else {}),
        environment=environment() | {"threads": experiment.training.threads},
    )
    return record, joined_predictions(parts)


def _headline(logits: Float[np.ndarray, "clip output"], clips: ClipSet) -> dict[str, float]:
    """What a stage before the last (O_t of Eq. 16) would have scored by itself."""
    scores = scores_of(logits, clips)
    return {name: scores[name] for name in ("accuracy", "f1_macro", "mae", "corr") if name in scores}


def failed_record(experiment: Experiment, error: Exception) -> Record:
    """The record of a run that stopped with an error."""
    return Record(
        key=experiment.key(),
        row=experiment.row,
        method=experiment.method.name,
        settings=resolved_settings(experiment),
        setting=experiment.domains.setting,
        source_domains=tuple(map(domain_name, experiment.domains.source_domains)),
        target_domains=tuple(map(domain_name, experiment.domains.target_domains)),
        selection=experiment.selection,
        seed=experiment.seed,
        revision=code_revision(),
        features={},
        extra=labelled_with(label_set_of(experiment.data, experiment.domains.source_domains[0])),
        environment=environment(),
        error=f"{type(error).__name__}: {error}",
    )


def resolved_settings(experiment: Experiment) -> dict[str, Any]:
    """All settings of an experiment, defaults included, as plain values."""
    content = experiment.to_dict()
    config = load_method(experiment.method.name).Config
    settings: Any = settings_from(config, experiment.method.settings, where=f"settings of {experiment.method.name}")
    content["method"]["settings"] = settings_to_dict(settings)
    return content


def _tell_of_lacking_classes(clip_sets: Sequence[ClipSet], split: str) -> None:
    """Warn of clips without some class: its F1 counts as 0 in macro-F1, however well the others are told apart."""
    for clips in clip_sets:
        lacking = [name for at, name in enumerate(clips.label_set.classes) if not (clips.sentiment == at).any()]
        if lacking:
            most = 1 - len(lacking) / clips.label_set.num_classes
            message = (
                f"{clips.domain}: no clip of the {split} split is {' or '.join(lacking)}, an F1 of 0 whatever is said: "
                f"macro-F1 is at most {most:.3f} there"
            )
            warnings.warn(MsadgWarning(message), stacklevel=3)


@lru_cache(maxsize=1)
def code_revision() -> str:
    """Version of the package and, in a checkout, the commit; ``+`` marks uncommitted changes."""
    from importlib.metadata import version

    checkout = Path(__file__).parents[3]
    if not (checkout / ".git").exists():  # installed: a repository further up is somebody else's
        return version("msadg")
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty=+", "--abbrev=12"]
    try:
        described = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return version("msadg")
    return f"{version('msadg')} {described.stdout.strip()}"


def environment() -> dict[str, Any]:
    """What may move the last bits of a result."""
    return {"torch": torch.__version__, "platform": platform.platform()}
