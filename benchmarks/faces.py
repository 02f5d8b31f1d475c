"""The face detector: frames together against one at a time, and how far it is ahead of real time.

    python -m benchmarks.faces [--frames 64] [--repeats 5] [--threads 1]

Frames are generated: one or two real faces that sway before a wall. One thread is what a worker of `msadg extract`
has. "one at a time" is the same detector, called with a single frame, again and again.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from msadg.extraction.faces.mtcnn import Mtcnn
from tests.media import picture

RATE = 5.0
"""Frames a second that extraction looks at."""
CASES = ((640, 360, 1), (640, 360, 2), (320, 240, 1), (320, 180, 1))
"""Width, height, faces."""


def seconds_of(work) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def compare(detector: Mtcnn, frames: np.ndarray, repeats: int) -> tuple[float, float]:
    """Seconds a frame, together and one at a time: the quickest of some, in turn, since others use the machine too."""
    together, alone = [], []
    for _ in range(repeats):
        together.append(seconds_of(lambda: detector.detect(frames)))
        alone.append(seconds_of(lambda: [detector.detect(frame[None]) for frame in frames]))
    return min(together) / len(frames), min(alone) / len(frames)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    arguments, _ = parser.parse_known_args()

    import cv2

    torch.set_num_threads(arguments.threads)
    cv2.setNumThreads(arguments.threads)
    detector = Mtcnn()
    print(f"Faces (mtcnn, {arguments.frames} frames together, {arguments.threads} thread)")
    for width, height, faces in CASES:
        steps = range(arguments.frames)
        frames = np.stack([picture(step, width=width, height=height, faces=faces) for step in steps])
        found = sum(map(len, detector.detect(frames)))
        together, alone = compare(detector, frames, arguments.repeats)
        print(
            f"  {width} x {height}, {found / len(frames):.1f} faces a frame: {1 / together:,.0f} frames/s, "
            f"{1 / together / RATE:.0f} x real time at {RATE:g} a second; "
            f"{alone / together:.1f} x one at a time (bound: 2.0)"
        )


if __name__ == "__main__":
    main()
