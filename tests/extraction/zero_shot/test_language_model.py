"""The likelihood of each class word, on tiny models of the real classes, against one plain pass a word."""

import json

import pytest
import torch
from torch.testing import assert_close

from msadg.errors import FeatureError, UsageError
from msadg.extraction.zero_shot.language_model import Asked, LanguageModel
from msadg.extraction.zero_shot.likelihood import collated
from msadg.extraction.zero_shot.pictures import grid_of
from tests.extraction.zero_shot.tiny import TYPES, pictures

ASKED = [
    Asked("I loved it", pictures(2)),
    Asked("it was bad, so very long and so very bad", pictures(3, seed=1)),
    Asked("", pictures(1, seed=2)),
]


def model_of(folder, **settings):
    return LanguageModel(str(folder), precision="float32", device="cpu", **settings)


def said_plainly(folder, encoding, word, *, without_picture: bool) -> float:
    """log p(word | prompt) by one pass over prompt and word, without padding or cache."""
    from transformers import AutoModelForImageTextToText

    network = AutoModelForImageTextToText.from_pretrained(folder).eval()
    if without_picture and hasattr(network, "language_model") and hasattr(network, "qformer"):
        network = network.language_model
    word = torch.tensor([word])
    with torch.no_grad():
        if network.config.get_text_config().is_encoder_decoder:
            begun = torch.cat([torch.zeros(1, 1, dtype=torch.long), word[:, :-1]], dim=1)
            logits = network(**encoding, decoder_input_ids=begun).logits
        else:
            tokens = {name: encoding[name] for name in ("input_ids", "attention_mask")}
            tokens = {
                "input_ids": torch.cat([tokens["input_ids"], word], dim=1),
                "attention_mask": torch.cat([tokens["attention_mask"], torch.ones_like(word)], dim=1),
            }
            if "mm_token_type_ids" in encoding:
                kinds = encoding["mm_token_type_ids"]
                tokens["mm_token_type_ids"] = torch.cat([kinds, torch.zeros_like(word)], dim=1)
            logits = network(**{**encoding, **tokens}).logits[:, -word.shape[1] - 1 : -1]
    return torch.log_softmax(logits[0], dim=-1).gather(1, word.T).sum().item()


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("with_pictures", [True, False], ids=["pictures", "transcript"])
def test_the_likelihoods_of_a_batch_are_those_of_one_plain_pass_a_word(kind, with_pictures, tiny_models):
    folder = tiny_models(kind)
    model = model_of(folder)
    asked = ASKED if with_pictures else [Asked(one.transcript) for one in ASKED]
    found = model.likelihoods(asked)
    assert len({len(word) for word in model.words}) > 1, "words of one token and of several"
    for row, one in enumerate(asked):
        encoding = model.encoding(one)
        expected = [said_plainly(folder, encoding, word, without_picture=not with_pictures) for word in model.words]
        # T5's relative positions and sums of eight tokens: single precision leaves five digits.
        assert_close(found[row], torch.tensor(expected), rtol=1e-5, atol=2e-4)


@pytest.mark.parametrize("kind", TYPES)
def test_an_answer_does_not_depend_on_what_else_is_asked(kind, tiny_models):
    model = model_of(tiny_models(kind))
    together = model.likelihoods(ASKED)
    alone = torch.cat([model.likelihoods([one]) for one in ASKED])
    assert_close(together, alone, rtol=1e-5, atol=2e-4)
    assert_close(model.likelihoods(ASKED[::-1]).flip(0), together, rtol=1e-5, atol=2e-4)


@pytest.mark.parametrize("kind", TYPES)
def test_the_model_sees_each_picture_and_reads_the_transcript(kind, tiny_models):
    model = model_of(tiny_models(kind))
    shown = pictures(4)
    said = model.likelihoods(
        [
            Asked("I loved it", shown),
            Asked("I hated it", shown),
            Asked("I loved it", (*shown[:3], pictures(1, seed=9)[0])),
            Asked("I loved it", shown[::-1]),
        ]
    )
    for other in said[1:]:
        assert (other - said[0]).abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["llava", "blip2_opt", "instructblip"])
def test_a_model_for_one_picture_is_shown_a_grid(kind, tiny_models):
    model, shown = model_of(tiny_models(kind)), pictures(3)
    grid = grid_of(shown)
    assert grid.shape == (56, 56, 3)
    assert (grid[:28, 28:] == shown[1]).all() and (grid[28:, :28] == shown[2]).all() and not grid[28:, 28:].any()
    encoding = model.encoding(Asked("well", shown))
    assert encoding["pixel_values"].shape == (1, 3, 28, 28)


