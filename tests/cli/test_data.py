"""`msadg data`, called as the command calls it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from msadg.cli import data
from msadg.corpora.catalog import CORPORA
from msadg.errors import UnknownNameError

MANIFEST = "clip_id,video_id,text,label,split\na_1,a,so good,2,train\nb_1,b,meh,0.2,dev\nc_1,c,awful,-2,test\n"


def call(*words: str) -> int:
    parser = argparse.ArgumentParser()
    data.add_arguments(parser)
    return data.run(parser.parse_args(words))


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "mosi" / "clips.csv"
    path.parent.mkdir()
    path.write_text(MANIFEST)
    return path


def test_list_has_a_line_for_each_known_corpus(capsys):
    assert call("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(CORPORA)
    assert "2,199 utterances" in lines[0]


@pytest.mark.parametrize(("labels", "dev"), [("round", [0, 1, 0]), ("sign", [0, 0, 1])])
def test_check_counts_a_manifest_by_the_reading(manifest: Path, capsys, labels: str, dev: list[int]):
    assert call("check", f"mine={manifest}", "--labels", labels, "--json") == 0
    (report,) = json.loads(capsys.readouterr().out)["checks"]
    assert report["counts"] == {"train": [0, 0, 1], "dev": dev, "test": [1, 0, 0]}
    assert report["met"]


def test_check_fails_where_the_card_says_otherwise(manifest: Path, capsys):
    assert call("check", "mosi", "--root", str(manifest.parent.parent)) == 1
    printed = capsys.readouterr().out
    assert "DIFFERS" in printed
    assert "mosi: train has 0 / 0 / 1 (negative / neutral / positive), the card says 450 / 248 / 586" in printed


def test_root_may_be_the_corpus_itself(manifest: Path, capsys):
    assert call("check", "mosi", "--root", str(manifest.parent), "--json") == 1
    (report,) = json.loads(capsys.readouterr().out)["checks"]
    assert report["counts"]["train"] == [0, 0, 1]


def test_a_bad_file_is_reported_and_the_others_are_checked(manifest: Path, capsys):
    good = manifest.with_name("good.csv")
    good.write_text(MANIFEST)
    manifest.write_text(MANIFEST.replace("0.2", "7"))
    assert call("check", f"bad={manifest}", f"good={good}", "--json") == 1
    bad, other = json.loads(capsys.readouterr().out)["checks"]
    assert "line 3: polarity 7 is outside" in bad["error"]
    assert other["met"]


def test_without_names_what_is_not_there_is_said_but_is_no_fault(tmp_path: Path, capsys):
    assert call("check", "--root", str(tmp_path)) == 0
    assert "meld is not there: meld: there is no folder" in capsys.readouterr().out


def test_a_named_corpus_that_is_not_there_is_a_fault(tmp_path: Path, capsys):
    assert call("check", "meld", "--root", str(tmp_path / "none")) == 1


def test_an_unknown_corpus_is_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'meld'"):
        call("check", "melt")
