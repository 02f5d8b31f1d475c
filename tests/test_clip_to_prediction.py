"""The whole way as a user goes it: folders of clips and their manifests, then a prediction in a domain never seen."""

import csv
import json
import warnings

import pytest

from msadg.errors import MsadgWarning
from tests.media import write_clip

WORDS = {"negative": "this is awful, I hate it", "neutral": "it is a table", "positive": "this is great, I love it"}
TONE_HZ = {"negative": 150.0, "neutral": 220.0, "positive": 330.0}
SPLITS = {"train": 2, "dev": 1, "test": 1}
"""Clips of each class, by split."""


def write_domain(folder, *, seed):
    """A folder with clips (their names have spaces, quotes, umlauts) and a manifest of them."""
    rows = []
    for split, number in SPLITS.items():
        for at in range(number):
            for sentiment, words in WORDS.items():
                name = f"{split} {at} «{sentiment}» d'été.mp4"
                write_clip(folder / name, seconds=1.0, tone_hz=TONE_HZ[sentiment] + 5 * seed, sway=2.0 + seed)
                clip_id = f"{split}-{at}-{sentiment}"
                rows.append([clip_id, f"{split}{at}", words, sentiment, split, name])
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["clip_id", "video_id", "text", "sentiment", "split", "clip_path"])
        writer.writerows(rows)
    return folder / "manifest.csv"


@pytest.mark.slow
def test_from_folders_of_clips_to_a_prediction_in_a_domain_never_seen(tmp_path, offline_encoder, capsys):
    from msadg.cli import main

    kitchen = write_domain(tmp_path / "kitchen", seed=0)
    garden = write_domain(tmp_path / "garden", seed=1)
    stores, run = tmp_path / "stores", tmp_path / "run"
    extractors = ["--text", offline_encoder, "--audio", "logmel", "--video", "hog"]

    assert main(["extract", str(tmp_path / "kitchen"), f"garden={garden}", *extractors, "-o", str(stores)]) == 0
    assert {path.name for path in (stores / "kitchen").iterdir() if path.is_dir()} == {
        "text-minilm",
        "audio-logmel",
        "video-hog",
    }
    capsys.readouterr()

    train = ["train", "--source", f"kitchen={kitchen}", "--target", f"garden={garden}", "--stores", str(stores)]
    settings = ["--set", "training.epochs=3"]
    # An epoch that a dozen clips fill teaches no mask anything, and the run says so.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MsadgWarning)
        assert main([*train, *settings, *extractors, "-o", str(run), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["metrics"]["garden"]["accuracy"] >= 0

    elsewhere = write_clip(tmp_path / "street" / "uma pessoa.mp4", seconds=1.5, tone_hz=300.0)
    predict = ["predict", str(run), "--video", str(elsewhere), "--text", "I love this street", "--json"]
    assert main(predict) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert sum(verdict["probabilities"].values()) == pytest.approx(1, abs=1e-6)
    assert verdict["probabilities"] == verdict["multimodal"]
    assert verdict["text_only"] is not None
    assert main(predict) == 0
    assert json.loads(capsys.readouterr().out) == verdict
