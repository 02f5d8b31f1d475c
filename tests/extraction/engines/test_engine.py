import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from msadg.errors import FeatureError, MsadgWarning, UnknownNameError, UsageError
from msadg.extraction.engines import ray_cluster, worker
from msadg.extraction.engines.engine import Engine, make_engine
from msadg.extraction.engines.local import ThisProcess
from msadg.extraction.extractor import Loss
from msadg.types import Features
from tests.store.toys import Threads, Toy, ToyConfig, diary_of, processes_in, toy_clips

ROOT = Path(__file__).parents[3]


def finished(engine, extractor, clips):
    outcomes = list(engine.run(extractor, clips))
    assert sorted(at for at, _ in outcomes) == list(range(len(clips)))
    return [outcome for _, outcome in sorted(outcomes, key=lambda pair: pair[0])]


def assert_same(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        if isinstance(a, Loss):
            assert a == b
        else:
            np.testing.assert_array_equal(a.values, b.values)
            np.testing.assert_array_equal(a.marks, b.marks)
            np.testing.assert_array_equal(a.valid, b.valid)


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(true, seconds=15.0):
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    assert true()


def test_without_workers_this_process_goes_in_order(tmp_path):
    diary = tmp_path / "diary"
    assert isinstance(ThisProcess(), Engine)
    order = [at for at, _ in ThisProcess().run(Toy(ToyConfig(diary=str(diary))), toy_clips("", "fail", ""))]
    assert order == [0, 1, 2]
    assert processes_in(diary) == {os.getpid()}


def test_a_single_worker_is_another_process_and_what_kills_it_is_lost_alone(tmp_path):
    diary = tmp_path / "diary"
    engine = make_engine(workers=1)
    assert isinstance(engine, Engine)
    found = finished(engine, Toy(ToyConfig(diary=str(diary), dies="/1")), toy_clips("", "", ""))
    assert found[1].stage == "worker"
    assert_same([found[0], found[2]], [Toy().extract_one(toy_clips("", "", "")[at]) for at in (0, 2)])
    assert os.getpid() not in processes_in(diary)


def test_where_no_worker_can_be_copied_each_is_started_from_nothing(monkeypatch):
    def ensure_running():
        raise OSError("AF_UNIX path too long")

    with monkeypatch.context() as patch:
        patch.setattr(worker.forkserver, "ensure_running", ensure_running)
        worker._context.cache_clear()
        found = finished(make_engine(workers=1), Toy(), toy_clips("", "fail"))
    worker._context.cache_clear()
    assert_same(found, finished(ThisProcess(), Toy(), toy_clips("", "fail")))


def test_workers_have_the_environment_of_now_and_not_of_the_first(monkeypatch):
    for value in ("first", "second"):
        monkeypatch.setenv("MSADG_TOY", value)
        with pytest.warns(MsadgWarning, match=f"it is {value}"):
            finished(make_engine(workers=1), Toy(), toy_clips("environment"))


def test_a_clip_for_which_memory_does_not_suffice_is_lost_and_no_other():
    found = finished(ThisProcess(), Toy(), toy_clips("", "memory", ""))
    assert found[1] == Loss("worker", "memory ran out while it was worked on (8 TiB were asked for)")
    assert isinstance(found[2], Features)


def test_more_workers_are_other_processes_and_find_the_same(tmp_path):
    diary = tmp_path / "diary"
    clips = toy_clips("wait 0.2", "fail", "wait 0.1", "", "warn", "wait 0.1", "")
    with pytest.warns(MsadgWarning, match="mine/train/4 was mended"):
        found = finished(make_engine(workers=2), Toy(ToyConfig(diary=str(diary))), clips)
    assert found[1] == Loss("decode", "1.mp4: damaged")
    with pytest.warns(MsadgWarning, match="mine/train/4 was mended"):
        assert_same(found, finished(ThisProcess(), Toy(), clips))
    assert os.getpid() not in processes_in(diary)
    assert not any(map(is_alive, processes_in(diary)))


@pytest.mark.parametrize("engine", [ThisProcess(), make_engine(workers=2)], ids=["here", "two"])
def test_a_worker_has_one_thread_and_this_process_has_its_own_back(engine):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for found in finished(engine, Threads(), toy_clips("a", "b")):
            assert found.values.tolist() == [[1, 1, 1]]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_clip_that_kills_its_worker_twice_is_lost_and_no_other(tmp_path):
    diary = tmp_path / "diary"
    clips = toy_clips(*["wait 0.05"] * 8)
    config = ToyConfig(diary=str(diary), dies="/3", dies_once="/5")
    found = finished(make_engine(workers=2), Toy(config), clips)
    assert found[3].stage == "worker"
    assert "died (signal 9)" in found[3].reason
    begun = diary_of(diary)
    assert {clip: begun.count(clip) for clip in begun} == {f"mine/train/{n}": 2 if n in (3, 5) else 1 for n in range(8)}
    del found[3], clips[3]
    assert_same(found, finished(ThisProcess(), Toy(), clips))


@pytest.mark.parametrize(
    ("text", "kind", "message", "engine"),
    [
        ("bug", ZeroDivisionError, "a bug", ThisProcess()),
        ("bug", ZeroDivisionError, "a bug", make_engine(workers=2)),
        ("weights", FeatureError, "there are no weights", ThisProcess()),
        # Its class takes three arguments: over there it cannot be made again from its message.
        ("unknown", UsageError, "unknown detector 'yunett'; did you mean 'yunet'", make_engine(workers=2)),
    ],
)
def test_what_is_no_fault_of_the_clip_stops_everything(tmp_path, text, kind, message, engine):
    diary = tmp_path / "diary"
    run = engine.run(Toy(ToyConfig(diary=str(diary))), toy_clips(text, *["wait 30"] * 2))
    began = time.monotonic()
    with pytest.raises(kind, match=message):
        list(run)
    assert time.monotonic() - began < 20
    assert not any(is_alive(process) for process in processes_in(diary) if process != os.getpid())


def test_an_extractor_that_cannot_be_loaded_over_there_is_told():
    class Local(Toy):
        pass

    with pytest.raises(AttributeError, match="Local"):
        finished(make_engine(workers=2), Local(), toy_clips("", ""))


def test_closing_a_run_stops_its_workers(tmp_path):
    diary = tmp_path / "diary"
    run = make_engine(workers=2).run(Toy(ToyConfig(diary=str(diary))), toy_clips("", "wait 30", "wait 30"))
    assert next(run)[0] == 0
    wait_until(lambda: len(diary_of(diary)) == 3)
    run.close()
    assert not any(map(is_alive, processes_in(diary)))


PARENT = """
import sys
from msadg.extraction.engines.engine import make_engine
from tests.store.toys import Toy, ToyConfig, toy_clips

if __name__ == "__main__":
    list(make_engine(workers=2).run(Toy(ToyConfig(diary=sys.argv[1])), toy_clips(*["wait 60"] * 4)))
"""


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_the_process_that_started_them(tmp_path, sent):
    diary = tmp_path / "diary"
    command = [sys.executable, "-c", PARENT, str(diary)]
    parent = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until(lambda: len(diary_of(diary)) == 2, seconds=30)
    workers = processes_in(diary)
    if sent == signal.SIGINT:  # A terminal sends it to all of them.
        os.killpg(parent.pid, sent)
    else:
        parent.send_signal(sent)
    _, told = parent.communicate(timeout=60)
    assert parent.returncode == -sent
    wait_until(lambda: not any(map(is_alive, workers)), seconds=30)
    # Of a Ctrl-C only the process itself speaks.
    assert told.count("Traceback") == (1 if sent == signal.SIGINT else 0)


def test_a_script_without_its_guard_is_told_what_to_write(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(PARENT.replace('if __name__ == "__main__":', "if True:"))
    told = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "diary")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert told.returncode == 1
    assert "below `if __name__ == '__main__':`" in told.stderr


def test_an_engine_that_cannot_be_is_told():
    with pytest.raises(UnknownNameError, match="unknown engine 'rai'; did you mean 'ray'"):
        make_engine("rai")
    with pytest.raises(UsageError, match="0 workers cannot extract anything"):
        make_engine(workers=0)
    with pytest.raises(UsageError, match="joins no cluster"):
        make_engine(address="auto")


def test_one_worker_a_core_is_the_default():
    assert make_engine().num_workers == len(os.sched_getaffinity(0))


def test_ray_that_is_not_installed_is_told(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'msadg\[ray\]'"):
        make_engine("ray")


def test_a_cluster_that_shrinks_is_given_no_more_than_it_has(monkeypatch):
    """Four workers until the first clip is finished, one from then on; Ray itself is not needed."""
    working, most = [], []

    def remote(run, shared, clip):
        working.append(clip.clip_id)
        most.append(len(working))
        return clip.clip_id

    def wait(references, num_returns):
        workers[0] = 1
        working.remove(references[0])
        return references[:1], references[1:]

    workers = [4]
    task = SimpleNamespace(options=lambda **_: SimpleNamespace(remote=remote))
    ray = SimpleNamespace(remote=lambda _: task, put=lambda it: it, wait=wait, is_initialized=lambda: True)
    ray.cluster_resources = lambda: {"CPU": workers[0]}
    monkeypatch.setattr(ray_cluster, "_ray", lambda: ray)
    monkeypatch.setattr(ray_cluster, "_outcome_of", lambda reference: Loss("toy", reference))
    found = finished(ray_cluster.RayEngine(None, None), Toy(), toy_clips(*[""] * 6))
    assert [loss.reason for loss in found] == [f"mine/train/{n}" for n in range(6)]
    assert most == [1, 2, 3, 4, 1, 1]


def test_no_clips_start_nothing():
    assert list(make_engine(workers=2).run(Toy(), [])) == []


@pytest.mark.slow
def test_ray_finds_the_same_loses_what_kills_its_worker_and_raises_what_is_a_bug(tmp_path):
    ray = pytest.importorskip("ray", reason="needs Ray: pip install 'msadg[ray]'")
    diary = tmp_path / "diary"
    clips = toy_clips("", "fail", "wait 0.1", "warn", "", "")
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        engine = make_engine("ray", workers=2)
        with pytest.warns(MsadgWarning, match="mine/train/3 was mended"):
            found = finished(engine, Toy(ToyConfig(diary=str(diary), dies="/4")), clips)
        assert found[4].stage == "worker"
        assert found[1] == Loss("decode", "1.mp4: damaged")
        del found[4], clips[4]
        assert isinstance(found[3], Features)
        with pytest.warns(MsadgWarning, match="was mended"):
            assert_same(found, finished(ThisProcess(), Toy(), clips))
        with pytest.raises(ZeroDivisionError, match="a bug"):
            finished(engine, Toy(), toy_clips("", "bug", ""))
        assert ray.is_initialized()  # What others started is theirs to stop.
    finally:
        ray.shutdown()
