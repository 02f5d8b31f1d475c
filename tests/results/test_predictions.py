"""Predictions come back from disk as they went."""

import numpy as np
import pytest

from msadg.errors import RunError
from msadg.results.predictions import Predictions, joined_predictions, read_predictions, write_predictions


def some() -> Predictions:
    chance = np.random.default_rng(0)
    return Predictions(
        clip_id=np.array(["mosi/test/a[1]", "mosi/test/é[2]", "meld/test/dia0_utt0"]),
        video_id=np.array(["a", "é", "dia0"]),
        domain=np.array(["mosi", "mosi", "meld"]),
        sentiment=np.array([0, 2, 1]),
        polarity=np.array([-1.25, 3.0, np.nan]),
        probabilities=chance.dirichlet([1, 1, 1], size=3),
    )


def test_every_column_comes_back_bit_for_bit(tmp_path):
    path = tmp_path / "runs" / "k" / "predictions.parquet"
    write_predictions(path, some())
    back = read_predictions(path)
    for name in ("clip_id", "video_id", "domain", "sentiment", "probabilities"):
        assert (getattr(back, name) == getattr(some(), name)).all(), name
    np.testing.assert_array_equal(back.polarity, some().polarity)  # NaN equals NaN
    assert [file.name for file in path.parent.iterdir()] == ["predictions.parquet"]


def test_one_domain_can_be_taken_out():
    mosi = some().of_domain("mosi")
    assert len(mosi) == 2
    assert mosi.video_id.tolist() == ["a", "é"]
    assert len(some().of_domain("mosei")) == 0


def test_the_likeliest_sentiment_is_predicted():
    assert some().predicted.tolist() == some().probabilities.argmax(1).tolist()


def test_what_is_no_file_of_predictions_is_told(tmp_path):
    with pytest.raises(RunError, match="no such file"):
        read_predictions(tmp_path / "none.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(RunError, match="not a Parquet file"):
        read_predictions(tmp_path / "bad.parquet")

    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"clip_id": ["a"]}), tmp_path / "other.parquet")
    with pytest.raises(RunError, match=r"has the columns clip_id; expected clip_id, video_id"):
        read_predictions(tmp_path / "other.parquet")


def of_a_regression() -> Predictions:
    truth = {name: getattr(some(), name) for name in ("clip_id", "video_id", "domain", "sentiment", "polarity")}
    return Predictions(**truth, predicted_polarity=np.array([-0.2, 3.5, 0.1]), predicted_sentiment=np.array([1, 2, 1]))


def test_predicted_polarities_come_back_bit_for_bit_and_there_are_no_probabilities(tmp_path):
    write_predictions(tmp_path / "p.parquet", of_a_regression())
    back = read_predictions(tmp_path / "p.parquet")
    assert back.probabilities is None and back.is_regression and not some().is_regression
    assert back.predicted_polarity.tolist() == [-0.2, 3.5, 0.1]
    assert back.predicted.tolist() == [1, 2, 1]
    assert joined_predictions([back.of_domain("meld"), back.of_domain("mosi")]).predicted_polarity.tolist() == [
        0.1, -0.2, 3.5
    ]  # fmt: skip
