"""Fill a feature store with what an extractor makes of some clips, going on where an earlier run stopped."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

from msadg.errors import MsadgError, MsadgWarning, StoreError
from msadg.extraction.clipwise import ClipExtractor
from msadg.extraction.engines.engine import Engine
from msadg.extraction.engines.local import ThisProcess
from msadg.extraction.extractor import Extractor
from msadg.store.hashes import hashes_kept
from msadg.store.in_turn import keep, store_in_turn
from msadg.store.losses import write_losses
from msadg.store.manifest import FILE_NAME as MANIFEST
from msadg.store.manifest import Manifest, check_same_extractor
from msadg.store.reader import Store
from msadg.store.writer import StoreWriter, hash_input
from msadg.types import Clip


def fill_store(
    path: Path,
    clips: Sequence[Clip],
    extractor: Extractor,
    *,
    progress: Callable[[int, int], None] | None = None,
    chunk: int = 64,
    overwrite: bool = False,
    retry_lost: bool = False,
    engine: Engine | None = None,
) -> Store:
    """Return the store in ``path`` once it has all of ``clips``; only what is missing is extracted.

    An interrupted fill that is run again ends with the same bytes as one that was not, and so does one with more
    workers: clips are stored in the order given. Those without features are listed in ``losses.csv``. A stored clip
    whose file is not there any more stays: features are kept longer than videos, and taken to other machines.

    Args:
        path: folder of the store; made if there is none.
        clips: what to extract, each clip id once.
        extractor: turns clips into features. A clip whose values are NaN, inf or too large for the store is written
            down as lost.
        progress: called with clips done and clips in all, at the start and after each clip (or chunk).
        chunk: for an extractor that takes many clips at once: how many, and at most lost by a crash.
        overwrite: extract a clip anew whose input changed, instead of stopping.
        retry_lost: try again the clips that an earlier run lost.
        engine: who works on the clips of a ClipExtractor; None is this process. A crash loses at most the clips that
            its workers had in hand. One that is batched uses it for what it does clip by clip, unless it has its own.

    Raises:
        StoreError: see StoreWriter; a clip id that comes twice; an input that changed, without ``overwrite``.
        FeatureError: the extractor's features or marks are not as wide as it says.

    Warns:
        MsadgWarning: counts the stored clips whose files are not there.
    """
    manifest = Manifest.of(extractor)
    before = _store_before(path, manifest)  # First: to hash the files of a corpus takes minutes.
    inputs = _inputs_of(path, clips, extractor, before)
    count = _Count(len(inputs), progress or (lambda _done, _total: None))
    # Without taking its lock: many processes may ask at once.
    if before is not None and not retry_lost and _has_all(before, inputs):
        count.add(len(inputs))
        return before
    with (
        StoreWriter(path, manifest, overwrite=overwrite, sync_seconds=math.inf) as writer,
        _losses_written(writer, clips),  # Before the store is complete: a complete one is not looked at again.
    ):
        _refuse_changed(writer, inputs)
        done = {clip_id for clip_id, sha256 in inputs.items() if writer.finished(clip_id, sha256)}
        if retry_lost:
            done = {clip_id for clip_id in done if not writer.is_lost(clip_id)}
        count.add(len(done))
        if isinstance(extractor, ClipExtractor) and not extractor.is_batched:
            store_in_turn(
                writer,
                [clip for clip in clips if clip.clip_id not in done],
                extractor,
                engine or ThisProcess(),
                inputs,
                with_losses=not retry_lost,
                finished=count.add,
            )
        else:
            if isinstance(extractor, ClipExtractor) and extractor.engine is None:
                extractor.engine = engine
            _store_chunks(writer, clips, extractor, inputs, done, chunk, count)
    return Store(path)


class _Count:
    """How many clips are done, told to whoever wants to know."""

    def __init__(self, total: int, progress: Callable[[int, int], None]) -> None:
        self._done, self._total, self._progress = 0, total, progress
        self._is_told = False

    def add(self, number: int) -> None:
        if number or not self._is_told:
            self._done, self._is_told = self._done + number, True
            self._progress(self._done, self._total)


def _store_before(path: Path, manifest: Manifest) -> Store | None:
    """Return what is in the folder already, if it is of the same extractor."""
    if not (path / MANIFEST).exists():
        return None
    store = Store(path)
    check_same_extractor(path, store.manifest, manifest)
    return store


def _inputs_of(path: Path, clips: Sequence[Clip], extractor: Extractor, before: Store | None) -> dict[str, str]:
    """Return the hash of each clip's input; of a stored clip whose file is not there, the one that it had."""
    if len({clip.clip_id for clip in clips}) < len(clips):
        twice = next(a for a, b in pairwise(sorted(clip.clip_id for clip in clips)) if a == b)
        raise StoreError(f"{path}: {twice!r} comes more than once; a clip id stands for one clip")
    if not isinstance(extractor, ClipExtractor):
        return {clip.clip_id: hash_input(extractor.input_of(clip)) for clip in clips}
    inputs, kept = {}, []
    with hashes_kept(path, clips):
        for clip in clips:
            content = extractor.input_of(clip)
            if not content and before is not None and clip.clip_id in before:
                kept.append(clip.clip_id)
                inputs[clip.clip_id] = before.row(clip.clip_id).input_sha256
            else:
                inputs[clip.clip_id] = hash_input(content)
    if kept:
        message = f"{path}: the files of {len(kept):,} stored clips are not there (first: {kept[0]}); the features stay"
        warnings.warn(MsadgWarning(message), stacklevel=3)
    return inputs


def _refuse_changed(writer: StoreWriter, inputs: Mapping[str, str]) -> None:
    changed = [] if writer.overwrite else [c for c, sha256 in inputs.items() if writer.is_changed(c, sha256)]
    if changed:
        those = "1 clip" if len(changed) == 1 else f"{len(changed):,} clips"
        raise StoreError(
            f"{writer.path}: {those} changed, transcript or file (first: {changed[0]} was stored from another input "
            f"than now); `msadg extract --overwrite` extracts what changed anew, or choose another folder of stores"
        )


def _has_all(store: Store, inputs: Mapping[str, str]) -> bool:
    return store.is_complete and all(store.input_sha256(clip_id) == sha256 for clip_id, sha256 in inputs.items())


@contextmanager
def _losses_written(writer: StoreWriter, clips: Sequence[Clip]) -> Iterator[None]:
    """Write the table of losses when the block is left, also when it was interrupted."""
    try:
        yield
    except BaseException:
        with suppress(MsadgError, OSError):  # The first error is the one to tell.
            writer.sync()
            write_losses(writer.path, clips, Store(writer.path))
        raise
    writer.sync()
    write_losses(writer.path, clips, Store(writer.path))


def _store_chunks(
    writer: StoreWriter,
    clips: Sequence[Clip],
    extractor: Extractor,
    inputs: Mapping[str, str],
    done: set[str],
    chunk: int,
    count: _Count,
) -> None:
    # The chunks are those of an uninterrupted run: an encoder's last bits depend on what it is batched with.
    for start in range(0, len(clips), chunk):
        todo = [clip for clip in clips[start : start + chunk] if clip.clip_id not in done]
        if not todo:
            continue
        for clip, outcome in zip(todo, extractor.extract(todo), strict=True):
            keep(writer, clip.clip_id, outcome, inputs[clip.clip_id])
        writer.sync()
        count.add(len(todo))
