"""Training: S2LIF's step against ERM's on the same batches, and the memory of training on a MOSEI-sized corpus.

Frozen training reads stored features only; the benchmark checks that no encoder is ever imported.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from msadg.batches.clips import ClipSet, joined
from msadg.batches.sampling import length_grouped_batches
from msadg.methods.build import MethodSpec, build_method
from msadg.methods.method import Method
from msadg.store.fill import fill_store
from msadg.store.reader import Store
from msadg.types import Features, Utterance

DIMS = {"text": 384, "video": 32}
STEPS = {"text": 26, "video": 16}
NUM_CLIPS = 16_326
"""Of MOSEI's training split."""


class Noise:
    """An extractor whose features cost nothing to make."""

    version, dtype, marks = "1", "float16", ()

    def __init__(self, modality: str) -> None:
        self.name, self.modality, self.dim = f"{modality}-noise", modality, DIMS[modality]
        self.settings: dict[str, object] = {}
        self._block = np.random.default_rng(0).normal(size=(4096, self.dim)).astype(np.float16)

    def input_of(self, utterance: Utterance) -> bytes:
        return utterance.clip_id.encode()

    def extract(self, utterances: Sequence[Utterance]) -> Iterator[Features]:
        for utterance in utterances:
            number = int(utterance.clip_id.rsplit("/", 1)[1])
            length = max(2, int(STEPS[self.modality] * np.random.default_rng(number).gamma(4, 0.25)))
            start = number % (4096 - length)
            yield Features(self._block[start : start + length], np.ones(length, dtype=bool))


def clips_in(folder: Path, modalities: Sequence[str], num_clips: int) -> ClipSet:
    """Random clips with features, stored below a folder."""
    utterances = [
        Utterance(clip_id=f"noise/train/{n}", video_id=f"v{n // 8}", text="", split="train", sentiment=n % 3)
        for n in range(num_clips)
    ]
    stores: dict[str, Store] = {m: fill_store(folder / m, utterances, Noise(m), chunk=2048) for m in modalities}
    return ClipSet("noise", utterances, stores, 0)


def step_seconds(methods: dict[str, Method], clips: ClipSet, batch_size: int, repeats: int) -> dict[str, float]:
    """Median seconds of a training step; the methods take turns, so that a noisy neighbour disturbs all alike."""
    optimizers = {name: torch.optim.AdamW(m.train().parameters(), 1e-3, fused=True) for name, m in methods.items()}
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for indices in length_grouped_batches(clips.lengths, batch_size, seed=0)[:repeats]:
        for name, method in methods.items():
            started = time.perf_counter()
            batch = clips.batch(indices)
            loss = torch.stack(list(method.loss(method(batch), batch).values())).sum()
            optimizers[name].zero_grad()
            loss.backward()
            optimizers[name].step()
            method.after_step()
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values[3:]) for name, values in seconds.items()}


def compare_steps(folder: Path) -> None:
    for modalities, order in ((["text"], "text"), (["text", "video"], "text>video")):
        clips = clips_in(folder / "+".join(modalities), modalities, 2048)
        dims = {m: DIMS[m] for m in modalities}
        specs = {
            "erm": MethodSpec(name="erm", settings={"dim": 64}),
            "erm+mask": MethodSpec(name="erm", settings={"dim": 64}, mask={}),
            "s2lif": MethodSpec(name="s2lif", settings={"dim": 64, "order": order}),
        }
        if "video" in modalities:
            specs["s2lif, no keyframes"] = MethodSpec(
                name="s2lif", settings={"dim": 64, "order": order, "keyframes": False}
            )
        methods = {name: build_method(spec, dims, 0) for name, spec in specs.items()}
        seconds = step_seconds(methods, clips, batch_size=64, repeats=30)
        for name, value in seconds.items():
            ratio = value / seconds["erm"]
            print(f"  step on {' + '.join(modalities):<12} {name:<20} {ratio:5.2f} x erm  ({1e3 * value:.1f} ms)")


def train_for_memory(folder: Path) -> None:
    """In a process of its own: one epoch of S2LIF on a MOSEI-sized corpus."""
    from msadg.protocols.loop import Trainer
    from msadg.protocols.training import TrainingConfig

    clips = clips_in(folder, ["text"], NUM_CLIPS)
    method = build_method(MethodSpec(name="s2lif", settings={"dim": 64, "order": "text"}), {"text": 384}, 0)
    config = TrainingConfig(learning_rate=1e-3, batch_size=64, epochs=1, device="cpu")
    Trainer(method, joined([clips]), [clips], config, seed=0).run()
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    encoder = "an encoder was imported" if "transformers" in sys.modules else "no encoder was imported"
    print(f"  peak memory of training on {NUM_CLIPS:,} clips of text: {peak_mib:,.0f} MiB (bound: 1,536); {encoder}")


def main() -> None:
    print("Training (batch 64, width 64, one thread)")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        compare_steps(Path(folder))
        clips_in(Path(folder) / "large", ["text"], NUM_CLIPS)
        code = f"from benchmarks.training import *; train_for_memory(Path({str(Path(folder) / 'large')!r}))"
        subprocess.run([sys.executable, "-c", code], check=True)


if __name__ == "__main__":
    main()
