"""What a table and a report say of the runs that they show."""

from msadg.report.markdown import to_markdown
from msadg.report.notes import notes_of, notes_on_runs
from msadg.report.tables import build_table
from msadg.report.writing import write_report


def trained(make_record, row: str, seed: int = 0, *, epochs: int = 3, size: int = 32, **changes):
    training = {"epochs": epochs, "batch_size": size}
    extra = {"epochs": epochs, **changes.pop("extra", {})}
    metrics = {"mosei": {"f1_macro": 0.5}, "mosi": {"f1_macro": 0.4}}
    return make_record(row, seed, settings={"training": training}, extra=extra, metrics=metrics, **changes)


def test_rows_that_were_not_trained_alike_are_named(make_record):
    records = [
        trained(make_record, "erm", epochs=1),
        trained(make_record, "ridg", epochs=8, size=16),
        trained(make_record, "mult", epochs=8),
        make_record("constant", settings={"training": {"epochs": 99, "batch_size": 1}}),  # not trained by gradient
    ]
    assert notes_of(records, {}) == [
        "Not trained alike: epochs, at most: 1 (ERM); 8 (RIDG, MulT)",
        "Not trained alike: clips in a batch: 16 (RIDG); 32 (ERM, MulT)",
    ]
    assert notes_of(records[1:2], {}) == []
    alike = [trained(make_record, f"row {n}") for n in range(4)]
    assert notes_of([*alike, records[0]], {}) == ["Not trained alike: epochs, at most: 1 (ERM); 3 (all others)"]


def test_what_runs_warned_of_is_told_once_with_its_rows(make_record):
    rows = [f"row {n}" for n in range(8)]
    records = [trained(make_record, row, extra={"warnings": ["it is cold"]}) for row in rows]
    records.append(trained(make_record, "erm", 1, extra={"warnings": ["it is cold", "it rains"]}))
    names = "row 0, row 1, row 2, row 3, row 4, row 5 and 3 more"
    assert notes_on_runs(records) == [
        f"Warned, in 9 of 9 runs ({names}): it is cold",
        "Warned, in 1 of 9 runs (ERM): it rains",
    ]


def test_several_revisions_and_changes_that_were_not_committed_are_told(make_record):
    records = [trained(make_record, "erm", seed, revision=f"0.1.0 {seed}+") for seed in (0, 1)]
    records.append(trained(make_record, "erm", 2, revision="0.1.0 2"))
    assert notes_on_runs(records) == [
        "Made by 3 revisions of the code, from 0.1.0 0+ to 0.1.0 2; 2 of 3 runs by code with changes that were not "
        "committed"
    ]
    assert notes_on_runs(records[2:]) == []


def test_a_run_that_a_later_one_replaces_is_in_no_note_and_no_caption(make_record, recwarn):
    old = {"text": {"extractor": "old", "version": "1", "digest": "aa"}}
    new = {"text": {"extractor": "new", "version": "1", "digest": "bb"}}
    records = [
        trained(make_record, "erm", epochs=1, features=old, finished_at="2026-01-01", key="1"),
        trained(make_record, "erm", epochs=2, features=new, finished_at="2026-01-02", key="2"),
    ]
    table = build_table(records, "f1_macro", "Single-source")
    assert "text old" not in table.caption and "text new" in table.caption
    assert table.notes == ()


def test_a_report_ends_with_what_the_runs_warned_of(make_record, tmp_path):
    records = [trained(make_record, "erm", extra={"warnings": ["a|b"]})]
    table = build_table(records, "f1_macro", "Single-source")
    write_report(records, [table], tmp_path, ["md"])
    assert (tmp_path / "report.md").read_text().endswith("### Runs\n\n- Warned, in 1 of 1 runs (ERM): a\\|b\n")
    assert "a\\|b" not in to_markdown(table)
