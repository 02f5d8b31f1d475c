"""A run whose text encoder is trained: token ids stored, weights saved with the run, the same bits after loading."""

from dataclasses import replace

import pytest
import torch

from msadg.methods.build import MethodSpec
from msadg.protocols.features import DataConfig
from msadg.protocols.run import load_run, train_run
from msadg.protocols.score import score_run
from msadg.protocols.stores import prepare_stores
from tests.protocols.helpers import tiny_encoder, toy_experiment


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return tiny_encoder(tmp_path_factory.mktemp("models") / "tiny")


def test_a_fine_tuned_run_learns_is_saved_and_says_the_same_when_loaded(tmp_path, encoder):
    toy = toy_experiment(tmp_path)
    data = DataConfig(features={"text": f"{encoder}-tokens"}, stores=tmp_path / "tokens")
    settings = {"order": "text", "dim": 8, "heads": 2}
    spec = MethodSpec(name="s2lif", settings=settings, finetune={"learning_rate_ratio": 0.5, "frozen_layers": 1})
    experiment = replace(toy, data=data, method=spec)
    prepare_stores(data, experiment.domains.all_domains)
    trained = train_run(experiment, tmp_path / "run")
    # The class is a word of the text, so an encoder that learns finds it.
    assert trained.state.history[-1]["score"] > 0.9
    from msadg.extraction.text import load_encoder

    fresh = load_encoder(str(encoder)).state_dict()
    moved = {
        name.split(".")[2] if name.startswith("encoder.layer") else "embeddings"
        for name, value in trained.method.text_encoder.state_dict().items()
        if not torch.equal(value, fresh[name])
    }
    assert moved == {"1"}  # the embeddings and the first layer were frozen
    record, predictions = score_run(trained)
    again, same = score_run(load_run(tmp_path / "run"))
    assert record.metrics == again.metrics
    assert (predictions.probabilities == same.probabilities).all()
