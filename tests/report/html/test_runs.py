"""Several folders as one: each record once, with its own predictions."""

from msadg.report.html.runs import load_all_results
from msadg.results import append_record


def test_a_record_of_two_folders_counts_once_and_the_one_that_ended_well(tmp_path, make_record):
    first, second = tmp_path / "a", tmp_path / "b"
    append_record(first / "records.jsonl", make_record(seed=0, error="RunError: full"))
    append_record(first / "records.jsonl", make_record(seed=1))
    append_record(second / "records.jsonl", make_record(seed=0))
    records, _ = load_all_results([first, second])
    assert [(record.seed, record.error) for record in records] == [(0, None), (1, None)]
