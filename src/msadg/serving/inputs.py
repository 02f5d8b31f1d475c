"""What someone hands in, as the clips that extractors take."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msadg.errors import MediaError, UsageError
from msadg.serving.times import check_order
from msadg.types import Clip, Word

NOT_GIVEN = {"text": "no text was given", "audio": "no sound and no video was given", "video": "no video was given"}
"""Why a modality has no clip."""


def clips_of(
    *,
    video: Path | str | None = None,
    text: str | None = None,
    audio: Path | str | None = None,
    start_seconds: int | float | None = None,
    end_seconds: int | float | None = None,
    words: Sequence[Word] = (),
) -> dict[str, Clip]:
    """Return what there is of a clip, by modality; see ``Predictor.predict`` for the arguments.

    Raises:
        UsageError: times that cannot be, or times without a file.
        MediaError: a file is not there, or is a folder.
    """
    start, end = (None if at is None else float(at) for at in (start_seconds, end_seconds))
    check_order(start, end)
    if video is None and audio is None and not (start is None and end is None):
        raise UsageError("a start or end was given, but no file in which they would be; give the video or the sound")
    if text is None and words:
        text = " ".join(word.text for word in words)
    clips = {} if text is None else {"text": Clip(clip_id="text", text=text, words=tuple(words))}
    for modality, path in (("audio", audio or video), ("video", video)):
        if path is None:
            continue
        if Path(path).is_dir():
            raise MediaError("open", f"{path}: is a folder; expected one video or sound file")
        if not Path(path).is_file():
            raise MediaError("open", f"{path}: there is no such file")
        clips[modality] = Clip(clip_id=Path(path).stem, clip_path=str(path), start_seconds=start, end_seconds=end)
    return clips