def test_qwen_is_shown_each_picture_by_itself(tiny_models):
    encoding = model_of(tiny_models("qwen2_5_vl")).encoding(Asked("well", pictures(3)))
    assert encoding["image_grid_thw"].tolist() == [[1, 2, 2]] * 3
    # One place a picture: four patches are merged into it.
    assert int(encoding["mm_token_type_ids"].sum()) == 3


def test_causal_prompts_are_padded_on_the_left_and_those_of_a_question_former_on_the_right():
    def encoding(length: int) -> dict:
        row = torch.arange(1, length + 1)[None]
        return {
            "input_ids": row,
            "attention_mask": torch.ones_like(row),
            "qformer_input_ids": row,
            "pixel_values": torch.ones(1, 3),
        }

    left = collated([encoding(2), encoding(4)], pad_id=9, side="left")
    assert left["input_ids"].tolist() == [[9, 9, 1, 2], [1, 2, 3, 4]]
    assert left["attention_mask"].tolist() == [[0, 0, 1, 1], [1, 1, 1, 1]]
    assert left["qformer_input_ids"].tolist() == [[1, 2, 0, 0], [1, 2, 3, 4]]
    assert left["pixel_values"].shape == (2, 3)
    assert collated([encoding(2), encoding(4)], pad_id=9, side="right")["input_ids"].tolist()[0] == [1, 2, 9, 9]


def test_the_first_qwen_vl_is_refused_since_its_code_would_have_to_be_run():
    for name in ("qwen-vl", "Qwen/Qwen-VL-Chat", "Qwen/Qwen-VL"):
        with pytest.raises(UsageError, match=r"never runs code from a hub; .*model=qwen2-vl-7b, qwen2\.5-vl-7b"):
            LanguageModel(name)
    assert LanguageModel("qwen3-vl-8b").model == "Qwen/Qwen3-VL-8B-Instruct"


def test_code_in_a_model_s_folder_is_not_run(tmp_path):
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "made_up", "auto_map": {"AutoConfig": "code.Config", "AutoModel": "code.Model"}})
    )
    (tmp_path / "code.py").write_text(f"open({str(tmp_path / 'was_run')!r}, 'w')\nclass Config: pass\n")
    with pytest.raises(FeatureError, match=r"multimodal language model .* cannot be had"):
        _ = model_of(tmp_path).model_type
    assert not (tmp_path / "was_run").exists()


def test_without_a_network_one_error_says_that_a_folder_will_do():
    with pytest.raises(FeatureError, match=r"'llava-hf/llava-1.5-7b-hf' cannot be had.*give a folder as the model"):
        LanguageModel("llava-1.5-7b").settings(Asked("..."))


def test_a_model_without_a_chat_template_cannot_be_asked(tiny_models, tmp_path):
    import shutil

    folder = shutil.copytree(tiny_models("llava"), tmp_path / "llava")
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(FeatureError, match="type llava without a chat template"):
        model_of(folder).likelihoods(ASKED[:1])


def test_a_processor_that_makes_no_place_for_pictures_is_an_error(tiny_models):
    model = model_of(tiny_models("blip2_opt"))
    model.processor.num_query_tokens = None
    with pytest.raises(FeatureError, match="no place for pictures"):
        model.encoding(ASKED[0])


def test_an_early_blip_2_processor_gets_its_number_of_places_from_the_model(tiny_models, tmp_path):
    import shutil

    folder = shutil.copytree(tiny_models("blip2_opt"), tmp_path / "blip")
    described = json.loads((folder / "processor_config.json").read_text())
    del described["num_query_tokens"]
    (folder / "processor_config.json").write_text(json.dumps(described))
    assert_close(model_of(folder).likelihoods(ASKED), model_of(tiny_models("blip2_opt")).likelihoods(ASKED))


def test_a_device_that_is_not_there_is_told_before_any_weight_is_read(tiny_models, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("msadg.extraction.zero_shot.language_model.load_weights", None)
    model = LanguageModel(str(tiny_models("llava")), precision="float32", device="cuda")
    with pytest.raises(UsageError, match="device = cuda, but torch sees no CUDA device here; use cpu, or auto"):
        model.likelihoods(ASKED[:1])
