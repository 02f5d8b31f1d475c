"""One experiment: what to train on what, said once, as plain values that a record can hold."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from msadg.errors import SettingsError
from msadg.extraction.pretrained import ALIASES
from msadg.methods.build import MethodSpec
from msadg.methods.task import Task, TaskKind
from msadg.protocols.domains import DomainSplit, domain_name
from msadg.protocols.features import DataConfig, data_digest, feature_manifests, label_set_of
from msadg.protocols.needed_sources import check_sources_to_compare
from msadg.protocols.selection import Selection, check_selection
from msadg.protocols.training import TrainingConfig
from msadg.results.record import digest_of, labelled_with
from msadg.settings import settings_from
from msadg.types import LabelSet

InterventionName = Literal["none", "noise", "rejected"]

FILE_OPTIONS = ("file", "files", "model", "weights")
"""Options of extractors whose value may be a local file or folder."""

KNOWN_MODELS = ("minilm", *ALIASES)
"""Names of models that no folder of the same name stands for."""

UNRECORDED = ("device", "devices", "checkpoint_steps")
"""Training settings that do not decide what a run learns; but each of several devices draws its own dropout."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What determines a run, and how its row is called."""

    row: str
    """Label of its row in tables."""
    method: MethodSpec
    domains: DomainSplit
    training: TrainingConfig = field(default_factory=TrainingConfig)
    data: DataConfig = field(default_factory=DataConfig)
    selection: Selection = "source_dev"
    seed: int = 0
    task: TaskKind = "classification"
    """What is predicted: the class, or the polarity. What the classes are is the corpora's to say."""
    intervention: InterventionName = "none"
    """What is done to the selected features while scoring: the controls *Add Noise* and *Using DS*."""

    def __post_init__(self) -> None:
        """Check that task and training go together, and that there are domains enough for the method.

        Raises:
            SettingsError: they do not.
            UsageError: the method compares more source domains than there are.
        """
        check_sources_to_compare(self.method.name, self.method.settings, self.selection, self.domains.source_domains)
        metric = self.training.selection_metric
        only = {"nll": "classification", "mae": "regression", "corr": "regression"}.get(metric, self.task)
        if only != self.task:
            raise SettingsError(
                f"row {self.row!r}: training.selection_metric = {metric!r} is of a {only}, and the task is "
                f"{self.task}; use f1_macro" + (", mae or corr" if self.task == "regression" else "")
            )
        if self.method.name == "linear" and self.training.class_prior == "uniform_by_domain":
            raise SettingsError(
                f"row {self.row!r}: linear has one bias for the clips of all sources, which knows no shares by domain; "
                "use training.class_prior = 'uniform' instead of 'uniform_by_domain'"
            )
        if self.method.name == "groupdro" and self.training.class_prior == "uniform":
            raise SettingsError(
                f"row {self.row!r}: groupdro counts its source domains anew at each step, so there are no class shares "
                "of all of them to leave out; use training.class_prior = 'uniform_by_domain' instead of 'uniform'"
            )
        if self.task == "regression" and self.training.class_prior != "source":
            raise SettingsError(
                f"row {self.row!r}: training.class_prior = {self.training.class_prior!r} is about the shares of "
                "classes, and a regression predicts polarity; leave it out, or use task = 'classification'"
            )

    def whole_task(self, label_set: LabelSet) -> Task:
        """The task with its loss and its classes.

        Raises:
            UsageError: a regression on classes without polarity.
        """
        return Task(kind=self.task, regression_loss=self.training.regression_loss, label_set=label_set)

    def training_identity(self) -> dict[str, Any]:
        """Everything that decides the weights: no target domain among it, save for ``oracle``."""
        training = {k: v for k, v in dataclasses.asdict(self.training).items() if k not in UNRECORDED}
        if training["averaging"] == "none":
            del training["averaging"], training["averaging_decay"]
        if not training["modality_dropout"]:
            del training["modality_dropout"]  # runs from before there was any keep their keys
        if self.task == "classification":
            del training["regression_loss"]
        identity = {
            "method": self.method.name,
            "settings": dict(self.method.settings),
            "mask": self.method.mask,
            "finetune": self.method.finetune,
            "training": training,
            "features": {m: f["digest"] for m, f in feature_manifests(self.data, self.domains.source_domains).items()},
            "labels": self.data.labels,
            "max_text_tokens": self.data.max_text_tokens,
            "sources": {domain_name(d): data_digest(self.data, d) for d in self.domains.source_domains},
            "order_of_sources": [domain_name(domain) for domain in self.domains.source_domains],
            "selection": self.selection,
            "seed": self.seed,
        }
        if self.method.variation is not None:
            identity["variation"] = self.method.variation
        if self.task != "classification":
            identity["task"] = self.task
        identity |= labelled_with(label_set_of(self.data, self.domains.source_domains[0]))
        if self.selection == "oracle":
            identity["oracle"] = {domain_name(d): data_digest(self.data, d) for d in self.domains.target_domains}
        return identity

    def training_key(self) -> str:
        """Names the folder of the weights; runs that differ only in how they are scored share it."""
        return digest_of(self.training_identity())

    def key(self, split: str = "test") -> str:
        """Names the record of scoring one split of each domain."""
        scoring = {
            "row": self.row,
            "intervention": self.intervention,
            "targets": {domain_name(d): data_digest(self.data, d) for d in self.domains.target_domains},
            "split": split,
        }
        return digest_of(self.training_identity() | scoring)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, from which ``experiment_from`` makes the same experiment."""
        content = dataclasses.asdict(self)
        content["data"]["features"] = {m: _from_root(m, name) for m, name in self.data.features.items()}
        content["data"]["stores"] = str(self.data.stores.resolve())
        content["data"]["data_root"] = None if self.data.data_root is None else str(self.data.data_root.resolve())
        plain: dict[str, Any] = json.loads(json.dumps(content))
        return plain


def _from_root(modality: str, extractor: str) -> str:
    """An extractor as written, its local files named from the root: a run finds them again from another folder."""
    name, colon, options = extractor.partition(":")
    if not colon:
        return str(Path(name).resolve()) if name not in KNOWN_MODELS and Path(name).is_dir() else name
    pairs = [option.partition("=") for option in options.split(",")]
    is_encoder = modality == "text" and [key.strip() for key, _, _ in pairs] == ["layer"]
    if is_encoder and name not in KNOWN_MODELS and Path(name).is_dir():
        name = str(Path(name).resolve())
    return f"{name}:" + ",".join(
        f"{key}={Path(value.strip()).resolve()}"
        if key.strip() in FILE_OPTIONS and value.strip() not in KNOWN_MODELS and Path(value.strip()).exists()
        else f"{key}{equals}{value}"
        for key, equals, value in pairs
    )


def experiment_from(content: Mapping[str, Any], where: str) -> Experiment:
    """Build an experiment from the plain values of ``Experiment.to_dict``.

    Raises:
        SettingsError: unknown keys or values out of range; begins with ``where``.
    """
    parts = dict(content)
    parts["method"] = settings_from(MethodSpec, parts.get("method", {}), f"{where}: method")
    parts["training"] = settings_from(TrainingConfig, parts.get("training", {}), f"{where}: training")
    parts["data"] = settings_from(DataConfig, parts.get("data", {}), f"{where}: data")
    domains = parts.get("domains", {})
    parts["domains"] = DomainSplit(
        tuple(domains.get("source_domains", ())), tuple(domains.get("target_domains", ())), domains.get("setting")
    )
    check_selection(parts.get("selection", "source_dev"), parts["domains"].source_domains)
    return settings_from(Experiment, parts, where)
