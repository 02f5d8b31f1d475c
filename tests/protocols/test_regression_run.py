"""A regression from the sources' polarities to its record: every method, every target, every reading."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.metrics import f1_score, mean_absolute_error

from msadg.errors import CorpusError, RunError, SettingsError
from msadg.methods import METHODS, load_method
from msadg.protocols.domains import split_domains
from msadg.protocols.evaluate import predict_logits, selection_score
from msadg.protocols.experiment import Experiment, experiment_from
from msadg.protocols.fit import source_clips
from msadg.protocols.run import load_run, train_run
from msadg.protocols.score import score_run
from msadg.report.markdown import to_markdown
from msadg.report.writing import build_tables
from msadg.results.predictions import read_predictions, write_predictions
from tests.protocols.helpers import toy_data, toy_domain, toy_experiment


@pytest.fixture(autouse=True)
def _parts_may_be_idle() -> None:
    """In a run of a few epochs masks reject nothing and codes may be flat, and it says so."""
    warnings.filterwarnings("ignore", r"the .* (mask (never rejected|rejects nothing)|codes ended up nearly the same)")


NARROW = {name: {"dim": 8, "heads": 2} for name in METHODS if hasattr(load_method(name).Config(), "heads")}
REGRESSION = {"mae", "corr", "acc2_has0", "acc2_non0", "acc5", "acc7", "f1_weighted_has0", "f1_weighted_non0"}
DERIVED = {"accuracy", "f1_macro", "f1_weighted", "balanced_accuracy"}
DERIVED |= {f"recall_{name}" for name in ("negative", "neutral", "positive")}


def toy_regression(folder, method: str = "erm", *, labels: str = "round", **changes: object) -> Experiment:
    """Two sources and a target with polarities, and a target (``m``) that has classes only."""
    training = changes.pop("training", {})
    narrow = NARROW.get(method, {}) | ({"heads_per_class": 3} if method == "mad" else {})
    experiment = toy_experiment(folder, method, settings=narrow, **changes)
    training = replace(experiment.training, **training)
    domains = [toy_domain(folder / "p", name, offset=100 * i, polarity=True) for i, name in enumerate(("a", "b", "c"))]
    domains.append(toy_domain(folder / "p", "m", offset=300))
    data = replace(toy_data(folder / "p", domains), labels=labels)
    split = split_domains(domains[:2], domains[2:])
    return replace(experiment, task="regression", training=training, domains=split, data=data)


@pytest.mark.short_runs
@pytest.mark.parametrize("loss", ["mse", "l1"])
@pytest.mark.parametrize("method", sorted({*METHODS} - {"mllm"}))  # which learns from no polarity: test_mllm.py
def test_every_method_goes_from_polarities_to_a_record(tmp_path, method: str, loss: str):
    training = {"regression_loss": loss, "learning_rate": 0.03, "epochs": 5}
    experiment = toy_regression(tmp_path, method, training=training)
    trained = train_run(experiment, tmp_path / "run")
    record, predictions = score_run(trained)
    for domain in ("a", "b", "c"):
        assert record.metrics[domain].keys() == REGRESSION | DERIVED
    assert record.metrics["m"].keys() == DERIVED
    assert set(record.extra["summary"]) == {"f1_macro", "accuracy", "balanced_accuracy"}
    assert predictions.probabilities is None
    if method in ("linear", "erm", "s2lif"):  # which learn a few clips in a few epochs
        assert record.metrics["c"]["mae"] < 1.0  # the constant's is (1.75 + 0 + 1.75) / 3 = 1.17


def test_the_record_says_what_scikit_learn_says_of_the_kept_predictions(tmp_path):
    warnings.filterwarnings("ignore", ".*no clip of the test split is neutral")
    trained = train_run(toy_regression(tmp_path, labels="sign"), tmp_path / "run")
    record, predictions = score_run(trained)
    write_predictions(tmp_path / "p.parquet", predictions)
    kept = read_predictions(tmp_path / "p.parquet").of_domain("c")
    assert_allclose(record.metrics["c"]["mae"], mean_absolute_error(kept.polarity, kept.predicted_polarity), rtol=1e-12)
    said = np.sign(kept.predicted_polarity).astype(int) + 1
    assert kept.predicted.tolist() == said.tolist()
    assert 1 not in kept.sentiment  # .25 is positive by its sign
    f1 = f1_score(kept.sentiment, said, labels=[0, 1, 2], average="macro", zero_division=0)
    assert_allclose(record.metrics["c"]["f1_macro"], f1, rtol=1e-12)


@pytest.mark.parametrize("metric", ["mae", "corr", "f1_macro"])
def test_selection_keeps_the_epoch_that_is_best_by_its_metric(tmp_path, metric: str):
    experiment = toy_regression(tmp_path, training={"selection_metric": metric, "learning_rate": 0.05})
    trained = train_run(experiment, tmp_path / "run")
    scores = [entry["score"] for entry in trained.state.history]
    assert trained.state.best_epochs == [int(np.argmax(scores))]
    dev = score_run(trained)[0].dev_metrics
    expected = np.mean([dev[domain][metric] for domain in ("a", "b")])
    assert_allclose(max(scores), -expected if metric == "mae" else expected, rtol=1e-12)


def test_the_same_prediction_for_every_clip_is_the_worst_correlation(tmp_path):
    clips = source_clips(toy_regression(tmp_path), "dev")[0]
    assert selection_score(np.full((len(clips), 1), 0.5), clips, "corr") == -1.0


def test_a_loaded_run_says_the_same(tmp_path):
    trained = train_run(toy_regression(tmp_path, "s2lif"), tmp_path / "run")
    again = load_run(tmp_path / "run")
    assert again.method.task == trained.method.task
    clips = source_clips(trained.experiment, "test")[0]
    for name, said in predict_logits(trained.method, clips).items():
        assert said.shape == (len(clips), 1)
        np.testing.assert_array_equal(predict_logits(again.method, clips)[name], said)


def test_each_stage_of_s2lif_has_scores_of_its_own(tmp_path):
    trained = train_run(toy_regression(tmp_path, "s2lif", training={"epochs": 2}), tmp_path / "run")
    stages = score_run(trained)[0].extra["stages"]
    assert stages.keys() == {"logits_text", "logits_video"}
    assert stages["logits_text"]["c"].keys() == {"accuracy", "f1_macro", "mae", "corr"}


def test_a_source_of_classes_only_is_an_error_before_anything_is_written(tmp_path):
    experiment = replace(toy_experiment(tmp_path), task="regression")
    with pytest.raises(CorpusError, match=r"66 of 66 clips of train and dev have a class but no polarity"):
        train_run(experiment, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_selection_on_a_target_without_polarity_says_what_it_has(tmp_path):
    experiment = toy_regression(tmp_path, selection="oracle", training={"selection_metric": "mae", "epochs": 1})
    with pytest.raises(RunError, match=r"m has no mae, which training.selection_metric asks for; it has accuracy"):
        train_run(experiment, tmp_path / "run")


@pytest.mark.parametrize(
    ("task", "training", "said"),
    [
        ("regression", {"class_prior": "uniform"}, "class_prior = 'uniform' is about the shares of classes"),
        ("regression", {"selection_metric": "nll"}, "'nll' is of a classification, and the task is regression"),
        ("classification", {"selection_metric": "mae"}, "'mae' is of a regression, and the task is classification"),
    ],
)
def test_settings_that_belong_to_the_other_task_are_errors(tmp_path, task: str, training: dict, said: str):
    experiment = toy_experiment(tmp_path)
    with pytest.raises(SettingsError, match=said):
        replace(experiment, task=task, training=replace(experiment.training, **training))


def test_the_task_is_part_of_a_run_s_identity_and_leaves_that_of_classifications_alone(tmp_path):
    experiment = toy_experiment(tmp_path)
    identity = experiment.training_identity()
    assert "task" not in identity
    assert "regression_loss" not in identity["training"]
    l1 = replace(experiment, training=replace(experiment.training, regression_loss="l1"))
    assert l1.training_key() == experiment.training_key()  # it decides nothing there
    keys = {replace(e, task="regression").training_key() for e in (experiment, l1)}
    assert len(keys | {experiment.training_key()}) == 3
    again = experiment_from(replace(l1, task="regression").to_dict(), where="test")
    assert (again.task, again.training.regression_loss) == ("regression", "l1")


def test_scrambled_target_polarities_leave_training_and_selection_identical(tmp_path):
    honest = toy_regression(tmp_path / "honest", training={"selection_metric": "mae", "epochs": 2})
    target = toy_domain(tmp_path / "other", "c", offset=200, shuffle_labels=7, polarity=True)
    sources = list(honest.domains.source_domains)
    scrambled = replace(honest, domains=split_domains(sources, [target]))
    scrambled = replace(scrambled, data=toy_data(tmp_path / "other", [*sources, target]))
    first, second = train_run(honest, tmp_path / "first"), train_run(scrambled, tmp_path / "second")
    assert first.state.history == second.state.history
    for name, value in first.method.state_dict().items():
        assert torch.equal(value, second.method.state_dict()[name]), name
    assert score_run(first)[0].metrics["c"] != score_run(second)[0].metrics["c"]


def test_tables_of_a_regression_show_its_metrics_and_say_so(tmp_path):
    records = [
        score_run(train_run(toy_regression(tmp_path, name, training={"epochs": 1}), tmp_path / name))[0]
        for name in ("constant", "erm")
    ]
    tables = build_tables(records, lambda record: None)  # type: ignore[arg-type,return-value]
    assert [table.metric for table in tables] == ["mae", "corr", "acc2_has0", "acc2_non0", "acc7", "f1_macro"]
    printed = to_markdown(tables[0])
    assert "mean absolute error" in printed
    assert "Polarity is predicted" in printed
    column = [c.domain for c in tables[0].columns].index("m")
    assert all(row.cells[column] is None for row in tables[0].rows)  # a dash: it has no polarity
    best = min(records, key=lambda record: record.metrics["c"]["mae"])
    column = [c.domain for c in tables[0].columns].index("c")
    assert [row.name for row in tables[0].rows if row.cells[column].is_best] == [best.row]
