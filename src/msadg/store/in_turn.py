"""Store clips in the order given, whatever the order they are finished in: bytes must not depend on the workers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing

from msadg.errors import StoreError
from msadg.extraction.clipwise import ClipExtractor
from msadg.extraction.engines.engine import Engine
from msadg.extraction.extractor import Loss
from msadg.store.spool import Spool
from msadg.store.values import UnusableValuesError
from msadg.store.writer import StoreWriter
from msadg.types import Clip, Features


def store_in_turn(
    writer: StoreWriter,
    clips: Sequence[Clip],
    extractor: ClipExtractor,
    engine: Engine,
    inputs: Mapping[str, str],
    *,
    with_losses: bool,
    finished: Callable[[int], None],
) -> None:
    """Extract and store some clips, each on the disk as soon as it is finished: in the store, or waiting beside it.

    Args:
        writer: of the store.
        clips: those that the store has not.
        extractor: what makes their features.
        engine: who works on them.
        inputs: clip id -> hash of its input.
        with_losses: whether a clip that was lost, and waits for its turn since an earlier run, stays lost.
        finished: called with a number of clips when they are finished.

    Raises:
        FeatureError: the extractor's features or marks are not as wide as it says.
        StoreError: the disk is full.
    """
    spool = Spool(
        writer.path, writer.manifest, {clip.clip_id: inputs[clip.clip_id] for clip in clips}, with_losses=with_losses
    )
    turns = [clip.clip_id for clip in clips]
    missing = [clip.clip_id for clip in clips if clip.clip_id not in spool]
    by_id = {clip.clip_id: clip for clip in clips}
    finished(len(spool))
    next_turn = _store_waiting(writer, spool, turns, 0, inputs)
    if missing:
        with closing(engine.run(extractor, [by_id[clip_id] for clip_id in missing])) as outcomes:
            for at, outcome in outcomes:
                if missing[at] == turns[next_turn]:
                    _store_one(writer, missing[at], outcome, inputs)
                    next_turn = _store_waiting(writer, spool, turns, next_turn + 1, inputs)
                else:
                    spool.put(missing[at], outcome)
                finished(1)
    spool.close()


def keep(writer: StoreWriter, clip_id: str, outcome: Features | Loss, input_sha256: str) -> None:
    """Add the features of a clip, or write down why it has none that can be used."""
    if isinstance(outcome, Loss):
        writer.lose(clip_id, outcome.stage, outcome.reason, input_sha256=input_sha256)
        return
    try:
        writer.add(clip_id, outcome, input_sha256=input_sha256)
    except UnusableValuesError as error:
        writer.lose(clip_id, "values", error.what, input_sha256=input_sha256)


def _store_one(writer: StoreWriter, clip_id: str, outcome: Features | Loss, inputs: Mapping[str, str]) -> None:
    keep(writer, clip_id, outcome, inputs[clip_id])
    writer.sync()


def _store_waiting(
    writer: StoreWriter, spool: Spool, turns: Sequence[str], next_turn: int, inputs: Mapping[str, str]
) -> int:
    """Store the clips whose turn has come, and return the turn after them."""
    while next_turn < len(turns) and turns[next_turn] in spool:
        clip_id = turns[next_turn]
        outcome = spool.get(clip_id)
        if outcome is None:
            spool.drop(clip_id)
            raise StoreError(f"{writer.path}: {clip_id} was damaged while it waited for its turn; run the same again")
        _store_one(writer, clip_id, outcome, inputs)
        spool.drop(clip_id)  # Not before it is in the store.
        next_turn += 1
    return next_turn
