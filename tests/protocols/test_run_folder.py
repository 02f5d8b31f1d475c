"""Run folders that exist, are damaged, or belong to something else."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from msadg.errors import RunError, SettingsError, UsageError
from msadg.methods.build import MethodSpec
from msadg.protocols.domains import split_domains
from msadg.protocols.experiment import Experiment, experiment_from
from msadg.protocols.features import DataConfig, folder_of
from msadg.protocols.run import load_run, only_one, train_run
from tests.protocols.helpers import toy_experiment


@pytest.fixture
def run(tmp_path):
    experiment = toy_experiment(tmp_path, "erm", training={"epochs": 1})
    train_run(experiment, tmp_path / "run")
    return experiment, tmp_path / "run"


def test_a_folder_that_exists_is_not_overwritten(run):
    experiment, folder = run
    before = (folder / "model.safetensors").read_bytes()
    with pytest.raises(RunError, match="exists already; choose another folder, or go on with it by --resume"):
        train_run(experiment, folder)
    assert (folder / "model.safetensors").read_bytes() == before


def test_a_run_is_not_gone_on_with_under_other_settings(run):
    experiment, folder = run
    other = replace(experiment, training=replace(experiment.training, batch_size=5))
    with pytest.raises(RunError, match=r"other settings \(training.batch_size: 8 there, 5 now\)"):
        train_run(other, folder, resume=True)


def test_a_folder_that_is_no_run_says_so(tmp_path):
    with pytest.raises(RunError, match=r"is not a run: it has no run.json"):
        load_run(tmp_path)


def test_a_folder_of_several_runs_names_one_of_them(run):
    _, folder = run
    results = folder.parent / "results"
    (results / "models").mkdir(parents=True)
    (results / "records.jsonl").touch()
    folder.rename(results / "models" / "0123")
    for several in (results, results / "models"):
        with pytest.raises(RunError, match=r"has the weights of 1 runs, .*models/0123 \(erm from a\+b, seed 0\)"):
            load_run(several)
    assert load_run(results / "models" / "0123")


def test_an_unfinished_run_says_how_to_go_on(run):
    _, folder = run
    (folder / "model.safetensors").unlink()
    with pytest.raises(RunError, match=r"not finished.*--resume"):
        load_run(folder)


def test_local_models_are_named_from_the_root_and_their_stores_lie_where_they_did(tmp_path, monkeypatch):
    for folder in ("models/tiny", "minilm", "elsewhere"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "w.pt").touch()
    monkeypatch.chdir(tmp_path)
    features = {
        "text": "models/tiny",
        "audio": "speech:model=models/tiny,rate=10",
        "video": "vggface2:weights=w.pt",
    }
    data = DataConfig(features=features, stores=tmp_path / "stores")
    experiment = Experiment(row="x", method=MethodSpec(name="erm"), domains=split_domains(["a"], []), data=data)
    before = {modality: folder_of(data, "a", modality) for modality in features}
    written = experiment.to_dict()["data"]["features"]
    assert written == {
        "text": f"{tmp_path}/models/tiny",
        "audio": f"speech:model={tmp_path}/models/tiny,rate=10",
        "video": f"vggface2:weights={tmp_path}/w.pt",
    }
    monkeypatch.chdir(tmp_path / "elsewhere")
    read = experiment_from(experiment.to_dict() | {"data": {"features": written, "stores": data.stores}}, "here")
    assert {modality: folder_of(read.data, "a", modality) for modality in features} == before
    # A name that means a model everywhere, or a number, is no file, whatever lies there.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "5").touch()
    data = replace(data, features={"text": "minilm", "video": "hog:rate=5", "audio": "speech:model=org/model"})
    assert replace(experiment, data=data).to_dict()["data"]["features"] == dict(data.features)


def test_a_typo_takes_no_folder(tmp_path):
    experiment = toy_experiment(tmp_path, "erm", settings={"modalities": ["audio"]})
    with pytest.raises(UsageError, match="asked to use audio"):
        train_run(experiment, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_folder_that_a_killed_process_had_only_begun_is_taken(tmp_path):
    experiment = toy_experiment(tmp_path, "erm", training={"epochs": 1})
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".run.0123456789ab.json").write_text("{")
    train_run(experiment, tmp_path / "run")
    assert not list((tmp_path / "run").glob(".run*"))


def test_two_processes_do_not_train_in_one_folder(tmp_path):
    experiment = toy_experiment(tmp_path, "erm", training={"epochs": 1})
    with only_one(tmp_path / "run"), pytest.raises(RunError, match="another process is training here"):
        train_run(experiment, tmp_path / "run")


def test_a_full_disk_is_named_and_the_run_goes_on_afterwards(tmp_path):
    """A process that may write files of 20 kB only; then one that may write more."""
    code = (
        "import resource, sys; from pathlib import Path; from msadg.errors import StoreError\n"
        "from tests.protocols.helpers import toy_experiment; from msadg.protocols.run import train_run\n"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "folder = Path(sys.argv[1]); experiment = toy_experiment(folder, 's2lif', training={'epochs': 2})\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))\n"
        "try: train_run(experiment, folder / 'run', resume=True)\n"
        "except StoreError as error: print(error); sys.exit(3)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(Path.cwd())}, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr[-2000:]
    assert "the disk is full" in done.stdout and "safetensors" in done.stdout
    train_run(toy_experiment(tmp_path, "s2lif", training={"epochs": 2}), tmp_path / "run", resume=True)


@pytest.mark.parametrize("size", [0, 7, 200])
def test_damaged_weights_are_refused(run, size: int):
    _, folder = run
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:size])
    with pytest.raises(RunError, match="damaged or not written by msadg"):
        load_run(folder)


def test_a_damaged_description_is_refused(run):
    _, folder = run
    (folder / "run.json").write_text("{")
    with pytest.raises(RunError, match=r"run.json is damaged"):
        load_run(folder)


def test_weights_of_another_width_are_refused(run):
    _, folder = run
    content = json.loads((folder / "run.json").read_text())
    content["experiment"]["method"]["settings"]["dim"] = 4
    (folder / "run.json").write_text(json.dumps(content))
    with pytest.raises(RunError, match="do not fit the settings"):
        load_run(folder)


def test_an_unknown_setting_in_a_run_is_named(run):
    _, folder = run
    content = json.loads((folder / "run.json").read_text())
    content["experiment"]["training"]["epoch"] = 4
    (folder / "run.json").write_text(json.dumps(content))
    with pytest.raises(SettingsError, match=r"unknown key 'epoch'; did you mean 'epochs'"):
        load_run(folder)
