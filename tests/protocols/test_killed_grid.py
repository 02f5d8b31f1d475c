"""A grid whose process is killed is completed by the same command, and no recorded run is repeated."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from msadg.results.journal import read_records
from tests.protocols.helpers import toy_domain


def command(folder: Path) -> list[str]:
    domains = [toy_domain(folder, name, offset=100 * at) for at, name in enumerate("abc")]
    rows = ["constant", "s2lif, no mask", "s2lif, alpha 0"]
    changes = ["training.epochs=12", "training.batch_size=8"]
    return [
        *[sys.executable, "-m", "msadg", "benchmark", "--recipe", "simulated", "--seeds", "2", "--jobs", "2"],
        *["--methods", *rows, "--source", *domains[:2], "--target", domains[2]],
        *["-o", str(folder / "results"), "--stores", str(folder / "stores")],
        *[word for change in changes for word in ("--set", change)],
    ]


def wait_until(is_so: Callable[[], object], seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def in_flight(results: Path) -> set[Path]:
    """Folders of runs that have finished an epoch and are not done."""
    begun = {path.parent for path in results.glob("models/*/state.safetensors")}
    return {folder for folder in begun if not (folder / "model.safetensors").exists()}


def children_of(process: int) -> set[int]:
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(fields[1]) == process and fields[0] != "Z":
            found.add(int(path.parent.name))
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads processes from /proc")
def test_killed_and_started_again_the_grid_is_complete_and_nothing_is_repeated(tmp_path):
    results = tmp_path / "results"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    words = command(tmp_path)
    first = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: first.poll() is not None or (read_records(results / "records.jsonl") and in_flight(results)))
    assert first.returncode is None, first.stderr.read()
    workers = children_of(first.pid)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    wait_until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers), seconds=20)
    recorded = read_records(results / "records.jsonl")
    begun = in_flight(results)
    finished = {path.parent for path in results.glob("models/*/model.safetensors")}
    kept = [*(run / "model.safetensors" for run in finished), *(run / "run.json" for run in finished | begun)]
    times = {path: path.stat().st_mtime_ns for path in kept}
    assert 1 <= len(recorded) < 5 and begun  # constant, which needs one seed, and two rows with two

    again = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert again.returncode == 0, again.stderr
    whole = read_records(results / "records.jsonl")
    assert whole[: len(recorded)] == recorded
    assert len({record.key for record in whole}) == len(whole) == 5
    assert [record.error for record in whole] == [None] * 5
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert not in_flight(results)
