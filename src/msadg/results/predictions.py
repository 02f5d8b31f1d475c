"""What one run said of every test clip: enough to score it again, and to bootstrap over its videos."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from msadg.errors import RunError
from msadg.types import SENTIMENTS

PROBABILITIES = tuple(f"p_{name}" for name in SENTIMENTS)
TRUTH = ("clip_id", "video_id", "domain", "sentiment", "polarity")
COLUMNS = (*TRUTH, *PROBABILITIES)
"""Of a classification."""
REGRESSION_COLUMNS = (*TRUTH, "predicted_polarity", "predicted_sentiment")


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Truth and prediction of some clips, clip by clip: probabilities, or in a regression polarities."""

    clip_id: Shaped[np.ndarray, " clip"]
    video_id: Shaped[np.ndarray, " clip"]
    domain: Shaped[np.ndarray, " clip"]
    sentiment: Int[np.ndarray, " clip"]
    """The truth, as index into SENTIMENTS."""
    polarity: Float[np.ndarray, " clip"]
    """The truth in [-3, 3]; NaN where the corpus has classes only."""
    probabilities: Float[np.ndarray, "clip sentiment"] | None = None
    """None in a regression."""
    predicted_polarity: Float[np.ndarray, " clip"] | None = None
    """As predicted, also beyond 3; None in a classification."""
    predicted_sentiment: Int[np.ndarray, " clip"] | None = None
    """What the predicted polarity was read as; None in a classification."""

    def __len__(self) -> int:
        return len(self.clip_id)

    @property
    def is_regression(self) -> bool:
        """Whether polarities were predicted."""
        return self.predicted_polarity is not None

    @property
    def predicted(self) -> Int[np.ndarray, " clip"]:
        """The likeliest sentiment of each clip, the first of a tie; or what its predicted polarity was read as."""
        if self.probabilities is not None:
            return np.asarray(self.probabilities.argmax(axis=1))
        assert self.predicted_sentiment is not None
        return self.predicted_sentiment

    def of_domain(self, domain: str) -> Predictions:
        """The clips of one domain, in the same order."""
        return self.take(np.asarray(self.domain == domain))

    def take(self, which: Bool[np.ndarray, " clip"] | Int[np.ndarray, " taken"]) -> Predictions:
        """The clips at these places, or where this is True."""
        return Predictions(**{name: values[which] for name, values in self._filled().items()})

    def _filled(self) -> dict[str, Any]:
        """The fields that this kind of prediction has, by name."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: values for name, values in fields.items() if values is not None}


def joined_predictions(parts: Sequence[Predictions]) -> Predictions:
    """Predictions of several domains in one."""
    columns = [part._filled() for part in parts]
    return Predictions(**{name: np.concatenate([part[name] for part in columns]) for name in columns[0]})


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write the Parquet file `path`, whole or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from msadg.store.atomic import atomic_path

    columns: dict[str, Any] = {
        "clip_id": pa.array(predictions.clip_id.tolist(), pa.string()),
        "video_id": pa.array(predictions.video_id.tolist(), pa.string()),
        "domain": pa.array(predictions.domain.tolist(), pa.string()),
        "sentiment": pa.array(predictions.sentiment.astype(np.int8)),
        "polarity": pa.array(predictions.polarity.astype(np.float64), from_pandas=True),  # NaN as null
    }
    if predictions.probabilities is not None:
        for index, name in enumerate(PROBABILITIES):
            columns[name] = pa.array(predictions.probabilities[:, index].astype(np.float64))
    if predictions.predicted_polarity is not None:
        columns["predicted_polarity"] = pa.array(predictions.predicted_polarity.astype(np.float64))
        columns["predicted_sentiment"] = pa.array(predictions.predicted.astype(np.int8))
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as partial:
        pq.write_table(pa.table(columns), partial)


def read_predictions(path: Path) -> Predictions:
    """The predictions that `write_predictions` wrote.

    Raises:
        RunError: no such file, no Parquet, or other columns than a prediction has.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise RunError(f"{path}: there is no such file; expected the predictions of a run. Score the run again")
    try:
        table = pq.read_table(path, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise RunError(f"{path}: not a Parquet file ({error}); score the run again") from error
    is_regression = tuple(table.column_names) == REGRESSION_COLUMNS
    if not is_regression and tuple(table.column_names) != COLUMNS:
        raise RunError(f"{path}: has the columns {', '.join(table.column_names)}; expected {', '.join(COLUMNS)}")

    def numbers(name: str) -> np.ndarray:
        return np.asarray(table[name].to_numpy(), dtype=np.float64)

    return Predictions(
        clip_id=np.array(table["clip_id"].to_pylist(), dtype=np.str_),
        video_id=np.array(table["video_id"].to_pylist(), dtype=np.str_),
        domain=np.array(table["domain"].to_pylist(), dtype=np.str_),
        sentiment=table["sentiment"].to_numpy().astype(np.int64),
        polarity=numbers("polarity"),
        probabilities=None if is_regression else np.stack([numbers(name) for name in PROBABILITIES], axis=1),
        predicted_polarity=numbers("predicted_polarity") if is_regression else None,
        predicted_sentiment=table["predicted_sentiment"].to_numpy().astype(np.int64) if is_regression else None,
    )
