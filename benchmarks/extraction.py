"""Two workers against one: the same clips, extractor and store, each run in a process of its own, taking turns.

    python -m benchmarks.extraction [--clips 150] [--seconds 8] [--rounds 3] [--extractor hog]

The time is that of the whole fill: starting the workers (some 3 s) and loading the extractor in each of them is part
of it, so there must be work for half a minute.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from msadg.types import Clip

BOUND = 1.7
DIFFERENT = 12
"""Clips that are made; more are the same again."""


def clips_in(folder: Path) -> list[Clip]:
    return [Clip(clip_id=f"bench/train/{path.stem}", clip_path=str(path)) for path in sorted(folder.glob("*.mp4"))]


def fill(folder: Path, extractor: str, workers: int) -> None:
    """In a process of its own: print the seconds of a fill, and a hash of what it wrote."""
    from msadg.extraction.catalog import make_extractor
    from msadg.extraction.engines.engine import make_engine
    from msadg.store import fill_store

    clips = clips_in(folder)
    with tempfile.TemporaryDirectory() as place:
        store = Path(place) / "store"
        started = time.perf_counter()
        filled = fill_store(store, clips, make_extractor("video", extractor), engine=make_engine(workers=workers))
        seconds = time.perf_counter() - started
        if filled.losses:
            raise SystemExit(f"{len(filled.losses)} clips were lost, first: {next(iter(filled.losses.values()))}")
        written = hashlib.sha256()
        for path in sorted(store.iterdir()):
            written.update(path.name.encode() + path.read_bytes())
    print(seconds, written.hexdigest())


def measured(folder: Path, extractor: str, workers: int) -> tuple[float, str]:
    code = f"from benchmarks.extraction import *; fill(Path({str(folder)!r}), {extractor!r}, {workers})"
    told = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return float(told[0]), told[1]


def main(arguments: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=150)
    parser.add_argument("--seconds", type=float, default=8.0, help="length of each")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--extractor", default="hog")
    options = parser.parse_args(arguments)

    from tests.media import write_clip

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for number in range(options.clips):
            clip = folder / f"{number:03d}.mp4"
            if number < DIFFERENT:
                write_clip(clip, seconds=options.seconds, width=640, height=360, sway=4.0 + number)
            else:
                clip.hardlink_to(folder / f"{number % DIFFERENT:03d}.mp4")
        taken: dict[int, list[float]] = {1: [], 2: []}
        hashes = set()
        for _ in range(options.rounds):
            for workers, seconds in taken.items():
                one, written = measured(folder, options.extractor, workers)
                seconds.append(one)
                hashes.add(written)
    one, two = (statistics.median(seconds) for seconds in taken.values())
    length = options.clips * options.seconds
    ratio = statistics.median(a / b for a, b in zip(taken[1], taken[2], strict=True))
    print(f"Extraction ({options.extractor}, {options.clips} clips of {options.seconds:g} s, {os.cpu_count()} cores)")
    print(f"  one worker   {one:6.1f} s, {length / one:5.1f} x real time")
    print(f"  two workers  {two:6.1f} s, {length / two:5.1f} x real time: {ratio:.2f} x as fast (bound: {BOUND})")
    print(f"  the stores are {'identical' if len(hashes) == 1 else 'NOT identical'}")


if __name__ == "__main__":
    main(sys.argv[1:])
