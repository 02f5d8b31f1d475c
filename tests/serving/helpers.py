"""Runs on toy features, and extractors that make the same features of a file or a text given by hand."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from msadg.errors import UsageError
from msadg.extraction.extractor import Loss
from msadg.types import Clip, Features
from tests.protocols.helpers import Toy


class Given(Toy):
    """A Toy whose video is a file that holds what a Toy reads: ``clip 7 class 2``; ``faceless`` shows no one."""

    def extract(self, clips: Sequence[Clip]) -> Iterator[Features | Loss]:
        for clip in clips:
            text = clip.text if self.modality == "text" else Path(clip.clip_path).read_text()
            if not text.strip():
                yield Loss("transcript", "the transcript is empty")
            elif text.startswith("faceless"):
                yield Loss("face", f"{clip.clip_path}: no face in 12 frames")
            else:
                yield from super().extract([Clip(clip_id="", text=text)])


def toy_extractor_of(data, modality: str):
    """Stands in for ``protocols.stores.extractor_of``."""
    if data.features[modality] == "simulated":
        raise UsageError("simulated")
    return Given(modality, {"text": 6, "video": 5}[modality])


def video_of(folder: Path, text: str, name: str = "clip.toy") -> Path:
    path = folder / name
    path.write_text(text)
    return path
