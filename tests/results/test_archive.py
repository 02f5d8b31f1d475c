"""Runs come back from an archive with their classes, beside the truth of the corpora at hand; nothing else is in it."""

import dataclasses
import json

import numpy as np
import pytest

from msadg.errors import RunError
from msadg.results.archive import read_archive, write_archive
from msadg.results.journal import append_record, read_records
from msadg.results.predictions import read_predictions
from msadg.results.restore import restore
from msadg.results.statistics import paired_cluster_bootstrap
from msadg.types import Utterance
from tests.records import predictions_of, record_of

TRUTH = [0, 2, 1, 1, 0, 2]
VIDEOS = ["a", "a", "b", "b", "c", "c"]


def clips(domain="mosi", truth=TRUTH):
    # Not in the order of their ids, as no corpus promises that.
    return [
        Utterance(
            clip_id=f"{domain}/test/{i:04d}",
            video_id=v,
            split="test",
            sentiment=c,
            text=f"secret words {i}",
            polarity=None,
        )
        for i, (c, v) in reversed(list(enumerate(zip(truth, VIDEOS, strict=True))))
    ]


def clips_of(record, name):
    return clips(name)


def run(row, seed, predicted, key, **change):
    record = record_of(row, seed, sources=("mosei",), targets=("mosi",), key=key, **change)
    record = dataclasses.replace(record, metrics={"mosi": {"f1_macro": 0.5}})
    return record, predictions_of(predicted, TRUTH, VIDEOS)


SAID = {
    "0" * 16: run("erm", 0, [0, 2, 1, 0, 0, 1], "0" * 16),
    "1" * 16: run("s2lif", 0, [0, 2, 2, 0, 2, 1], "1" * 16),
}


def archive(path, said=SAID):
    write_archive(path, [record for record, _ in said.values()], lambda record: said[record.key][1], clips_of)
    return path


def test_records_and_classes_come_back_and_a_test_says_the_same(tmp_path):
    added, already = restore(archive(tmp_path / "runs.parquet"), tmp_path / "back", clips_of)
    assert [record.key for record in added] == list(SAID) and already == 0
    assert read_records(tmp_path / "back/records.jsonl") == [record for record, _ in SAID.values()]
    back = [read_predictions(tmp_path / "back/runs" / key / "predictions.parquet") for key in SAID]
    for said, (_, before) in zip(back, SAID.values(), strict=True):
        assert said.probabilities is None and not said.is_regression
        order = np.argsort(before.clip_id)
        for name in ("clip_id", "video_id", "domain", "sentiment", "predicted"):
            assert getattr(said, name).tolist() == getattr(before, name)[order].tolist(), name
    before = [said for _, said in SAID.values()]
    assert paired_cluster_bootstrap(back[:1], back[1:]) == paired_cluster_bootstrap(before[:1], before[1:])


def test_what_is_there_is_left_as_it_is_and_the_rest_is_added(tmp_path):
    path = archive(tmp_path / "runs.parquet")
    mine = dataclasses.replace(SAID["0" * 16][0], revision="mine")
    append_record(tmp_path / "back/records.jsonl", mine)
    told = []
    added, already = restore(path, tmp_path / "back", clips_of, lambda *counts: told.append(counts))
    assert ([record.key for record in added], already, told) == (["1" * 16], 1, [(1, 2), (2, 2)])
    assert read_records(tmp_path / "back/records.jsonl")[0] == mine
    assert restore(path, tmp_path / "back", clips_of) == ([], 2)


def test_a_run_without_predictions_is_left_out_and_told(tmp_path):
    def load(record):
        if record.row == "erm":
            raise RunError("lost")
        return SAID[record.key][1]

    records, told = [record for record, _ in SAID.values()], []
    keys = write_archive(tmp_path / "x.parquet", records, load, clips_of, lambda *lost: told.append(lost))
    assert keys == ["1" * 16] and [(record.row, str(error)) for record, error in told] == [("erm", "lost")]
    assert [run.record.row for run in read_archive(tmp_path / "x.parquet")] == ["s2lif"]
    with pytest.raises(RunError, match="lost"):
        write_archive(tmp_path / "y.parquet", records, load, clips_of)


def test_a_failed_run_is_neither_archived_nor_in_the_way_of_one_that_ended_well(tmp_path):
    failed = dataclasses.replace(SAID["0" * 16][0], error="RunError: no")
    write_archive(tmp_path / "none.parquet", [failed], lambda record: 1 / 0, clips_of)
    assert read_archive(tmp_path / "none.parquet") == []
    append_record(tmp_path / "back/records.jsonl", failed)
    added, _ = restore(archive(tmp_path / "runs.parquet"), tmp_path / "back", clips_of)
    assert len(added) == 2 and all(record.error is None for record in read_records(tmp_path / "back/records.jsonl"))


def test_neither_words_labels_ids_nor_folders_are_in_it(tmp_path):
    import pyarrow.parquet as pq

    features = {
        "text": "/home/me/encoder",
        "video": "mllm:model=/home/me/llava,device=cpu",
        "audio": "acoustic:model=../jo/my models/w",
    }
    settings = {
        "data": {"stores": "/home/me/stores", "data_root": "/home/me/data", "labels": "round", "features": features},
        "domains": {"source_domains": ["mosei"], "target_domains": ["mosi=/home/me/mosi.csv"], "setting": None},
    }
    warned = [
        "mosi: 1 of 6 clips have no features of video (first: mosi/test/0001)",
        "/home/me/x.csv: 2 rows",
        "7 of 9",
        "1 of 6 clips (first: a (b) c) is short",
    ]
    said = {"2" * 16: run("erm", 0, [0] * 6, "2" * 16, settings=settings, extra={"warnings": warned})}
    path = archive(tmp_path / "runs.parquet", said)
    content = repr(pq.read_table(path).to_pylist())
    for secret in ("home", "secret", "mosi/test", "'a'"):
        assert secret not in content, secret
    record = read_archive(path)[0].record
    names = {"text": "encoder", "video": "mllm:model=llava,device=cpu", "audio": "acoustic:model=w"}
    assert record.settings["data"] == {"stores": "stores", "data_root": None, "labels": "round", "features": names}
    assert record.settings["domains"]["target_domains"] == ["mosi"]
    assert record.extra["warnings"] == [
        "mosi: 1 of 6 clips have no features of video", "x.csv: 2 rows", "7 of 9", "1 of 6 clips is short",
    ]  # fmt: skip

    # Where the manifest is now is told on the way back, and stands in the records from then on.
    (back,), _ = restore(path, tmp_path / "back", clips_of, manifests={"mosi": "mosi=there.csv"})
    assert back.settings["domains"]["target_domains"] == ["mosi=there.csv"]


