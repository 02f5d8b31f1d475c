"""Who works on a grid: the same results from each, and a dead worker costs its own run alone."""

import importlib.util
import os
import socket
from functools import partial
from pathlib import Path

import pytest

from msadg.errors import RunError, UnknownNameError, UsageError
from msadg.protocols.domains import split_domains
from msadg.protocols.grid import plan, run_grid
from msadg.protocols.grid_engines import LocalProcesses, make_grid_engine
from msadg.protocols.recipe import load_recipe
from msadg.results.journal import read_records
from tests.protocols.helpers import toy_data, toy_domain

TIMED = ("finished_at", "extra")


def square(number: int) -> int:
    return number**2


def divide(number: int) -> float:
    return 1 / number


def die_at(number: int) -> int:
    if number == 1:
        os._exit(1)
    return number


def die_beside_others(folder: Path, number: int) -> int:
    """The first two tasks die when they are worked on for the first time."""
    if number < 2 and not (folder / str(number)).exists():
        (folder / str(number)).touch()
        os._exit(1)
    return number


def where(number: int) -> tuple[int, str, str | None]:
    return number, str(Path.cwd()), os.environ.get("MSADG_TOY")


@pytest.fixture
def grid(tmp_path):
    names = [toy_domain(tmp_path, name, offset=100 * i) for i, name in enumerate("abc")]
    data = toy_data(tmp_path, names)
    text = (
        "training = { epochs = 1, batch_size = 16, warmup_epochs = 0.0 }\nmethods = { erm = { dim = 8, heads = 2 } }\n"
    )
    (tmp_path / "recipe.toml").write_text(f'{text}data.features = {{ text = "toy" }}\ndata.stores = "{data.stores}"\n')
    return load_recipe(str(tmp_path / "recipe.toml")), split_domains(names[:2], names[2:])


