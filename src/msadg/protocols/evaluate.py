"""Scoring: a method on clips, batch by batch, without gradient and without chance."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from msadg.batches.clips import ClipSet
from msadg.batches.sampling import sequential_batches
from msadg.metrics.classification import classification_metrics
from msadg.metrics.confusion import f1_macro
from msadg.results.predictions import Predictions


def predict_logits(
    method: nn.Module, clips: ClipSet, *, batch_size: int = 128, device: str = "cpu"
) -> dict[str, Float[np.ndarray, "clip sentiment"]]:
    """Logits of each clip, in the order of the clips: the method's (``logits``), and those of each stage it has.

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


def selection_score(logits: Float[np.ndarray, "clip sentiment"], clips: ClipSet, metric: str) -> float:
    """The metric that selection reads; higher is better (``nll`` is negated)."""
    if metric == "f1_macro":
        return f1_macro(logits.argmax(axis=1), clips.sentiment)
    value = scores_of(logits, clips)[metric]
    return -value if metric == "nll" else value


def scores_of(logits: Float[np.ndarray, "clip sentiment"], clips: ClipSet) -> dict[str, float]:
    """All metrics of some logits against the truth."""
    return classification_metrics(softmax(logits), clips.sentiment)


def predictions_of(logits: Float[np.ndarray, "clip sentiment"], clips: ClipSet) -> Predictions:
    """What some logits say of each clip, beside the truth."""
    return Predictions(
        clip_id=np.asarray(clips.clip_ids, dtype=np.str_),
        video_id=np.asarray(clips.video_ids, dtype=np.str_),
        domain=np.full(len(clips), clips.domain),
        sentiment=np.asarray(clips.sentiment, dtype=np.int64),
        polarity=np.asarray(clips.polarity, dtype=np.float64),
        probabilities=softmax(logits),
    )
