"""Tokens take the times of their words."""

import numpy as np
from numpy.testing import assert_array_equal

from msadg.extraction.text import TextEncoder
from msadg.extraction.transcripts.word_times import token_times
from msadg.types import Clip, Word


def test_every_piece_of_a_word_has_the_words_time_and_a_repeated_word_its_own():
    words = [Word("no", 0.0, 0.2), Word("NO", 0.2, 0.5), Word("nothing", 0.5, 1.5)]
    spans = [(0, 2), (3, 5), (6, 8), (8, 13), (13, 14)]
    nan = np.nan
    expected = [[0.0, 0.2], [0.2, 0.5], [0.5, 1.5], [0.5, 1.5], [nan, nan]]
    assert_array_equal(token_times("no no nothing!", words, spans), expected)


def test_a_word_that_the_transcript_lacks_moves_no_other():
    words = [Word("good", 0.0, 1.0), Word("uh", 1.0, 2.0), Word("film", 2.0, 3.0)]
    assert_array_equal(token_times("good film", words, [(0, 4), (5, 9)]), [[0.0, 1.0], [2.0, 3.0]])


def test_the_encoder_marks_its_steps_with_the_words_times(offline_encoder):
    clip = Clip(clip_id="a", text="So good", words=(Word("So", 1.0, 1.5), Word("good", 1.5, 2.0)))
    (features,) = TextEncoder(offline_encoder).extract([clip])
    nan = np.nan
    assert_array_equal(features.marks, [[nan, nan], [1.0, 1.5], [1.5, 2.0], [nan, nan]])


def test_the_tokens_are_one_for_each_step(offline_encoder):
    encoder = TextEncoder(offline_encoder)
    assert encoder.tokens_of("So good") == ["[CLS]", "so", "good", "[SEP]"]
