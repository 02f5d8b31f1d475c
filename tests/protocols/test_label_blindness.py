"""The bound on leakage: with every target label replaced by noise, training and selection are identical to the bit."""

from dataclasses import replace

import pytest
import torch

from msadg.protocols.domains import split_domains
from msadg.protocols.run import train_run
from msadg.protocols.score import score_run
from tests.protocols.helpers import toy_data, toy_domain, toy_experiment


@pytest.mark.parametrize("selection", ["source_dev", "leave_one_source_out"])
@pytest.mark.parametrize("method", ["s2lif", "linear"])
def test_scrambled_target_labels_leave_training_and_selection_identical(tmp_path, method: str, selection: str):
    honest = toy_experiment(tmp_path / "honest", method, selection=selection)
    scrambled = _with_scrambled_target(honest, tmp_path / "scrambled")
    assert honest.training_key() == scrambled.training_key()
    first = train_run(honest, tmp_path / "first")
    second = train_run(scrambled, tmp_path / "second")
    for name, value in first.method.state_dict().items():
        assert torch.equal(value, second.method.state_dict()[name]), name
    assert first.state.history == second.state.history
    assert first.state.best_epochs == second.state.best_epochs
    one, other = score_run(first)[0], score_run(second)[0]
    assert one.metrics["a"] == other.metrics["a"]
    assert one.dev_metrics == other.dev_metrics
    assert one.metrics["c"] != other.metrics["c"]  # so the labels were scrambled indeed


def test_the_oracle_reads_the_target_and_its_key_says_so(tmp_path):
    honest = toy_experiment(tmp_path / "honest", selection="oracle")
    scrambled = _with_scrambled_target(honest, tmp_path / "scrambled")
    first, second = train_run(honest, tmp_path / "first"), train_run(scrambled, tmp_path / "second")
    assert first.state.history[0]["dev"].keys() == {"c"}
    assert first.state.history != second.state.history
    assert replace(honest, selection="source_dev").training_key() != honest.training_key()


def _with_scrambled_target(experiment, folder):
    sources = list(experiment.domains.source_domains)
    target = toy_domain(folder, "c", offset=200, shuffle_labels=7)
    domains = split_domains(sources, [target])
    return replace(experiment, domains=domains, data=toy_data(folder, [*sources, target]))
