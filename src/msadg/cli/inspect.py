"""`msadg inspect`: what is in a feature store, and a contact sheet of one of its clips.

msadg inspect stores                                  the stores of every domain
msadg inspect stores/mosi/video-hog                   one store in figures
msadg inspect stores/mosi/video-hog 03bSnISJMiM[1]    frames, faces, sound and transcript of a clip, as a PNG
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msadg.errors import UsageError

if TYPE_CHECKING:
    from msadg.report.store_summary import SplitSummary, StoreSummary
    from msadg.store.reader import Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("store", type=Path, metavar="STORE", help="a store, a domain's folder of stores, or all stores")
    parser.add_argument("clip", nargs="?", metavar="CLIP", help="a clip's id, or a part that no other has: draw it")
    parser.add_argument("-o", "--output", type=Path, metavar="PNG", help="where to draw (default: named as the clip)")
    parser.add_argument("--clip", dest="file", type=Path, metavar="FILE", help="the clip's video or sound, if it moved")
    parser.add_argument("--frames", type=int, default=24, metavar="N", help="most frames to draw (%(default)s)")
    parser.add_argument("--run", dest="run_folder", type=Path, metavar="RUN", help="mark the frames that a run kept")
    parser.add_argument("--json", action="store_true", help="print figures as JSON instead of a table")


def run(arguments: argparse.Namespace) -> int:
    """Print what is in the stores, or draw a clip."""
    from msadg.report.store_summary import is_store, stores_below, summarise_store

    if arguments.clip is not None:
        return _draw(arguments)
    for option in ("output", "file", "run_folder"):
        if getattr(arguments, option) is not None:
            raise UsageError(f"{arguments.store} was given without a clip: name one to draw it, or leave options out")
    if is_store(arguments.store):
        summary = summarise_store(arguments.store)
        print(json.dumps(summary.to_dict(), indent=1) if arguments.json else "\n".join(_figures(summary)))
        return 0
    summaries = [summarise_store(path) for path in stores_below(arguments.store)]
    if arguments.json:
        print(json.dumps([summary.to_dict() for summary in summaries], indent=1))
    else:
        print("\n".join(_overview(summaries)))
    return 0


def _draw(arguments: argparse.Namespace) -> int:
    from msadg.report.contact_sheet import write_contact_sheet
    from msadg.report.inspected_clip import find_clip_id, inspect_clip

    if arguments.json:
        raise UsageError("--json is for figures; a clip is drawn")
    store = _store_with_clips(arguments.store)
    clip_id = find_clip_id(store, arguments.clip)
    kept = None
    if arguments.run_folder is not None:
        from msadg.analysis.kept_frames import kept_frames

        kept = kept_frames(arguments.run_folder, store, clip_id)
    shown = inspect_clip(store, clip_id, file=arguments.file, frames=arguments.frames, kept=kept)
    path = arguments.output or Path(re.sub(r"[^\w.\[\]-]", "_", clip_id) + ".png")
    if path.suffix.lower() != ".png":
        raise UsageError(f"{path} is no PNG; end its name with .png")
    write_contact_sheet(shown, path)
    for note in shown.notes:
        print(f"note: {note}", file=sys.stderr)
    print(path)
    return 0


def _store_with_clips(folder: Path) -> Store:
    """Open a store, or the one of a domain's folder that has pictures.

    Raises:
        UsageError: the folder has several to choose from.
    """
    from msadg.report.store_summary import is_store, stores_below
    from msadg.store import Store

    if is_store(folder):
        return Store(folder)
    stores = [Store(path) for path in stores_below(folder)]
    seen = [store for store in stores if store.manifest.modality == "video"] or stores
    if len(seen) > 1:
        raise UsageError(f"{folder} has {', '.join(str(store.path) for store in seen)}; name the one to draw from")
    return seen[0]


def _figures(summary: StoreSummary) -> Iterator[str]:
    state = "complete" if summary.is_complete else "NOT complete: being written, or stopped; `msadg extract` goes on"
    yield f"{summary.path}: {state}"
    made_by = f"{summary.extractor}, version {summary.version}"
    yield f"{summary.modality} features of {made_by}; settings digest {summary.digest[:12]}"
    yield f"{summary.dim} features a step, {summary.dtype}; marks: {', '.join(summary.marks) or 'none'}"
    if summary.settings:
        yield "settings"
    for key, value in sorted(summary.settings.items()):
        text = json.dumps(value, ensure_ascii=False)
        yield f"  {key} = {text if len(text) <= 90 else text[:87] + '...'}"
    yield ""
    rows = [_split_row(split, part) for split, part in (*summary.by_split.items(), ("all", summary.total))]
    yield from _table(("split", "clips", "lost", "steps", "valid"), rows)
    yield ""
    if summary.steps_per_clip:
        quantiles = ", ".join(f"{name} {value:,.0f}" for name, value in summary.steps_per_clip.items())
        yield f"steps per clip: {quantiles}"
    if summary.lowest is not None:
        finite = "all finite" if not summary.non_finite else f"{summary.non_finite:,} ARE NaN OR INF"
        yield f"values: {summary.lowest:g} to {summary.highest:g}, {finite}"
    for stage, number in summary.lost_by_stage.items():
        yield f"lost at {stage!r}: {number:,}, first {summary.first_lost[stage]}"


def _split_row(split: str, part: SplitSummary) -> tuple[str, ...]:
    share = f"{part.valid_steps / part.steps:.1%}" if part.steps else "-"
    return split, f"{part.clips:,}", f"{part.lost:,}", f"{part.steps:,}", share


def _overview(summaries: Sequence[StoreSummary]) -> Iterator[str]:
    rows = []
    for summary in summaries:
        total = summary.total
        name = "/".join(Path(summary.path).parts[-2:])
        _, clips, lost, steps, share = _split_row("all", total)
        width = f"{summary.dim} {summary.dtype}"
        rows.append((name, width, clips, lost, steps, share, "" if summary.is_complete else "not complete"))
    yield from _table(("store", "width", "clips", "lost", "steps", "valid", ""), rows)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    for row in (header, *rows):
        cells = [
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()
