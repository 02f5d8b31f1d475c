"""A modality that the command line names is read."""

from argparse import Namespace

import pytest

from msadg.cli.reading import reading_changes

QUICK = {"erm": {"dim": 64, "modalities": ["text"]}, "s2lif": {"order": "text"}, "constant": {}}


def arguments_of(**given):
    return Namespace(**{"text": None, "audio": None, "video": None, "set": []} | given)


def test_what_is_named_is_read_last():
    changes = reading_changes(QUICK, arguments_of(text="minilm", audio="logmel", video="hog"))
    erm = "methods.erm.modalities=['text', 'audio', 'video']"
    assert changes == [erm, "methods.s2lif.order='text>audio>video'"]


def test_what_the_recipe_reads_already_changes_nothing():
    assert reading_changes({"s2lif": {"order": "video&text"}}, arguments_of(video="hog")) == []
    assert reading_changes(QUICK, arguments_of()) == []


@pytest.mark.parametrize("said", ["methods.s2lif.order=text", 'methods.s2lif.order = "text"'])
def test_what_is_said_of_the_order_stays(said):
    assert reading_changes({"s2lif": {"order": "text"}}, arguments_of(video="hog", set=[said])) == []
