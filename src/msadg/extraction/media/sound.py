"""The sound of a file as one channel of samples.

Sound has the time axis of the pictures: where it begins later than the file, or pauses, there is silence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from msadg.errors import MediaError
from msadg.extraction.media.containers import bounds, sound_stream
from msadg.extraction.media.reel import Piece, Reel, beyond, reel

if TYPE_CHECKING:
    from av.container import InputContainer

SAMPLE_RATE_HZ = 16_000

RUN_UP_SECONDS = 1.0
"""Decoded before the start and thrown away: a block of sound leans on those before it."""

RUN_OUT_SECONDS = 0.1
"""Decoded after the end and thrown away: so does the filter that resamples."""

GAP_SECONDS = 0.03
"""A block that begins so much later or earlier than the last one ended follows a gap; less is rounding."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Samples of one channel."""

    samples: Float[np.ndarray, " sample"]
    """float32, as shares of full scale: in [-1, 1], but for a little that a loud recording may overshoot."""
    sample_rate_hz: int
    start_seconds: float
    """Time of the first sample, from the beginning of the file."""

    @property
    def end_seconds(self) -> float:
        """Time at which the last sample ends."""
        return self.start_seconds + len(self.samples) / self.sample_rate_hz


def read_sound(
    path: str | Path,
    *,
    start_seconds: int | float | None = None,
    end_seconds: int | float | None = None,
    sample_rate_hz: int = SAMPLE_RATE_HZ,
) -> Sound:
    """Return the sound of a file between two times, the mean of its channels.

    Args:
        path: the file.
        start_seconds: from here; None or a negative number from the beginning.
        end_seconds: up to here, or to the end of the sound where that comes first.
        sample_rate_hz: of the result.

    Raises:
        MediaError: stage ``open`` (missing, empty, neither video nor sound), ``sound`` (there is none in it),
            ``time`` (the times lie outside the file), ``decode`` (damaged or cut).
    """
    start, end = bounds(path, start_seconds, end_seconds)
    tape = _Tape(start, end, sample_rate_hz)
    with reel(path, lambda container: _pick(path, container), max(start - RUN_UP_SECONDS, 0.0), start) as blocks:
        _record(blocks, tape)
    if tape.length == 0:
        raise MediaError("time", beyond(path, start, tape.heard_until))
    return Sound(tape.samples, sample_rate_hz, start)


def _pick(path: str | Path, container: InputContainer) -> Any:
    stream = sound_stream(container)
    if stream is None:
        raise MediaError("sound", f"{path}: has no sound")
    if stream.codec_context is None:
        raise MediaError("open", f"{path}: there is no decoder for its sound")
    return stream


def _record(blocks: Reel, tape: _Tape) -> None:
    """Put a stream on tape.

    Raises:
        MediaError: stage ``decode``: blocks within the range are damaged, or the stream breaks off before its end.
    """
    num_blocks = num_damaged = 0
    run: _Run | None = None
    for block in blocks.pieces:
        if block.seconds >= tape.end + RUN_OUT_SECONDS:
            break
        if block.end > tape.start and block.seconds < tape.end:
            num_blocks += 1
            num_damaged += block.damaged
        if block.frame is None:
            continue
        if run is None or not run.continues(block):
            if run is not None:
                run.finish()
            run = _Run(block, tape)
        run.add(block)
    else:
        if num_damaged == 0:
            blocks.check_not_cut(run.end if run is not None else 0.0)
    if run is not None:
        run.finish()
    if num_damaged:
        raise MediaError(
            "decode", f"{blocks.path}: {num_damaged} of {num_blocks} blocks of sound are damaged in what was asked for"
        )


class _Tape:
    """Silence, and what was put on it; grows as it must."""

    def __init__(self, start: float, end: float, sample_rate_hz: int) -> None:
        self.start, self.end, self.sample_rate_hz = start, end, sample_rate_hz
        self.limit = None if math.isinf(end) else round((end - start) * sample_rate_hz)
        self.length = 0
        self.heard_until = 0.0
        self._samples = np.zeros(0, np.float32)

    @property
    def samples(self) -> Float[np.ndarray, " sample"]:
        """From ``start`` to the last that was put."""
        return self._samples[: self.length]

    def put(self, samples: Float[np.ndarray, " sample"], position: int) -> None:
        """Lay samples down from a position on, as far as they lie within the range."""
        stop = position + len(samples) if self.limit is None else min(position + len(samples), self.limit)
        first = max(position, 0)
        if stop <= first:
            return
        if stop > len(self._samples):
            grown = np.zeros(max(stop, len(self._samples) * 3 // 2), np.float32)
            grown[: self.length] = self.samples
            self._samples = grown
        self._samples[first:stop] = samples[first - position : stop - position]
        self.length = max(self.length, stop)


class _Run:
    """Blocks without a gap between them, which are resampled as one."""

    def __init__(self, first: Piece, tape: _Tape) -> None:
        from av import AudioResampler

        self.tape = tape
        self.kind = _kind(first.frame)
        self.end = first.seconds
        self.position = round((first.seconds - tape.start) * tape.sample_rate_hz)
        # Packed: PyAV 18 crashes on a frame with eight planes or more.
        self.resampler = AudioResampler(format="flt", layout=first.frame.layout, rate=tape.sample_rate_hz)

    def continues(self, block: Piece) -> bool:
        """Whether a block begins where the last one ended, and is of its kind."""
        return abs(block.seconds - self.end) <= GAP_SECONDS and _kind(block.frame) == self.kind

    def add(self, block: Piece) -> None:
        """Resample a block; its time is that of the samples before it."""
        self.end += block.lasts
        self._put(block.frame)

    def finish(self) -> None:
        """Lay down what the resampler still holds."""
        self._put(None)
        self.tape.heard_until = self.end

    def _put(self, frame: Any) -> None:
        for resampled in self.resampler.resample(frame):
            samples = resampled.to_ndarray().reshape(resampled.samples, -1).mean(axis=1, dtype=np.float32)
            self.tape.put(samples, self.position)
            self.position += len(samples)


def _kind(frame: Any) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate
