"""`msadg analyse`: from run folders to tables, figures and a page, and clear words about what cannot be."""

import importlib
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from msadg.analysis import all_measurements
from msadg.analysis.all_measurements import MEASURED_BY
from msadg.cli import main
from msadg.errors import MsadgWarning, RunError, StoreError
from msadg.protocols.grid import RECORDS_FILE
from msadg.protocols.run import load_run, train_run
from msadg.protocols.score import failed_record
from msadg.report.figures import DRAWN_BY
from msadg.results.journal import append_record
from tests.protocols.helpers import toy_experiment

OWN = (
    "selected-features", "selection-overlap", "keep-ratio", "dependence-across", "dependence-within",
    "label-dependence", "label-dependence-shares",
)  # fmt: skip
SETTINGS = {"sparsity_weight": 0.3, "mask_learning_rate_ratio": 60.0, "keyframes": False}
SHORT = {"epochs": 2}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Two seeds of S2LIF, a text-only one, and ERM."""
    folder = tmp_path_factory.mktemp("runs")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MsadgWarning)
        first = toy_experiment(folder, settings=SETTINGS, training=SHORT)
        train_run(first, folder / "0")
        train_run(replace(first, seed=1), folder / "1")
        train_run(
            toy_experiment(folder, row="text", settings=SETTINGS | {"order": "text"}, training=SHORT), folder / "t"
        )
        train_run(toy_experiment(folder, "erm", training=SHORT), folder / "erm")
    return folder


@pytest.fixture(autouse=True)
def _own_measurements(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(all_measurements, "MEASURED_BY", MEASURED_BY[:7])
    warnings.simplefilter("default", MsadgWarning)


def test_every_measurement_and_every_drawing_that_is_listed_is_there():
    for path in (*MEASURED_BY, *DRAWN_BY.values()):
        module, _, name = path.partition(":")
        assert callable(getattr(importlib.import_module(module), name)), path


def test_runs_become_tables_figures_and_a_page(trained, capsys):
    assert main(["analyse", *(str(trained / name) for name in ("0", "1", "t", "erm"))]) == 0
    printed, told = capsys.readouterr()
    assert "4 runs read" in told and "analysis: analysis" in told
    assert "erm (1 run): has no feature masks, so that none of its features is selected or rejected" in told
    page = Path("analysis/analysis.md").read_text()
    for name in OWN:
        assert Path(f"analysis/{name}.csv").exists() and f"({name}.parquet)" in page
        table = pd.read_parquet(f"analysis/{name}.parquet")
        assert list(table.columns) == list(pd.read_csv(f"analysis/{name}.csv").columns)
        has_rows = len(table) > 0
        assert Path(f"analysis/{name}.png").exists() == Path(f"analysis/{name}.svg").exists() == has_rows
        assert (f"]({name}.svg)" in page) == has_rows
    ratios = pd.read_csv("analysis/keep-ratio.csv")
    assert ratios.groupby(["row", "seed", "modality"]).size().tolist() == [2] * 5
    assert "Keep ratio by epoch" in printed and "Keep ratio by epoch" in page


def only(monkeypatch, *names: str) -> None:
    """Make these measurements alone."""
    paths = tuple(f"msadg.analysis.{name}" for name in names)
    monkeypatch.setattr(all_measurements, "MEASURED_BY", paths)


def test_the_same_runs_give_the_same_bytes(trained, monkeypatch):
    only(monkeypatch, "keep_ratio:measure", "label_dependence:measure")
    for folder in ("one", "two"):
        assert main(["analyse", str(trained / "0"), str(trained / "1"), "-o", folder]) == 0
    for path in Path("one").iterdir():
        assert path.read_bytes() == (Path("two") / path.name).read_bytes(), path.name


def test_what_was_made_before_an_interruption_is_on_the_page(trained, monkeypatch):
    def interrupted(runs):
        raise KeyboardInterrupt

    only(monkeypatch, "selected_features:measure", "keep_ratio:measure")
    monkeypatch.setattr("msadg.analysis.keep_ratio.measure", interrupted)
    assert main(["analyse", str(trained / "0"), "-o", "half"]) == 130
    page = Path("half/analysis.md").read_text()
    assert "## Selected and rejected features" in page and "Keep ratio" not in page


def test_a_measurement_that_fails_is_told_and_the_others_are_made(trained, monkeypatch, capsys):
    def fails(runs):
        raise StoreError("stores/a: gone; extract again")

    only(monkeypatch, "selected_features:measure", "keep_ratio:measure")
    monkeypatch.setattr("msadg.analysis.keep_ratio.measure", fails)
    assert main(["analyse", str(trained / "0"), "-o", "some"]) == 1
    assert "keep ratio: stores/a: gone; extract again" in capsys.readouterr().err
    assert not Path("some/keep-ratio.csv").exists() and Path("some/selected-features.png").exists()
    assert "## Not measured\n\n- keep ratio: stores/a: gone" in Path("some/analysis.md").read_text()


def test_where_the_stores_are_gone_the_masks_are_still_looked_at(trained, tmp_path, monkeypatch, capsys):
    only(monkeypatch, "selected_features:measure", "dependence:measure_across")
    assert main(["analyse", str(trained / "0"), "--stores", str(tmp_path / "nowhere"), "-o", "gone"]) == 0
    told = capsys.readouterr().err
    assert "its features cannot be read, so nothing of them is measured" in told and "Traceback" not in told
    assert Path("gone/selected-features.png").exists() and not Path("gone/dependence-across.png").exists()


def test_what_cannot_be_is_one_clear_sentence(trained, capsys):
    assert main(["analyse", "nowhere"]) == 1
    assert "nowhere is not a run" in capsys.readouterr().err
    assert main(["analyse", str(trained / "0"), "--rows", "s2lif"]) == 2
    assert "none was named; leave it out" in capsys.readouterr().err


def test_a_single_run_keeps_its_analysis_in_its_own_folder(trained, monkeypatch):
    only(monkeypatch, "keep_ratio:measure")
    assert main(["analyse", str(trained / "t")]) == 0
    assert (trained / "t" / "analysis" / "analysis.md").exists()


def test_a_run_whose_weights_are_gone_is_told_and_the_others_are_measured(trained, tmp_path, monkeypatch, capsys):
    grid = tmp_path / "grid"
    for name in ("0", "1"):
        experiment = load_run(trained / name).experiment
        record = failed_record(experiment, RunError("none"))
        append_record(
            grid / RECORDS_FILE, replace(record, error=None, extra={"training_key": experiment.training_key()})
        )
        shutil.copytree(trained / name, grid / "models" / experiment.training_key())
    (grid / "models" / experiment.training_key() / "model.safetensors").unlink()
    only(monkeypatch, "selected_features:measure")
    assert main(["analyse", str(grid), "-o", "left"]) == 1
    told = capsys.readouterr().err
    assert "1 run read" in told and "s2lif, a+b, seed 1: " in told and "it has no model.safetensors" in told
    assert set(pd.read_csv("left/selected-features.csv")["seed"]) == {0}
    assert "## Not measured\n\n- s2lif, a+b, seed 1: " in Path("left/analysis.md").read_text()
