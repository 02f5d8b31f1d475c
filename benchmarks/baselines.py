"""MulT and ALMT against their published implementations: clips a second and memory of training, at the same size.

MulT's reference is MMSA's port, from the package index. Both start from the same weights, and it is checked that they
say the same of the batch. If MMSA cannot be installed, the reference is our own model with attention and dropout as a
manual would write them, which is said. S2LIF trains on the same batch.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import almt_side
from benchmarks.mmsa import ROOT, VERSION, python_with_mmsa
from benchmarks.mult_side import BATCH_SIZE, DIM, DIMS, HEADS, LAYERS, LENGTHS, THREADS


class Side:
    """A process that takes a step when told to."""

    def __init__(self, python: Path | str, name: str, folder: str) -> None:
        command = [str(python), "-m", "benchmarks.mult_side", name, folder]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, cwd=ROOT, text=True, **pipes)
        self.found = self._answer()
        self.wall = self.processor = float("inf")

    def _answer(self) -> dict[str, float]:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(map(str, self.process.args))} ended without an answer")
        return json.loads(line)

    def step(self) -> None:
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        taken = self._answer()
        self.wall, self.processor = min(self.wall, taken["wall"]), min(self.processor, taken["processor"])

    def peak_mib(self) -> float:
        self.process.stdin.close()
        peak = self._answer()["peak_mib"]
        self.process.wait()
        return peak


def reference(folder: str) -> tuple[str, Side]:
    """MMSA's side, or where it cannot be had, the plain one; with a name to print."""
    try:
        return f"MMSA {VERSION}", Side(python_with_mmsa(), "mmsa", folder)
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
        lines = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        print(f"  MMSA cannot be had ({lines[-1]}); compared with plain attention and dropout instead")
        return "plain", Side(sys.executable, "plain", folder)


def compare_mult(repeats: int) -> None:
    shapes = ", ".join(f"{m} {LENGTHS[m]}x{DIMS[m]}" for m in LENGTHS)
    print(
        f"MulT, training (batch {BATCH_SIZE}, {shapes}, width {DIM}, {HEADS} heads, {LAYERS} layers, {THREADS} threads)"
    )
    with tempfile.TemporaryDirectory() as folder:
        name, theirs = reference(folder)
        sides = {name: theirs, "msadg": Side(sys.executable, "msadg", folder)}
        sides["msadg, S2LIF"] = Side(sys.executable, "s2lif", folder)
        gap = sides["msadg"].found.get("largest_gap")
        if gap is not None:
            print(f"  outputs from the same weights: at most {gap:.1e} apart (bound: 1e-5)")
        for _ in range(repeats):  # in turns, so that neighbours disturb all alike
            for side in sides.values():
                side.step()
        peaks = {name: side.peak_mib() for name, side in sides.items()}
    for name, side in sides.items():
        print(
            f"  {name:<14} {BATCH_SIZE / side.wall:6.1f} clips/s, {theirs.wall / side.wall:5.1f} x (bound: 3), "
            f"{theirs.processor / side.processor:5.1f} x by processor time; "
            f"{peaks[name]:6.0f} MiB, {peaks[name] / next(iter(peaks.values())):.2f} x (bound: 0.50)"
        )


def main(repeats: int = 4) -> None:
    compare_mult(repeats)
    almt_side.main()


if __name__ == "__main__":
    main()
