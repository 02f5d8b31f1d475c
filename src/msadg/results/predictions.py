"""What one run said of every test clip: enough to score it again, and to bootstrap over its videos."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from msadg.corpora.label_sets import label_set_from, told
from msadg.errors import RunError
from msadg.types import SENTIMENT, LabelSet

LABEL_SET_KEY = b"msadg.label_set"
"""In the file's metadata: what the classes are; a file without it is of sentiments."""


def columns_of(label_set: LabelSet) -> tuple[str, ...]:
    """The columns of a classification; the truth stands under the name of the label set.

    Example:
        >>> columns_of(SENTIMENT)[3:]
        ('sentiment', 'polarity', 'p_negative', 'p_neutral', 'p_positive')
    """
    return (*_truth(label_set), *(f"p_{name}" for name in label_set.ids))


def regression_columns_of(label_set: LabelSet) -> tuple[str, ...]:
    """The columns of a regression."""
    return (*_truth(label_set), "predicted_polarity", f"predicted_{label_set.name}")


def class_columns_of(label_set: LabelSet) -> tuple[str, ...]:
    """The columns where nothing is known of a classification but the classes: it comes from an archive."""
    return (*_truth(label_set), f"predicted_{label_set.name}")


def _truth(label_set: LabelSet) -> tuple[str, ...]:
    return ("clip_id", "video_id", "domain", label_set.name, "polarity")


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Truth and prediction of some clips: probabilities (or the classes alone), or in a regression polarities."""

    clip_id: Shaped[np.ndarray, " clip"]
    video_id: Shaped[np.ndarray, " clip"]
    domain: Shaped[np.ndarray, " clip"]
    sentiment: Int[np.ndarray, " clip"]
    """The truth, as index into the classes."""
    polarity: Float[np.ndarray, " clip"]
    """The truth in [-3, 3]; NaN where the corpus has classes only."""
    probabilities: Float[np.ndarray, "clip sentiment"] | None = None
    """None in a regression, and where the classes alone were kept."""
    predicted_polarity: Float[np.ndarray, " clip"] | None = None
    """As predicted, also beyond 3; None in a classification."""
    predicted_sentiment: Int[np.ndarray, " clip"] | None = None
    """What the predicted polarity was read as, or the classes alone; None where there are probabilities."""
    label_set: LabelSet = SENTIMENT
    """What the classes are."""

    def __len__(self) -> int:
        return len(self.clip_id)

    @property
    def is_regression(self) -> bool:
        """Whether polarities were predicted."""
        return self.predicted_polarity is not None

    @property
    def predicted(self) -> Int[np.ndarray, " clip"]:
        """The likeliest class of each clip, the first of a tie; or what its predicted polarity was read as."""
        if self.probabilities is not None:
            return np.asarray(self.probabilities.argmax(axis=1))
        assert self.predicted_sentiment is not None
        return self.predicted_sentiment

    def of_domain(self, domain: str) -> Predictions:
        """The clips of one domain, in the same order."""
        return self.take(np.asarray(self.domain == domain))

    def take(self, which: Bool[np.ndarray, " clip"] | Int[np.ndarray, " taken"]) -> Predictions:
        """The clips at these places, or where this is True."""
        taken = {name: values[which] for name, values in self._filled().items()}
        return Predictions(**taken, label_set=self.label_set)

    def _filled(self) -> dict[str, Any]:
        """What this kind of prediction has of each clip, by name of the field."""
        names = [field.name for field in dataclasses.fields(self) if field.name != "label_set"]
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


def joined_predictions(parts: Sequence[Predictions]) -> Predictions:
    """Predictions of several domains in one.

    Raises:
        RunError: their classes are not the same.
    """
    label_set = parts[0].label_set
    for part in parts:
        if part.label_set != label_set:
            raise RunError(f"predictions of {told(label_set)} and of {told(part.label_set)} cannot be put together")
    columns = [part._filled() for part in parts]
    if any(part.keys() != columns[0].keys() for part in columns):
        columns = [_classes_alone(part)._filled() for part in parts]
    whole = {name: np.concatenate([part[name] for part in columns]) for name in columns[0]}
    return Predictions(**whole, label_set=label_set)


def _classes_alone(said: Predictions) -> Predictions:
    return dataclasses.replace(
        said, probabilities=None, predicted_polarity=None, predicted_sentiment=np.asarray(said.predicted)
    )


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write the Parquet file `path`, whole or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from msadg.store.atomic import atomic_path

    label_set = predictions.label_set
    columns: dict[str, Any] = {
        "clip_id": pa.array(predictions.clip_id.tolist(), pa.string()),
        "video_id": pa.array(predictions.video_id.tolist(), pa.string()),
        "domain": pa.array(predictions.domain.tolist(), pa.string()),
        label_set.name: pa.array(predictions.sentiment.astype(np.int8)),
        "polarity": pa.array(predictions.polarity.astype(np.float64), from_pandas=True),  # NaN as null
    }
    if predictions.probabilities is not None:
        for index, name in enumerate(label_set.ids):
            columns[f"p_{name}"] = pa.array(predictions.probabilities[:, index].astype(np.float64))
    if predictions.predicted_polarity is not None:
        columns["predicted_polarity"] = pa.array(predictions.predicted_polarity.astype(np.float64))
    if predictions.probabilities is None:
        columns[f"predicted_{label_set.name}"] = pa.array(predictions.predicted.astype(np.int8))
    table = pa.table(columns)
    if label_set != SENTIMENT:
        table = table.replace_schema_metadata({LABEL_SET_KEY: json.dumps(dataclasses.asdict(label_set))})
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as partial:
        pq.write_table(table, partial)


def read_predictions(path: Path) -> Predictions:
    """The predictions that `write_predictions` wrote.

    Raises:
        RunError: no such file, no Parquet, or other columns than a prediction has.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise RunError(
            f"{path}: there is no such file; expected the predictions of a run. To have it scored "
            "again, take its line out of records.jsonl and start the same `msadg benchmark`: trained weights are kept"
        )
    try:
        table = pq.read_table(path, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise RunError(f"{path}: not a Parquet file ({error}); score the run again") from error
    label_set = _label_set_of(table.schema.metadata or {}, path)
    columns, found = columns_of(label_set), tuple(table.column_names)
    is_regression = found == regression_columns_of(label_set)
    has_probabilities = found == columns
    if not is_regression and not has_probabilities and found != class_columns_of(label_set):
        raise RunError(f"{path}: has the columns {', '.join(found)}; expected {', '.join(columns)}")

    def numbers(name: str) -> Float[np.ndarray, " clip"]:
        return np.asarray(table[name].to_numpy(), dtype=np.float64)

    def classes(name: str) -> Int[np.ndarray, " clip"]:
        return np.asarray(table[name].to_numpy(), dtype=np.int64)

    return Predictions(
        clip_id=np.array(table["clip_id"].to_pylist(), dtype=np.str_),
        video_id=np.array(table["video_id"].to_pylist(), dtype=np.str_),
        domain=np.array(table["domain"].to_pylist(), dtype=np.str_),
        sentiment=classes(label_set.name),
        polarity=numbers("polarity"),
        probabilities=np.stack([numbers(f"p_{n}") for n in label_set.ids], axis=1) if has_probabilities else None,
        predicted_polarity=numbers("predicted_polarity") if is_regression else None,
        predicted_sentiment=None if has_probabilities else classes(f"predicted_{label_set.name}"),
        label_set=label_set,
    )


def _label_set_of(metadata: Mapping[bytes, bytes], path: Path) -> LabelSet:
    try:
        content = json.loads(metadata[LABEL_SET_KEY]) if LABEL_SET_KEY in metadata else None
    except ValueError as error:
        raise RunError(f"{path}: its metadata is damaged ({error}); score the run again") from error
    return label_set_from(content, str(path))
