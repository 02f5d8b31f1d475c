"""Analysing a MOSEI-sized run: Fisher's z of all pairs by one matrix product against a loop over pairs, and the whole.

``looped_p`` is the reference: one pair after the other by SciPy. It is checked to give the same p-values. The whole is
every measurement of ``msadg analyse``, with its figures, on a run of text and video whose source is as large as MOSEI
and whose target is as large as MOSI.
"""

import csv
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import psutil
import torch

from benchmarks.training import DIMS, NUM_CLIPS, Noise
from msadg.analysis.all_measurements import measure
from msadg.analysis.fisher import benjamini_hochberg, fisher_test
from msadg.corpora.catalog import open_corpus
from msadg.methods.build import MethodSpec
from msadg.methods.s2lif import S2LIF
from msadg.protocols.checkpoint import TrainingState
from msadg.protocols.domains import DomainSplit
from msadg.protocols.experiment import Experiment
from msadg.protocols.features import DataConfig, folder_of
from msadg.protocols.fit import new_method
from msadg.protocols.run import TrainedRun
from msadg.protocols.training import TrainingConfig
from msadg.report.measurement_files import write_measurement
from msadg.store.fill import fill_store

BIG = {"train": NUM_CLIPS, "dev": 1_871, "test": 4_659}
"""Clips of MOSEI's splits."""
SMALL = {"train": 1_284, "dev": 229, "test": 686}
"""Clips of MOSI's."""
WIDTH = 128
LOOPED = 16
"""First features that the loop takes; the time of all of them is WIDTH / LOOPED as long."""


def looped_p(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """P-values pair by pair."""
    from scipy.stats import norm, pearsonr

    p = np.empty((first.shape[1], second.shape[1]))
    for i in range(first.shape[1]):
        for j in range(second.shape[1]):
            r = pearsonr(first[:, i], second[:, j]).statistic
            p[i, j] = 2 * norm.sf(abs(np.arctanh(r)) * np.sqrt(len(first) - 3))
    return p


def compare_with_loop(repeats: int) -> None:
    chance = np.random.default_rng(0)
    causes = chance.normal(size=(NUM_CLIPS, 4))
    first, second = (causes @ chance.normal(size=(4, WIDTH)) / 8 for _ in range(2))
    first, second = (x + chance.normal(size=x.shape) for x in (first, second))
    fisher_test(first[:, :2], second[:, :2])
    taken = []
    for _ in range(repeats):
        started = time.process_time()
        found = fisher_test(first, second)
        taken.append(time.process_time() - started)
    started = time.process_time()
    looped = looped_p(first[:, :LOOPED], second)
    in_loop = (time.process_time() - started) * WIDTH / LOOPED
    gap = np.abs(found.p[:LOOPED] - looped).max()
    assert gap < 1e-9, gap
    started = time.process_time()
    adjusted = benjamini_hochberg(found.p)
    correction = time.process_time() - started
    print(f"  p-values of the loop: at most {gap:.0e} apart (bound: 1e-9); {(adjusted < 0.05).mean():.0%} dependent")
    print(
        f"  Fisher's z of {WIDTH} x {WIDTH} pairs: {1e3 * min(taken):.0f} ms, loop over pairs {in_loop:.1f} s, ratio "
        f"{in_loop / min(taken):.0f} (bound: 20); Benjamini-Hochberg {1e3 * correction:.0f} ms"
    )


def make_domain(folder: Path, name: str, sizes: Mapping[str, int]) -> str:
    """A manifest of clips that have noise for features."""
    path, number = folder / f"{name}.csv", 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["clip_id", "video_id", "text", "split", "sentiment"])
        for split, size in sizes.items():
            for at in range(size):
                sentiment = ("negative", "neutral", "positive")[number % 3]
                writer.writerow([f"c/{number}", f"{split}{at // 8}", f"clip {number}", split, sentiment])
                number += 1
    domain = f"{name}={path}"
    for modality in DIMS:
        utterances = list(open_corpus(domain).all_utterances())
        fill_store(folder_of(data_in(folder), domain, modality), utterances, Noise(modality), chunk=2048)
    return domain


def data_in(folder: Path) -> DataConfig:
    return DataConfig(features=dict.fromkeys(DIMS, "noise"), stores=folder / "stores")


def analyse_everything(folder: Path) -> None:
    """In a process of its own: every measurement of a run on a MOSEI-sized source and a MOSI-sized target, drawn."""
    torch.set_num_threads(2)
    domains = DomainSplit((make_domain(folder, "big", BIG),), (make_domain(folder, "small", SMALL),))
    spec = MethodSpec(name="s2lif", settings={"dim": WIDTH})
    training = TrainingConfig(threads=2)
    experiment = Experiment(row="s2lif", method=spec, domains=domains, data=data_in(folder), training=training)
    method = new_method(experiment, DIMS).eval()
    assert isinstance(method, S2LIF)
    with torch.no_grad():
        for mask in method.masks.values():
            mask.threshold[: WIDTH // 2] = 9.0
    run = TrainedRun(experiment, method, TrainingState())
    wall, cpu = time.perf_counter(), time.process_time()
    started, own_bytes = cpu, 0
    for measurement in measure([run], sys.exit):
        write_measurement(measurement, folder / "analysis")
        memory = psutil.Process().memory_info()
        own_bytes = max(own_bytes, memory.rss - memory.shared)
        print(f"    {measurement.name}: {time.process_time() - started:.1f} s of processor time")
        started = time.process_time()
    taken, on_clock = time.process_time() - cpu, time.perf_counter() - wall
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"  all of a run ({', '.join(f'{split} {size:,}' for split, size in BIG.items())} clips): {taken:.1f} s of "
        f"processor time, {on_clock:.1f} s on the clock (bound: 60); memory of its own {own_bytes / 2**20:,.0f} MiB "
        f"(bound: 1,024; the most after any measurement), peak with pages of libraries and of the store "
        f"{peak_mib:,.0f} MiB"
    )


def main(repeats: int = 5) -> None:
    print(f"Analysis ({NUM_CLIPS:,} clips, width {WIDTH})", flush=True)
    compare_with_loop(repeats)
    with tempfile.TemporaryDirectory() as folder:
        code = f"from benchmarks.analysis import *; analyse_everything(Path({folder!r}))"
        sys.stdout.flush()
        subprocess.run([sys.executable, "-c", code], check=True)


if __name__ == "__main__":
    main()
