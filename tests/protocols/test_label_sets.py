"""Corpora whose classes mean different things are kept out of one run."""

from __future__ import annotations

from pathlib import Path

import pytest

from msadg.errors import CorpusError
from msadg.protocols.features import DataConfig, check_splits

ROWS = "clip_id,video_id,text,sentiment,split\n" + "".join(
    f"c{n},v{n},some words,{{}},{split}\n" for n, split in enumerate(("train", "dev", "test"))
)


def domain(folder: Path, name: str, label: str) -> str:
    (folder / f"{name}.csv").write_text(ROWS.replace("{}", label), encoding="utf-8")
    return f"{name}={folder / name}.csv"


@pytest.mark.parametrize("humour_is_a", ["source", "target"])
def test_sentiment_and_humour_are_not_mixed_in_one_run(tmp_path: Path, humour_is_a: str):
    sad, glad = domain(tmp_path, "sad", "negative"), domain(tmp_path, "glad", "positive")
    talks = domain(tmp_path, "talks", "humorous")
    sources, targets = ([sad, talks], [glad]) if humour_is_a == "source" else ([sad, glad], [talks])
    with pytest.raises(CorpusError, match=r"sad is labelled with sentiment .* but talks with humour"):
        check_splits(DataConfig(), sources, targets)
    check_splits(DataConfig(), [sad], [glad])


def test_a_run_on_humour_alone_is_refused_while_methods_have_three_outputs(tmp_path: Path):
    talks, shows = domain(tmp_path, "talks", "humorous"), domain(tmp_path, "shows", "not humorous")
    with pytest.raises(CorpusError, match=r"talks, shows: labelled with humour, 2 classes .* not trained or scored on"):
        check_splits(DataConfig(), [talks], [shows])
