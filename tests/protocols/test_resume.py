"""Killed with SIGKILL at any moment and resumed, a run ends with weights identical to the bit."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from msadg.protocols.run import LEFTOVER, train_run
from tests.protocols.helpers import toy_experiment

SCRIPT = """
import os, signal, sys
from pathlib import Path
from msadg.protocols import checkpoint, loop, run
from msadg.protocols.observer import Observer
from tests.protocols.helpers import toy_experiment

folder, moment, schedule = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
die = lambda: os.kill(os.getpid(), signal.SIGKILL)

class Killer(Observer):
    first = True
    def on_step(self, phase, epoch, step, losses):
        if self.first:
            print(f"first: {phase} {epoch} {step}", flush=True)
            self.first = False
        if moment == f"step {phase} {epoch} {step}":
            die()
    def on_epoch(self, report):
        if moment == f"before state {report.phase} {report.epoch}":
            die()

if moment.startswith("while writing"):
    from safetensors import torch as st
    real, number = st.save_file, int(moment.split()[-1])
    count = [0]
    def save_file(tensors, path, metadata=None):
        real(tensors, path, metadata)
        count[0] += 1
        if count[0] == number:
            os.truncate(path, os.path.getsize(path) // 2)
            die()
    st.save_file = save_file

experiment = toy_experiment(folder / "data", settings={"schedule": schedule}, training={"checkpoint_steps": 5})
run.train_run(experiment, folder / "run", resume=True, observers=[Killer()])
"""


@pytest.mark.slow
@pytest.mark.short_runs
@pytest.mark.parametrize(
    ("schedule", "moments", "firsts"),
    [  # Where each process begins shows that it went on from the last state that was saved (every 5 of 12 steps).
        (
            "joint_detach",
            ["step all 0 3", "while writing 4", "step all 1 8", "before state all 2", "step all 3 12"],
            ["all 0 1", "all 0 1", "all 0 11", "all 1 6", "all 2 11", "all 3 11"],
        ),
        (
            "staged",
            ["step text 1 7", "step video 0 2", "while writing 3", "before state video 3"],
            ["text 0 1", "text 1 6", "video 0 1", "video 0 11", "video 3 11"],
        ),
    ],
)
def test_killed_and_resumed_the_weights_are_the_same_bits(
    tmp_path, schedule: str, moments: list[str], firsts: list[str]
):
    settings, training = {"schedule": schedule}, {"checkpoint_steps": 5}
    train_run(toy_experiment(tmp_path / "data", settings=settings, training=training), tmp_path / "whole")
    began = []
    for moment in moments:
        done = _run(tmp_path, moment, schedule)
        assert done.returncode == -signal.SIGKILL, f"{moment}: {done.stderr[-2000:]}"
        began.append(done.stdout.strip().removeprefix("first: "))
    last = _run(tmp_path, "never", schedule)
    assert last.returncode == 0, last.stderr[-2000:]
    began.append(last.stdout.strip().removeprefix("first: "))
    assert began == firsts
    assert not [path.name for path in (tmp_path / "run").iterdir() if LEFTOVER.fullmatch(path.name)]
    whole, resumed = (tmp_path / name / "model.safetensors" for name in ("whole", "run"))
    assert _weights(whole) == _weights(resumed)
    assert (tmp_path / "whole" / "history.json").read_bytes() == (tmp_path / "run" / "history.json").read_bytes()


def _weights(path) -> dict[str, bytes]:
    from safetensors.numpy import load_file

    return {name: value.tobytes() for name, value in load_file(path).items()}


def _run(folder, moment: str, schedule: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-c", SCRIPT, str(folder), moment, schedule]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
