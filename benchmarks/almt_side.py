"""ALMT against the published computation: training steps on the same batch from the same weights.

MMSA has a port of ALMT in its repository, but not in its newest version on the package index (2.2.1). So the
published side is the published computation as ``tests/methods/published_almt.py`` states it: keys and values of every
step, every row of every layer; it gives the outputs and the gradients of the authors' files. Both sides train without
BERT, on stored text features, and read every step of every clip. It is checked that they start from the same loss.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from msadg.methods.almt import ALMT
from msadg.types import Batch, Steps
from tests.methods.published_almt import Sizes, published_output, published_weights

BATCH_SIZE = 16
LENGTHS = {"text": 50, "audio": 375, "video": 500}
DIMS = {"text": 768, "audio": 5, "video": 20}
SIZES = Sizes(lengths=LENGTHS, feature_dims=DIMS)
SIDES = ("as published", "msadg, published=True", "msadg")
THREADS = 2


def full_batch() -> Batch:
    """Clips that are all as long as the published tables of positions."""
    generator = torch.Generator().manual_seed(0)
    steps = {
        m: Steps(
            torch.randn(BATCH_SIZE, LENGTHS[m], DIMS[m], generator=generator), torch.ones(BATCH_SIZE, LENGTHS[m]) > 0
        )
        for m in LENGTHS
    }
    return Batch(
        clip_ids=tuple(f"noise/train/{n}" for n in range(BATCH_SIZE)),
        steps=steps,
        sentiment=torch.zeros(BATCH_SIZE, dtype=torch.int64),
        polarity=torch.randn(BATCH_SIZE, generator=generator),
        domain=torch.zeros(BATCH_SIZE, dtype=torch.int64),
    )


def weights() -> dict[str, torch.Tensor]:
    return published_weights(SIZES, torch.float32)


def published_loss(batch: Batch) -> tuple[list[torch.Tensor], Callable[[], torch.Tensor]]:
    """The parameters of the published side, and its loss."""
    named = {name: value.requires_grad_() for name, value in weights().items()}
    features = {modality: steps.values for modality, steps in batch.steps.items()}

    def loss() -> torch.Tensor:
        return (published_output(SIZES, named, **features)[:, 0] - batch.polarity).square().mean()

    return list(named.values()), loss


def our_loss(batch: Batch, *, published: bool) -> tuple[list[torch.Tensor], Callable[[], torch.Tensor]]:
    method = ALMT.from_published(weights(), published=published).train()
    return list(method.parameters()), lambda: method.loss(method(batch), batch)["task"]


def training_step(side: str) -> Callable[[], float]:
    """A function that takes one step and returns the loss before it."""
    batch = full_batch()
    parameters, loss = published_loss(batch) if side == SIDES[0] else our_loss(batch, published=side == SIDES[1])
    optimizer = torch.optim.AdamW(parameters, 1e-4, fused=True)

    def step() -> float:
        total = loss()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        return float(total.detach())

    return step


def seconds_of_steps(repeats: int) -> dict[str, tuple[float, float]]:
    """Shortest wall and processor time of each side's step; they take turns, so that neighbours disturb all alike."""
    torch.set_num_threads(THREADS)
    steps = {side: training_step(side) for side in SIDES}
    first = {side: step() for side, step in steps.items()}
    assert abs(first[SIDES[0]] - first[SIDES[1]]) < 1e-4 * first[SIDES[0]], first
    shortest = dict.fromkeys(SIDES, (float("inf"), float("inf")))
    for _ in range(repeats):
        for side, step in steps.items():
            wall, processor = time.perf_counter(), time.process_time()
            step()
            taken = time.perf_counter() - wall, time.process_time() - processor
            shortest[side] = min(shortest[side][0], taken[0]), min(shortest[side][1], taken[1])
    return shortest


def own_peak_mib() -> float:
    """Peak memory of this process; getrusage would start from that of the process that started it."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def print_peak_mib(side: str) -> None:
    """In a process of its own: what three steps add to its peak memory."""
    torch.set_num_threads(THREADS)
    before = own_peak_mib()
    step = training_step(side)
    for _ in range(3):
        step()
    print(own_peak_mib() - before)


def peak_mib(side: str) -> float:
    code = f"from benchmarks.almt_side import print_peak_mib; print_peak_mib({side!r})"
    return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


def main(repeats: int = 5) -> None:
    shapes = ", ".join(f"{m} {LENGTHS[m]}x{DIMS[m]}" for m in LENGTHS)
    print(f"ALMT, training without BERT (batch {BATCH_SIZE}, {shapes}, {THREADS} threads)")
    seconds, peaks = seconds_of_steps(repeats), {side: peak_mib(side) for side in SIDES}
    (wall, processor), peak = seconds[SIDES[0]], peaks[SIDES[0]]
    for side in SIDES:
        print(
            f"  {side:<22} {BATCH_SIZE / seconds[side][0]:6.1f} clips/s, {wall / seconds[side][0]:5.1f} x as published "
            f"(bound: 3), {processor / seconds[side][1]:5.1f} x by processor time; "
            f"{peaks[side]:5.0f} MiB, {peaks[side] / peak:.2f} x (bound: 0.50)"
        )


if __name__ == "__main__":
    main()
