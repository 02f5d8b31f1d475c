"""Workers of a grid share several GPUs evenly; here the GPUs are names alone."""

import os
import time
from functools import partial

import pytest
import torch

from msadg.errors import UsageError
from msadg.protocols import gpu_places
from msadg.protocols.gpu_places import places_for_workers, visible_gpus
from msadg.protocols.grid_engines import LocalProcesses


def seen(seconds: float) -> tuple[int, str | None]:
    time.sleep(seconds)
    return os.getpid(), os.environ.get("CUDA_VISIBLE_DEVICES")


def with_gpus(monkeypatch, count: int, named: str | None = None) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    if named is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)


def test_each_worker_keeps_to_gpus_of_its_own(monkeypatch):
    with_gpus(monkeypatch, 2, named="5,7")
    by_worker: dict[int, set[str]] = {}
    for _ in range(2):  # the places of one grid are free for the next
        for _, (worker, gpus) in LocalProcesses(2).run([partial(seen, 0.3)] * 6):
            by_worker.setdefault(worker, set()).add(gpus)
    assert sorted(map(sorted, by_worker.values())) == [["5"], ["5"], ["7"], ["7"]]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "5,7"


def test_the_last_run_of_a_grid_has_no_more_gpus_than_the_others(monkeypatch):
    with_gpus(monkeypatch, 2)
    ((_, (worker, gpus)),) = LocalProcesses(2).run([partial(seen, 0)])
    assert (worker != os.getpid(), gpus) == (True, "0")
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_the_next_grid_of_a_process_may_give_its_runs_more(monkeypatch):
    with_gpus(monkeypatch, 4)
    for gpus_per_run, expected in ((1, {"0", "1"}), (2, {"0,1", "2,3"})):
        found = LocalProcesses(2, gpus_per_run).run([partial(seen, 0.3)] * 4)
        assert {gpus for _, (_, gpus) in found} == expected


def test_where_there_is_nothing_to_share_out_workers_see_what_there_is(monkeypatch, tmp_path):
    with_gpus(monkeypatch, 0)
    assert places_for_workers() is None
    with pytest.raises(UsageError, match="2 GPUs a run were asked for, and torch sees 0 here"):
        places_for_workers(2)
    with_gpus(monkeypatch, 1)
    assert places_for_workers() is None
    with_gpus(monkeypatch, 4)
    assert places_for_workers(4) is None
    monkeypatch.setattr(gpu_places, "_folder", lambda: tmp_path)
    assert places_for_workers(2).gpus_of(1) == ["2", "3"]
    assert visible_gpus() == ["0", "1", "2", "3"]
    with_gpus(monkeypatch, 2, named="MIG-a, MIG-b,-1,3")  # what follows a wrong name is not seen, and not counted
    assert visible_gpus() == ["MIG-a", "MIG-b"]
