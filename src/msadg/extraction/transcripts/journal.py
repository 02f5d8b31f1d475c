"""Recognised transcripts on disk: one line a clip, so that an interrupted run goes on and a transcript says its model.

A line is a JSON object, of a transcript or of why there is none:

    {"clip_id": "mine/clip/a", "model": {...}, "input": "9f86...", "text": "so good", "words": [["so", 0.5, 0.7], ...]}
    {"clip_id": "mine/clip/b", "model": {...}, "input": "60303...", "stage": "sound", "reason": "b.mp4 has no sound"}

A clip's last line counts; a last line without its line end was cut by a crash and counts as not written. What failed
is tried again by the next run. One process at a time writes.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar, runtime_checkable

from msadg.errors import MediaError, StoreError
from msadg.extraction.extractor import JSON, Loss
from msadg.extraction.file_hashes import hash_of_file
from msadg.types import Clip, Word

FILE_NAME = "transcripts.jsonl"

AnyClip = TypeVar("AnyClip", bound=Clip)


@runtime_checkable
class SpokenText(Protocol):
    """What was recognised in a clip."""

    @property
    def text(self) -> str:
        """The words in a row; empty where nothing was said."""
        ...

    @property
    def words(self) -> Sequence[Word]:
        """The words with their times, on the time axis of the clip's file; none where the model gives no times."""
        ...


@runtime_checkable
class Recogniser(Protocol):
    """What turns the sound of a clip into text: ``transcribe.make_transcriber`` makes one."""

    @property
    def identity(self) -> Mapping[str, JSON]:
        """Model and revision or hash of its weights."""
        ...

    def transcribe(self, clip: Clip) -> SpokenText:
        """Return what is said in a clip."""
        ...


def lacks_transcript(clip: Clip) -> bool:
    """Whether there is nothing to read of a clip, but a file to listen to."""
    return not clip.text.strip() and clip.clip_path is not None


class TranscriptFile:
    """The recognised transcripts of a domain's clips: read at once, written line by line.

    Raises:
        StoreError: a line is not what this class writes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read()

    def _read(self) -> None:
        content = self.path.read_bytes() if self.path.exists() else b""
        self._num_whole_bytes = content.rfind(b"\n") + 1
        self._lines: dict[str, dict[str, Any]] = {}
        for number, line in enumerate(content[: self._num_whole_bytes].split(b"\n")[:-1], start=1):
            self._lines.update(_checked(line, f"{self.path}, line {number}"))

    def models(self, clips: Iterable[Clip]) -> list[str]:
        """The models that recognised the transcripts that ``fill`` gives these clips, as text, each once."""
        lines = (self._valid_line(clip) for clip in clips)
        return sorted({json.dumps(line["model"], sort_keys=True) for line in lines if line is not None})

    def fill(self, clips: Sequence[AnyClip]) -> list[AnyClip]:
        """Return the clips, with the recognised transcript in the place of one that is missing."""
        return [self._filled(clip) for clip in clips]

    def recognise(
        self, clips: Sequence[Clip], recogniser: Recogniser, progress: Callable[[int, int], None] | None = None
    ) -> dict[str, Loss]:
        """Listen to the clips that lack a transcript and were not recognised before by the same model.

        Returns:
            Why there is no transcript, for the clips that could not be listened to.

        Raises:
            StoreError: another process is recognising transcripts of the same domain.
        """
        with self._locked() as file:
            return self._recognise(file, clips, recogniser, progress or (lambda _done, _total: None))

    def _recognise(
        self, file: BinaryIO, clips: Sequence[Clip], recogniser: Recogniser, tell: Callable[[int, int], None]
    ) -> dict[str, Loss]:
        identity = json.loads(json.dumps(dict(recogniser.identity)))
        silent = [clip for clip in clips if lacks_transcript(clip)]
        todo = [clip for clip in silent if (self._valid_line(clip) or {}).get("model") != identity]
        failed: dict[str, Loss] = {}
        tell(len(silent) - len(todo), len(silent))
        for number, clip in enumerate(todo, start=len(silent) - len(todo) + 1):
            line: dict[str, Any] = {"clip_id": clip.clip_id, "model": identity, "input": _input_of(clip)}
            try:
                spoken = recogniser.transcribe(clip)
                words = [[word.text, word.start_seconds, word.end_seconds] for word in spoken.words]
                self._append(file, line | {"text": spoken.text, "words": words})
            except MediaError as error:
                failed[clip.clip_id] = Loss(error.stage, error.reason)
                self._append(file, line | {"stage": error.stage, "reason": error.reason})
            tell(number, len(silent))
        return failed

    def _filled(self, clip: AnyClip) -> AnyClip:
        line = self._valid_line(clip)
        if line is None:
            return clip
        return replace(clip, text=line["text"], words=tuple(Word(*word) for word in line["words"]))

    def _valid_line(self, clip: Clip) -> dict[str, Any] | None:
        """Return the line of a clip that has no transcript of its own, if its file is still the same."""
        line = self._lines.get(clip.clip_id)
        if line is None or "text" not in line or not lacks_transcript(clip) or line["input"] != _input_of(clip):
            return None
        return line

    @contextmanager
    def _locked(self) -> Iterator[BinaryIO]:
        """Open the file to be written by nobody else, and read what others wrote since."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StoreError(f"{self.path} is being written by another process; wait for it, or stop it") from None
            self._read()
            yield file

    def _append(self, file: BinaryIO, line: dict[str, Any]) -> None:
        written = json.dumps(line).encode() + b"\n"
        file.truncate(self._num_whole_bytes)  # what a crash cut
        file.write(written)
        file.flush()
        os.fsync(file.fileno())
        self._num_whole_bytes += len(written)
        self._lines[line["clip_id"]] = line


def _checked(line: bytes, where: str) -> dict[str, dict[str, Any]]:
    try:
        fields: dict[str, Any] = json.loads(line)
        for word in fields.get("words", ()):
            Word(str(word[0]), float(word[1]), float(word[2]))
        if not isinstance(fields.get("text", ""), str) or not {"model", "input"} <= fields.keys():
            raise ValueError("model, input or text is missing")
        return {str(fields["clip_id"]): fields}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise StoreError(
            f"{where}: {line[:60]!r} is not a line of recognised transcripts ({error!r}); delete this line, or the "
            f"file to recognise all again"
        ) from error


def _input_of(clip: Clip) -> str:
    return repr((hash_of_file(clip.clip_path), clip.start_seconds, clip.end_seconds))
