"""The vignettes' reader, on a file of a few rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from msadg.corpora.catalog import CORPORA
from msadg.corpora.vignettes import VignetteCorpus, VignettesFilms, VignettesProducts
from msadg.errors import CorpusError

VIGNETTES = [corpus for corpus in CORPORA.values() if issubclass(corpus, VignetteCorpus)]


class Films(VignettesFilms):
    card = replace(VignettesFilms.card, class_counts={}, num_dropped=None)


@pytest.fixture
def write(tiny, tmp_path: Path):
    def write_rows(**cells: object) -> Path:
        rows = [
            {
                "domain": domain,
                "clip_id": f"{video}_{number}",
                "video_id": video,
                "clip_no": number,
                "speaker": "Ana",
                "text": "words",
                "polarity": polarity,
                "second_sentiment": second,
                "split": split,
            }
            for domain, video, number, polarity, second, split in [
                ("films", "f1", 0, 1.0, "positive", "train"),
                ("films", "f1", 1, 0.5, "positive", "train"),  # rounds to neutral: dropped
                ("films", "f1", 2, -0.5, "neutral", "train"),
                ("products", "p1", 0, 0.0, "negative", "dev"),  # dropped
                ("films", "f2", 0, -2.0, "negative", "dev"),
            ]
        ]
        rows[-1] |= cells
        return tiny.write_csv(tmp_path / "vignettes.csv", rows)

    return write_rows


def test_a_domain_reads_its_own_rows_and_drops_those_that_disagree(write, tmp_path: Path):
    corpus = Films(path=write())
    assert [(u.clip_id, u.sentiment, u.polarity) for u in corpus.all_utterances()] == [
        ("vignettes-films/train/f1_0", 2, 1.0),
        ("vignettes-films/train/f1_2", 1, -0.5),
        ("vignettes-films/dev/f2_0", 0, -2.0),
    ]
    assert corpus.check().num_dropped == 1


def test_the_sign_reading_drops_the_same_rows(write, tmp_path: Path):
    corpus = Films(tmp_path, "sign", path=write())
    assert [u.sentiment for u in corpus.all_utterances()] == [2, 0, 0]
    assert corpus.num_dropped == 1


def test_the_number_dropped_is_checked(write, tmp_path: Path):
    class Stated(Films):
        card = replace(Films.card, num_dropped=7)

    with pytest.raises(CorpusError, match="1 utterances were dropped, the card says 7"):
        list(Stated(path=write()).all_utterances())


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"polarity": "negative"}, "line 6: polarity 'negative' is no number"),
        ({"second_sentiment": "sad"}, "line 6: unknown sentiment 'sad'"),
        ({"video_id": "f1"}, "line 6: video 'f1' is in split 'dev' here but in 'train' before"),
    ],
)
def test_a_bad_row_is_refused(write, tmp_path: Path, cells: dict, message: str):
    with pytest.raises(CorpusError, match=message):
        list(Films(path=write(**cells)).all_utterances())


@pytest.mark.parametrize("corpus", VIGNETTES, ids=lambda corpus: corpus.name)
def test_the_packaged_file_is_what_its_cards_say(corpus: type[VignetteCorpus]):
    for labels in ("round", "sign"):
        result = corpus(labels=labels).check()
        assert not result.differences
        assert all(sum(counts) > 0 for counts in result.counts.values())
        assert sum(map(sum, result.counts.values())) >= 300


def test_a_folder_can_stand_for_the_package(write, tmp_path: Path):
    class Products(VignettesProducts):
        card = replace(VignettesProducts.card, class_counts={}, num_dropped=None)

    write()
    with pytest.raises(CorpusError, match=r"vignettes\.csv: no rows after the header, or none that is kept"):
        list(Products(tmp_path).all_utterances())
