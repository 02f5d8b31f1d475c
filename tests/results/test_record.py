"""A record comes back from disk as it went, and nothing else is taken for one."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from msadg.errors import RunError
from msadg.results.record import Record, digest_of

RECORD = Record(
    key="0123456789abcdef",
    row="s2lif (V|T)",
    method="s2lif",
    settings={"dim": 256, "threshold": None, "order": ["video", "text"]},
    setting="single-A",
    source_domains=("mosei",),
    target_domains=("mosi", "meld"),
    selection="dev",
    seed=3,
    revision="abc1234",
    features={"text": {"extractor": "minilm", "version": "0.1.0", "digest": "ff"}, "video": {"simulated": True}},
    metrics={"mosi": {"f1_macro": 0.1 + 0.2, "accuracy": 1.0}},
    dev_metrics={"mosei": {"f1_macro": 2 / 3}},
    extra={"best_epoch": 7, "kept": {"text": 0.25}, "note": "é\u2028ü"},
    environment={"torch": "2.6", "threads": 1},
    finished_at="2025-01-31T12:00:00+00:00",
)


def test_a_record_comes_back_bit_for_bit_from_one_line():
    text = RECORD.to_json()
    assert "\n" not in text
    assert Record.from_json(text) == RECORD


def test_nan_is_null_on_disk_and_nan_in_memory():
    text = replace(RECORD, metrics={"mosi": {"recall_neutral": math.nan, "nll": math.inf}}).to_json()
    assert json.loads(text)["metrics"] == {"mosi": {"recall_neutral": None, "nll": "inf"}}
    back = Record.from_json(text)
    assert math.isnan(back.metrics["mosi"]["recall_neutral"])
    assert back.metrics["mosi"]["nll"] == math.inf
    assert back.settings["threshold"] is None


def test_what_numpy_and_paths_make_is_written_as_plain_json():
    record = replace(RECORD, extra={"x": np.float32(0.5), "y": np.arange(2), "z": Path("a/b"), "n": np.float64("nan")})
    assert json.loads(record.to_json())["extra"] == {"x": 0.5, "y": [0, 1], "z": "a/b", "n": None}


def changed(**change: object) -> str:
    return json.dumps(json.loads(RECORD.to_json()) | change)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (changed(sed=3), "here: unknown key 'sed'; did you mean 'seed'"),
        (changed(seed="three"), "here: seed is 'three'"),
        (changed(metrics={"mosi": {"accuracy": "high"}}), "here: metrics.mosi.accuracy is 'high'"),
        (changed(metrics=[1]), "here: metrics is"),
        ('{"key": "k"}', "here: lacks the key 'row'"),
        ('{"key": ', "here: .*expected what `msadg train` wrote"),
        ("[]", "here: holds list"),
    ],
)
def test_what_is_no_record_is_told(text, message):
    with pytest.raises(RunError, match=message):
        Record.from_json(text, where="here")


def test_a_digest_depends_on_content_and_not_on_order():
    a = {"method": "erm", "settings": {"dim": 2, "path": Path("x")}}
    b = {"settings": {"path": Path("x"), "dim": 2}, "method": "erm"}
    assert digest_of(a) == digest_of(b) != digest_of(a | {"method": "linear"})
    assert len(digest_of(a)) == 16
