"""What a model is asked about a clip, and how its classes are spelled in tokens.

One question for every model and corpus, written before any answer was seen. It goes through the model's own chat
template, or into the plain form of the models that have none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msadg.errors import FeatureError
from msadg.extraction.zero_shot.models import PLAIN_PROMPT

WORDS = ("negative", "neutral", "positive")
"""The class words, in the order of SENTIMENTS."""

NO_CONTENT = "N/A"
"""A transcript that says nothing, by which a model's own liking for each word is measured (Zhao et al., "Calibrate
before use", ICML 2021)."""

Message = Mapping[str, Any]


def question_of(transcript: str, num_pictures: int) -> str:
    """Return the question about a clip; a part that the clip does not have is left out.

    Example:
        >>> question_of("I loved it", 0).partition("?")[0]
        'A person says: "I loved it" What is the sentiment of this person: negative, neutral or positive'
    """
    parts = []
    if num_pictures:
        shown = "This picture shows" if num_pictures == 1 else f"These {num_pictures} pictures, in order of time, show"
        parts.append(f"{shown} a person who is speaking.")
    if transcript:
        parts.append(f'{"The" if num_pictures else "A"} person says: "{transcript}"')
    choice = f"{', '.join(WORDS[:-1])} or {WORDS[-1]}"
    parts.append(f"What is the sentiment of this person: {choice}? Answer with one word.")
    return " ".join(parts)


def prompt_of(processor: Any, model_type: str, question: str, num_images: int) -> str:
    """Return the whole prompt, with a place for each image that the model is given.

    Raises:
        FeatureError: the model has no chat template, and is not of a type whose plain form is known.
    """
    if getattr(processor, "chat_template", None) is None:
        if model_type in PLAIN_PROMPT:
            return f"Question: {question} Answer:"
        raise FeatureError(
            f"a model of type {model_type} without a chat template: nobody knows how it wants to be asked. Take one "
            "that was tuned to follow instructions, or add its chat_template.jinja to a local folder"
        )
    content = [*({"type": "image"} for _ in range(num_images)), {"type": "text", "text": question}]
    messages: list[Message] = [{"role": "user", "content": content}]
    # Qwen3.5 and its kin would think first.
    thinking = {"enable_thinking": False} if "enable_thinking" in str(processor.chat_template) else {}
    return str(processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False, **thinking))


def word_tokens(tokenizer: Any, prompt: str, words: Sequence[str], *, is_answer_apart: bool) -> list[tuple[int, ...]]:
    """Return the tokens by which each word goes on from a prompt.

    After a line's end a word follows at once, after anything else behind a blank.

    Args:
        tokenizer: of the model.
        prompt: any prompt; only its end matters.
        words: of the classes.
        is_answer_apart: whether the model is an encoder-decoder, whose answer begins a text of its own.

    Raises:
        FeatureError: the tokenizer joins the prompt's end and the word, so that the word has no likelihood of its own;
            or two words have the same tokens.
    """
    if is_answer_apart:
        spelled = [tuple(tokenizer(word, add_special_tokens=False)["input_ids"]) for word in words]
    else:
        begun = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        blank = "" if prompt[-1:].isspace() else " "
        spelled = []
        for word in words:
            whole = tokenizer(f"{prompt}{blank}{word}", add_special_tokens=False)["input_ids"]
            if whole[: len(begun)] != begun:
                raise FeatureError(f"the tokenizer joins the end of the prompt ({prompt[-20:]!r}) with {word!r}")
            spelled.append(tuple(whole[len(begun) :]))
    if len(set(spelled)) < len(words) or () in spelled:
        raise FeatureError(f"the tokenizer spells {', '.join(words)} as {spelled}: they cannot be told apart")
    return spelled
