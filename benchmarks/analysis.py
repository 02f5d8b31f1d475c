"""Analysing a MOSEI-sized run: Fisher's z of all pairs by one matrix product against a loop over pairs, and the whole.

``looped_p`` is the reference: one pair after the other by SciPy. It is checked to give the same p-values. The whole is
every measurement of selected features, with its figures, on a run of text and video: of as many clips as MOSEI's dev
split has, which is what an analysis reads, and of as many as its training split has.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.training import DIMS, NUM_CLIPS, clips_in
from msadg.analysis.fisher import benjamini_hochberg, fisher_test

NUM_DEV_CLIPS = 1_871
"""Of MOSEI's dev split."""
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


def analyse_everything(folder: Path, num_clips: int) -> None:
    """In a process of its own: encode, measure and draw a MOSEI-sized run of two modalities."""
    from msadg.analysis import dependence, hidden, label_dependence, selected_features
    from msadg.methods.build import MethodSpec, build_method
    from msadg.methods.s2lif import S2LIF
    from msadg.protocols.checkpoint import TrainingState
    from msadg.protocols.domains import DomainSplit
    from msadg.protocols.experiment import Experiment
    from msadg.protocols.run import TrainedRun
    from msadg.report.measurement_files import write_measurement

    torch.set_num_threads(2)
    clips = clips_in(folder, list(DIMS), num_clips)
    spec = MethodSpec(name="s2lif", settings={"dim": WIDTH})
    method = build_method(spec, DIMS, 0).eval()
    assert isinstance(method, S2LIF)
    with torch.no_grad():
        for mask in method.masks.values():
            mask.threshold[: WIDTH // 2] = 9.0
    run = TrainedRun(
        Experiment(row="s2lif", method=spec, domains=DomainSplit(("mosei",), ("mosi",))), method, TrainingState()
    )
    wall, cpu = time.perf_counter(), time.process_time()
    hidden.keep_hidden(method, hidden.hidden_clips(method, clips))
    encoded = time.process_time() - cpu
    measures = (
        selected_features.measure, dependence.measure_across, dependence.measure_within, label_dependence.measure,
        label_dependence.measure_shares,
    )  # fmt: skip
    for measure in measures:
        write_measurement(measure([run]), folder / "analysis")
    taken, on_clock = time.process_time() - cpu, time.perf_counter() - wall
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    store_mib = sum(path.stat().st_size for path in folder.rglob("values.bin")) / 2**20
    print(
        f"  analysis of {num_clips:,} clips: {taken:.1f} s of processor time, of which {encoded:.1f} s to encode; "
        f"{on_clock:.1f} s on the clock (bound: 60), peak memory {peak_mib:,.0f} MiB (bound: 1,024), "
        f"of which up to {store_mib:.0f} MiB are pages of the store"
    )


def main(repeats: int = 5) -> None:
    print(f"Analysis ({NUM_CLIPS:,} clips, width {WIDTH})", flush=True)
    compare_with_loop(repeats)
    for num_clips in (NUM_DEV_CLIPS, NUM_CLIPS):
        with tempfile.TemporaryDirectory() as folder:
            clips_in(Path(folder), list(DIMS), num_clips)
            code = f"from benchmarks.analysis import *; analyse_everything(Path({folder!r}), {num_clips})"
            sys.stdout.flush()
            subprocess.run([sys.executable, "-c", code], check=True)


if __name__ == "__main__":
    main()
