"""MELD's official tables, with and without clips, and its manifest."""

from __future__ import annotations

from pathlib import Path

import pytest

from msadg.errors import CorpusError, MsadgWarning

DIALOGUE = [
    ("Oh no", "Ana", "negative", 0, 0),
    ("Fine\u0092", "Ben", "neutral", 0, 1),
    ("Yes!", "Ana", "positive", 3, 0),
]


def write_meld(tiny, root: Path, layout: str) -> None:
    if layout == "official":
        for split in ("train", "dev", "test"):
            tiny.write_csv(
                root / f"{split}_sent_emo.csv",
                [
                    {
                        "Sr No.": n,
                        "Utterance": text,
                        "Speaker": speaker,
                        "Emotion": "joy",
                        "Sentiment": sentiment,
                        "Dialogue_ID": dialogue,
                        "Utterance_ID": utterance,
                        "Season": 8,
                        "Episode": 21,
                        "StartTime": "00:16:16,059",
                        "EndTime": "0:16:21,731",
                    }
                    for n, (text, speaker, sentiment, dialogue, utterance) in enumerate(DIALOGUE)
                ],
            )
        return
    tiny.write_csv(
        root / "clips.csv",
        [
            {
                "clip_id": f"{prefix}_dia{dialogue}_utt{utterance}",
                "video_id": f"{prefix}_dia{dialogue}",
                "text": text,
                "label": sentiment,
                "sentiment": sentiment,
                "speaker": speaker,
                "start": "00:16:16,059",
                "end": "0:16:21,731",
                "split": split,
            }
            for prefix, split in (("train", "train"), ("dev", "valid"), ("test", "test"))
            for text, speaker, sentiment, dialogue, utterance in DIALOGUE
        ],
    )


@pytest.mark.parametrize("layout", ["clips.csv", "official"])
def test_meld_reads_the_same_from_both_layouts(tiny, tmp_path: Path, layout: str):
    write_meld(tiny, tmp_path, layout)
    corpus = tiny.Meld(tmp_path)
    utterances = list(corpus.all_utterances())
    assert corpus.layout == layout
    assert [(u.clip_id, u.video_id, u.sentiment, u.polarity, u.speaker) for u in utterances] == [
        (f"meld/{split}/{local}", f"{split}_{local[:4]}", sentiment, None, speaker)
        for split in ("train", "dev", "test")
        for local, sentiment, speaker in (("dia0_utt0", 0, "Ana"), ("dia0_utt1", 1, "Ben"), ("dia3_utt0", 2, "Ana"))
    ]
    assert utterances[1].text == "Fine\u0092"  # a known fault, kept
    # 16 min 16.059 s and 16 min 21.731 s
    assert (utterances[0].start_seconds, utterances[0].end_seconds) == (976.059, 981.731)


def test_a_clip_that_is_a_file_of_its_own_has_no_times(tiny, tmp_path: Path):
    write_meld(tiny, tmp_path, "official")
    (tmp_path / "output_repeated_splits_test").mkdir()
    (tmp_path / "output_repeated_splits_test" / "dia3_utt0.mp4").touch()
    with pytest.warns(MsadgWarning, match="2 clips of split test are not there"):
        last = list(tiny.Meld(tmp_path).all_utterances())[-1]
    assert last.clip_path == str(tmp_path / "output_repeated_splits_test" / "dia3_utt0.mp4")
    assert last.start_seconds is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("negative", "furious", r"dev_sent_emo\.csv, line 2: unknown sentiment 'furious'"),
        ("dia", "dia", "dev_sent_emo.csv is not there"),
        ("Ben,joy,neutral,0,1", "Ben,joy,neutral,0,x", "line 3: Utterance_ID is 'x'; expected a whole number"),
        ("Ben,joy,neutral,0,1", "Ben,joy,neutral,0,0", "line 3: clip id 'meld/dev/dia0_utt0' is there already"),
    ],
)
def test_a_bad_official_table_is_refused(tiny, tmp_path: Path, old: str, new: str, message: str):
    write_meld(tiny, tmp_path, "official")
    table = tmp_path / "dev_sent_emo.csv"
    if old == new:
        table.unlink()
    else:
        table.write_text(table.read_text().replace(old, new))
    with pytest.raises(CorpusError, match=message):
        list(tiny.Meld(tmp_path).all_utterances())
