"""Scoring: a method on clips, batch by batch, without gradient and without chance.

One column of "logits" is the polarity that a regression predicts; several are the logits of the classes.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import nn

from msadg.batches.clips import ClipSet
from msadg.batches.sampling import sequential_batches
from msadg.errors import RunError
from msadg.metrics.classification import classification_metrics
from msadg.metrics.confusion import f1_macro
from msadg.metrics.regression import polarity_scores, sentiments_of
from msadg.results.predictions import Predictions


def predict_logits(
    method: nn.Module, clips: ClipSet, *, batch_size: int = 128, device: str = "cpu"
) -> dict[str, Float[np.ndarray, "clip output"]]:
    """Logits or polarity of each clip, in order: the method's (``logits``), and those of each stage it has.

    Args:
        method: left in the mode (training or not) that it was in.
        clips: what to score.
        batch_size: clips at a time; changes nothing but time and memory.
        device: where the method is.
    """
    was_training = method.training
    method.eval()
    rows: dict[str, list[np.ndarray]] = {}
    order: list[np.ndarray] = []
    with torch.no_grad():
        for indices in sequential_batches(clips.lengths, batch_size):
            prediction = method(clips.batch(indices).to(device))
            stages = {name: t for name, t in prediction.auxiliary.items() if name.startswith("logits_")}
            for name, logits in {"logits": prediction.logits, **stages}.items():
                rows.setdefault(name, []).append(logits.double().cpu().numpy())
            order.append(indices)
    method.train(was_training)
    places = np.argsort(np.concatenate(order))
    return {name: np.concatenate(parts)[places] for name, parts in rows.items()}


def softmax(logits: Float[np.ndarray, "clip sentiment"]) -> Float[np.ndarray, "clip sentiment"]:
    """Probabilities, in double precision."""
    from scipy.special import softmax as scipy_softmax

    probabilities: np.ndarray = scipy_softmax(logits.astype(np.float64), axis=1)
    return probabilities


def selection_score(logits: Float[np.ndarray, "clip output"], clips: ClipSet, metric: str) -> float:
    """The metric that selection reads; higher is better (``nll`` and ``mae`` are negated).

    Predictions that are all the same have no correlation: that counts as -1, the worst there is.

    Raises:
        RunError: the clips have no such score, as a domain of classes only has no ``mae``.
    """
    if metric == "f1_macro":
        return f1_macro(predicted_classes(logits, clips), clips.sentiment, clips.label_set.num_classes)
    scores = scores_of(logits, clips)
    if metric not in scores:
        raise RunError(
            f"{clips.domain} has no {metric}, which training.selection_metric asks for; it has {', '.join(scores)}"
        )
    value = scores[metric]
    if metric == "corr":
        return -1.0 if np.isnan(value) else value
    return -value if metric in ("nll", "mae") else value


def predicted_classes(logits: Float[np.ndarray, "clip output"], clips: ClipSet) -> Int[np.ndarray, " clip"]:
    """The likeliest class of each clip; of a predicted polarity, the one it is read as, as the labels were."""
    return sentiments_of(logits[:, 0], clips.labels) if is_polarity(logits) else np.asarray(logits.argmax(axis=1))


def is_polarity(logits: Float[np.ndarray, "clip output"]) -> bool:
    """Whether these are what a regression predicts."""
    return bool(logits.shape[1] == 1)


def scores_of(logits: Float[np.ndarray, "clip output"], clips: ClipSet) -> dict[str, float]:
    """All metrics of some logits or polarities against the truth."""
    if is_polarity(logits):
        return polarity_scores(logits[:, 0], clips.polarity, clips.sentiment, clips.labels)
    return classification_metrics(softmax(logits), clips.sentiment, clips.label_set)


def predictions_of(logits: Float[np.ndarray, "clip output"], clips: ClipSet) -> Predictions:
    """What some logits or polarities say of each clip, beside the truth."""
    is_regression = is_polarity(logits)
    return Predictions(
        clip_id=np.asarray(clips.clip_ids, dtype=np.str_),
        video_id=np.asarray(clips.video_ids, dtype=np.str_),
        domain=np.full(len(clips), clips.domain),
        sentiment=np.asarray(clips.sentiment, dtype=np.int64),
        polarity=np.asarray(clips.polarity, dtype=np.float64),
        probabilities=None if is_regression else softmax(logits),
        predicted_polarity=logits[:, 0].astype(np.float64) if is_regression else None,
        predicted_sentiment=predicted_classes(logits, clips) if is_regression else None,
        label_set=clips.label_set,
    )
