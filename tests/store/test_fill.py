import os
import resource
import signal

import numpy as np
import pytest

from msadg.errors import StoreError
from msadg.extraction.extractor import Loss
from msadg.store import Store, fill_store
from msadg.types import Features, Utterance
from tests.store.toys import exit_code_of


class WordLengths:
    """One step a word: its length, and its place in the transcript. Says what it was asked for."""

    modality = "text"
    version = "1"
    dim = 2
    dtype = "float16"
    marks = ()

    def __init__(self, *, name="text-words", **settings):
        self.name = name
        self.settings = settings
        self.asked = []

    def input_of(self, utterance):
        return utterance.text.encode()

    def extract(self, utterances):
        for utterance in utterances:
            self.asked.append(utterance.clip_id)
            words = utterance.text.split()
            values = [
                [float(word) if word in ("nan", "inf", "1e5") else len(word), at] for at, word in enumerate(words)
            ]
            if not words:
                yield Loss("transcript", "the transcript is empty")
            else:
                yield Features(np.array(values, np.float32), np.array([word != "-" for word in words]))


def make_utterance(number, text):
    return Utterance(
        clip_id=f"mine/train/{number}", video_id="v", text=text, split="train", sentiment=number % 3, polarity=None
    )


def utterances_of(*texts):
    return [make_utterance(number, text) for number, text in enumerate(texts)]


def bytes_of(store):
    return {path.name: path.read_bytes() for path in store.iterdir()}


def test_each_utterance_is_stored_in_order(tmp_path):
    told = []
    store = fill_store(
        tmp_path / "s",
        utterances_of("I liked it", "no", "- hm"),
        WordLengths(),
        chunk=2,
        progress=lambda done, total: told.append((done, total)),
    )
    assert store.clip_ids == ("mine/train/0", "mine/train/1", "mine/train/2")
    assert store.features("mine/train/0").values.tolist() == [[1, 0], [5, 1], [2, 2]]
    assert store.features("mine/train/2").valid.tolist() == [False, True]
    assert told == [(0, 3), (2, 3), (3, 3)]


def test_a_second_fill_extracts_nothing_and_changes_nothing(tmp_path):
    utterances = utterances_of("a", "bc", "")
    fill_store(tmp_path / "s", utterances, WordLengths())
    before, again = bytes_of(tmp_path / "s"), WordLengths()
    fill_store(tmp_path / "s", utterances, again)
    assert again.asked == []
    assert bytes_of(tmp_path / "s") == before


def test_only_new_clips_are_extracted(tmp_path):
    fill_store(tmp_path / "s", utterances_of("a", "bc"), WordLengths())
    more = WordLengths()
    store = fill_store(tmp_path / "s", utterances_of("a", "bc", "def"), more)
    assert more.asked == ["mine/train/2"]
    assert store.manifest.clips == 3


@pytest.mark.parametrize(
    ("text", "stage", "reason"),
    [
        ("well nan", "values", r"step 1 is nan (1 of 2 steps are NaN or inf)"),
        ("inf inf", "values", r"step 0 is inf (2 of 2 steps are NaN or inf)"),
        ("1e5", "values", r"step 0 holds 100000.0, which float16 cannot"),
        ("", "transcript", "the transcript is empty"),
    ],
)
def test_a_clip_without_usable_values_is_lost_and_the_others_are_kept(tmp_path, text, stage, reason):
    store = fill_store(tmp_path / "s", utterances_of("a", text, "bc"), WordLengths())
    assert store.clip_ids == ("mine/train/0", "mine/train/2")
    loss = store.losses["mine/train/1"]
    assert (loss.stage, loss.reason) == (stage, reason)
    assert store.manifest.lost == 1


def test_a_lost_clip_is_tried_again_when_asked_or_when_its_input_changed(tmp_path):
    utterances = utterances_of("a", "")
    fill_store(tmp_path / "s", utterances, WordLengths())
    asked = WordLengths()
    fill_store(tmp_path / "s", utterances, asked, retry_lost=True)
    assert asked.asked == ["mine/train/1"]
    store = fill_store(tmp_path / "s", utterances_of("a", "now with words"), WordLengths())
    assert store.lengths(["mine/train/1"]).tolist() == [3]
    assert not store.losses


def test_a_transcript_that_changed_is_told_and_extracted_anew_only_when_asked(tmp_path):
    fill_store(tmp_path / "s", utterances_of("a", "bc"), WordLengths())
    changed = utterances_of("a", "changed")
    with pytest.raises(StoreError, match=r"mine/train/1 was stored from another input .*overwrite"):
        fill_store(tmp_path / "s", changed, WordLengths())
    store = fill_store(tmp_path / "s", changed, WordLengths(), overwrite=True)
    assert store.features("mine/train/1").values.tolist() == [[7, 0]]
    assert len(store) == 2


def test_a_complete_store_of_another_extractor_is_refused(tmp_path):
    fill_store(tmp_path / "s", utterances_of("a"), WordLengths(layer=1))
    with pytest.raises(StoreError, match=r"settings\.layer is 1 there and 2 here"):
        fill_store(tmp_path / "s", utterances_of("a"), WordLengths(layer=2))


def test_a_doubled_clip_id_is_named(tmp_path):
    with pytest.raises(StoreError, match="'mine/train/0' comes more than once"):
        fill_store(tmp_path / "s", utterances_of("a", "b") + utterances_of("c"), WordLengths())


def test_an_error_in_the_extractor_keeps_the_chunks_before(tmp_path):
    class Broken(WordLengths):
        def extract(self, utterances):
            if utterances[0].text == "stop":
                raise RuntimeError("the encoder broke")
            return super().extract(utterances)

    utterances = utterances_of("a", "b", "stop", "d")
    with pytest.raises(RuntimeError, match="the encoder broke"):
        fill_store(tmp_path / "s", utterances, Broken(), chunk=2)
    assert Store(tmp_path / "s").clip_ids == ("mine/train/0", "mine/train/1")


class Killed(WordLengths):
    """Kills its process when it was asked for so many clips."""

    def __init__(self, at):
        super().__init__()
        self.at = at

    def extract(self, utterances):
        for features in super().extract(utterances):
            if len(self.asked) == self.at:
                os.kill(os.getpid(), signal.SIGKILL)
            yield features


@pytest.mark.parametrize("killed_at", [1, 13, 24, 25])
def test_a_fill_killed_and_run_again_ends_with_the_same_bytes(tmp_path, killed_at):
    utterances = utterances_of(*("word " * (number % 7 + 1) for number in range(40)))
    assert exit_code_of(lambda: fill_store(tmp_path / "s", utterances, Killed(killed_at), chunk=8)) == -signal.SIGKILL
    finished = 8 * ((killed_at - 1) // 8)  # whole chunks
    assert len(Store(tmp_path / "s")) == finished

    resumed = WordLengths()
    fill_store(tmp_path / "s", utterances, resumed, chunk=8)
    assert len(resumed.asked) == 40 - finished
    fill_store(tmp_path / "whole", utterances, WordLengths(), chunk=8)
    assert bytes_of(tmp_path / "s") == bytes_of(tmp_path / "whole")


def test_a_disk_that_fills_up_loses_no_finished_chunk(tmp_path):
    def fill():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, resource.RLIM_INFINITY))
        with pytest.raises(StoreError, match="the disk is full"):
            fill_store(tmp_path / "s", utterances_of(*["word " * 100] * 40), WordLengths(), chunk=4)

    assert exit_code_of(fill) == 0
    # 400 bytes a clip: ten clips fit into 4,000 bytes, so the eleventh did not.
    assert len(Store(tmp_path / "s")) == 10
