"""What one run said of every test clip: enough to score it again, and to bootstrap over its videos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from msadg.errors import RunError
from msadg.types import SENTIMENTS

PROBABILITIES = tuple(f"p_{name}" for name in SENTIMENTS)
COLUMNS = ("clip_id", "video_id", "domain", "sentiment", "polarity", *PROBABILITIES)


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Truth and probabilities of some clips, clip by clip."""

    clip_id: Shaped[np.ndarray, " clip"]
    video_id: Shaped[np.ndarray, " clip"]
    domain: Shaped[np.ndarray, " clip"]
    sentiment: Int[np.ndarray, " clip"]
    """The truth, as index into SENTIMENTS."""
    polarity: Float[np.ndarray, " clip"]
    """The truth in [-3, 3]; NaN where the corpus has classes only."""
    probabilities: Float[np.ndarray, "clip sentiment"]

    def __len__(self) -> int:
        return len(self.clip_id)

    @property
    def predicted(self) -> Int[np.ndarray, " clip"]:
        """The likeliest sentiment of each clip, the first of a tie."""
        return np.asarray(self.probabilities.argmax(axis=1))

    def of_domain(self, domain: str) -> Predictions:
        """The clips of one domain, in the same order."""
        return self.take(np.asarray(self.domain == domain))

    def take(self, which: Bool[np.ndarray, " clip"] | Int[np.ndarray, " taken"]) -> Predictions:
        """The clips at these places, or where this is True."""
        return Predictions(
            clip_id=self.clip_id[which],
            video_id=self.video_id[which],
            domain=self.domain[which],
            sentiment=self.sentiment[which],
            polarity=self.polarity[which],
            probabilities=self.probabilities[which],
        )


def joined_predictions(parts: Sequence[Predictions]) -> Predictions:
    """Predictions of several domains in one."""
    return Predictions(
        clip_id=np.concatenate([p.clip_id for p in parts]),
        video_id=np.concatenate([p.video_id for p in parts]),
        domain=np.concatenate([p.domain for p in parts]),
        sentiment=np.concatenate([p.sentiment for p in parts]),
        polarity=np.concatenate([p.polarity for p in parts]),
        probabilities=np.concatenate([p.probabilities for p in parts]),
    )


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
    for index, name in enumerate(PROBABILITIES):
        columns[name] = pa.array(predictions.probabilities[:, index].astype(np.float64))
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
    if tuple(table.column_names) != COLUMNS:
        raise RunError(f"{path}: has the columns {', '.join(table.column_names)}; expected {', '.join(COLUMNS)}")
    numbers = {name: table[name].to_numpy().astype(np.float64) for name in ("polarity", *PROBABILITIES)}
    return Predictions(
        clip_id=np.array(table["clip_id"].to_pylist(), dtype=np.str_),
        video_id=np.array(table["video_id"].to_pylist(), dtype=np.str_),
        domain=np.array(table["domain"].to_pylist(), dtype=np.str_),
        sentiment=table["sentiment"].to_numpy().astype(np.int64),
        polarity=numbers["polarity"],
        probabilities=np.stack([numbers[name] for name in PROBABILITIES], axis=1),
    )
