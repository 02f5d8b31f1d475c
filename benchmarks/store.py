"""What a MOSEI-sized feature store costs: opening, memory, and batches beside the least that any reader could do.

    python benchmarks/store.py [--clips 22856] [--steps 25] [--dim 384]

Features are random; lengths vary around --steps. The floor slices a bare memory map and pads nothing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from msadg.batches import ClipSet, length_grouped_batches
from msadg.store import Manifest, Store, StoreWriter
from msadg.types import Features, Utterance

BATCH_SIZE = 64

OPENING = """
import json, os, sys, time
import psutil
from pathlib import Path
from msadg.store import Store

process = psutil.Process()
before, start = process.memory_info().rss, time.perf_counter()
store = Store(Path(sys.argv[1]))
seconds = time.perf_counter() - start
store.features(store.clip_ids[-1])
print(json.dumps({"clips": len(store), "seconds": seconds, "bytes": process.memory_info().rss - before}))
"""


def write_store(folder: Path, num_clips: int, mean_steps: int, dim: int) -> tuple[list[str], float]:
    random = np.random.default_rng(0)
    made_by = Manifest(extractor="text-random", modality="text", version="1", settings={}, dim=dim)
    lengths = random.integers(max(mean_steps // 2, 1), mean_steps * 3 // 2 + 1, num_clips).tolist()
    pool = random.standard_normal((4096, dim)).astype(np.float32)
    start = time.perf_counter()
    with StoreWriter(folder, made_by) as writer:
        for number, length in enumerate(lengths):
            at = (number * 37) % (4096 - length)
            writer.add(f"mosei/train/{number:06d}[0]", Features(pool[at : at + length], np.ones(length, bool)))
    return list(Store(folder).clip_ids), time.perf_counter() - start


def clips_per_second(read, batches) -> float:
    for batch in batches[:5]:
        read(batch)
    start = time.perf_counter()
    for batch in batches:
        read(batch)
    return sum(map(len, batches)) / (time.perf_counter() - start)


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=22_856)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--dim", type=int, default=384)
    arguments = parser.parse_args(given)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store"
        clip_ids, seconds = write_store(path, arguments.clips, arguments.steps, arguments.dim)
        size = (path / "values.bin").stat().st_size
        print(f"written: {len(clip_ids):,} clips, {size / 1e6:,.0f} MB in {seconds:.1f} s")

        command = [sys.executable, "-c", OPENING, str(path)]
        opened = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
        print(f"opening: {opened['seconds'] * 1e3:.0f} ms (limit 1,000), {opened['bytes'] / 1e6:.0f} MB (limit 300)")

        store = Store(path)
        utterances = [
            Utterance(clip_id=clip_id, video_id="v", text="", split="train", sentiment=0) for clip_id in clip_ids
        ]
        clips = ClipSet("mosei", utterances, {"text": store})
        batches = length_grouped_batches(clips.lengths, BATCH_SIZE, seed=0)
        first, steps = store.rows(clip_ids)
        bare = np.memmap(path / "values.bin", np.float16, mode="r").reshape(-1, arguments.dim)

        def slices(batch):
            return [np.array(bare[first[at] : first[at] + steps[at]]) for at in batch.tolist()]

        floor = clips_per_second(slices, batches)
        ours = clips_per_second(clips.batch, batches)
        print(f"batches of {BATCH_SIZE}: {ours:,.0f} clips/s, {BATCH_SIZE / ours * 1e3:.2f} ms a batch")
        print(f"  against the floor (bare slices, no padding, no float32): {floor / ours:.2f} times as long")

        some = batches[: max(2_000 // BATCH_SIZE, 1)]
        for at in np.concatenate(some).tolist():
            np.savez(Path(folder) / f"{at}.npz", values=bare[first[at] : first[at] + steps[at]])

        def archives(batch):
            loaded = []
            for at in batch.tolist():
                with np.load(Path(folder) / f"{at}.npz") as archive:
                    loaded.append(archive["values"])
            return loaded

        one_file_each = clips_per_second(archives, some)
        print(f"  against one .npz a clip (no padding, no float32): {ours / one_file_each:.1f} times as fast")


if __name__ == "__main__":
    main()
