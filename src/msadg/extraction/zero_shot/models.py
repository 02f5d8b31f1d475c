"""The multimodal language models that go by a short name, in one table; any other is named by its hub id or folder.

Only models of which the installed library has the class are asked: code from the hub is never run.
"""

from __future__ import annotations

from dataclasses import dataclass

from msadg.errors import UsageError


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A published model."""

    hub_id: str
    label: str
    """In tables."""
    licence: str
    """Of the weights, as their authors state it; read it before use."""


MODELS = {
    "blip2-opt-2.7b": KnownModel("Salesforce/blip2-opt-2.7b", "BLIP-2 OPT 2.7B", "MIT; OPT: research only"),
    "blip2-flan-t5-xl": KnownModel("Salesforce/blip2-flan-t5-xl", "BLIP-2 Flan-T5 XL", "MIT; Flan-T5: Apache-2.0"),
    "instructblip-vicuna-7b": KnownModel(
        "Salesforce/instructblip-vicuna-7b", "InstructBLIP Vicuna 7B", "research only (Vicuna 1.1, LLaMA)"
    ),
    "instructblip-flan-t5-xl": KnownModel(
        "Salesforce/instructblip-flan-t5-xl", "InstructBLIP Flan-T5 XL", "MIT; Flan-T5: Apache-2.0"
    ),
    "llava-1.5-7b": KnownModel("llava-hf/llava-1.5-7b-hf", "LLaVA-1.5 7B", "Llama 2 Community Licence"),
    "llava-1.5-13b": KnownModel("llava-hf/llava-1.5-13b-hf", "LLaVA-1.5 13B", "Llama 2 Community Licence"),
    "qwen2-vl-7b": KnownModel("Qwen/Qwen2-VL-7B-Instruct", "Qwen2-VL 7B", "Apache-2.0"),
    "qwen2.5-vl-7b": KnownModel("Qwen/Qwen2.5-VL-7B-Instruct", "Qwen2.5-VL 7B", "Apache-2.0"),
    "qwen3-vl-8b": KnownModel("Qwen/Qwen3-VL-8B-Instruct", "Qwen3-VL 8B", "Apache-2.0"),
}
"""Short name -> model. The first paper names BLIP-2 and InstructBLIP without a size [I]."""

NEEDS_REMOTE_CODE = {"qwen-vl", "qwen-vl-chat"}
"""The first Qwen-VL (2023), by the last part of its name: its classes are in no release of the library."""

ONE_PICTURE = frozenset({"blip-2", "instructblip", "llava"})
"""Types (``config.model_type``) that were trained on one picture a prompt: several go side by side into one, which they
understand better than pictures in a row (Kim et al., "An image grid can be worth a video", 2024)."""

PLAIN_PROMPT = frozenset({"blip-2", "instructblip"})
"""Types without a chat template: ``Question: ... Answer:``, as in the BLIP-2 paper (Li et al., ICML 2023)."""


def hub_id_of(model: str) -> str:
    """Return what a short name stands for; a hub id or a folder stands for itself.

    Raises:
        UsageError: the model needs code from the hub.
    """
    if model.rstrip("/").rpartition("/")[2].lower() in NEEDS_REMOTE_CODE:
        newer = ", ".join(name for name in MODELS if name.startswith("qwen"))
        raise UsageError(
            f"{model!r}: the first Qwen-VL (2023) comes with program code on the hub that would have to be run, and "
            f"msadg never runs code from a hub; its successors are part of the library: model={newer}"
        )
    return MODELS[model].hub_id if model in MODELS else model
