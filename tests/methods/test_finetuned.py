"""A trained text encoder behind any method, on a tiny random BERT of the real class."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close
from transformers import BertConfig, BertModel

from msadg.errors import UsageError
from msadg.methods.build import MethodSpec, build_method
from msadg.types import Batch, Steps
from tests.methods.helpers import padded, tiny_batch

WIDTH = 16


def tiny_encoder() -> BertModel:
    config = BertConfig(
        vocab_size=50, hidden_size=WIDTH, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32
    )
    torch.manual_seed(0)
    return BertModel(config, add_pooling_layer=False)


def token_batch() -> Batch:
    batch = tiny_batch()
    valid = batch.steps["text"].valid
    ids = torch.randint(1, 50, valid.shape, generator=torch.Generator().manual_seed(0)) * valid
    return replace(batch, steps={**batch.steps, "text": Steps(ids[..., None], valid)})


def tuned(name: str = "s2lif", finetune: dict | None = None, **settings: object):
    spec = MethodSpec(name=name, settings={"dim": 8, "heads": 2, **settings}, finetune=finetune or {})
    return build_method(spec, {"text": WIDTH, "video": 5}, seed=0, encoder=tiny_encoder())


@pytest.mark.parametrize("name", ["erm", "s2lif"])
def test_it_predicts_what_the_method_predicts_from_the_encoder_s_states(name: str):
    method, batch = tuned(name).eval(), token_batch()
    tokens = batch.steps["text"]
    ids, mask = tokens.values[..., 0], tokens.valid.long()
    states = method.text_encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    frozen = replace(batch, steps={**batch.steps, "text": Steps(states * tokens.valid[..., None], tokens.valid)})
    assert_close(method(batch).logits, method.inner(frozen).logits)


@pytest.mark.parametrize("name", ["erm", "s2lif"])
def test_padding_changes_nothing(name: str):
    method, batch = tuned(name).eval(), token_batch()
    longer = padded(batch, 3, filling=1.0)
    ids = longer.steps["text"].values.long()
    longer = replace(longer, steps={**longer.steps, "text": replace(longer.steps["text"], values=ids)})
    assert_close(method(batch).logits, method(longer).logits)


def test_the_gradient_reaches_the_encoder_except_what_is_frozen():
    method, batch = tuned(finetune={"frozen_layers": 2}).train(), token_batch()
    sum(method.loss(method(batch), batch).values()).backward()
    moved = {n for n, p in method.text_encoder.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert moved and all(name.startswith("encoder.layer.2.") for name in moved)
    assert not any(p.requires_grad for p in method.text_encoder.embeddings.parameters())


def test_the_encoder_has_its_own_learning_rate():
    ratios = tuned(finetune={"learning_rate_ratio": 0.02}).learning_rate_ratios()
    assert ratios["text_encoder."] == 0.02
    assert ratios["inner.masks."] == 10.0


def test_in_stages_the_encoder_moves_with_text_only():
    text, video = tuned(schedule="staged").phases()
    assert "text_encoder." in text.parameters
    assert "text_encoder." not in video.parameters
    assert "inner.encoders.video." in video.parameters


def test_with_a_mask_added_the_encoder_moves_too():
    spec = MethodSpec(name="erm", settings={"dim": 8, "heads": 2}, mask={}, finetune={})
    method = build_method(spec, {"text": WIDTH, "video": 5}, seed=0, encoder=tiny_encoder())
    (phase,) = method.phases()
    moving = [name for name, _ in method.named_parameters() if name.startswith(phase.parameters)]
    assert len(moving) == len(list(method.named_parameters()))


def test_a_method_without_a_gradient_cannot_train_an_encoder():
    with pytest.raises(UsageError, match="linear is not trained by gradient"):
        build_method(MethodSpec(name="linear", finetune={}), {"text": WIDTH}, seed=0, encoder=tiny_encoder())


@pytest.mark.parametrize("frozen", [0, 1])
def test_encoders_that_are_built_otherwise_than_bert_are_trained_and_frozen_too(frozen: int):
    from transformers import DistilBertConfig, DistilBertModel

    encoder = DistilBertModel(DistilBertConfig(vocab_size=50, dim=WIDTH, n_layers=2, n_heads=2, hidden_dim=32))
    spec = MethodSpec(name="erm", settings={"dim": 8, "heads": 2}, finetune={"frozen_layers": frozen})
    method = build_method(spec, {"text": WIDTH, "video": 5}, seed=0, encoder=encoder)
    still = [name for name, weight in method.text_encoder.named_parameters() if not weight.requires_grad]
    assert {name.split(".")[0] for name in still} == ({"embeddings", "transformer"} if frozen else set())
    assert not any(name.startswith("transformer.layer.1") for name in still)
    assert method.eval()(token_batch()).logits.isfinite().all()


def test_layers_that_are_shared_cannot_be_frozen_by_themselves():
    from transformers import AlbertConfig, AlbertModel

    config = AlbertConfig(
        vocab_size=50, embedding_size=8, hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32,
    )  # fmt: skip
    spec = MethodSpec(name="erm", settings={"dim": 8, "heads": 2}, finetune={"frozen_layers": 1})
    with pytest.raises(UsageError, match="AlbertModel keeps no layers by themselves"):
        build_method(spec, {"text": WIDTH, "video": 5}, seed=0, encoder=AlbertModel(config))


def test_more_layers_than_there_are_cannot_be_frozen():
    with pytest.raises(UsageError, match="has 3 layers, so 4 cannot be frozen"):
        tuned(finetune={"frozen_layers": 4})


def test_recomputed_activations_give_the_same_gradient():
    grads = []
    for checkpointing in (False, True):
        method = tuned(finetune={"gradient_checkpointing": checkpointing}).train()
        for module in method.modules():  # no dropout: only then are two passes alike
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        for module in method.modules():
            if hasattr(module, "attention_dropout"):
                module.attention_dropout = 0.0
        method.text_encoder.config.attention_probs_dropout_prob = 0.0
        batch = token_batch()
        states = method.encoded(batch).steps["text"].values
        states.square().sum().backward()
        grads.append(method.text_encoder.embeddings.word_embeddings.weight.grad.clone())
    assert grads[0].abs().sum() > 0
    assert_close(grads[0], grads[1])


def test_in_bfloat16_the_encoder_alone_is_rounded_and_learns_in_full_precision():
    exact, rounded = tuned().eval(), tuned(finetune={"bfloat16": True}).eval()
    seen = []
    rounded.text_encoder.encoder.layer[0].output.dense.register_forward_hook(lambda *of: seen.append(of[-1].dtype))
    batch = token_batch()
    states = rounded.encoded(batch).steps["text"].values
    assert seen == [torch.bfloat16] and states.dtype == torch.float32
    assert_close(states, exact.encoded(batch).steps["text"].values, atol=0.05, rtol=0.0)
    assert not torch.equal(states, exact.encoded(batch).steps["text"].values)
    sum(rounded.loss(rounded(batch), batch).values()).backward()
    assert {p.grad.dtype for p in rounded.parameters() if p.grad is not None} == {torch.float32}


def test_in_bfloat16_the_same_batch_gives_the_same_bits():
    method, batch = tuned(finetune={"bfloat16": True}).eval(), token_batch()
    assert torch.equal(method(batch).logits, method(batch).logits)
