"""A grid whose process is killed is completed by the same command, and no recorded run is repeated."""

import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import pytest

from msadg.errors import MsadgWarning
from msadg.results.journal import read_records
from msadg.results.record import Record
from tests.protocols.helpers import toy_domain


def command(folder: Path) -> list[str]:
    domains = [toy_domain(folder, name, offset=100 * at) for at, name in enumerate("abc")]
    rows = ["constant", "s2lif, no mask", "s2lif, alpha 0"]
    # A run lasts much longer than a worker takes to notice that it is alone.
    changes = ["training.epochs=40", "training.batch_size=8"]
    return [
        *[sys.executable, "-m", "msadg", "benchmark", "--recipe", "simulated", "--seeds", "2", "--jobs", "2"],
        *["--methods", *rows, "--source", *domains[:2], "--target", domains[2]],
        *["-o", str(folder / "results"), "--stores", str(folder / "stores")],
        *[word for change in changes for word in ("--set", change)],
    ]


GENEROUS = 600
"""Seconds to wait for what takes a few on a quiet machine."""


def wait_until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + GENEROUS
    while not is_so():
        assert time.monotonic() < deadline, f"not so after {GENEROUS} s"
        time.sleep(0.05)


def in_flight(results: Path) -> set[Path]:
    """Folders of runs that have finished an epoch and are not done."""
    begun = {path.parent for path in results.glob("models/*/state.safetensors")}
    return {folder for folder in begun if not (folder / "model.safetensors").exists()}


def parents() -> dict[int, int]:
    """The parent of each process that is alive."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent, *_ = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if state != "Z":
            found[int(path.parent.name)] = int(parent)
    return found


def signal_all(processes: Iterable[int], number: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)


def records_in(results: Path) -> list[Record]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*half-written last line", MsadgWarning)  # killed while it wrote
        return read_records(results / "records.jsonl")


def kill_amid_runs(grid: subprocess.Popen, results: Path) -> None:
    """Kill the process of a grid, and no worker, once there is a record, and a run has had an epoch but not its last.

    What was seen may be over a moment later, on a busy machine: all stand still while it is looked at again.
    """
    is_amid = False
    while not is_amid:
        wait_until(lambda: grid.poll() is not None or (records_in(results) and in_flight(results)))
        assert grid.returncode is None, grid.stderr.read()
        workers = [process for process, parent in parents().items() if parent == grid.pid]
        signal_all([grid.pid, *workers], signal.SIGSTOP)
        is_amid = bool(in_flight(results))
        signal_all([grid.pid], signal.SIGKILL if is_amid else signal.SIGCONT)
        signal_all(workers, signal.SIGCONT)
    grid.communicate()
    wait_until(lambda: not parents().keys() & set(workers))


@pytest.mark.slow
@pytest.mark.timeout(3 * GENEROUS)
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads processes from /proc")
def test_killed_and_started_again_the_grid_is_complete_and_nothing_is_repeated(tmp_path):
    results = tmp_path / "results"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    words = command(tmp_path)
    first = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        kill_amid_runs(first, results)
    finally:
        first.kill()
    recorded = records_in(results)
    begun = in_flight(results)
    finished = {path.parent for path in results.glob("models/*/model.safetensors")}
    kept = [*(run / "model.safetensors" for run in finished), *(run / "run.json" for run in finished | begun)]
    times = {path: path.stat().st_mtime_ns for path in kept}
    assert 1 <= len(recorded) < 5 and begun  # constant, which needs one seed, and two rows with two

    again = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=GENEROUS)
    assert again.returncode == 0, again.stderr
    whole = records_in(results)
    assert whole[: len(recorded)] == recorded
    assert len({record.key for record in whole}) == len(whole) == 5
    assert [record.error for record in whole] == [None] * 5
    assert {path: path.stat().st_mtime_ns for path in times} == times
    assert not in_flight(results)
