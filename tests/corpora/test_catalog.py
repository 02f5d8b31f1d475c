"""Opening a corpus by name, and the true counts of the real ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from msadg.corpora.catalog import CORPORA, open_corpus
from msadg.errors import CorpusError, UnknownNameError, UsageError

needs_data = pytest.mark.skipif(
    not os.environ.get("MSADG_DATA"), reason="MSADG_DATA is not set: no folder with mosi/, mosei/ and meld/ to read"
)

# Counted apart from this code: negative, neutral, positive by split.
COUNTS = {
    ("mosi", "round"): {"train": (450, 248, 586), "dev": (72, 49, 108), "test": (347, 106, 233)},
    ("mosi", "sign"): {"train": (552, 53, 679), "dev": (92, 13, 124), "test": (379, 30, 277)},
    ("mosei", "round"): {"train": (3655, 6798, 5873), "dev": (378, 835, 658), "test": (1023, 1927, 1709)},
    ("mosei", "sign"): {"train": (4738, 3540, 8048), "dev": (506, 433, 932), "test": (1350, 1025, 2284)},
    ("meld", "round"): {"train": (2945, 4710, 2334), "dev": (406, 470, 233), "test": (833, 1256, 521)},
    ("meld", "sign"): {"train": (2945, 4710, 2334), "dev": (406, 470, 233), "test": (833, 1256, 521)},
}


@pytest.mark.data
@needs_data
@pytest.mark.parametrize(("name", "labels"), COUNTS)
def test_real_counts_are_the_published_ones(name: str, labels: str):
    corpus = open_corpus(name, labels)
    result = corpus.check()
    assert result.counts == COUNTS[name, labels]
    assert result.differences == ()
    assert corpus.has_polarity == (name != "meld")


@pytest.mark.data
@needs_data
@pytest.mark.parametrize(
    ("name", "split", "first"),
    [
        ("mosi", "train", "mosi/train/03bSnISJMiM[1]"),
        ("mosei", "train", "mosei/train/-3g5yACwYnA[2]"),
        ("meld", "dev", "meld/dev/dia0_utt0"),
    ],
)
def test_real_ids_are_canonical(name: str, split: str, first: str):
    utterances = list(open_corpus(name).utterances(split))
    assert utterances[0].clip_id == first
    assert all(u.clip_id.startswith(f"{name}/{split}/") for u in utterances)


@pytest.mark.parametrize(("name", "labels"), COUNTS)
def test_cards_state_the_true_counts(name: str, labels: str):
    assert dict(CORPORA[name].card.expected_counts(labels)) == COUNTS[name, labels]


@pytest.mark.parametrize("name", CORPORA)
def test_every_corpus_has_a_card_that_says_what_it_is(name: str):
    corpus = CORPORA[name]
    assert corpus.name == name
    assert all((corpus.card.title, corpus.card.language, corpus.card.licence, corpus.card.reference))
    assert corpus.__doc__


def test_an_unknown_corpus_gets_the_nearest_name():
    with pytest.raises(UnknownNameError, match="unknown corpus 'mossi'; did you mean 'mosi'"):
        open_corpus("mossi")


def test_an_unknown_reading_gets_the_known_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(Exception, match="roundd"):  # UnknownNameError; under test, the type check comes first
        open_corpus("vignettes-films", "roundd")


def test_missing_data_say_where_they_were_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MSADG_DATA", raising=False)
    with pytest.raises(CorpusError, match="mosi: MSADG_DATA is not set"):
        open_corpus("mosi")
    monkeypatch.setenv("MSADG_DATA", str(tmp_path))
    with pytest.raises(CorpusError, match=f"there is no folder {tmp_path}/mosi; set MSADG_DATA"):
        open_corpus("mosi")
    (tmp_path / "mosi").mkdir()
    with pytest.raises(CorpusError, match=f"mosi: nothing to read in {tmp_path}/mosi; looked for clips.csv"):
        open_corpus("mosi")


def test_a_manifest_is_opened_under_its_own_name(write_row):
    corpus = open_corpus(f"mine={write_row()}", "sign")
    assert [u.clip_id for u in corpus.utterances("train")] == ["mine/train/c1", "mine/train/c2", "mine/train/c3"]


@pytest.mark.parametrize("spec", ["=clips.csv", "mine=", "my corpus=clips.csv", "a/b=clips.csv", "mosi=clips.csv"])
def test_a_name_that_cannot_be_is_refused(spec: str):
    with pytest.raises(UsageError):
        open_corpus(spec)
