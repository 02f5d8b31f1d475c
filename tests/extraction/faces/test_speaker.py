import numpy as np
import pytest
from numpy.testing import assert_allclose

from msadg.errors import MediaError
from msadg.extraction.faces.align import TEMPLATE
from msadg.extraction.faces.speaker import (
    MouthMovement,
    choose_speaker,
    largest_and_steadiest,
    loudness_of,
)
from msadg.extraction.media.sound import Sound
from msadg.types import Clip


def test_the_score_is_coverage_times_size_over_one_plus_jitter():
    # Person 0: seen at 4 of 5 frames, 0.2 x 0.2, moving by half a face. Person 1: seen twice, 0.4 x 0.4, still.
    lefts = [0.0, 0.1, 0.2, 0.3]
    boxes = [[x, 0.1, x + 0.2, 0.3] for x in lefts] + [[0.5, 0.1, 0.9, 0.5]] * 2
    steps, people = np.array([0, 1, 2, 3, 1, 2]), np.array([0, 0, 0, 0, 1, 1])
    order = np.lexsort((people, steps))
    scores = largest_and_steadiest(np.array(boxes)[order], steps[order], people[order], people[order], 5)
    assert_allclose(scores, [4 / 5 * 0.2 / 1.5, 2 / 5 * 0.4])
    assert choose_speaker(scores) == 1


def test_a_jump_from_one_linked_track_to_the_next_is_no_jitter():
    boxes = np.array([[0.0, 0.0, 0.2, 0.2], [0.1, 0.0, 0.3, 0.2]])
    one_person = np.array([0, 0])
    assert_allclose(largest_and_steadiest(boxes, np.array([0, 1]), np.array([0, 1]), one_person, 2), [0.2])


def test_the_first_to_appear_wins_a_tie():
    assert choose_speaker(np.array([0.3, 0.3])) == 0


LOUD = np.array([-20.0, -60.0, -20.0, -60.0, -20.0, -60.0, -20.0, -60.0])


def test_the_mouth_that_moves_with_the_sound_wins_over_the_largest_face():
    with_sound, against = 5 + LOUD / 10, 5 - LOUD / 10
    assert choose_speaker(np.array([0.9, 0.1]), [against, with_sound], LOUD) == 1


@pytest.mark.parametrize(
    ("movement", "loudness"),
    [
        ([LOUD, LOUD], None),  # no sound
        ([LOUD, LOUD], np.full(8, -20.0)),  # a constant tone
        ([np.full(8, 3.0), 3.0 + LOUD / 1000], LOUD),  # nobody moves
        ([-LOUD, -LOUD], LOUD),  # nobody moves with it
        ([np.where(np.arange(8) < 5, LOUD, np.nan)] * 2, LOUD),  # five frames are too few
    ],
)
def test_without_sound_or_movement_the_largest_face_is_chosen(movement, loudness):
    assert choose_speaker(np.array([0.2, 0.7]), movement, loudness) == 1


def test_mouth_movement_is_the_mean_change_of_the_mouth_in_grey_levels():
    landmarks, mouths = TEMPLATE * 64, MouthMovement()
    still, open_mouth = np.full((64, 64, 3), 100, np.uint8), np.full((64, 64, 3), 100, np.uint8)
    open_mouth[40:, :] = 130
    met = [mouths.update(0, step, image, landmarks) for step, image in enumerate([still, still, open_mouth])]
    assert_allclose(met, [np.nan, 0, 30])
    assert np.isnan(mouths.update(0, 4, still, landmarks))  # not seen at step 3
    assert np.isnan(mouths.update(1, 5, still, landmarks))  # another track


def test_loudness_is_that_of_the_sound_since_the_moment_before(monkeypatch):
    time = np.arange(16_000) / 16_000
    samples = np.where(time < 0.5, 0.1 * np.sqrt(2) * np.sin(2 * np.pi * 100 * time), 0).astype(np.float32)
    monkeypatch.setattr("msadg.extraction.faces.speaker.read_sound", lambda *_, **__: Sound(samples, 16_000, 0.0))
    clip = Clip(clip_id="a", clip_path="a.mp4")
    met = loudness_of(clip, np.array([0.0, 0.25, 0.5, 0.75, 2.0]), 4.0)
    assert_allclose(met, [np.nan, -20, -20, -60, np.nan], atol=1e-3)  # 0.1 is -20 dB; float32


def test_a_clip_without_sound_has_no_loudness_and_a_damaged_sound_is_an_error(monkeypatch):
    def fails(stage):
        def read_sound(*_, **__):
            raise MediaError(stage, "a.mp4: made up")

        monkeypatch.setattr("msadg.extraction.faces.speaker.read_sound", read_sound)

    clip = Clip(clip_id="a", clip_path="a.mp4")
    for stage in ("sound", "time"):  # none in the file, or none at the time of the clip
        fails(stage)
        assert loudness_of(clip, np.zeros(1), 5.0) is None
    fails("decode")
    with pytest.raises(MediaError, match="made up"):
        loudness_of(clip, np.zeros(1), 5.0)
