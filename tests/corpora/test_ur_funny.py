"""UR-FUNNY v2 as its pickles are published, a few excerpts each."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from msadg.corpora.catalog import open_corpus
from msadg.corpora.label_sets import HUMOUR
from msadg.corpora.manifest_text import manifest_text
from msadg.corpora.ur_funny import UrFunny
from msadg.errors import CorpusError, MsadgWarning

# Ids are numbers; the first excerpt has no context, the last none of its words.
FOLDS = {"train": [7, 12], "dev": [3], "test": [5]}
LABELS = {3: 0, 5: 1, 7: 1, 12: 0}


def spoken(context: list[str], punchline: str, context_words: list[list[int]], words: list[int]) -> dict[str, Any]:
    return {
        "context_sentences": context,
        "punchline_sentence": punchline,
        "context_embedding_indexes": context_words,
        "punchline_embedding_indexes": words,
        "context_intervals": [[[0.0, 0.5]] * len(sentence) for sentence in context_words],
        "punchline_intervals": [[1.0, 1.5]] * len(words),
    }


def sdk() -> dict[str, Any]:
    """The six published files, by name without suffix."""
    return {
        "data_folds": FOLDS,
        "humor_label_sdk": LABELS,
        "language_sdk": {
            7: spoken([], "so i bought it", [], [1, 2, 3, 0]),
            12: spoken(["we met", "it rained"], "we left", [[1, 2], [3, 0]], [1, 3]),
            3: spoken(["hello"], "thank you", [[2]], [0, 1]),
            5: spoken(["one"], "two", [[]], []),
        },
        "word_embedding_list": [[0.0, 0.5], [1.0, 1.5], [2.0, 2.5], [3.0, 3.5]],
        "covarep_features_sdk": {
            7: {"context_features": [], "punchline_features": [[1.0, 2.0, 3.0]]},
            12: {
                "context_features": [np.full((2, 3), 4.0), [[5.0, 5.0, 5.0]]],
                "punchline_features": np.full((1, 3), 6.0),
            },
            3: {"context_features": [[]], "punchline_features": np.array([[np.nan, 0.0, 0.0], [7.0, 7.0, 7.0]])},
            5: {"context_features": [[]], "punchline_features": []},
        },
    }


def write(root: Path, content: dict[str, Any], folder: str = "") -> Path:
    (root / folder).mkdir(parents=True, exist_ok=True)
    for name, table in content.items():
        (root / folder / f"{name}.pkl").write_bytes(pickle.dumps(table, protocol=3))
    return root


@pytest.mark.parametrize("folder", ["", "sdk_features"])
def test_an_excerpt_is_its_context_and_its_punchline(tmp_path: Path, folder: str):
    corpus = open_corpus("ur-funny", root=write(tmp_path, sdk(), folder))
    assert [(u.clip_id, u.text, u.sentiment, u.class_name, u.polarity) for u in corpus.all_utterances()] == [
        ("ur-funny/train/7", "so i bought it", 1, "humorous", None),
        ("ur-funny/train/12", "we met it rained we left", 0, "not humorous", None),
        ("ur-funny/dev/3", "hello thank you", 0, "not humorous", None),
        ("ur-funny/test/5", "one two", 1, "humorous", None),
    ]
    assert corpus.label_set == HUMOUR
    assert not corpus.has_polarity


def test_counts_are_of_two_classes_and_the_card_states_none(tmp_path: Path):
    result = open_corpus("ur-funny", root=write(tmp_path, sdk())).check()
    assert result.counts == {"train": (1, 1), "dev": (1, 0), "test": (0, 1)}
    assert (result.expected, result.expected_sizes, result.differences) == (None, None, ())


@pytest.mark.parametrize("kind", [np.int64, float, bool, lambda label: np.array([label]), np.float32])
def test_a_label_is_read_in_any_kind_of_number(tmp_path: Path, kind: Callable[[int], Any]):
    content = sdk()
    content["humor_label_sdk"] = {clip: kind(label) for clip, label in LABELS.items()}
    utterances = open_corpus("ur-funny", root=write(tmp_path, content)).all_utterances()
    assert [u.sentiment for u in utterances] == [1, 0, 0, 1]


def test_ids_in_arrays_and_sentences_in_words_are_read(tmp_path: Path):
    content = sdk()
    content["data_folds"] = {split: np.array(clips) for split, clips in FOLDS.items()}
    content["language_sdk"][3] |= {"punchline_sentence": ["thank", "you"], "context_sentences": [["hello"]]}
    utterances = list(open_corpus("ur-funny", root=write(tmp_path, content)).all_utterances())
    assert [u.clip_id for u in utterances][2:] == ["ur-funny/dev/3", "ur-funny/test/5"]
    assert utterances[2].text == "hello thank you"


def test_words_have_their_published_features_context_first(tmp_path: Path):
    corpus = UrFunny(write(tmp_path, sdk()))
    with pytest.warns(MsadgWarning, match=r"1 audio steps .* in 1 utterances \(first: ur-funny/dev/3\)"):
        audio = dict(corpus.published_features("audio"))
    assert audio["ur-funny/train/12"].values[:, 0].tolist() == [4, 4, 5, 6]
    assert audio["ur-funny/train/7"].values.tolist() == [[1, 2, 3]]
    assert audio["ur-funny/dev/3"].valid.tolist() == [False, True]
    assert audio["ur-funny/dev/3"].values.tolist() == [[0, 0, 0], [7, 7, 7]]
    assert len(audio["ur-funny/test/5"].values) == 0
    text = dict(corpus.published_features("text"))
    assert text["ur-funny/train/12"].values[:, 0].tolist() == [1, 2, 3, 0, 1, 3]
    assert text["ur-funny/train/7"].values.tolist() == [[1, 1.5], [2, 2.5], [3, 3.5], [0, 0.5]]


def test_a_clip_is_found_by_its_id(tmp_path: Path):
    write(tmp_path, sdk())
    (tmp_path / "urfunny2_videos").mkdir()
    for clip in (7, 12, 3):
        (tmp_path / "urfunny2_videos" / f"{clip}.mp4").touch()
    with pytest.warns(MsadgWarning, match=r"1 clips of data_folds\.pkl are not there"):
        paths = [u.clip_path for u in UrFunny(tmp_path).all_utterances()]
    assert paths == [*(str(tmp_path / "urfunny2_videos" / f"{clip}.mp4") for clip in (7, 12, 3)), None]


def test_a_manifest_gives_the_same_utterances(tmp_path: Path):
    utterances = list(UrFunny(write(tmp_path, sdk())).all_utterances())
    (tmp_path / "clips.csv").write_text(manifest_text(utterances), encoding="utf-8")
    corpus = UrFunny(tmp_path)
    assert corpus.layout == "clips.csv"
    assert list(corpus.all_utterances()) == utterances
    with pytest.raises(CorpusError, match=r"a manifest has no features; open ur-funny with layout='sdk'"):
        list(corpus.published_features("audio"))


def test_clips_in_no_fold_are_counted(tmp_path: Path):
    content = sdk()
    content["humor_label_sdk"] = LABELS | {99: 1, 100: 0}
    with pytest.warns(MsadgWarning, match=r"2 clips of humor_label_sdk\.pkl are in no fold and are left out"):
        assert len(list(UrFunny(write(tmp_path, content)).all_utterances())) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["humor_label_sdk"].__setitem__(3, 2), r"humor_label_sdk\.pkl, id 3: the label is 2; expected 0"),
        (lambda c: c["humor_label_sdk"].__setitem__(3, "yes"), r"id 3: the label is 'yes'; expected 0 \(not humorous"),
        (lambda c: c["humor_label_sdk"].__setitem__(3, float("nan")), "id 3: the label is nan"),
        (lambda c: c["humor_label_sdk"].pop(3), "id 3: is in a fold but not here"),
        (lambda c: c["language_sdk"].pop(5), r"language_sdk\.pkl, id 5: is in a fold but not here"),
        (lambda c: c["language_sdk"][5].pop("punchline_sentence"), "id 5: cannot be read .*punchline_sentence"),
        (lambda c: c["language_sdk"][5].update(punchline_sentence=4), "id 5: cannot be read .*a sentence is int"),
        (lambda c: c["language_sdk"].__setitem__(5, spoken([], " ", [], [])), "the text of clip '5' is empty"),
        (lambda c: c["data_folds"].update(extra=[1]), r"data_folds\.pkl, key 'extra': unknown split 'extra'"),
        (
            lambda c: c["language_sdk"][5].update(context_sentences="one"),
            "id 5: cannot be read .*expected a list of se",
        ),
        (lambda c: c["data_folds"].update(dev=np.array(3)), "dev: expected a list of ids; met ndarray"),
        (lambda c: c["data_folds"].update(dev=3), "dev: expected a list of ids; met int"),
        (lambda c: c["data_folds"].update(dev=[[3]]), r"dev: id \[3\]; expected a number or text"),
        (lambda c: c["data_folds"].update(dev=[3, 3]), "clip id 'ur-funny/dev/3' is there already"),
        (lambda c: c["data_folds"].update(dev=[3, 7]), "video '7' is in split 'dev' here but in 'train' before"),
        (
            lambda c: c.update(humor_label_sdk=[1, 0]),
            r"humor_label_sdk\.pkl: expected a dictionary by clip id; met lis",
        ),
    ],
)
def test_files_of_another_form_are_refused_by_name(tmp_path: Path, change: Callable[[Any], Any], message: str):
    content = sdk() | {"data_folds": dict(FOLDS), "humor_label_sdk": dict(LABELS)}
    change(content)
    with pytest.raises(CorpusError, match=message):
        list(UrFunny(write(tmp_path, content)).all_utterances())


@pytest.mark.parametrize(
    ("modality", "change", "message"),
    [
        ("audio", lambda c: c["covarep_features_sdk"].pop(12), "id 12: is in a fold but not here"),
        ("audio", lambda c: c["covarep_features_sdk"][12].pop("context_features"), "id 12: cannot be read"),
        (
            "audio",
            lambda c: c["covarep_features_sdk"][12].update(punchline_features=[[1.0]]),
            r"id 12: cannot be read .*shape \(1, 1\); expected word x feature, of one width",
        ),
        (
            "audio",
            lambda c: c["covarep_features_sdk"][12].update(punchline_features=[[1.0], [2.0, 3.0]]),
            "id 12: cannot be read",
        ),
        ("audio", lambda c: c["covarep_features_sdk"][7].update(punchline_features=[["a"]]), "expected numbers"),
        ("text", lambda c: c["language_sdk"][3].update(punchline_embedding_indexes=[4]), "none of the vocabulary's 4"),
        (
            "text",
            lambda c: c["language_sdk"][3].update(punchline_embedding_indexes=[0.5]),
            "expected a list of indices",
        ),
        ("text", lambda c: c.update(word_embedding_list=[1.0, 2.0]), r"word_embedding_list\.pkl: cannot be read"),
        ("video", lambda c: None, r"openface_features_sdk\.pkl is not there"),
    ],
)
def test_features_of_another_form_are_refused_by_name(
    tmp_path: Path, modality: str, change: Callable[[Any], Any], message: str
):
    content = sdk()
    change(content)
    with pytest.raises(CorpusError, match=message):
        list(UrFunny(write(tmp_path, content)).published_features(modality))


def test_a_truncated_pickle_is_refused(tmp_path: Path):
    path = write(tmp_path, sdk()) / "language_sdk.pkl"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CorpusError, match=r"language_sdk\.pkl: not a whole pickle"):
        list(UrFunny(tmp_path).all_utterances())


class Asks:
    """Pickles to a call."""

    def __init__(self, *reduced: Any) -> None:
        self.reduced = reduced

    def __reduce__(self) -> Any:
        return self.reduced


def test_a_malicious_pickle_runs_nothing(tmp_path: Path):
    trace = tmp_path / "was_here"
    write(tmp_path, sdk() | {"humor_label_sdk": {7: Asks(os.system, (f"touch {trace}",))}})
    with pytest.raises(CorpusError, match=r"humor_label_sdk\.pkl: asks for (posix|nt)\.system"):
        list(UrFunny(tmp_path).all_utterances())
    assert not trace.exists()


def test_without_files_it_says_what_was_looked_for(tmp_path: Path):
    with pytest.raises(CorpusError, match=r"ur-funny: nothing to read in .*; looked for clips\.csv, data_folds\.pkl, "):
        UrFunny(tmp_path)
