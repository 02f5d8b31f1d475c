"""Decoding: frames at 5 a second by `sampled_frames`, against a bare PyAV loop that does the same, the floor."""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from msadg.extraction.media.decode import MAX_SIDE, sampled_frames

SECONDS, FPS, RATE = 20, 25, 5
REPEATS = 5


def write_moving(path: Path, *, width: int = 1280, height: int = 720) -> None:
    """Write 20 s of a textured picture that drifts, 720p: some work for a decoder, as a real one is."""
    import av

    chance = np.random.default_rng(0)
    coarse = chance.integers(0, 256, (height // 16 + 8, width // 16 + 40, 3), np.uint8)
    scene = coarse.repeat(16, axis=0).repeat(16, axis=1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.options = {"preset": "veryfast"}
        for number in range(SECONDS * FPS):
            window = scene[number % 97 : number % 97 + height, number : number + width].copy()
            window[::3, ::5] ^= chance.integers(0, 16, window[::3, ::5].shape, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(window)))
        container.mux(stream.encode(None))


def by_msadg(path: Path) -> float:
    """Sum of all pixels of the sampled frames."""
    return sum(float(frame.image.sum()) for frame in sampled_frames(path, rate=RATE))


def by_bare_decoder(path: Path) -> float:
    """The same, by the shortest loop that decodes all frames on one thread and converts every fifth."""
    import av

    total = 0.0
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for number, frame in enumerate(container.decode(stream)):
            if number % (FPS // RATE) == 0:
                height = round(MAX_SIDE * frame.height / frame.width)
                image = frame.to_ndarray(width=MAX_SIDE, height=height, format="rgb24", threads=1)
                total += float(image.sum())
    return total


def seconds_of(action: Callable[[Path], float], path: Path) -> float:
    """Wall time of one run."""
    started = time.perf_counter()
    action(path)
    return time.perf_counter() - started


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        write_moving(path)
        assert by_msadg(path) == by_bare_decoder(path), "the two do not do the same"
        pairs = [(seconds_of(by_msadg, path), seconds_of(by_bare_decoder, path)) for _ in range(REPEATS)]
    taken, floor = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"Decoding: {SECONDS} s of 720p, {RATE} frames a second, one thread")
    print(f"  sampled_frames  {taken:.2f} s, {SECONDS / taken:.0f} x real time")
    print(f"  bare decoder    {floor:.2f} s; ratio {taken / floor:.2f} (bound: 1.30)")


if __name__ == "__main__":
    main()
