"""One tiny corpus, written in each layout that MOSI, MOSEI and MELD are published in."""

from __future__ import annotations

import csv
import hashlib
import json
import pickle
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from msadg.corpora.meld import Meld
from msadg.corpora.mosi import Mosi


@dataclass(frozen=True)
class Clip:
    video_id: str
    clip_no: int
    text: str
    label: float
    split: str
    start: float
    end: float


# Clip numbers with gaps; labels on both sides of each reading's border; two clips at one time.
CLIPS = (
    Clip("vidA", 2, "the plot was thin", -1.333333, "train", 4.84, 14.052),
    Clip("vidA", 10, "still i laughed", 0.5, "train", 20.0, 25.5),
    Clip("-vidB", 1, "it runs two hours", 0.0, "valid", 0.0, 3.0),
    Clip("vidC", 7, "loved it", 2.4, "test", 1.0, 2.0),
    Clip("vidC", 8, "hated the end", -0.5, "test", 2.0, 4.0),
)


class TinyMosi(Mosi):
    """MOSI's reader without MOSI's counts."""

    card = replace(Mosi.card, class_counts={})


class TinyMeld(Meld):
    """MELD's reader without MELD's counts."""

    card = replace(Meld.card, class_counts={})


def write_csv(path: Path, rows: Iterable[Mapping[str, object]]) -> Path:
    rows = list(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_manifest(root: Path) -> None:
    write_csv(
        root / "clips.csv",
        [
            {
                "clip_id": f"{c.video_id}_{c.clip_no}",
                "video_id": c.video_id,
                "clip_no": c.clip_no,
                "text": c.text,
                "label": c.label,
                "split": c.split,
                "start_s": c.start,
                "end_s": c.end,
                "feature_fold": "unknown column",
            }
            for c in CLIPS
        ],
    )


def write_label_csv(root: Path) -> None:
    write_csv(
        root / "label.csv",
        [
            {
                "video_id": c.video_id,
                "clip_id": c.clip_no,
                "text": c.text,
                "label": c.label,
                "label_T": "",
                "label_A": "",
                "label_V": "",
                "annotation": "Positive" if c.label > 0 else "Neutral" if c.label == 0 else "Negative",
                "mode": c.split,
            }
            for c in CLIPS
        ],
    )


def feature_pickle(num_steps: int = 6, *, is_aligned: bool = False) -> dict[str, dict[str, object]]:
    """MMSA's structure; clip n of a split has n + 2 real steps of ones, then padding."""
    content = {}
    for split in ("train", "valid", "test"):
        clips = [c for c in CLIPS if c.split == split]
        lengths = [index + 2 for index in range(len(clips))]
        real = np.arange(num_steps) < np.array(lengths)[:, None]
        content[split] = {
            "raw_text": np.array([c.text for c in clips], dtype=object),
            "id": [f"{c.video_id}$_${c.clip_no}" for c in clips],
            "regression_labels": np.array([c.label for c in clips], dtype=np.float32),
            "classification_labels": np.array([1.0 for _ in clips]),
            "annotations": ["Neutral" for _ in clips],
            "text": np.ones((len(clips), num_steps, 4), dtype=np.float32),
            "text_bert": np.stack([real, real, np.zeros_like(real)], axis=1).astype(np.float32),
            "audio": np.repeat(real[:, :, None], 3, axis=2).astype(np.float64),
            "vision": np.repeat(real[:, :, None], 2, axis=2).astype(np.float64),
        }
        if not is_aligned:
            content[split] |= {"audio_lengths": lengths, "vision_lengths": lengths}
    return content


def write_pickle(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    (root / "unaligned_50.pkl").write_bytes(pickle.dumps(feature_pickle(), protocol=4))


def write_sequence(path: Path, name: str, steps: Mapping[str, tuple[object, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for video_id, (features, intervals) in steps.items():
            file[f"{name}/data/{video_id}/features"] = features
            file[f"{name}/data/{video_id}/intervals"] = np.asarray(intervals, dtype=np.float64)
        file[f"{name}/metadata/name"] = "tiny"


def write_csd(root: Path) -> None:
    videos = sorted({c.video_id for c in CLIPS})
    clips = {video: sorted((c for c in CLIPS if c.video_id == video), key=lambda c: str(c.clip_no)) for video in videos}
    write_sequence(
        root / "CMU_MOSI_Opinion_Labels.csd",
        "Opinion Segment Labels",
        {
            v: (np.array([[c.label] for c in cs], dtype=np.float32), [(c.start, c.end) for c in cs])
            for v, cs in clips.items()
        },
    )
    words, audio = {}, {}
    for video, cs in clips.items():
        spoken = [(word, c.start + 0.1 * i) for c in cs for i, word in enumerate(["sp", *c.text.split()])]
        words[video] = (np.array([[w.encode()] for w, _ in spoken], dtype="S32"), [(at, at + 0.1) for _, at in spoken])
        audio[video] = (np.ones((len(spoken), 3), dtype=np.float32), [(at, at + 0.1) for _, at in spoken])
    write_sequence(root / "CMU_MOSI_TimestampedWords.csd", "words", words)
    write_sequence(root / "CMU_MOSI_COVAREP.csd", "COVAREP", audio)
    folds: dict[str, list[str]] = {"train": ["vidA"], "dev": ["-vidB"], "test": ["vidC"]}
    (root / "splits.json").write_text(json.dumps(folds), encoding="utf-8")


LAYOUTS: dict[str, Callable[[Path], None]] = {
    "clips.csv": write_manifest,
    "label.csv": write_label_csv,
    "pickle": write_pickle,
    "csd": write_csd,
}


def pin(root: Path) -> dict[str, str]:
    """The SHA-256 of feature files made here, which are not the published ones."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in root.glob("*.pkl")}


def open_mosi(root: Path, layout: str | None = None, labels: str = "round") -> TinyMosi:
    """Open as MOSI; the SDK's segments get their numbers from a manifest."""
    if layout == "csd":
        write_manifest(root)
    return TinyMosi(root, labels, layout=layout, sha256=pin(root))


@pytest.fixture
def tiny() -> SimpleNamespace:
    """The tiny corpus: its clips, its readers, and a writer for each layout."""
    return SimpleNamespace(
        clips=CLIPS,
        Mosi=TinyMosi,
        Meld=TinyMeld,
        layouts=LAYOUTS,
        open_mosi=open_mosi,
        feature_pickle=feature_pickle,
        write_csv=write_csv,
    )


@pytest.fixture
def write_row(tmp_path: Path) -> Callable[..., Path]:
    """Write a manifest of two good rows and a third with these cells in the place of its own."""

    def write(**cells: object) -> Path:
        rows = [
            {"clip_id": f"c{n}", "video_id": f"v{n}", "text": f"words {n}", "label": 1.0, "split": "train"}
            for n in (1, 2, 3)
        ]
        rows[2] |= cells
        return write_csv(tmp_path / "clips.csv", rows)

    return write