def test_a_clip_that_a_run_lacked_is_lacking_again(tmp_path):
    record, whole = run("erm", 0, [0, 2, 1, 0, 0, 1], "3" * 16)
    path = archive(tmp_path / "runs.parquet", {record.key: (record, whole.take(np.array([0, 1, 2, 4, 5])))})
    (back,) = read_archive(path)
    assert back.predictions(clips_of).clip_id.tolist() == [f"mosi/test/{i:04d}" for i in (0, 1, 2, 4, 5)]
    assert back.predictions(clips_of).predicted.tolist() == [0, 2, 1, 0, 1]


def test_polarities_of_a_regression_come_back_bit_for_bit(tmp_path):
    record, of = run("erm", 0, [0, 2, 1, 0, 0, 1], "4" * 16)
    values = np.random.default_rng(0).normal(size=6)
    said = dataclasses.replace(of, probabilities=None, predicted_polarity=values, predicted_sentiment=of.predicted)
    (back,) = read_archive(archive(tmp_path / "runs.parquet", {record.key: (record, said)}))
    assert back.predictions(clips_of).is_regression
    assert back.predictions(clips_of).predicted_polarity.tolist() == values.tolist()


def test_other_clips_than_those_that_were_scored_are_told(tmp_path):
    path = archive(tmp_path / "runs.parquet")
    with pytest.raises(RunError, match=r"scored 6 clips of mosi; the 5 of the corpus at hand are not the same ones"):
        restore(path, tmp_path / "back", lambda record, name: clips(name)[1:])
    renamed = [dataclasses.replace(clip, clip_id=clip.clip_id + "x") for clip in clips()]
    with pytest.raises(RunError, match="read the edition that was used"):
        restore(path, tmp_path / "back", lambda record, name: renamed)
    for otherwise in (clips(truth=[0, 2, 1, 1, 0, 1]), [dataclasses.replace(clip, video_id="a") for clip in clips()]):
        with pytest.raises(RunError, match="or are labelled otherwise"):
            restore(path, tmp_path / "back", lambda record, name, found=otherwise: found)
    with pytest.raises(RunError, match=r"scored 6 clips of mosi that the corpus at hand does not have"):
        write_archive(tmp_path / "x", [SAID["0" * 16][0]], lambda r: SAID[r.key][1], lambda record, name: renamed)
    assert not (tmp_path / "x").exists()


def rewritten(path, change):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    lines = table.to_pylist()
    change(lines)
    pq.write_table(pa.Table.from_pylist(lines, table.schema), path)
    return path


def put(line, **change):
    line["record"] = json.dumps(json.loads(line["record"]) | change)


def outside(lines):
    lines[0]["record"] = lines[0]["record"].replace("0" * 16, "../../../evil")
    lines[0]["key"] = "../../../evil"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (outside, "line 0: '../../../evil' is not the key of a run that ended well"),
        (lambda lines: lines[0].update(key="1" * 16), "is not the key of a run"),
        (lambda lines: put(lines[0], error="RunError: no"), "is not the key of a run that ended well"),
        (lambda lines: put(lines[0], extra={"training_key": "../../evil"}), "is not the key of a run that ended well"),
        (lambda lines: put(lines[0], extra={"keys_by_domain": {"mosi": "../evil"}}), "is not the key of a run"),
        (lambda lines: put(lines[0], metrics={"mosi": {}, "meld": {}}), "lacks a domain that it was scored on"),
        (lambda lines: lines[1].update(record="{"), "line 1: "),
        (lambda lines: lines[1].update(record=None), "line 1: "),
        (lambda lines: lines[1].update(predicted=[9] * 6), "line 1: classes or polarities that cannot be"),
        (lambda lines: lines[1].update(polarity=[0.5]), "line 1: classes or polarities that cannot be"),
        (lambda lines: lines[1].update(predicted=None), "line 1: classes or polarities that cannot be"),
    ],
)
def test_a_damaged_archive_is_told_and_nothing_is_written(tmp_path, change, said):
    path = rewritten(archive(tmp_path / "runs.parquet"), change)
    with pytest.raises(RunError) as caught:
        restore(path, tmp_path / "back", clips_of)
    assert said in str(caught.value)
    assert not (tmp_path / "back").exists()


def test_what_is_no_archive_is_told(tmp_path):
    with pytest.raises(RunError, match="there is no such file; expected what `msadg archive` wrote"):
        read_archive(tmp_path / "none.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(RunError, match="not a Parquet file"):
        read_archive(tmp_path / "bad.parquet")
    restore(archive(tmp_path / "runs.parquet"), tmp_path / "back", clips_of)
    with pytest.raises(RunError, match=r"has the columns clip_id \(string\).*expected key, record, domain"):
        read_archive(tmp_path / "back/runs" / ("0" * 16) / "predictions.parquet")
