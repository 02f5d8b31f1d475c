"""Multimodal language models of a few thousand random weights, saved as a user's local folder would be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

TYPES = ("llava", "blip2_opt", "blip2_t5", "instructblip", "qwen2_vl", "qwen2_5_vl", "qwen3_vl")

CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAVA_CHAT = (
    "{% for message in messages %}USER: {% for part in message['content'] %}{% if part['type'] == 'image' %}<image>\n"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %} {% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
QWEN_TOKENS = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]


def tokenizer_of(extra: list[str], chat_template: str | None = None, **special: str) -> Any:
    """Bytes, with " positive" as one token and the other class words as several."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=272,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<pad>", "<s>", "</s>"],
        show_progress=False,
    )
    inner.train_from_iterator(["a positive positive positive negative"] * 4, trainer)
    made = PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<s>", eos_token="</s>", pad_token="<pad>", model_max_length=4096, **special
    )
    made.add_tokens(extra, special_tokens=True)
    made.chat_template = chat_template
    return made


def saved(kind: str, folder: Path) -> Path:
    """Build a model of a type with random weights and save it with its processor."""
    import torch

    torch.manual_seed(0)
    model, parts = {
        "llava": _llava,
        "blip2_opt": _blip2_opt,
        "blip2_t5": _blip2_t5,
        "instructblip": _instructblip,
    }.get(kind, lambda: _qwen(kind))()
    with torch.no_grad():  # As they are drawn, answers would hardly differ.
        for parameter in model.parameters():
            parameter.mul_(4.0).add_(0.1 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    for part in parts:
        part.save_pretrained(folder)
    return folder


def pictures(number: int, seed: int = 0, side: int = 28) -> tuple[np.ndarray, ...]:
    return tuple(np.random.default_rng(seed).integers(0, 255, (number, side, side, 3), dtype=np.uint8))


LLAMA = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}


def _llava() -> tuple[Any, list[Any]]:
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    tokenizer = tokenizer_of(["<image>"], LLAVA_CHAT)
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=4096, **LLAMA),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=4,
    )
    images = CLIPImageProcessorPil(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
    processor = LlavaProcessor(
        images,
        tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=LLAVA_CHAT,
    )
    return LlavaForConditionalGeneration(config), [processor]


def _blip_parts() -> tuple[dict[str, Any], dict[str, Any]]:
    vision = {
        "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
        "image_size": 28, "patch_size": 14, "initializer_range": 0.05,
    }  # fmt: skip
    former = {
        "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
        "encoder_hidden_size": 16, "vocab_size": 400, "max_position_embeddings": 512,
    }  # fmt: skip
    return vision, former


def _blip_images() -> Any:
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    return BlipImageProcessorPil(size={"height": 28, "width": 28})


def _blip2(text: dict[str, Any], tokenizer: Any) -> tuple[Any, list[Any]]:
    from transformers import Blip2Config, Blip2ForConditionalGeneration, Blip2Processor

    vision, former = _blip_parts()
    processor = Blip2Processor(_blip_images(), tokenizer, num_query_tokens=3)
    config = Blip2Config(
        vision_config=vision, qformer_config=former, text_config={**text, "vocab_size": len(tokenizer)},
        num_query_tokens=3,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )  # fmt: skip
    return Blip2ForConditionalGeneration(config), [processor]


def _blip2_opt() -> tuple[Any, list[Any]]:
    text = {
        "model_type": "opt", "hidden_size": 16, "word_embed_proj_dim": 16, "ffn_dim": 24, "num_hidden_layers": 2,
        "num_attention_heads": 2, "max_position_embeddings": 2048,
    }  # fmt: skip
    return _blip2(text, tokenizer_of(["<image>"]))


def _blip2_t5() -> tuple[Any, list[Any]]:
    text = {
        "model_type": "t5", "d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2,
        "decoder_start_token_id": 0, "is_encoder_decoder": True, "feed_forward_proj": "gated-gelu",
    }  # fmt: skip
    return _blip2(text, tokenizer_of(["<image>"]))


def _instructblip() -> tuple[Any, list[Any]]:
    from transformers import InstructBlipConfig, InstructBlipForConditionalGeneration, InstructBlipProcessor

    vision, former = _blip_parts()
    tokenizer = tokenizer_of(["<image>"])
    processor = InstructBlipProcessor(_blip_images(), tokenizer, tokenizer_of([]), num_query_tokens=3)
    config = InstructBlipConfig(
        vision_config=vision, qformer_config=former,
        text_config={"model_type": "llama", "vocab_size": len(tokenizer), **LLAMA}, num_query_tokens=3,
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
    )  # fmt: skip
    return InstructBlipForConditionalGeneration(config), [processor]


def _qwen(kind: str) -> tuple[Any, list[Any]]:
    import transformers
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    tokenizer = tokenizer_of(QWEN_TOKENS, CHAT)
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in QWEN_TOKENS}
    tokens = {
        "image_token_id": ids["<|image_pad|>"], "video_token_id": ids["<|video_pad|>"],
        "vision_start_token_id": ids["<|vision_start|>"], "vision_end_token_id": ids["<|vision_end|>"],
    }  # fmt: skip
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 3, 3]}
    text: dict[str, Any] = {**LLAMA, "vocab_size": len(tokenizer), "hidden_size": 32, "rope_parameters": rope}
    text |= {"bos_token_id": 1, "eos_token_id": 2, "num_key_value_heads": 2, "max_position_embeddings": 4096}
    vision: dict[str, Any] = {"depth": 2, "num_heads": 2, "patch_size": 14, "spatial_merge_size": 2}
    if kind == "qwen2_vl":
        names = "Qwen2VL"
        vision |= {"embed_dim": 16, "hidden_size": 32, "mlp_ratio": 2}
    elif kind == "qwen2_5_vl":
        names = "Qwen2_5_VL"
        vision |= {"hidden_size": 16, "out_hidden_size": 32, "intermediate_size": 24, "fullatt_block_indexes": [1]}
        vision |= {"window_size": 56}
    else:
        names = "Qwen3VL"
        vision |= {"hidden_size": 16, "out_hidden_size": 32, "intermediate_size": 24, "deepstack_visual_indexes": [0]}
        vision |= {"num_position_embeddings": 16}
        text |= {"head_dim": 16, "rope_parameters": {**rope, "mrope_interleaved": True}}
    config = getattr(transformers, f"{names}Config")(text_config=text, vision_config=vision, **tokens)
    images = Qwen2VLImageProcessorPil(min_pixels=28 * 28, max_pixels=28 * 28 * 4)
    return getattr(transformers, f"{names}ForConditionalGeneration")(config), [images, tokenizer]
