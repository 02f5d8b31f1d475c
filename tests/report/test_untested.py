"""A table says which rows could not be tested: no star is no finding there."""

import pytest

from msadg.errors import MsadgWarning, RunError
from msadg.report.markdown import to_markdown
from msadg.report.writing import build_tables


def records(make_record):
    scores = {"erm": 0.6, "mad": 0.5, "ridg": 0.4}
    return [
        make_record(row, targets=("mosi", "meld"), metrics={d: {"f1_macro": f1} for d in ("mosi", "meld")})
        for row, f1 in scores.items()
    ]


def test_rows_without_predictions_are_named_with_the_cells_that_lack_a_test(make_record, make_predictions):
    from msadg.results.predictions import joined_predictions

    said = {d: make_predictions([0, 1, 2] * 4, [0, 1, 1] * 4, [0, 0, 1] * 4, d) for d in ("mosi", "meld")}

    def load(record):
        if record.row == "mad":
            raise RunError("lost")
        return said["mosi"] if record.row == "ridg" else joined_predictions(list(said.values()))

    with pytest.warns(MsadgWarning, match="3 of 4 cells not compared with erm"):
        (table,) = build_tables(records(make_record), load, ["f1_macro"], against="erm", draws=100)
    (note,) = [note for note in table.notes if note.startswith("Not tested")]
    assert note.endswith("or not of the same clips: MAD, RIDG (1 of 2 targets)")
    assert "Not tested, as predictions" in to_markdown(table)
    (whole,) = build_tables(records(make_record), load, ["f1_macro"])
    assert not any(note.startswith("Not tested") for note in whole.notes), "nothing was to be tested"
