"""A folder of media files as they come from phones, broken downloads and the wrong folder; made on the spot."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.media import picture, turned, write_clip, write_frames

LOST = {
    "cut.mp4": "decode",
    "cut-before-its-index.mp4": "open",
    "cut.mkv": "decode",
    "flipped.mp4": "decode",
    "empty.mp4": "open",
    "sound-only.m4a": "open",
    "no-frames.mp4": "open",
    "text.mp4": "open",
    "random.mp4": "open",
    "playlist.m3u8": "open",
    "list-of-files.ffconcat": "open",
}
"""Files of which no frames can be had, and the stage at which that shows."""


def write_broken_corpus(folder: Path) -> dict[str, Path]:
    """Write the files and return their paths by name; all that LOST does not name can be decoded."""
    folder.mkdir(parents=True, exist_ok=True)
    good = write_clip(folder / "good.mp4", seconds=2.0)
    _write_damaged(folder, good)
    _write_unusual(folder, good)
    _write_wrong(folder, good)
    for name in ("with spaces.mp4", 'it\'s "quoted".mp4', "видео-名前-é.mp4", "http:--host-%03d.mp4", "-i.mp4"):
        (folder / name).write_bytes(good.read_bytes())
    return {path.name: path for path in sorted(folder.iterdir())}


def _write_damaged(folder: Path, good: Path) -> None:
    content = good.read_bytes()
    (folder / "cut-before-its-index.mp4").write_bytes(content[: len(content) * 2 // 3])
    frames = [picture(step) for step in range(50)]
    whole = write_frames(folder / "cut.mp4", frames, options={"movflags": "faststart"})  # its index comes first
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    whole = write_clip(folder / "cut.mkv", seconds=2.0)
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    (folder / "flipped.mp4").write_bytes(flipped(content, num_flips=60))
    (folder / "empty.mp4").write_bytes(b"")


def flipped(content: bytes, num_flips: int) -> bytes:
    """Flip bits in the middle third, which is payload."""
    chance = np.random.default_rng(0)
    damaged = np.frombuffer(content, np.uint8).copy()
    places = chance.integers(len(content) // 3, len(content) * 2 // 3, num_flips)
    damaged[places] ^= np.uint8(1) << chance.integers(0, 8, num_flips).astype(np.uint8)
    return damaged.tobytes()


def flv_tags(content: bytes, kind: int) -> list[int]:
    """Where the tags of a kind begin in an .flv: 8 is sound, 9 pictures."""
    at, found = 13, []
    while at < len(content):
        if content[at] == kind:
            found.append(at)
        at += 11 + int.from_bytes(content[at + 1 : at + 4]) + 4
    return found


def _write_unusual(folder: Path, good: Path) -> None:
    write_clip(folder / "sound-only.m4a", seconds=2.0, video=False)
    write_clip(folder / "video-only.mp4", seconds=2.0, sound=False)
    write_frames(folder / "no-frames.mp4", [])
    write_frames(folder / "one-frame.mp4", [picture(0)])
    write_frames(folder / "4k.mp4", [picture(step).repeat(9, axis=0).repeat(12, axis=1) for step in range(5)])
    for degrees in (90, 180, 270):
        turned(good, folder / f"turned-{degrees}.mp4", degrees)
    frames = [picture(step) for step in range(20)]
    pauses = np.resize([0.02, 0.04, 0.3, 0.1], len(frames))
    write_frames(folder / "variable-rate.mp4", frames, times=(np.cumsum(pauses) - pauses[0]).tolist())
    write_clip(folder / "no-face.mp4", seconds=2.0, faces=0)
    write_clip(folder / "many-faces.mp4", seconds=2.0, width=640, faces=3)


def _write_wrong(folder: Path, good: Path) -> None:
    (folder / "text.mp4").write_text("This is not a video.\n" * 200, encoding="utf-8")
    (folder / "random.mp4").write_bytes(np.random.default_rng(1).bytes(50_000))
    (folder / "playlist.m3u8").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{good.resolve()}\n#EXT-X-ENDLIST\n", encoding="utf-8"
    )
    (folder / "list-of-files.ffconcat").write_text(f"ffconcat version 1.0\nfile {good.name}\n", encoding="utf-8")
