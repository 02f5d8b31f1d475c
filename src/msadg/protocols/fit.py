"""From settings and clips to weights: the method of an experiment, trained under its rule of selection.

Under ``leave_one_source_out`` a method is first trained without each source in turn and scored on that source's dev
split: that decides how long, or with which regularisation, it is then trained on all of them, and is what a search goes
by.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from msadg.batches.clips import ClipSet, joined
from msadg.batches.moments import step_moments
from msadg.methods.build import build_method
from msadg.methods.method import ClosedForm, Method
from msadg.protocols.checkpoint import TrainingState
from msadg.protocols.experiment import Experiment
from msadg.protocols.features import TOKENS, is_clipwise, load_clips
from msadg.protocols.loop import Trainer, dev_score, fit_closed_form
from msadg.protocols.observer import Observer
from msadg.protocols.selection import best_common_epochs, score_after
from msadg.types import SENTIMENT, LabelSet


def new_method(experiment: Experiment, feature_dims: Mapping[str, int], label_set: LabelSet = SENTIMENT) -> Method:
    """The method of an experiment with its initial weights.

    Args:
        experiment: what is trained.
        feature_dims: width of each modality's features.
        label_set: of its corpora.
    """
    dims = dict(feature_dims)
    encoder: nn.Module | None = None
    if experiment.method.finetune is not None:
        from msadg.extraction.text import load_encoder

        encoder = load_encoder(experiment.data.features["text"].removesuffix(TOKENS))
        dims["text"] = int(encoder.config.hidden_size)  # type: ignore[union-attr,arg-type]
    return build_method(experiment.method, dims, experiment.seed, encoder, experiment.whole_task(label_set))


def source_clips(experiment: Experiment, split: str) -> list[ClipSet]:
    """One split of each source domain."""
    names = experiment.domains.source_domains
    return [load_clips(experiment.data, name, split, index) for index, name in enumerate(names)]  # type: ignore[arg-type]


def fit(
    experiment: Experiment,
    method: Method,
    train_sets: Sequence[ClipSet],
    folder: Path,
    observers: Sequence[Observer] = (),
) -> TrainingState:
    """Train a method on the sources of its experiment; its weights are then those that selection chose.

    Args:
        experiment: what is trained.
        method: of ``new_method``.
        train_sets: the clips of each source that it learns from.
        folder: where its state is saved and, if it was stopped, gone on from.
        observers: of the training on all sources.

    Raises:
        RunError: see ``Trainer.run``.
    """
    train_clips = joined(train_sets)
    _look_at(method, train_clips, experiment)
    leaves_out = experiment.selection == "leave_one_source_out"
    if isinstance(method, ClosedForm):
        return _fit_closed_form(experiment, method, train_sets, train_clips, leaves_out=leaves_out)
    fixed_epochs, left_out = None, {}
    if leaves_out:
        histories = _trained_without_each(experiment, train_sets, folder)
        fixed_epochs = best_common_epochs(list(histories.values()))
        left_out = {domain: score_after(history, fixed_epochs[-1]) for domain, history in histories.items()}
    trainer = Trainer(
        method,
        train_clips,
        _dev_sets(experiment),
        experiment.training,
        seed=experiment.seed,
        folder=folder,
        observers=observers,
        fixed_epochs=fixed_epochs,
    )
    state = trainer.run()
    state.left_out = left_out
    return state


def _fit_closed_form(
    experiment: Experiment,
    method: ClosedForm,
    train_sets: Sequence[ClipSet],
    train_clips: ClipSet,
    *,
    leaves_out: bool,
) -> TrainingState:
    started, metric = time.monotonic(), experiment.training.selection_metric
    if not leaves_out:
        fit_closed_form(method, train_clips, partial(dev_score, method, _dev_sets(experiment), metric))
        return TrainingState(finished=True, seconds=time.monotonic() - started)
    tried: dict[str, list[float]] = {}
    for held, kept in _without_each(experiment, train_sets):
        other = new_method(experiment, train_sets[0].feature_dims, train_sets[0].label_set)
        assert isinstance(other, ClosedForm)
        _look_at(other, kept, experiment)
        scores = tried[held.domain] = []
        fit_closed_form(other, kept, _noting(scores, partial(dev_score, other, [held], metric)))
    # What a candidate scored on sources that it had not seen takes the place of its score on those that it has.
    means = np.mean(list(tried.values()), axis=0)
    fit_closed_form(method, train_clips, iter(means.tolist()).__next__)
    left_out = {domain: scores[int(means.argmax())] for domain, scores in tried.items() if scores}
    return TrainingState(finished=True, seconds=time.monotonic() - started, left_out=left_out)


def _noting(scores: list[float], score: Callable[[], float]) -> Callable[[], float]:
    def noted() -> float:
        scores.append(score())
        return scores[-1]

    return noted


def _look_at(method: Method, train_clips: ClipSet, experiment: Experiment) -> None:
    """Give a method what it needs to know of the clips that it will learn from before it does."""
    training = experiment.training
    if training.class_prior != "source":
        sentiment, domain = (torch.from_numpy(of) for of in (train_clips.sentiment, train_clips.domain_indices))
        if training.class_prior == "uniform_by_domain":
            method.leave_out_prior(sentiment, domain, of="each_domain")
        else:  # the shares that the loss meets
            is_balanced = training.balanced_domains and not isinstance(method, ClosedForm)
            alike = is_balanced or method.counts_domains_alike
            method.leave_out_prior(sentiment, domain, of="domains" if alike else "clips")
    for modality in method.modalities:
        # An encoder's hidden states and simulated features have one scale already.
        if is_clipwise(experiment.data, modality):
            method.scale_inputs(modality, *step_moments(train_clips, modality))


def _dev_sets(experiment: Experiment) -> list[ClipSet]:
    if experiment.selection == "oracle":
        return [load_clips(experiment.data, name, "dev") for name in experiment.domains.target_domains]
    return source_clips(experiment, "dev")


def _without_each(experiment: Experiment, train_sets: Sequence[ClipSet]) -> Iterator[tuple[ClipSet, ClipSet]]:
    """The dev split of each source, and the training clips of the others."""
    for index, held in enumerate(source_clips(experiment, "dev")):
        yield held, joined([clips for at, clips in enumerate(train_sets) if at != index])


def _trained_without_each(
    experiment: Experiment, train_sets: Sequence[ClipSet], folder: Path
) -> dict[str, list[dict[str, Any]]]:
    """Source -> the history of a training without it, scored on it."""
    histories = {}
    for held, kept in _without_each(experiment, train_sets):
        method = new_method(experiment, train_sets[0].feature_dims, train_sets[0].label_set)
        _look_at(method, kept, experiment)
        inner = folder / f"without-{held.domain}"
        inner.mkdir(parents=True, exist_ok=True)
        trainer = Trainer(method, kept, [held], experiment.training, seed=experiment.seed, folder=inner)
        histories[held.domain] = trainer.run().history
    return histories