def results_of(folder: Path) -> dict[str, bytes]:
    """Every weight and prediction, by its place."""
    files = [*folder.glob("models/*/model.safetensors"), *folder.glob("runs/*/predictions.parquet")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def assert_same_grid(grid, tmp_path: Path, engine) -> None:
    recipe, split = grid
    experiments = plan(recipe, ["constant", "erm"], [split], [0, 1])
    here = run_grid(recipe, experiments, tmp_path / "here", num_jobs=1)
    there = run_grid(recipe, experiments, tmp_path / "there", engine=engine)
    for mine, other in zip(here, there, strict=True):
        assert mine.error is None
        for name in ("key", "metrics", "dev_metrics", "settings", "features"):
            assert getattr(mine, name) == getattr(other, name), name
    # The weights' header tells how long training took, so what is compared is what follows it.
    mine, other = results_of(tmp_path / "here"), results_of(tmp_path / "there")
    assert mine.keys() == other.keys() and len(mine) == 6
    for name in mine:
        skip = 8 + int.from_bytes(mine[name][:8], "little") if name.startswith("models") else 0
        length = len(mine[name]) - skip
        assert mine[name][-length:] == other[name][-length:], name
    assert len(read_records(tmp_path / "there" / "records.jsonl")) == 3


def test_local_workers_yield_every_result_with_its_position():
    tasks = [partial(square, number) for number in range(7)]
    for workers in (1, 2):
        assert sorted(LocalProcesses(workers).run(tasks)) == [(n, n**2) for n in range(7)]
    assert list(LocalProcesses().run([])) == []


def test_a_local_worker_that_dies_takes_its_own_run_alone_with_it():
    outcomes = dict(LocalProcesses(2).run([partial(die_at, number) for number in range(6)]))
    error = outcomes.pop(1)
    assert isinstance(error, RunError) and "died, and so did one that worked with no other run beside it" in str(error)
    assert outcomes == {number: number for number in (0, 2, 3, 4, 5)}


def test_a_run_whose_local_worker_died_is_tried_again_at_the_end_and_alone(tmp_path):
    tasks = [partial(die_beside_others, tmp_path, number) for number in range(4)]
    outcomes = list(LocalProcesses(2).run(tasks))
    assert sorted(outcomes) == [(n, n) for n in range(4)]
    assert {position for position, _ in outcomes[2:]} == {0, 1}


def test_what_a_task_raises_in_a_process_is_raised_here():
    with pytest.raises(ZeroDivisionError):
        list(LocalProcesses(2).run([partial(divide, number) for number in range(3)]))


def test_what_cannot_be_is_told(monkeypatch):
    with pytest.raises(UnknownNameError, match="unknown engine 'rai'; did you mean 'ray'"):
        make_grid_engine("rai")
    with pytest.raises(UsageError, match="0 runs at a time finish none"):
        make_grid_engine(num_jobs=0)
    with pytest.raises(UsageError, match="take the engine 'ray' for it"):
        make_grid_engine(address="auto")
    for share in (0.5, 1.5):
        with pytest.raises(UsageError, match=rf"{share} of a GPU is a share that Ray gives; .* take a whole number"):
            make_grid_engine(gpus_per_run=share)
    assert make_grid_engine(gpus_per_run=2.0).gpus_per_run == 2
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    with pytest.raises(UsageError, match=r"0\.0 of a GPU is none"):
        make_grid_engine("ray", gpus_per_run=0.0)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'msadg\[ray\]'"):
        make_grid_engine("ray")


def test_no_tasks_start_no_cluster():
    pytest.importorskip("ray", reason="needs Ray: pip install 'msadg[ray]'")
    assert list(make_grid_engine("ray").run([])) == []


@pytest.mark.slow
def test_ray_makes_the_grid_of_one_process_in_its_place_and_outlives_its_workers(grid, tmp_path, monkeypatch):
    ray = pytest.importorskip("ray", reason="needs Ray: pip install 'msadg[ray]'")
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        assert_same_grid(grid, tmp_path, make_grid_engine("ray"))
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("MSADG_TOY", "there")
        engine = make_grid_engine("ray", num_jobs=2)
        told = sorted(outcome for _, outcome in engine.run([partial(where, n) for n in range(3)]))
        assert told == [(n, str(tmp_path), "there") for n in range(3)]
        outcomes = dict(engine.run([partial(die_at, n) for n in range(3)]))
        assert (outcomes[0], outcomes[2]) == (0, 2)
        assert isinstance(outcomes[1], RunError)
        assert "the process that worked on it died" in str(outcomes[1])
        with pytest.raises(ZeroDivisionError):
            list(engine.run([partial(divide, 0)]))
        assert ray.is_initialized()  # what others started is theirs to stop
    finally:
        ray.shutdown()


def test_a_run_whose_worker_died_is_recorded_and_tried_again(grid, tmp_path):
    class Dying:
        def run(self, tasks):
            for position, task in enumerate(tasks):
                yield position, task() if position else RunError("it died")

    recipe, split = grid
    experiments = plan(recipe, ["erm"], [split], [0, 1])
    records = run_grid(recipe, experiments, tmp_path, engine=Dying())
    assert [record.error for record in records] == ["RunError: it died", None]
    assert [record.error for record in read_records(tmp_path / "records.jsonl")] == ["RunError: it died", None]
    again = run_grid(recipe, experiments, tmp_path, num_jobs=1)
    assert [record.error for record in again] == [None, None]


def test_an_address_at_which_nobody_answers_is_told_without_ray_s_quarter_of_an_hour(monkeypatch):
    from msadg.extraction.engines import ray_cluster

    class Never:
        def init(self, *_: object, **__: object) -> None:
            raise AssertionError("Ray was asked")

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}"):
        with pytest.raises(UsageError, match=f"there is no Ray cluster at '{address}'.*ray start --head"):
            ray_cluster._start(Never(), 1, address)
