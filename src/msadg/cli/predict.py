"""`msadg predict`: what a trained run says of your own clip, and why.

  msadg predict runs/first --video clip.mp4 --text "I loved every minute of it"
  msadg predict runs/first --video talk.mp4 --start 3 --end 9 --text-file said.txt
  msadg predict runs/first --video clip.mp4 --transcribe openai/whisper-small
  echo "what a waste of time" | msadg predict runs/first --text - --json

Any of the modalities that the run reads will do. What is missing is named, and how the run does without it: by its
own stage before that modality, as in training with modality dropout, or by averaging over what its sources showed.
A file that was given and cannot be read is told of on standard error; the verdict is then from the rest.
The run's folder is enough: its corpora and stores need not be here.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from msadg.errors import MediaError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from msadg.serving.verdict import DecidingFeature, DecidingStep, Verdict
    from msadg.types import Word

BAR_WIDTH = 20
SPECIAL_TOKENS = {"[CLS]": "start of text", "<s>": "start of text", "[SEP]": "end of text", "</s>": "end of text"}
"""What an encoder sets before and after the words."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("run_folder", metavar="RUN", type=Path, help="folder that `msadg train` wrote")
    clip = parser.add_argument_group("clip")
    clip.add_argument("--video", type=Path, metavar="FILE", help="video with the speaker's face, and the sound")
    clip.add_argument("--audio", type=Path, metavar="FILE", help="sound, where it is a file of its own")
    text = clip.add_mutually_exclusive_group()
    text.add_argument("--text", metavar="WORDS", help="what is said; - reads it from standard input")
    text.add_argument("--text-file", type=Path, metavar="FILE", help="what is said, as a UTF-8 file")
    text.add_argument("--transcribe", metavar="MODEL", help="recognise what is said: a Hugging Face speech model")
    clip.add_argument("--language", help="with --transcribe: what is spoken, such as en (default: the model decides)")
    clip.add_argument("--start", metavar="TIME", help="where the clip starts in the file: seconds, 1:30 or 0:01:30.5")
    clip.add_argument("--end", metavar="TIME", help="where it ends")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="where the method runs (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")


def run(arguments: argparse.Namespace) -> int:
    """Predict and print."""
    if arguments.language and not arguments.transcribe:
        raise UsageError("--language goes with --transcribe")
    from msadg.serving.predictor import Predictor
    from msadg.serving.times import seconds_of

    start, end = (
        None if said is None else seconds_of(said, option)
        for said, option in ((arguments.start, "--start"), (arguments.end, "--end"))
    )
    predictor = Predictor(arguments.run_folder, device=arguments.device)  # before minutes go into recognising speech
    text, words = _transcript(arguments, start, end)
    verdict = predictor.predict(
        arguments.video,
        text=text,
        audio=arguments.audio,
        start_seconds=start,
        end_seconds=end,
        words=words,
    )
    for sentence in verdict.not_read:
        print(f"warning: {sentence}", file=sys.stderr)
    is_utf8 = "utf" in (sys.stdout.encoding or "").lower()
    if arguments.json:
        said = verdict.to_dict() | {"run": str(arguments.run_folder), "transcribed_by": arguments.transcribe}
        print(json.dumps(said, ensure_ascii=not is_utf8, allow_nan=False))
        return 0
    for line in lines_of(verdict, bar="\N{FULL BLOCK}" if is_utf8 else "#", transcribed_by=arguments.transcribe):
        print(line if is_utf8 else line.encode("ascii", "backslashreplace").decode())
    return 0


def _transcript(
    arguments: argparse.Namespace, start: float | None, end: float | None
) -> tuple[str | None, Sequence[Word]]:
    if arguments.text_file:
        return _text_of(arguments.text_file), ()
    if arguments.text == "-":
        return decoded(sys.stdin.buffer.read(), "standard input"), ()
    if not arguments.transcribe:
        return arguments.text, ()
    from msadg.extraction.transcripts.transcribe import make_transcriber
    from msadg.serving.inputs import clips_of

    clips = clips_of(video=arguments.video, audio=arguments.audio, start_seconds=start, end_seconds=end)
    if "audio" not in clips:
        raise UsageError("--transcribe needs sound: give --video or --audio")
    transcript = make_transcriber(arguments.transcribe, arguments.language).transcribe(clips["audio"])
    return transcript.text, transcript.words


def _text_of(path: Path) -> str:
    if path.is_dir():
        raise MediaError("transcript", f"{path}: is a folder; expected one text file")
    if not path.is_file():
        raise MediaError("transcript", f"{path}: there is no such file")
    return decoded(path.read_bytes(), path)


