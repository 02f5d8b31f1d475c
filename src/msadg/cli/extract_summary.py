"""What `msadg extract` prints of a store: its clips by split and class, and what was lost."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
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
        told = duration(self.seconds) if self.seconds else "-"
        return [f"{self.clips:,}", f"{self.clips - self.lost:,}", f"{self.lost:,}", share, told]


def duration(seconds: int | float) -> str:
    """Return a length of time as one says it.

    Example:
        >>> duration(1.24), duration(199.8), duration(7560)
        ('1.2 s', '3 min 20 s', '2.1 h')
    """
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{seconds / 3600:,.1f} h"


def tally_by_group(store: Store, clips: Sequence[Clip]) -> dict[tuple[str, str], Tally]:
    """Count clips by split and class ("" for what a clip does not have), in the order of the splits and classes."""
    from msadg.types import SPLITS, Utterance

    invalid = store.invalid_ranges()
    label_sets = dict.fromkeys(clip.label_set for clip in clips if isinstance(clip, Utterance))
    names = [name for label_set in label_sets for name in label_set.classes]
    tallies = {(split, name): Tally() for split in (*SPLITS, "") for name in (*names, "")}
    for clip in clips:
        group = (clip.split, clip.class_name) if isinstance(clip, Utterance) else ("", "")
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


def print_summary(domain: str, store: Store, clips: Sequence[Clip], *, is_new: bool = True) -> None:
    """Print the table of a store where anything in it is new, and the line that says where it is."""
    groups = tally_by_group(store, clips)
    total = Tally()
    for tally in groups.values():
        total.add(tally)
    if is_new:
        _print_table(domain, store, groups, total)
    others = len(store) + len(store.losses) - sum(store.input_sha256(clip.clip_id) is not None for clip in clips)
    more = f"; the store knows {others:,} more that {'is' if others == 1 else 'are'} not among these" if others else ""
    print(
        f"{store.path}: {total.clips - total.lost:,} of {total.clips:,} clips stored, {total.lost:,} lost; "
        f"{total.steps:,} steps of {store.dim} {store.dtype} in all{more}"
    )


def _print_table(domain: str, store: Store, groups: Mapping[tuple[str, str], Tally], total: Tally) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{domain}, {store.manifest.extractor}", title_justify="left")
    for column in ("split", "class"):
        table.add_column(column)
    for column in ("clips", "stored", "lost", "valid steps", "duration"):
        table.add_column(column, justify="right")
    for (split, name), tally in groups.items():
        table.add_row(split or "-", name or "-", *tally.row())
    table.add_section()
    table.add_row("all", "", *total.row())
    Console(width=None if sys.stdout.isatty() else 120).print(table)


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
