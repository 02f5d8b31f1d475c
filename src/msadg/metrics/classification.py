"""How good are the probabilities of the classes: accuracy, F1, recall by class, calibration.

Where scikit-learn has the number, the number is scikit-learn's. The classes are always those of the label set:
macro-F1 averages over all of them even where a test set lacks one, so a number never changes its meaning.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from msadg.corpora.label_sets import told
from msadg.errors import RunError
from msadg.metrics.calibration import calibration_error
from msadg.types import SENTIMENT, LabelSet


def classification_metrics(
    probabilities: Float[np.ndarray, "clip sentiment"],
    sentiment: Int[np.ndarray, " clip"],
    label_set: LabelSet = SENTIMENT,
) -> dict[str, float]:
    """Every classification metric by name; the predicted class is the likeliest one, the first of a tie.

    accuracy, f1_macro, f1_weighted (by true count), balanced_accuracy (mean recall of the classes present),
    recall_negative, recall_neutral, recall_positive or by another label set's ``ids`` (NaN for a class that the truth
    lacks: it has no recall), ece (15 equal-mass bins), brier = mean over clips of sum_k (p_k - [y = k])^2, in [0, 2]
    for two classes as for three, and nll = mean of -log p_y, in nats, with p_y at least 2.2e-16.

    Rows are brought to sum to 1 in double precision, since a model's float32 softmax misses it by 1e-7.

    Raises:
        RunError: no clips, or rows that are no probabilities (a training that diverged).
    """
    from sklearn.metrics import log_loss

    distribution = _checked(probabilities, label_set)
    predicted = distribution.argmax(axis=1)
    squares = (distribution - np.eye(label_set.num_classes)[sentiment]) ** 2
    return {
        **class_metrics(predicted, sentiment, label_set),
        "ece": calibration_error(distribution.max(axis=1), predicted == sentiment),
        "brier": float(squares.sum(axis=1).mean()),
        "nll": float(log_loss(sentiment, distribution, labels=list(range(label_set.num_classes)))),
    }


def class_metrics(
    predicted: Int[np.ndarray, " clip"], sentiment: Int[np.ndarray, " clip"], label_set: LabelSet = SENTIMENT
) -> dict[str, float]:
    """Those of ``classification_metrics`` that need no probabilities, but the predicted class alone."""
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    classes = list(range(label_set.num_classes))
    _, recall, f1, num_true = precision_recall_fscore_support(sentiment, predicted, labels=classes, zero_division=0)
    recall = np.where(num_true > 0, recall, np.nan)
    return {
        "accuracy": float(accuracy_score(sentiment, predicted)),
        "f1_macro": float(f1.mean()),
        "f1_weighted": float(np.average(f1, weights=num_true)),
        "balanced_accuracy": float(np.nanmean(recall)),
        **{f"recall_{name}": float(recall[index]) for index, name in enumerate(label_set.ids)},
    }


def _checked(probabilities: np.ndarray, label_set: LabelSet) -> np.ndarray:
    if len(probabilities) == 0:
        raise RunError("there is no clip to score; expected at least one")
    if probabilities.shape[1] != label_set.num_classes:
        raise RunError(
            f"there are probabilities of {probabilities.shape[1]} classes, and {told(label_set)} has "
            f"{label_set.num_classes}; score a run on the label set that it was trained on"
        )
    distribution = probabilities.astype(np.float64)
    total = distribution.sum(axis=1)
    bad = ~((distribution >= 0).all(axis=1) & (np.abs(total - 1) < 1e-2))  # NaN is bad too
    if bad.any():
        first = int(bad.argmax())
        raise RunError(
            f"{int(bad.sum())} of {len(bad)} clips have no probabilities (the first, clip {first}: "
            f"{probabilities[first].tolist()}); expected {label_set.num_classes} numbers from 0 to 1 that sum to 1. "
            "If they are NaN, training diverged: lower the learning rate or clip the gradient"
        )
    normal: np.ndarray = distribution / total[:, None]
    return normal
