"""A model's processor, and what of it is needed where the video part of it cannot be loaded.

The processors of Qwen-VL's family want torchvision, for videos. Nothing but pictures is shown here, so without
torchvision their own image processor and tokenizer are put together as they would do it themselves.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from msadg.extraction.pretrained import ModelKind, load_part

IMAGE_TOKEN = "<|image_pad|>"  # noqa: S105 - no password

WITH_VIDEO_PART = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe", "qwen3_5", "qwen3_5_moe")
"""Types whose processor is made of image processor, tokenizer and a video part, and expands IMAGE_TOKEN."""


class PicturesOnly:
    """What a processor of Qwen-VL's family makes of pictures and text.

    Args:
        image_processor: the model's.
        tokenizer: the model's, with its chat template.
    """

    def __init__(self, image_processor: Any, tokenizer: Any) -> None:
        self.image_processor = image_processor
        self.tokenizer = tokenizer
        self.chat_template = tokenizer.chat_template

    def apply_chat_template(self, messages: Sequence[Any], **options: Any) -> Any:
        """Return the prompt."""
        return self.tokenizer.apply_chat_template(messages, **options)

    def __call__(self, *, text: Sequence[str], images: Sequence[Any] | None = None, return_tensors: str) -> Any:
        """Return a prompt's encoding: each image token repeated for the patches that are merged into one."""
        pictures = dict(self.image_processor(images=list(images), return_tensors=return_tensors)) if images else {}
        (whole,) = text
        if images:
            merged = self.image_processor.merge_size**2
            lengths = [int(grid.prod()) // merged for grid in pictures["image_grid_thw"]]
            parts = whole.split(IMAGE_TOKEN)
            assert len(parts) == len(lengths) + 1, "the chat template has a place for each picture"
            whole = parts[0] + "".join(IMAGE_TOKEN * n + part for n, part in zip(lengths, parts[1:], strict=True))
        encoded = self.tokenizer([whole], return_tensors=return_tensors)
        ids: Tensor = encoded["input_ids"]
        is_image = ids == self.tokenizer.convert_tokens_to_ids(IMAGE_TOKEN)
        return {
            "input_ids": ids,
            "attention_mask": encoded["attention_mask"],
            "mm_token_type_ids": is_image.to(torch.int64),
            **pictures,
        }


def load_processor(model: str, config: Any, revision: str | None, kind: ModelKind) -> Any:
    """Return the processor of a model with this configuration.

    Raises:
        FeatureError: it cannot be had.
    """
    from transformers import AutoImageProcessor, AutoProcessor, AutoTokenizer

    def load(factory: Any) -> Any:
        return load_part(factory.from_pretrained, model, revision, kind, trust_remote_code=False)

    if config.model_type in WITH_VIDEO_PART and importlib.util.find_spec("torchvision") is None:
        return PicturesOnly(load(AutoImageProcessor), load(AutoTokenizer))
    processor = load(AutoProcessor)
    # Early BLIP-2 processors do not say how many places a picture takes, and would then make none.
    if getattr(processor, "num_query_tokens", 0) is None:
        processor.num_query_tokens = config.num_query_tokens
    return processor
