"""What a grid needs before it starts: one row's missing features are its own matter, a mistake is everybody's."""

import dataclasses

import pytest

from msadg.cli.prepare import prepare
from msadg.errors import FeatureError, StoreError
from tests.protocols.helpers import toy_experiment


@pytest.fixture
def experiments(tmp_path):
    first = toy_experiment(tmp_path, row="here")
    away = dataclasses.replace(first.data, features={"text": "away"})
    return [first, dataclasses.replace(first, row="away", data=away)]


def failing(error, monkeypatch):
    def prepare_stores(data, domains, progress, splits):
        if data.features["text"] == "away":
            raise error

    monkeypatch.setattr("msadg.protocols.stores.prepare_stores", prepare_stores)


def test_the_others_are_prepared_and_the_one_is_told(experiments, monkeypatch):
    failing(FeatureError("not to be had"), monkeypatch)
    told = []
    left = prepare(experiments, leave_out=lambda experiment, error: told.append((experiment.row, str(error))))
    assert [experiment.row for experiment in left] == ["here"]
    assert told == [("away", "not to be had")]


def test_unasked_or_where_none_would_be_left_it_is_an_error(experiments, monkeypatch):
    failing(FeatureError("not to be had"), monkeypatch)
    with pytest.raises(FeatureError, match="not to be had"):
        prepare(experiments)
    with pytest.raises(FeatureError, match="not to be had"):
        prepare(experiments[1:], leave_out=lambda *_: None)


def test_what_is_wrong_with_more_than_one_row_stops_all(experiments, monkeypatch):
    failing(StoreError("the disk is full"), monkeypatch)
    with pytest.raises(StoreError, match="full"):
        prepare(experiments, leave_out=lambda *_: None)
