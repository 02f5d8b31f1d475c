"""Which pictures of a clip are shown."""

import numpy as np
import pytest

from msadg.errors import SettingsError
from msadg.extraction.extractor import Loss
from msadg.extraction.zero_shot.pictures import PictureConfig, SpeakerPictures, evenly_spaced, pictures_in, square_of
from msadg.types import FACE_MARKS, Clip
from tests.media import face_picture, write_clip, write_frames, write_sound

WIDTH, LEFT = FACE_MARKS.index("width"), FACE_MARKS.index("left")


def shown(path, **settings):
    extractor = SpeakerPictures(PictureConfig(side=64, **settings))
    return extractor.extract_one(Clip(clip_id="a/test/1", clip_path=str(path)))


def test_evenly_spaced_moments_are_the_middles_of_equal_parts():
    assert evenly_spaced(list(range(8)), 4) == [1, 3, 5, 7]
    assert evenly_spaced([5], 4) == [5]
    assert evenly_spaced([2, 3, 9], 1) == [3]


def test_the_pictures_are_of_the_speaker_s_face_at_evenly_spaced_moments(tmp_path):
    found = shown(write_clip(tmp_path / "a.mp4", seconds=2.0), frames=2, rate=4, margin=0.0)
    np.testing.assert_allclose(found.marks[:, 0], [0.5, 1.5])
    assert np.isfinite(found.marks[:, WIDTH]).all()
    first, second = pictures_in(found, 64)
    # The face of the clip, cut out by hand: both are this face, not the grey wall around it.
    face = face_picture()
    box = found.marks[0, LEFT : LEFT + 4] * [320, 240, 320, 240]
    side = round(max(box[2:]))
    assert first.shape == (64, 64, 3) and 0.3 < side / face.shape[0] < 1
    assert np.abs(first.astype(float) - second).mean() < 20
    assert first.std() > 30, "a wall has hardly any contrast"


def test_whole_frames_are_shown_where_there_is_no_face(tmp_path):
    ramp = np.tile(np.arange(96, dtype=np.uint8)[None, :, None] * 2, (48, 1, 3))
    found = shown(write_frames(tmp_path / "a.mp4", [ramp] * 50), frames=4)
    np.testing.assert_allclose(found.marks[:, 0], [0.0, 0.5, 1.0, 1.5])
    assert np.isnan(found.marks[:, WIDTH]).all()
    picture = pictures_in(found, 64)[0]
    assert picture[:15].max() < 8 and picture[-15:].max() < 8, "black bars above and below"
    assert np.all(np.diff(picture[32, 4:60:8, 0].astype(int)) > 0), "the ramp, from left to right"


def test_a_clip_without_pictures_is_lost(tmp_path):
    sound = write_sound(tmp_path / "a.wav", np.zeros((1, 16_000), np.float32))
    assert shown(sound) == Loss("open", f"{sound}: has no pictures in it, only sound")


def test_a_square_is_moved_into_the_frame_and_shrunk_to_fit_it():
    image = np.arange(40 * 80, dtype=np.int64).reshape(40, 80, 1) % 251
    image = np.repeat(image.astype(np.uint8), 3, axis=2)
    # 8 x 16 pixels at the left edge, centre (4, 20): with half a margin 32 pixels wide, from -12 moved to 0.
    box = np.array([0.0, 12 / 40, 8 / 80, 16 / 40])
    np.testing.assert_array_equal(square_of(image, box, 0.5, 32), image[4:36, :32])
    # As large as the frame is high, and no larger.
    np.testing.assert_array_equal(square_of(image, box, 4.0, 40), image[:, :40])


@pytest.mark.parametrize("wrong", [{"frames": 0}, {"margin": -0.1}, {"side": 5}, {"rate": 0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(SettingsError):
        PictureConfig(**wrong)
