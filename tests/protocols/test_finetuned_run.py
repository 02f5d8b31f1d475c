"""A run whose text encoder is trained: token ids stored, weights saved with the run, the same bits after loading."""

from dataclasses import replace

import pytest
import torch

from msadg.methods.build import MethodSpec
from msadg.protocols.features import DataConfig, prepare_stores
from msadg.protocols.run import load_run, train_run
from msadg.protocols.score import score_run
from tests.protocols.helpers import toy_experiment

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "clip", "class", "0", "1", "2"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A BERT of width 16 with random weights, and a tokenizer that reads the toy texts' classes, as files."""
    from transformers import BertConfig, BertModel, BertTokenizer

    folder = tmp_path_factory.mktemp("models") / "tiny"
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=16,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    BertTokenizer(vocab={word: at for at, word in enumerate(WORDS)}).save_pretrained(folder)
    return folder


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
