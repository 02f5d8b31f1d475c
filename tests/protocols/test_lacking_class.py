"""A test set without some class: its macro-F1 has a ceiling that the score alone does not show."""

from pathlib import Path

import pytest

from msadg.errors import MsadgWarning
from msadg.protocols.run import train_run
from msadg.protocols.score import score_run
from tests.protocols.helpers import toy_experiment


def test_the_ceiling_of_macro_f1_is_told(tmp_path):
    experiment = toy_experiment(tmp_path, "linear")
    path = Path(experiment.domains.target_domains[0].partition("=")[2])
    rows = path.read_text().splitlines()
    path.write_text("\n".join(row.replace("neutral", "positive") if ",test" in row else row for row in rows) + "\n")
    trained = train_run(experiment, tmp_path / "run")
    with pytest.warns(MsadgWarning, match=r"c: no clip of the test split is neutral.*macro-F1 is at most 0\.667"):
        record, _ = score_run(trained)
    assert record.metrics["c"]["f1_macro"] <= 2 / 3
