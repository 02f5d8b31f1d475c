"""A class means the same in every corpus of a run, or there is no run."""

from __future__ import annotations

from pathlib import Path

import pytest

from msadg.corpora.catalog import CORPORA, open_corpus
from msadg.corpora.label_sets import HUMOUR, LABEL_SETS, check_one_label_set, label_set_of_names
from msadg.corpora.labels import class_of_name
from msadg.errors import CorpusError
from msadg.types import SENTIMENT


def test_no_class_name_is_in_two_label_sets():
    names = [name for label_set in LABEL_SETS.values() for name in label_set.classes]
    assert len(names) == len(set(names))
    assert names == [name.lower() for name in names]  # names are looked up in lower case


def test_every_corpus_but_ur_funny_is_labelled_with_sentiment():
    assert {name: corpus.card.label_set for name, corpus in CORPORA.items() if corpus.card.label_set != SENTIMENT} == {
        "ur-funny": HUMOUR
    }


@pytest.mark.parametrize(("name", "index"), [("not humorous", 0), ("Humorous ", 1)])
def test_a_class_is_found_by_its_name_in_any_case(name: str, index: int):
    assert class_of_name(name, HUMOUR, "here") == index


def test_a_class_of_another_label_set_is_refused_with_the_known_ones():
    with pytest.raises(CorpusError, match=r"line 3: unknown humour 'positive'; known: not humorous, humorous"):
        class_of_name("positive", HUMOUR, "line 3")
    with pytest.raises(CorpusError, match=r"line 3: unknown sentiment 'humorous'; known: negative, neutral, positive"):
        class_of_name("humorous", SENTIMENT, "line 3")


def test_the_first_known_name_decides():
    assert label_set_of_names(["", "0.5", "NOT humorous", "positive"]) == HUMOUR
    assert label_set_of_names(["positive", "humorous"]) == SENTIMENT
    assert label_set_of_names([]) == SENTIMENT


def test_corpora_with_one_label_set_may_be_mixed():
    assert check_one_label_set({"mosi": SENTIMENT, "ch-sims": SENTIMENT}) == SENTIMENT
    assert check_one_label_set({"ur-funny": HUMOUR}) == HUMOUR


def test_corpora_with_two_label_sets_may_not_and_both_are_named():
    with pytest.raises(CorpusError) as met:
        check_one_label_set({"mosi": SENTIMENT, "meld": SENTIMENT, "ur-funny": HUMOUR})
    assert "mosi is labelled with sentiment (negative, neutral, positive)" in str(met.value)
    assert "ur-funny with humour (not humorous, humorous)" in str(met.value)


def manifest(path: Path, *labels: str) -> str:
    rows = "".join(f"c{n},v{n},some words,{label},train\n" for n, label in enumerate(labels))
    path.write_text("clip_id,video_id,text,label,split\n" + rows, encoding="utf-8")
    return f"mine={path}"


def test_a_manifest_says_by_its_names_what_its_classes_are(tmp_path: Path):
    corpus = open_corpus(manifest(tmp_path / "a.csv", "humorous", "not humorous", "Humorous"))
    assert corpus.label_set == HUMOUR
    assert [(u.sentiment, u.class_name, u.polarity) for u in corpus.utterances("train")] == [
        (1, "humorous", None), (0, "not humorous", None), (1, "humorous", None),
    ]  # fmt: skip
    assert corpus.check().counts == {"train": (1, 2), "dev": (0, 0), "test": (0, 0)}
    assert open_corpus(manifest(tmp_path / "b.csv", "1.5", "-2")).label_set == SENTIMENT
    assert open_corpus(manifest(tmp_path / "c.csv", "neutral")).label_set == SENTIMENT


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (("humorous", "positive"), "line 3: unknown humour 'positive'"),
        (("positive", "humorous"), "line 3: unknown sentiment 'humorous'"),
        (("humorous", "1"), "line 3: unknown humour '1'; known: not humorous, humorous"),
    ],
)
def test_a_manifest_with_two_label_sets_is_refused_at_its_line(tmp_path: Path, labels: tuple[str, ...], message: str):
    with pytest.raises(CorpusError, match=message):
        list(open_corpus(manifest(tmp_path / "a.csv", *labels)).all_utterances())
