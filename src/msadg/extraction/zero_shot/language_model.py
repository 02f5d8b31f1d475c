"""A multimodal language model ready to be asked: which it is, its prompts, and how likely it finds each class word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from msadg.errors import FeatureError, UsageError
from msadg.extraction.extractor import JSON
from msadg.extraction.pretrained import ModelKind, identity_of, load_part, load_weights
from msadg.extraction.zero_shot.likelihood import Encoding, Word, is_encoder_decoder, word_likelihoods
from msadg.extraction.zero_shot.models import MODELS, ONE_PICTURE, hub_id_of
from msadg.extraction.zero_shot.pictures import Picture, grid_of
from msadg.extraction.zero_shot.processor import load_processor
from msadg.extraction.zero_shot.prompt import WORDS, prompt_of, question_of, word_tokens

KIND = ModelKind(
    "multimodal language model",
    f"Short names: {', '.join(MODELS)}. Where there is no network, give a folder as the model (mllm:model=FOLDER) with "
    "config.json, the files of its processor and tokenizer, and *.safetensors",
)

OF_TEXT = ("input_ids", "attention_mask", "mm_token_type_ids")
"""What a model takes where there is no picture."""

Precision = Literal["bfloat16", "float16", "float32"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a model is asked about one clip."""

    transcript: str
    """"" where there is none."""
    pictures: tuple[Picture, ...] = field(default=(), repr=False)


class LanguageModel:
    """A model of the hub or a folder; its configuration and processor are loaded when first needed, then its weights.

    Args:
        model: a short name of MODELS, a name on the hub, or a local folder.
        revision: branch, tag or commit on the hub.
        precision: of weights and arithmetic.
        device: ``auto`` is a CUDA device where there is one.

    Raises:
        UsageError: the model needs code from the hub; or, raised when it is first asked, there is no such device.
        FeatureError: it cannot be had, or cannot be asked this way; raised when first needed.
    """

    def __init__(
        self,
        model: str,
        *,
        revision: str | None = None,
        precision: Precision = "bfloat16",
        device: Literal["auto", "cpu", "cuda"] = "auto",
    ) -> None:
        self.model = hub_id_of(model)
        self.revision = revision
        self.precision = precision
        self.device = device

    def settings(self, example: Asked) -> dict[str, JSON]:
        """What decides the answers: the weights, their precision, the words, and the whole prompt of an example."""
        return {
            **identity_of(self.model, self.revision, KIND),
            "precision": self.precision,
            "prompt": self.prompt(example),
            "words": dict(zip(WORDS, map(list, self.words), strict=True)),
            "image_processor": type(self.processor.image_processor).__name__,
        }

    @property
    def model_type(self) -> str:
        """``llava``, for instance."""
        return str(self._config.model_type)

    @cached_property
    def processor(self) -> Any:
        """Makes inputs of pictures and text."""
        return load_processor(self.model, self._config, self.revision, KIND)

    @cached_property
    def words(self) -> list[Word]:
        """The tokens of each class word."""
        prompt, apart = self.prompt(Asked("...")), is_encoder_decoder(self._config)
        return word_tokens(self.processor.tokenizer, prompt, WORDS, is_answer_apart=apart)

    def prompt(self, asked: Asked) -> str:
        """Return the prompt about a clip."""
        question = question_of(asked.transcript, len(asked.pictures))
        return prompt_of(self.processor, self.model_type, question, len(self._images(asked)))

    def foreign_word(self, transcript: str) -> str | None:
        """Return a word of the transcript that means something else to the model, such as a place for a picture."""
        special = (*self.processor.tokenizer.all_special_tokens, *self.processor.tokenizer.get_added_vocab())
        return next((token for token in special if token.strip() and token in transcript), None)

    def likelihoods(self, asked: Sequence[Asked]) -> Float[Tensor, "clip word"]:
        """Return the log-likelihood of each class word about each clip; all have pictures, or none has.

        Raises:
            FeatureError: the device has not enough memory.
        """
        encodings = [self.encoding(one) for one in asked]
        tokenizer = self.processor.tokenizer
        pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id or 0
        network = self._network if asked[0].pictures else self._network_of_text
        try:
            return word_likelihoods(network, encodings, self.words, pad_id=pad_id)
        except torch.OutOfMemoryError as error:
            raise FeatureError(
                f"{self.model}: the device has not enough memory for {len(asked)} clips at once; take a smaller "
                "batch_size, fewer or smaller pictures, or a smaller model"
            ) from error

    def encoding(self, asked: Asked) -> Encoding:
        """Return the model's inputs for one clip, without padding.

        Raises:
            FeatureError: the processor makes no place for pictures, which the model would then not see.
        """
        images = self._images(asked)
        given = {"text": [self.prompt(asked)], "return_tensors": "pt", **({"images": images} if images else {})}
        encoded = {name: torch.as_tensor(value) for name, value in dict(self.processor(**given)).items()}
        if not images:
            return {name: value for name, value in encoded.items() if name in OF_TEXT}
        if not (encoded["input_ids"] == self._config.image_token_id).any():
            raise FeatureError(
                f"{self.model}: its processor makes no place for pictures in a prompt, so that they would be ignored; "
                "the files are of an older release of transformers: fetch them anew, or take another model"
            )
        return encoded

    def _images(self, asked: Asked) -> list[UInt8[np.ndarray, "height width 3"]]:
        if asked.pictures and self.model_type in ONE_PICTURE:
            return [grid_of(asked.pictures)]
        return list(asked.pictures)

    @cached_property
    def _network(self) -> Any:
        from transformers import AutoModelForImageTextToText

        device = self._resolved_device()  # first: the weights are gigabytes
        dtype = getattr(torch, self.precision)
        factory = AutoModelForImageTextToText.from_pretrained
        network = load_weights(factory, self.model, self.revision, KIND, dtype=dtype, trust_remote_code=False)
        return network.requires_grad_(False).to(device)

    def _resolved_device(self) -> str:
        has_cuda = torch.cuda.is_available()
        if self.device == "cuda" and not has_cuda:
            raise UsageError(f"{self.model}: device = cuda, but torch sees no CUDA device here; use cpu, or auto")
        return "cuda" if has_cuda and self.device != "cpu" else "cpu"

    @property
    def _network_of_text(self) -> Any:
        """What is asked without pictures: of a BLIP, which always wants one, the language model in it."""
        return self._network.language_model if hasattr(self._network, "qformer") else self._network

    @cached_property
    def _config(self) -> Any:
        from transformers import AutoConfig

        return load_part(AutoConfig.from_pretrained, self.model, self.revision, KIND, trust_remote_code=False)
