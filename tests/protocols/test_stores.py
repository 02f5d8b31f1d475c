"""What would have to be extracted, told without extracting it."""

import dataclasses
import shutil

import pytest

from msadg.corpora.catalog import open_corpus
from msadg.errors import UnknownNameError
from msadg.protocols.features import folder_of
from msadg.protocols.stores import clips_to_extract
from msadg.store.fill import fill_store
from tests.protocols.helpers import SIZES, Toy, toy_data, toy_domain

ALL = sum(SIZES.values())


@pytest.fixture
def domain(tmp_path):
    return toy_domain(tmp_path, "a")


def test_of_what_is_stored_nothing_is_left_and_of_what_is_begun_the_rest(tmp_path, domain):
    data = toy_data(tmp_path, [domain])
    assert clips_to_extract(data, [domain]) == {}
    text = folder_of(data, domain, "text")
    shutil.rmtree(text)
    assert clips_to_extract(data, [domain]) == {"a text-toy": ALL}
    fill_store(text, list(open_corpus(domain).all_utterances())[:7], Toy("text", 6))
    assert clips_to_extract(data, [domain]) == {"a text-toy": ALL - 7}
    assert clips_to_extract(data, [domain], {"test"}) == {"a text-toy": SIZES["test"]}


def test_simulated_video_takes_the_text_that_it_rides_on(tmp_path, domain):
    data = toy_data(tmp_path, [domain])
    tokens = {"text": "minilm-tokens", "video": "simulated"}
    lacking = clips_to_extract(dataclasses.replace(data, features=tokens), [domain], {"test"})
    assert lacking == {"a text-minilm-tokens": SIZES["test"], "a text-minilm": ALL, "a video-simulated": ALL}


def test_a_modality_that_there_is_not_is_refused(tmp_path, domain):
    data = dataclasses.replace(toy_data(tmp_path, [domain]), features={"smell": "toy"})
    with pytest.raises(UnknownNameError, match="smell"):
        clips_to_extract(data, [domain])
