"""How good is a predicted polarity in [-3, 3]: error, correlation, and the accuracies that papers derive from it.

Published code disagrees on these names; each is fixed here:
    has0   negative (< 0) against the rest (>= 0), over all clips;
    non0   negative (< 0) against positive (> 0), over the clips whose true polarity is not 0;
    F1     weighted by the true counts, with the truth as the first argument. Much official code swaps the two,
           which scores an all-positive predictor .563 where the weighted F1 is .221;
    Acc-5, Acc-7   clipped to [-2, 2] or [-3, 3] and rounded as NumPy does, halves to the even neighbour
           (0.5 -> 0, 1.5 -> 2, 2.5 -> 2, -0.5 -> 0), as the published numbers are. On real labels it matters:
           MOSI's and MOSEI's polarities are averages of raters and full of thirds and halves.
    three classes   the predicted polarity is read as a sentiment by the rule that read the labels (``round`` or
           ``sign``), and scored as any predicted sentiment is. Under ``sign`` only an exact 0 is neutral.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from msadg.corpora.labels import sentiment_of_polarity
from msadg.errors import RunError
from msadg.metrics.classification import class_metrics
from msadg.types import LabelReading


def regression_metrics(
    prediction: Float[np.ndarray, " clip"], polarity: Float[np.ndarray, " clip"]
) -> dict[str, float]:
    """Every regression metric by name: mae, corr, acc2_*, acc5, acc7, f1_weighted_*.

    NaN where a number does not exist: corr of a constant, non0 where every polarity is 0.

    Raises:
        RunError: no clips, or a prediction that is NaN or infinite (a training that diverged).
    """
    _check(prediction)
    predicted, true = prediction.astype(np.float64), polarity.astype(np.float64)
    has_sign = true != 0
    return {
        "mae": float(np.abs(predicted - true).mean()),
        "corr": corr(predicted, true),
        "acc2_has0": _accuracy(predicted >= 0, true >= 0),
        "acc2_non0": _accuracy(predicted[has_sign] > 0, true[has_sign] > 0),
        "acc5": _accuracy(rounded(predicted, limit=2), rounded(true, limit=2)),
        "acc7": _accuracy(rounded(predicted, limit=3), rounded(true, limit=3)),
        "f1_weighted_has0": _f1_weighted(predicted >= 0, true >= 0),
        "f1_weighted_non0": _f1_weighted(predicted[has_sign] > 0, true[has_sign] > 0),
    }


def polarity_scores(
    prediction: Float[np.ndarray, " clip"],
    polarity: Float[np.ndarray, " clip"],
    sentiment: Int[np.ndarray, " clip"],
    labels: LabelReading,
) -> dict[str, float]:
    """All that can be said of predicted polarities: the regression metrics, and those of the sentiments they mean.

    Args:
        prediction: polarities.
        polarity: the truth; where it is NaN throughout (a corpus of classes only), there are no regression metrics.
        sentiment: the truth.
        labels: how its polarity became a sentiment.

    Raises:
        RunError: see ``regression_metrics``; or some clips have a polarity and others have none.
    """
    has_polarity = ~np.isnan(polarity)
    if has_polarity.any() and not has_polarity.all():
        raise RunError(
            f"{int((~has_polarity).sum())} of {len(polarity)} clips have no polarity, the others have one; a domain "
            "is scored by one kind of label: give every clip a polarity, or none"
        )
    derived = class_metrics(sentiments_of(prediction, labels), sentiment)
    return (regression_metrics(prediction, polarity) if has_polarity.any() else {}) | derived


def sentiments_of(polarity: Float[np.ndarray, " clip"], labels: LabelReading) -> Int[np.ndarray, " clip"]:
    """The sentiment that each polarity means, as index into SENTIMENTS.

    Raises:
        RunError: no clips, or a polarity that is NaN or infinite.

    Example:
        >>> sentiments_of(np.array([-2.0, 0.4, 0.6]), "round").tolist()
        [0, 1, 2]
    """
    _check(polarity)
    return np.array([sentiment_of_polarity(value, labels) for value in polarity.tolist()], dtype=np.int64)


def corr(prediction: Float[np.ndarray, " clip"], polarity: Float[np.ndarray, " clip"]) -> float:
    """Pearson correlation between predicted and labelled polarity, in [-1, 1].

    r = sum((p - mean p)(y - mean y)) / sqrt(sum((p - mean p)^2) sum((y - mean y)^2))

    NaN when either side is constant (up to rounding): the correlation does not exist, and 0 would hide that.

    Example:
        >>> round(corr(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0])), 9)
        1.0
    """
    from scipy.stats import pearsonr

    if any(np.std(side) <= 1e-13 * np.abs(side).max() for side in (prediction, polarity)):
        return float("nan")
    return float(pearsonr(prediction, polarity).statistic)


def rounded(polarity: Float[np.ndarray, " clip"], *, limit: int) -> Int[np.ndarray, " clip"]:
    """The nearest whole polarity within [-limit, limit]; a half goes to the even neighbour.

    Example:
        >>> rounded(np.array([0.5, 1.5, 2.5, -0.5, -4.0]), limit=3).tolist()
        [0, 2, 2, 0, -3]
    """
    return np.asarray(np.round(np.clip(polarity, -limit, limit)), dtype=np.int64)


def _check(prediction: Float[np.ndarray, " clip"]) -> None:
    if len(prediction) == 0:
        raise RunError("there is no clip to score; expected at least one")
    if not np.isfinite(prediction).all():
        raise RunError(
            f"{int((~np.isfinite(prediction)).sum())} of {len(prediction)} predictions are NaN or infinite: "
            "training diverged; lower the learning rate or clip the gradient"
        )


def _accuracy(predicted: np.ndarray, true: np.ndarray) -> float:
    return float((predicted == true).mean()) if len(true) else float("nan")


def _f1_weighted(predicted: Bool[np.ndarray, " clip"], true: Bool[np.ndarray, " clip"]) -> float:
    from sklearn.metrics import f1_score

    if len(true) == 0:
        return float("nan")
    return float(f1_score(true, predicted, labels=[False, True], average="weighted", zero_division=0))
