"""Fill a feature store with what an extractor makes of some utterances, going on where an earlier run stopped."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from msadg.errors import StoreError
from msadg.extraction.extractor import Extractor, Loss
from msadg.store.manifest import FILE_NAME as MANIFEST
from msadg.store.manifest import Manifest, check_same_extractor
from msadg.store.reader import Store
from msadg.store.values import UnusableValuesError
from msadg.store.writer import StoreWriter, hash_input
from msadg.types import Features, Utterance


def fill_store(
    path: Path,
    utterances: Sequence[Utterance],
    extractor: Extractor,
    *,
    progress: Callable[[int, int], None] | None = None,
    chunk: int = 64,
    overwrite: bool = False,
    retry_lost: bool = False,
) -> Store:
    """Return the store in ``path`` once it has all of ``utterances``; only what is missing is extracted.

    An interrupted fill that is run again ends with the same bytes as one that was not: clips are stored in the order
    given, and whole chunks at a time.

    Args:
        path: folder of the store; made if there is none.
        utterances: what to extract, each clip id once.
        extractor: turns a chunk of utterances into features. A clip whose values are NaN, inf or too large for the
            store is written down as lost.
        progress: called with clips done and clips in all, at the start and after each chunk.
        chunk: clips extracted at once, and at most lost by a crash; small for a slow extractor.
        overwrite: extract a clip anew whose input changed, instead of stopping.
        retry_lost: try again the clips that an earlier run lost.

    Raises:
        StoreError: see StoreWriter; a clip id that comes twice; an input that changed, without ``overwrite``.
        FeatureError: the extractor's features are not as wide as it says.
    """
    inputs = {utterance.clip_id: hash_input(extractor.input_of(utterance)) for utterance in utterances}
    if len(inputs) < len(utterances):
        clip_ids = sorted(utterance.clip_id for utterance in utterances)
        twice = next(a for a, b in pairwise(clip_ids) if a == b)
        raise StoreError(f"{path}: {twice!r} comes more than once; a clip id stands for one clip")
    tell = progress or (lambda _done, _total: None)
    store = None if retry_lost else _filled(path, inputs, Manifest.of(extractor))
    if store is not None:
        tell(len(inputs), len(inputs))
        return store
    with StoreWriter(path, Manifest.of(extractor), overwrite=overwrite, sync_seconds=math.inf) as writer:
        done = {clip_id for clip_id, sha256 in inputs.items() if writer.finished(clip_id, sha256)}
        if retry_lost:
            done = {clip_id for clip_id in done if not writer.is_lost(clip_id)}
        num_done = len(done)
        tell(num_done, len(inputs))
        # The chunks are those of an uninterrupted run: an encoder's last bits depend on what it is batched with.
        for start in range(0, len(utterances), chunk):
            todo = [u for u in utterances[start : start + chunk] if u.clip_id not in done]
            if not todo:
                continue
            for utterance, features in zip(todo, extractor.extract(todo), strict=True):
                _keep(writer, utterance.clip_id, features, inputs[utterance.clip_id])
            writer.sync()
            num_done += len(todo)
            tell(num_done, len(inputs))
    return Store(path)


def _filled(path: Path, inputs: Mapping[str, str], manifest: Manifest) -> Store | None:
    """Return the store if nothing is missing, without taking its lock: many processes may ask at once."""
    if not (path / MANIFEST).exists():
        return None
    store = Store(path)
    check_same_extractor(path, store.manifest, manifest)
    has_all = all(store.input_sha256(clip_id) == sha256 for clip_id, sha256 in inputs.items())
    return store if store.is_complete and has_all else None


def _keep(writer: StoreWriter, clip_id: str, features: Features | Loss, sha256: str) -> None:
    if isinstance(features, Loss):
        writer.lose(clip_id, features.stage, features.reason, input_sha256=sha256)
        return
    try:
        writer.add(clip_id, features, input_sha256=sha256)
    except UnusableValuesError as error:
        writer.lose(clip_id, "values", error.what, input_sha256=sha256)
