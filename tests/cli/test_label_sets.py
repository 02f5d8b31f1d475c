"""What the command shows of a corpus whose classes are not those of sentiment."""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import pytest

from msadg.cli import data
from msadg.cli.extract_summary import tally_by_group
from msadg.corpora.catalog import open_corpus
from msadg.store.fill import fill_store
from msadg.store.losses import write_losses
from msadg.store.reader import Store
from tests.store.toys import Toy

MANIFEST = (
    "clip_id,video_id,text,sentiment,split,clip_path\n"
    "a,a,so it goes,humorous,train,a.mp4\n"
    "b,b,fail,not humorous,dev,b.mp4\n"
    "c,c,and so on,humorous,test,c.mp4\n"
)


def call(*words: str) -> int:
    parser = argparse.ArgumentParser()
    data.add_arguments(parser)
    return data.run(parser.parse_args(words))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ur-funny").mkdir()
    (tmp_path / "ur-funny" / "clips.csv").write_text(MANIFEST, encoding="utf-8")
    return tmp_path


def test_the_list_says_what_is_labelled(capsys: pytest.CaptureFixture[str]):
    assert call("list") == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("ur-funny")]
    assert "(class of humour; licence" in line
    assert call("list", "--json") == 0
    listed = {line["corpus"]: line["label_set"] for line in json.loads(capsys.readouterr().out)["corpora"]}
    assert (listed["ur-funny"], listed["mosi"]) == ("humour", "sentiment")


def test_the_check_counts_its_own_classes(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert call("check", "ur-funny", "--root", str(folder), "--json") == 0
    (report,) = json.loads(capsys.readouterr().out)["checks"]
    assert report["classes"] == ["not humorous", "humorous"]
    assert report["counts"] == {"train": [0, 1], "dev": [1, 0], "test": [0, 1]}
    assert call("check", "ur-funny", "--root", str(folder)) == 0
    printed = capsys.readouterr().out
    assert "not humorous" in printed and "neutral" not in printed


def test_the_check_holds_sizes_to_the_card_where_it_has_no_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "ch-sims-v2").mkdir()
    (tmp_path / "ch-sims-v2" / "meta.csv").write_text(
        "video_id,clip_id,text,label,annotation,mode\n"
        + "".join(
            f"v{split},{n},好,0.2,Positive,{split}\n" for split in ("train", "valid", "test") for n in range(647)
        ),
        encoding="utf-8",
    )
    assert call("check", "ch-sims-v2", "--root", str(tmp_path)) == 1
    printed = capsys.readouterr().out
    assert "ch-sims-v2: train has 647 utterances, the card says 2,722" in printed
    (dev,) = [line for line in printed.splitlines() if "│ dev" in line]
    assert [cell.strip() for cell in dev.split("│")][2:-1] == ["0", "0", "647", "647", "647 in all", "met"]


def test_a_store_is_summed_up_and_its_losses_listed_by_the_corpus_own_classes(folder: Path):
    clips = list(open_corpus("ur-funny", root=folder / "ur-funny").all_utterances())
    fill_store(folder / "store", clips, Toy())
    store = Store(folder / "store")
    tallies = tally_by_group(store, clips)
    assert {group: (tally.clips, tally.lost) for group, tally in tallies.items()} == {
        ("train", "humorous"): (1, 0), ("dev", "not humorous"): (1, 1), ("test", "humorous"): (1, 0),
    }  # fmt: skip
    write_losses(folder / "store", clips, store)
    (lost,) = csv.DictReader((folder / "store" / "losses.csv").read_text(encoding="utf-8").splitlines())
    assert (lost["clip"], lost["split"], lost["class"]) == ("ur-funny/dev/b", "dev", "not humorous")
