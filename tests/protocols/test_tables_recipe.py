"""The recipe `tables`: every row of the first paper's tables, each of which can be made."""

import pytest
import torch

from msadg.methods.build import build_method
from msadg.protocols.domains import paper_setting
from msadg.protocols.recipe import load_recipe
from msadg.report.published import TABLES, published_table
from msadg.types import SENTIMENT, Batch, Steps

RECIPE = load_recipe("tables")


@pytest.fixture(scope="module")
def encoder():
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=9, hidden_size=32, num_hidden_layers=3, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=8,
    )  # fmt: skip
    return BertModel(config)


def batch_of(features: dict[str, str], *, is_mllm: bool) -> Batch:
    """Four clips of two domains; as wide as the extractors named make them, in small."""
    generator = torch.Generator().manual_seed(0)
    steps = {}
    for modality, name in features.items():
        if name.endswith("-tokens"):
            values = torch.randint(1, 9, (4, 5, 1), generator=generator)
        else:
            values = torch.randn(4, 5, 6 if is_mllm else 32, generator=generator)
        steps[modality] = Steps(values, torch.ones(4, 5, dtype=torch.bool))
    return Batch(("a", "b", "c", "d"), steps, torch.tensor([0, 1, 2, 0]), torch.zeros(4), torch.tensor([0, 0, 1, 1]))


def test_every_row_of_the_papers_tables_is_in_the_recipe_but_the_one_that_needs_foreign_code():
    missing = {row for number in TABLES for row in published_table(number).rows} - set(RECIPE.rows)
    assert missing == {"mllm (Qwen-VL)"}


@pytest.mark.parametrize("row", RECIPE.rows)
def test_every_row_makes_a_prediction_and_a_loss_that_its_name_tells_of(row: str, encoder):
    experiment = RECIPE.experiment(row, paper_setting("multi-A"), 0)
    method, features = experiment.method, experiment.data.features
    is_mllm = method.name == "mllm"
    batch = batch_of(features, is_mllm=is_mllm)
    dims = dict.fromkeys(features, 6 if is_mllm else 32)
    built = build_method(method, dims, 0, encoder if method.finetune else None, experiment.whole_task(SENTIMENT))
    prediction = built(batch)
    assert prediction.logits.shape == (4, 3)
    assert prediction.logits.isfinite().all()
    if method.name not in ("constant", "linear", "mllm"):
        assert sum(built.loss(prediction, batch).values()).isfinite()
    assert ("fine-tuned" in row) == (method.finetune is not None) == features.get("text", "").endswith("-tokens")
    assert ("+ mask" in row) == (method.mask is not None)
    assert ("+ SV" in row) == (method.variation is not None)
    read = {"(V": {"video"}, "(T,": {"text"}, "(T)": {"text"}, "(V)": {"video"}, "(M": {"text", "video"}}
    told = [modalities for part, modalities in read.items() if part in row and ">" not in row and "&" not in row]
    if told and not is_mllm:
        assert set(built.modalities) == told[0]


@pytest.mark.parametrize(
    ("row", "order"),
    [
        ("s2lif (V > T, frozen)", "video>text"),
        ("s2lif (T & V, fine-tuned)", "text&video"),
        ("s2lif (T > V, fine-tuned)", "text>video"),
    ],
)
def test_the_paper_s_orders_are_those_of_the_names(row: str, order: str):
    assert RECIPE.experiment(row, paper_setting("single-A"), 0).method.settings["order"] == order


def test_rows_of_table_3_are_one_training_scored_in_other_ways_but_for_the_keyframes():
    plain, noise, rejected, no_keyframes = (
        RECIPE.experiment(row, paper_setting("multi-A"), 0)
        for row in (
            "s2lif (T > V, frozen)",
            "s2lif, noise for selected (frozen)",
            "s2lif, rejected features (frozen)",
            "s2lif, no keyframes (frozen)",
        )
    )
    assert plain.method == noise.method == rejected.method
    assert [e.intervention for e in (plain, noise, rejected, no_keyframes)] == ["none", "noise", "rejected", "none"]
    assert no_keyframes.method.settings == {**plain.method.settings, "keyframes": False}


def test_every_row_has_the_same_budget_but_ours_fine_tuned_which_has_half():
    budgets = {
        row: (e.training.epochs, e.training.batch_size, e.selection)
        for row in RECIPE.rows
        for e in [RECIPE.experiment(row, paper_setting("multi-A"), 0)]
    }
    assert budgets.pop("s2lif_plus (T, fine-tuned)") == (3, 32, "source_dev")
    assert set(budgets.values()) == {(6, 32, "source_dev")}
