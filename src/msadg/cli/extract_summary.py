"""What `msadg extract` prints of a store: its clips by split and class, and what was lost."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from msadg.store.reader import Store
    from msadg.types import Clip

SHOWN_LOSSES = 3


@dataclass(kw_only=True)
class Tally:
    """What a store has of some clips."""

    clips: int = 0
    lost: int = 0
    steps: int = 0
    valid_steps: int = 0
    """Steps with an observation."""
    seconds: float = 0.0
    """From the first step of each stored clip to the end of its last; where steps have no times, the clip's own."""

    def add(self, other: Tally) -> None:
        """Count the clips of another tally too."""
        self.clips += other.clips
        self.lost += other.lost
        self.steps += other.steps
        self.valid_steps += other.valid_steps
        self.seconds += other.seconds

    def row(self) -> list[str]:
        """The cells of a table."""
        share = f"{100 * self.valid_steps / self.steps:.1f} %" if self.steps else "-"
        minutes = self.seconds / 60
        told = "-" if not minutes else f"{minutes:.2f}" if minutes < 10 else f"{minutes:,.1f}"
        return [f"{self.clips:,}", f"{self.clips - self.lost:,}", f"{self.lost:,}", share, told]


def tally_by_group(store: Store, clips: Sequence[Clip]) -> dict[tuple[str, str], Tally]:
    """Count clips by split and class ("" for what a clip does not have), in the order of the splits and classes."""
    from msadg.types import SENTIMENTS, SPLITS, Utterance

    invalid = store.invalid_ranges()
    tallies = {(split, name): Tally() for split in (*SPLITS, "") for name in (*SENTIMENTS, "")}
    for clip in clips:
        group = (clip.split, SENTIMENTS[clip.sentiment]) if isinstance(clip, Utterance) else ("", "")
        tallies[group].add(_tally_of(store, clip, sum(stop - start for start, stop in invalid.get(clip.clip_id, ()))))
    return {group: tally for group, tally in tallies.items() if tally.clips}


def _tally_of(store: Store, clip: Clip, num_invalid: int) -> Tally:
    if clip.clip_id not in store:
        return Tally(clips=1, lost=1)
    steps = store.row(clip.clip_id).steps
    return Tally(clips=1, steps=steps, valid_steps=steps - num_invalid, seconds=_seconds_of(store, clip))


def _seconds_of(store: Store, clip: Clip) -> float:
    import numpy as np

    from msadg.types import TIME_MARKS

    names = store.manifest.marks
    marks = store.marks(clip.clip_id)
    if marks is not None and set(TIME_MARKS) <= set(names):
        times = marks[:, [names.index(name) for name in TIME_MARKS]]
        known = times[~np.isnan(times).any(axis=1)]
        if len(known):
            return float(known[:, 1].max() - known[:, 0].min())
    if clip.start_seconds is None or clip.end_seconds is None:
        return 0.0
    return clip.end_seconds - clip.start_seconds


def print_summary(domain: str, store: Store, clips: Sequence[Clip]) -> None:
    """Print the table of a store, and the line that says where it is."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{domain}, {store.manifest.extractor}", title_justify="left")
    for column in ("split", "class"):
        table.add_column(column)
    for column in ("clips", "stored", "lost", "valid steps", "minutes"):
        table.add_column(column, justify="right")
    total = Tally()
    for (split, name), tally in tally_by_group(store, clips).items():
        table.add_row(split or "-", name or "-", *tally.row())
        total.add(tally)
    table.add_section()
    table.add_row("all", "", *total.row())
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    print(
        f"{store.path}: {total.clips - total.lost:,} of {total.clips:,} clips stored, {total.lost:,} lost; "
        f"{store.manifest.steps or 0:,} steps of {store.dim} {store.dtype} in all"
    )


def print_losses(store: Store, clips: Sequence[Clip]) -> int:
    """Say on standard error what was lost, by stage; return how many of the clips."""
    lost = [clip.clip_id for clip in clips if clip.clip_id in store.losses]
    if lost:
        stages = Counter(store.losses[clip_id].stage for clip_id in lost)
        by_stage = ", ".join(f"{stage} {number:,}" for stage, number in stages.most_common())
        print(f"  lost by stage: {by_stage}", file=sys.stderr)
        for clip_id in lost[:SHOWN_LOSSES]:
            loss = store.losses[clip_id]
            print(f"  lost {clip_id} ({loss.stage}): {loss.reason}", file=sys.stderr)
        print(f"  {len(lost):,} lost in all; each has a line in {store.path / 'losses.csv'}", file=sys.stderr)
    return len(lost)
