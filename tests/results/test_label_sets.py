"""Records and predictions of runs whose classes are not the three sentiments."""

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import f1_score

from msadg.corpora.label_sets import HUMOUR
from msadg.errors import RunError
from msadg.results.predictions import Predictions, joined_predictions, read_predictions, write_predictions
from msadg.results.record import Record, labelled_with
from msadg.results.statistics import paired_cluster_bootstrap
from msadg.types import SENTIMENT, LabelSet


def some(label_set: LabelSet = HUMOUR, seed: int = 0, clips: int = 60) -> Predictions:
    truth, said = np.random.default_rng(99), np.random.default_rng(seed)
    num = label_set.num_classes
    return Predictions(
        clip_id=np.array([f"ur-funny/test/{n:03d}" for n in range(clips)]),
        video_id=np.array([f"v{n // 4}" for n in range(clips)]),
        domain=np.full(clips, "ur-funny"),
        sentiment=truth.integers(0, num, clips),
        polarity=np.full(clips, np.nan),
        probabilities=said.dirichlet([1.0] * num, size=clips),
        label_set=label_set,
    )


def test_they_come_back_bit_for_bit_with_their_classes(tmp_path):
    write_predictions(tmp_path / "p.parquet", some())
    back = read_predictions(tmp_path / "p.parquet")
    assert back.label_set == HUMOUR
    assert (back.sentiment == some().sentiment).all() and (back.probabilities == some().probabilities).all()
    assert back.of_domain("ur-funny").label_set == joined_predictions([back, back]).label_set == HUMOUR


def test_columns_are_called_what_the_classes_are(tmp_path):
    write_predictions(tmp_path / "p.parquet", some())
    assert pq.read_table(tmp_path / "p.parquet").column_names == [
        "clip_id", "video_id", "domain", "humour", "polarity", "p_not_humorous", "p_humorous",
    ]  # fmt: skip


def test_a_file_of_sentiments_is_what_it_was_before_there_were_other_classes(tmp_path):
    write_predictions(tmp_path / "p.parquet", some(SENTIMENT))
    table = pq.read_table(tmp_path / "p.parquet")
    assert table.schema.metadata is None
    assert table.column_names == [
        "clip_id", "video_id", "domain", "sentiment", "polarity", "p_negative", "p_neutral", "p_positive",
    ]  # fmt: skip
    assert read_predictions(tmp_path / "p.parquet").label_set == SENTIMENT


@pytest.mark.parametrize("metadata", [b"{", b'{"name": "humour"}', b'{"name": 1, "classes": ["a"], "has_polarity": 0}'])
def test_damaged_metadata_is_told(tmp_path, metadata: bytes):
    write_predictions(tmp_path / "p.parquet", some())
    table = pq.read_table(tmp_path / "p.parquet").replace_schema_metadata({b"msadg.label_set": metadata})
    pq.write_table(pa.table(table), tmp_path / "p.parquet")
    with pytest.raises(RunError, match=r"p\.parquet: "):
        read_predictions(tmp_path / "p.parquet")


def test_sentiments_and_humour_are_neither_put_together_nor_compared():
    with pytest.raises(RunError, match="cannot be put together"):
        joined_predictions([some(), some(SENTIMENT)])
    with pytest.raises(RunError, match=r"differ in classes: humour \(not humorous, humorous\), sentiment"):
        paired_cluster_bootstrap([some()], [some(SENTIMENT)])


def test_a_difference_between_runs_on_two_classes_is_that_of_their_scores():
    a, b = some(seed=1), some(seed=2)
    found = paired_cluster_bootstrap([a], [b], draws=400)
    assert found.num_videos == 15
    scores = [f1_score(run.sentiment, run.predicted, average="macro") for run in (a, b)]
    assert found.mean == pytest.approx(scores[0] - scores[1], rel=1e-12)
    assert found.low < found.mean < found.high
    nothing = paired_cluster_bootstrap([a], [a], draws=400)
    assert (nothing.mean, nothing.low, nothing.high, nothing.p) == (0, 0, 0, 1)


def test_a_record_says_its_classes_and_one_that_does_not_is_of_sentiments(make_record):
    assert make_record().label_set == SENTIMENT and labelled_with(SENTIMENT) == {}
    record = make_record(extra=labelled_with(HUMOUR))
    assert Record.from_json(record.to_json()).label_set == HUMOUR
    assert record.extra["label_set"] == dataclasses.asdict(HUMOUR)
    with pytest.raises(RunError, match="the label set is 'humour'"):
        _ = make_record(extra={"label_set": "humour"}).label_set
