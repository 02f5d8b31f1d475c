"""Transcripts that are missing, for `msadg extract`: recognised where it is asked for, and never silently."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msadg.cli.extract_failures import Failures
from msadg.cli.extract_summary import SHOWN_LOSSES
from msadg.cli.options import told_progress

if TYPE_CHECKING:
    from msadg.corpora.targets import Target
    from msadg.extraction.transcripts.journal import TranscriptFile
    from msadg.types import Clip


def with_transcripts(target: Target, arguments: argparse.Namespace, failures: Failures) -> tuple[Sequence[Clip], int]:
    """Return the clips with recognised transcripts where they lack one, and how many could not be listened to.

    The manifest of clips that have files is written on the way. A recogniser that cannot be had is noted among the
    failures; what was recognised before stays.
    """
    from msadg.corpora.manifest_text import manifest_text
    from msadg.extraction.transcripts.journal import FILE_NAME, TranscriptFile
    from msadg.store.atomic import write_text
    from msadg.store.hashes import hashes_kept

    folder = arguments.stores / target.domain
    transcripts = TranscriptFile(folder / FILE_NAME)
    num_failed, clips = 0, target.clips
    if arguments.transcribe or transcripts.path.exists():
        with hashes_kept(folder, target.clips):
            if arguments.transcribe:
                with failures.noted(f"{target.domain} --transcribe"):
                    num_failed = _recognise(target, transcripts, arguments)
            clips = transcripts.fill(target.clips)
    if any(clip.clip_path for clip in clips):
        manifest = folder / "manifest.csv"
        write_text(manifest, manifest_text(clips))
        num_recognised = sum(new.text != old.text for new, old in zip(clips, target.clips, strict=True))
        if num_recognised:
            _tell_of_recognised(target, num_recognised, transcripts.models(target.clips), manifest)
    return clips, num_failed


def _recognise(target: Target, transcripts: TranscriptFile, arguments: argparse.Namespace) -> int:
    from msadg.extraction.transcripts.journal import lacks_transcript
    from msadg.extraction.transcripts.transcribe import make_transcriber

    clips = [clip for clip in target.clips if arguments.split in (None, clip.clip_id.split("/")[1])]
    silent = [clip for clip in clips if lacks_transcript(clip)]
    print(f"{target.domain}: {len(silent):,} of {len(clips):,} clips have no transcript", file=sys.stderr)
    if not silent:
        return 0
    transcriber = make_transcriber(arguments.transcribe, arguments.language)
    with told_progress(f"{target.domain} transcribe") as progress:
        failed = transcripts.recognise(silent, transcriber, progress)
    for clip_id, loss in list(failed.items())[:SHOWN_LOSSES]:
        print(f"  no transcript of {clip_id} ({loss.stage}): {loss.reason}", file=sys.stderr)
    if failed:
        print(f"  {len(failed):,} could not be listened to; see {transcripts.path}", file=sys.stderr)
    return len(failed)


def _tell_of_recognised(target: Target, number: int, models: Sequence[str], manifest: Path) -> None:
    from msadg.corpora.catalog import CORPORA

    print(f"{target.domain}: {number:,} transcripts are recognised speech, by {'; '.join(models)}", file=sys.stderr)
    if target.source is not None:
        name = f"my-{target.domain}" if target.domain in CORPORA else target.domain
        print(f"  to train on them: msadg train --source {name}={manifest}", file=sys.stderr)
    else:
        print(f"  they are in {manifest}", file=sys.stderr)


def tell_of_missing(clips: Sequence[Clip], arguments: argparse.Namespace) -> None:
    """Say on standard error how many clips have no transcript although there is something to listen to."""
    from msadg.extraction.transcripts.journal import lacks_transcript

    num_missing = sum(map(lacks_transcript, clips))
    if num_missing and not arguments.transcribe:
        print(f"  {num_missing:,} clips have no transcript; --transcribe MODEL recognises one", file=sys.stderr)
