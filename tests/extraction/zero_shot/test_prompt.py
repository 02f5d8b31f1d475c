"""What is asked, and how the class words go on from it."""

import pytest

from msadg.errors import FeatureError
from msadg.extraction.zero_shot.prompt import WORDS, question_of, word_tokens
from msadg.types import SENTIMENTS
from tests.extraction.zero_shot.tiny import tokenizer_of


def test_the_class_words_are_the_sentiments_in_their_order():
    assert WORDS == SENTIMENTS


def test_what_a_clip_lacks_is_left_out_of_its_question():
    end = "What is the sentiment of this person: negative, neutral or positive? Answer with one word."
    assert question_of("I loved it", 0) == f'A person says: "I loved it" {end}'
    assert question_of("", 1) == f"This picture shows a person who is speaking. {end}"
    assert question_of("well", 4) == (
        f'These 4 pictures, in order of time, show a person who is speaking. The person says: "well" {end}'
    )


def spelled(tokenizer, prompt: str, *words: str, apart: bool = False) -> list[str]:
    return [tokenizer.decode(list(word)) for word in word_tokens(tokenizer, prompt, words, is_answer_apart=apart)]


def test_a_word_follows_a_blank_except_after_a_line_s_end_and_at_the_head_of_a_text_of_its_own():
    tokenizer = tokenizer_of([])
    assert spelled(tokenizer, "Answer:", "positive", "neutral") == [" positive", " neutral"]
    assert spelled(tokenizer, "assistant\n", "positive", "neutral") == ["positive", "neutral"]
    assert spelled(tokenizer, "Answer:", "positive", "neutral", apart=True) == ["positive", "neutral"]


class _Joining:
    """A tokenizer of one token a word, blanks included: the prompt's last word and a class word become one."""

    def __call__(self, text: str, **_options: object) -> dict[str, list[int]]:
        return {"input_ids": [len(text)]}


def test_a_tokenizer_that_joins_prompt_and_word_is_refused():
    with pytest.raises(FeatureError, match=r"joins the end of the prompt \('Answer:'\) with 'positive'"):
        word_tokens(_Joining(), "Answer:", ["positive"], is_answer_apart=False)


def test_words_with_the_same_tokens_cannot_be_told_apart():
    with pytest.raises(FeatureError, match="cannot be told apart"):
        word_tokens(_Joining(), "", ["negative", "positive"], is_answer_apart=True)
