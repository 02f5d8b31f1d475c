"""The offline default from a clip to video features: x real time on one core, by stage; memory of an hour's video.

    python -m benchmarks.video [FILE] [--repeats 3] [--hour]

Without a FILE a clip with one real face is made. Every stage is timed inside the same run, so the parts are shares of
one whole. --hour encodes 18,000 frames (320 x 240, 5 a second, one face) and prints the peak memory of a process that
extracts them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

LIMIT_GB = 1.5

EXTRACTION = """
import json, resource, sys, time
import cv2, torch
from msadg.extraction.video.hog import Hog
from msadg.types import Clip

torch.set_num_threads(1)
cv2.setNumThreads(1)
start = time.perf_counter()
features = Hog().features_of(Clip(clip_id="hour", clip_path=sys.argv[1]))
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"steps": len(features.values), "valid": int(features.valid.sum()), "seconds": seconds, "peak": peak}))
"""


class Stopwatch:
    """Seconds by stage."""

    def __init__(self):
        self.seconds = defaultdict(float)

    @contextmanager
    def stage(self, name):
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - start

    def timed(self, name, function):
        def with_clock(*args, **kwargs):
            with self.stage(name):
                return function(*args, **kwargs)

        return with_clock

    def timed_iterator(self, name, iterator):
        while True:
            with self.stage(name):
                item = next(iterator, None)
            if item is None:
                return
            yield item


def seconds_by_stage(path: Path) -> tuple[dict[str, float], int]:
    """Seconds of decoding, finding, tracking, describing and the whole; and the number of steps."""
    from msadg.extraction.faces.tracking import Tracker
    from msadg.extraction.video.hog import Hog
    from msadg.types import Clip

    watch, extractor = Stopwatch(), Hog()
    frames, describer, update = extractor._frames, extractor.describer, Tracker.update

    def timed_describer():
        made = describer()
        made.describe = watch.timed("describe", made.describe)
        return made

    extractor._frames = lambda clip: watch.timed_iterator("decode", frames(clip))
    extractor.describer = timed_describer
    extractor.detector.detect = watch.timed("detect", extractor.detector.detect)
    Tracker.update = watch.timed("track", update)
    try:
        with watch.stage("whole"):
            features = extractor.features_of(Clip(clip_id="bench", clip_path=str(path)))
    finally:
        Tracker.update = update
    return dict(watch.seconds), len(features.values)


def report_speed(path: Path, repeats: int) -> None:
    import cv2
    import torch

    from msadg.extraction.media.timeline import RATE

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    seconds_by_stage(path)  # Loads the weights and what is imported late.
    runs = [seconds_by_stage(path) for _ in range(repeats)]
    seconds, steps = min(runs, key=lambda run: run[0]["whole"])
    whole = seconds.pop("whole")
    print(f"Video features (hog), {steps} frames of {path.name}, one core, fastest of {repeats}")
    print(f"  {steps / RATE / whole:.1f} x real time, {steps / whole:.0f} frames/s")
    for stage, taken in [*seconds.items(), ("rest", whole - sum(seconds.values()))]:
        print(f"  {stage:<9} {1e3 * taken / steps:6.2f} ms a frame, {taken / whole:4.0%}")


def seconds_of(path: Path, batch_frames: int) -> float:
    """Wall time of the whole way, with so many frames worked on together."""
    from msadg.extraction.video.hog import Hog
    from msadg.types import Clip

    extractor = Hog(Hog.Config(batch_frames=batch_frames))
    extractor.detector.nets  # noqa: B018  read before the clock starts
    start = time.perf_counter()
    extractor.features_of(Clip(clip_id="bench", clip_path=str(path)))
    return time.perf_counter() - start


def report_batches(path: Path, repeats: int) -> None:
    pairs = [(seconds_of(path, 32), seconds_of(path, 1)) for _ in range(repeats)]
    together, singly = (min(column) for column in zip(*pairs, strict=True))
    print(f"  32 frames together, from file to features: {singly / together:.1f} x frame by frame (bound: 2.0)")


def write_hour(path: Path, num_frames: int) -> None:
    """An hour at 5 frames a second; a second's pictures are made once and repeated."""
    import av

    from tests.media import picture

    pictures = [av.VideoFrame.from_ndarray(picture(step, width=320, height=240), format="rgb24") for step in range(35)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=5, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for step in range(num_frames):
            frame = pictures[step % len(pictures)]
            frame.pts, frame.time_base = step, Fraction(1, 5)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def report_hour(folder: Path, num_frames: int) -> None:
    path = folder / "hour.mp4"
    write_hour(path, num_frames)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    command = [sys.executable, "-c", EXTRACTION, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    met = json.loads(done.stdout)
    print(f"A video of {met['steps'] / 5 / 60:.0f} min: {met['steps']:,} frames, {met['valid']:,} with a face")
    speed = met["steps"] / 5 / met["seconds"]
    print(f"  peak memory {met['peak'] / 1e9:.2f} GB (limit {LIMIT_GB}), {speed:.1f} x real time")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, help="a video with faces")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--hour", action="store_true", help="measure the memory of an hour's video as well")
    parser.add_argument("--hour-frames", type=int, default=18_000)
    asked = parser.parse_args(arguments)

    with tempfile.TemporaryDirectory() as folder:
        path = asked.file
        if path is None:
            from tests.media import write_clip

            path = write_clip(Path(folder) / "made.mp4", seconds=20, width=640, height=360)
        report_speed(path, asked.repeats)
        report_batches(path, asked.repeats)
        if asked.hour:
            report_hour(Path(folder), asked.hour_frames)


if __name__ == "__main__":
    main()
