"""Corpora whose classes mean different things are kept out of one run; a run on any one label set is like any other."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from msadg.batches.clips import joined
from msadg.corpora.label_sets import HUMOUR
from msadg.errors import CorpusError, UsageError
from msadg.protocols.domains import DomainSplit
from msadg.protocols.experiment import Experiment
from msadg.protocols.features import DataConfig, check_polarity, check_splits, load_clips
from msadg.protocols.run import load_run, train_run
from msadg.protocols.score import failed_record, score_run
from msadg.protocols.stores import prepare_stores
from msadg.types import SENTIMENT
from tests.protocols.helpers import toy_data, toy_domain, toy_experiment

ROWS = "clip_id,video_id,text,sentiment,split\n" + "".join(
    f"c{n},v{n},some words,{{}},{split}\n" for n, split in enumerate(("train", "dev", "test"))
)


def domain(folder: Path, name: str, label: str) -> str:
    (folder / f"{name}.csv").write_text(ROWS.replace("{}", label), encoding="utf-8")
    return f"{name}={folder / name}.csv"


def humorous(spec: str) -> str:
    """The toy domain with two classes in the place of three: neutral and positive are humorous."""
    path = Path(spec.partition("=")[2])
    text = path.read_text(encoding="utf-8")
    for old, new in (("negative", "not humorous"), ("neutral", "humorous"), ("positive", "humorous")):
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return spec


def on_humour(folder: Path, method: str = "linear") -> Experiment:
    """Two sources and a target of humour, at names and paths that no other test reads."""
    folder.mkdir()
    experiment = toy_experiment(folder / "sentiment", method)  # for its settings
    domains = [humorous(toy_domain(folder, f"h{n}", offset=100 * n)) for n in range(3)]
    return replace(
        experiment,
        domains=DomainSplit(tuple(domains[:2]), tuple(domains[2:])),
        data=toy_data(folder, domains),
    )


@pytest.mark.parametrize("humour_is_a", ["source", "target"])
def test_sentiment_and_humour_are_not_mixed_in_one_run(tmp_path: Path, humour_is_a: str):
    sad, glad = domain(tmp_path, "sad", "negative"), domain(tmp_path, "glad", "positive")
    talks = domain(tmp_path, "talks", "humorous")
    sources, targets = ([sad, talks], [glad]) if humour_is_a == "source" else ([sad, glad], [talks])
    with pytest.raises(CorpusError, match=r"sad is labelled with sentiment .* but talks with humour"):
        check_splits(DataConfig(), sources, targets)
    check_splits(DataConfig(), [sad], [glad])


def test_humour_alone_is_no_matter(tmp_path: Path):
    talks, shows = domain(tmp_path, "talks", "humorous"), domain(tmp_path, "shows", "not humorous")
    check_splits(DataConfig(), [talks], [shows])


def test_a_regression_on_classes_without_polarity_is_refused_in_words_of_its_own(tmp_path: Path):
    talks = domain(tmp_path, "talks", "humorous")
    with pytest.raises(CorpusError, match=r"talks is labelled with humour .* which has no polarity"):
        check_polarity(DataConfig(), [talks])
    experiment = replace(on_humour(tmp_path / "toy", "erm"), task="regression")
    with pytest.raises(CorpusError, match="nothing for a regression to learn; use task = 'classification'"):
        train_run(experiment, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(UsageError, match="humour has none"):
        experiment.whole_task(HUMOUR)


@pytest.mark.parametrize("features", [{"text": "simulated"}, {"text": "minilm", "video": "simulated"}])
def test_nothing_is_simulated_for_classes_that_the_simulated_world_does_not_have(tmp_path: Path, features: dict):
    talks = domain(tmp_path, "talks", "humorous")
    data = DataConfig(features=features, stores=tmp_path / "stores")
    with pytest.raises(
        CorpusError, match=r"talks is labelled with humour .* drawn from a world whose classes are nega"
    ):
        prepare_stores(data, [talks])
    assert not (tmp_path / "stores").exists()  # no time went into the text


@pytest.mark.short_runs
@pytest.mark.parametrize("method", ["constant", "linear", "erm", "s2lif"])
def test_a_run_on_humour_is_trained_scored_and_loaded_without_its_corpora(tmp_path: Path, method: str):
    experiment = on_humour(tmp_path / "toy", method)
    trained = train_run(experiment, tmp_path / "run")
    record, predictions = score_run(trained)
    assert trained.method.task.label_set == record.label_set == predictions.label_set == HUMOUR
    assert predictions.probabilities.shape == (72, 2)
    scores = record.metrics["h2"]
    assert {"recall_humorous", "recall_not_humorous", "nll", "ece", "brier"} < scores.keys()
    assert "recall_neutral" not in scores
    if method == "constant":  # two thirds are humorous
        assert (scores["accuracy"], scores["f1_macro"]) == pytest.approx((2 / 3, 0.4))
    if method == "linear":
        assert scores["f1_macro"] > 0.7
    shutil.rmtree(tmp_path / "toy")
    again = load_run(tmp_path / "run").method
    assert again.task == trained.method.task and again.num_outputs == 2
    assert all((value == again.state_dict()[name]).all() for name, value in trained.method.state_dict().items())


def test_leaving_one_source_out_knows_the_classes_too(tmp_path: Path):
    experiment = replace(on_humour(tmp_path / "toy", "erm"), selection="leave_one_source_out")
    experiment = replace(experiment, training=replace(experiment.training, epochs=2, class_prior="uniform"))
    record, _ = score_run(train_run(experiment, tmp_path / "run"))
    assert record.metrics["h2"]["nll"] > 0


def test_a_run_folder_says_its_classes_only_where_they_are_not_the_sentiments(tmp_path: Path):
    humour, sentiment = on_humour(tmp_path / "toy", "constant"), toy_experiment(tmp_path / "other", "constant")
    for name, experiment in (("humour", humour), ("sentiment", sentiment)):
        train_run(experiment, tmp_path / name)
    written = {name: json.loads((tmp_path / name / "run.json").read_text()) for name in ("humour", "sentiment")}
    assert written["sentiment"].keys() == {"training_key", "experiment"}
    assert written["humour"]["label_set"]["classes"] == ["not humorous", "humorous"]
    assert (
        "label_set" not in sentiment.training_identity()
        and "label_set" not in score_run(load_run(tmp_path / "sentiment"))[0].extra
    )
    assert humour.training_identity()["label_set"]["name"] == "humour"
    # An older folder, without a word on classes, is of sentiments.
    assert load_run(tmp_path / "sentiment").method.task.label_set == SENTIMENT


def test_clips_of_other_classes_are_neither_joined_nor_scored(tmp_path: Path):
    humour, sentiment = on_humour(tmp_path / "toy", "constant"), toy_experiment(tmp_path / "other", "constant")
    sets = [load_clips(e.data, e.domains.source_domains[0], "train") for e in (humour, sentiment)]
    assert [clips.label_set for clips in sets] == [HUMOUR, SENTIMENT]
    with pytest.raises(CorpusError, match=r"h0 is labelled with humour .* but a with sentiment"):
        joined(sets)
    trained = train_run(humour, tmp_path / "run")
    wrong = replace(humour, domains=DomainSplit(humour.domains.source_domains, (toy_domain(tmp_path, "s", offset=9),)))
    toy_data(tmp_path / "toy", wrong.domains.target_domains)
    with pytest.raises(CorpusError, match=r"the run on h0\+h1 is labelled with humour .* but s with sentiment"):
        score_run(trained, wrong)


def test_a_failed_run_says_its_classes_too(tmp_path: Path):
    assert failed_record(on_humour(tmp_path / "toy"), ValueError("no")).label_set == HUMOUR
    assert failed_record(toy_experiment(tmp_path / "other"), ValueError("no")).extra == {}
