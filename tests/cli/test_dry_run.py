"""`--dry-run`: says what is missing, and neither runs nor extracts anything."""

import shutil
from pathlib import Path

import pytest

from msadg.cli import main

GRID = ["benchmark", "--source", "simulated-a", "--target", "simulated-c"]
GRID += ["--seeds", "1", "--jobs", "1", "--text", "simulated", "--video", "simulated"]
GRID += ["--set", "training.epochs=1", "--set", "training.batch_size=256"]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MSADG_DATA", raising=False)


def planned(capsys, row: str = "erm") -> tuple[list[str], list[str]]:
    assert main([*GRID, "--methods", "constant", row, "--dry-run"]) == 0
    out, told = capsys.readouterr()
    return out.splitlines(), told.splitlines()


def test_what_would_be_extracted_is_said_and_is_not(capsys):
    runs, told = planned(capsys)
    assert runs == ["constant, simulated-a, seed 0", "erm, simulated-a, seed 0"]
    first = [line for line in told if line.startswith("to be extracted first: simulated-")]
    assert [line.split()[4:6] for line in first] == [
        [f"simulated-{d}", f"{m}-simulated,"] for d in "ac" for m in ("text", "video")
    ]
    assert told[-1] == "2 of 2 runs are missing in results"
    assert list(Path().iterdir()) == []


def test_recorded_runs_without_features_count_as_recorded_and_say_so(capsys):
    assert main([*GRID, "--methods", "constant", "erm"]) == 0
    capsys.readouterr()
    assert planned(capsys) == ([], ["0 of 2 runs are missing in results"])
    shutil.rmtree("stores")
    runs, told = planned(capsys)
    assert runs == [] and told[-1] == "0 of 2 runs are missing in results"
    assert "2 runs are recorded whose features are not stored" in told[-2]
    assert not Path("stores").exists()
    assert planned(capsys, "s2lif")[0] == ["s2lif, simulated-a, seed 0"]  # which is not recorded