def decoded(content: bytes, where: Path | str) -> str:
    """Return a transcript from its bytes.

    Raises:
        MediaError: it is not UTF-8; names the byte.
    """
    try:
        return content.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise MediaError(
            "transcript",
            f"{where}: byte {error.start} (0x{content[error.start]:02x}) is not UTF-8; save the transcript as UTF-8",
        ) from None


def lines_of(verdict: Verdict, *, bar: str = "#", transcribed_by: str | None = None) -> Iterator[str]:
    """Yield a verdict as a person reads it, line by line."""
    yield f"{verdict.sentiment}: {verdict.method}, trained on {', '.join(verdict.sources)}"
    yield ""
    yield from _probabilities(verdict, bar)
    if verdict.text:
        by = f", recognised by {transcribed_by}" if transcribed_by else ""
        yield f"text read{by}: {_shortened(verdict.text)}"
    for modality, why in verdict.missing.items():
        yield f"no {modality}: {why}"
    if verdict.how:
        yield f"  {verdict.how}"
    if verdict.key_frames:
        times = ["?" if frame.seconds is None else f"{frame.seconds:.1f}" for frame in verdict.key_frames]
        yield f"key frames: {len(times)} of {verdict.num_frames} kept, at {_listed(times)} s"
    yield from _what_decided(verdict)
    for sentence in verdict.warnings:
        if sentence not in verdict.not_read:  # told of above, and on standard error
            yield f"warning: {sentence}"


def _probabilities(verdict: Verdict, bar: str) -> Iterator[str]:
    if verdict.probabilities is None:
        yield from _polarity(verdict)
        return
    both = verdict.text_only is not None and verdict.multimodal is not None
    heads = {"multimodal" if both else "probability": verdict.probabilities}
    if both and verdict.text_only is not None:
        heads["text only"] = verdict.text_only
    width = max(9, *map(len, verdict.probabilities))
    yield " " * width + "".join(f"  {head:<{BAR_WIDTH + 5}}" for head in heads).rstrip()
    for name in verdict.probabilities:
        cells = (_cell(column, name, bar) for column in heads.values())
        yield f"{name:<{width}}" + "".join(f"  {cell:<{BAR_WIDTH + 5}}" for cell in cells).rstrip()
    yield ""


def _polarity(verdict: Verdict) -> Iterator[str]:
    alone = verdict.text_only_polarity if len(verdict.modalities) > 1 else None
    beside = "" if alone is None else f"; of the text alone {alone:+.2f}"
    yield f"polarity {verdict.polarity:+.2f} (from -3, negative, to 3, positive){beside}"
    yield ""


def _cell(column: Mapping[str, float], name: str, bar: str) -> str:
    return f"{column[name]:.2f} {bar * round(column[name] * BAR_WIDTH)}"


def _what_decided(verdict: Verdict) -> Iterator[str]:
    if not verdict.modality_shares:
        return
    shares = ", ".join(f"{modality} {share:+.0%}" for modality, share in verdict.modality_shares.items())
    meaning = f"+ speaks for {verdict.sentiment}, - against"
    if verdict.probabilities is None:
        meaning = "+ raises the polarity, - lowers it"
    yield f"what decided it: {shares}  ({meaning})"
    for modality in verdict.modalities:
        steps = [_step(step) for step in verdict.steps if step.modality == modality]
        if steps:
            yield f"  {modality} steps: {', '.join(steps)}"
        for kind in ("input", "representation"):
            named = [_feature(f) for f in verdict.features if f.modality == modality and f.kind == kind]
            if named:
                yield f"  {modality} features{' (learned)' if kind != 'input' else ''}: {', '.join(named)}"


def _step(step: DecidingStep) -> str:
    at = "" if step.start_seconds is None else f"{step.start_seconds:.1f} s"
    if step.token is None:
        return f"{at or f'step {step.step}'} {step.share:+.0%}"
    token = SPECIAL_TOKENS.get(step.token) or repr(step.token)
    return f"{token}{f' ({at})' if at else ''} {step.share:+.0%}"


def _feature(feature: DecidingFeature) -> str:
    return f"{feature.name or feature.index} {feature.share:+.0%}"


def _shortened(text: str, width: int = 100) -> str:
    return text if len(text) <= width else text[: width - 4].rstrip() + " ..."


def _listed(items: Sequence[str], most: int = 16) -> str:
    return ", ".join(items) if len(items) <= most else f"{', '.join(items[: most - 1])} ... {items[-1]}"
