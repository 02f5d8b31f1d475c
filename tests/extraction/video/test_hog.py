import numpy as np
import pytest
from numpy.testing import assert_allclose
from skimage.transform import SimilarityTransform

from msadg.extraction.faces.align import TEMPLATE
from msadg.extraction.video.faces_in_video import Sighting
from msadg.extraction.video.hog import BLOCKS, DIM, Hog, HogDescriber, appearance, geometry


def sighting(image, landmarks, seconds=0.0, track=0):
    box = np.array([*landmarks.min(axis=0), *landmarks.max(axis=0)])
    return Sighting(round(seconds * 5), seconds, track, image, box, landmarks)


def test_the_blocks_follow_one_another_and_fill_the_vector():
    assert [(b.start, b.stop) for b in BLOCKS.values()] == [(0, 324), (324, 342), (342, 411)]
    assert Hog().dim == DIM == 411


@pytest.mark.parametrize("across", [True, False])
def test_a_ramp_has_all_its_gradients_in_one_direction(across):
    ramp = np.repeat(np.arange(64, dtype=np.uint8)[None] * 3, 64, axis=0)
    histograms = appearance(ramp if across else ramp.T.copy()).reshape(3, 3, 2, 2, 9)
    # A gradient along x is in the direction of 0-20 degrees, one along y in that of 80-100.
    filled = histograms[1, 1].sum(axis=(0, 1)) > 0
    assert filled.tolist() == [at == (0 if across else 4) for at in range(9)]
    # One direction in each of 4 equal cells: 1/2 each at length 1, times 6 for a mean square of 1 over 36 numbers.
    assert_allclose(histograms[1, 1][..., filled], 3.0, rtol=1e-3)  # skimage adds 1e-5 to a norm


def test_an_even_picture_has_no_gradients():
    assert not appearance(np.full((64, 64), 90, np.uint8)).any()


@pytest.mark.parametrize("degrees", [0, 25, -40])
def test_a_turned_template_differs_from_it_by_its_roll_alone(degrees):
    placed = SimilarityTransform(scale=120, rotation=np.deg2rad(degrees), translation=(90, 70))(TEMPLATE)
    found = geometry(placed)
    roll = np.deg2rad(degrees)
    assert_allclose(found[:10], 0, atol=1e-12)
    # In eye distances of the template: eyes 1, mouth 0.298 / 0.36, nose and mouth 0.206 and 0.21 / 0.36 below.
    assert_allclose(found[10:14], [1, 0.298 / 0.36, 0.206 / 0.36, 0.21 / 0.36], atol=1e-12)
    assert_allclose(found[14:], [0, 0, np.sin(roll), np.cos(roll)], atol=1e-12)


def test_a_nose_nearer_to_the_right_hand_eye_is_a_turned_head():
    turned = TEMPLATE.copy()
    turned[2, 0] += 0.05
    mirrored = (turned * [-1, 1] + [1, 0])[[1, 0, 2, 4, 3]]
    assert geometry(turned)[15] > 0.1
    assert_allclose(geometry(mirrored)[15], -geometry(turned)[15])


def test_the_first_frame_has_no_motion_and_says_so():
    image = np.random.default_rng(0).integers(0, 255, (120, 120, 3), dtype=np.uint8)
    motion = HogDescriber().describe([sighting(image, TEMPLATE * 100)])[0, BLOCKS["motion"]]
    assert not motion.any()


def test_a_still_face_has_no_motion_and_says_that_this_is_known():
    image = np.random.default_rng(0).integers(0, 255, (120, 120, 3), dtype=np.uint8)
    faces = [sighting(image, TEMPLATE * 100, seconds) for seconds in (0.0, 0.2)]
    motion = HogDescriber().describe(faces)[1, BLOCKS["motion"]]
    assert motion.tolist() == [1.0] + [0.0] * 68


def test_head_movement_is_in_face_sizes_a_second():
    image = np.full((200, 200, 3), 50, np.uint8)
    grown = SimilarityTransform(scale=100 * np.exp(0.1), rotation=0.05)(TEMPLATE)
    # The crop is 100 pixels wide: 20 of them in 0.2 s are one face size a second.
    faces = [
        sighting(image, TEMPLATE * 100, 0.0),
        sighting(image, TEMPLATE * 100 + [20, -10], 0.2),
        sighting(image, grown, 0.0, track=1),
        sighting(image, TEMPLATE * 100, 0.2, track=1),
    ]
    motion = HogDescriber().describe(faces)[:, BLOCKS["motion"]]
    assert_allclose(motion[1, -4:], [1, -0.5, 0, 0], atol=1e-6)
    assert_allclose(motion[3, -2:], [-0.1 / 0.2, -0.05 / 0.2], rtol=1e-6)


def test_a_face_that_brightens_changes_by_its_grey_on_the_whole_grid():
    dark, bright = np.full((120, 120, 3), 51, np.uint8), np.full((120, 120, 3), 102, np.uint8)
    faces = [sighting(dark, TEMPLATE * 100, 0.0), sighting(bright, TEMPLATE * 100, 0.2)]
    assert_allclose(HogDescriber().describe(faces)[1, BLOCKS["motion"]][1:65], 0.2, rtol=1e-6)


def test_motion_is_unknown_after_more_than_a_second():
    image = np.full((120, 120, 3), 50, np.uint8)
    faces = [sighting(image, TEMPLATE * 100 + at, at) for at in (0.0, 1.0, 2.2)]
    assert HogDescriber().describe(faces)[:, BLOCKS["motion"].start].tolist() == [0, 1, 0]


def test_faces_described_together_or_one_by_one_are_the_same_to_the_bit():
    random = np.random.default_rng(0)
    image = random.integers(0, 255, (160, 160, 3), dtype=np.uint8)
    faces = [sighting(image, TEMPLATE * 100 + random.normal(size=(5, 2)), at / 5, at % 2) for at in range(6)]
    one_by_one = HogDescriber()
    alone = np.concatenate([one_by_one.describe([face]) for face in faces])
    assert (HogDescriber().describe(faces) == alone).all()
    assert np.isfinite(alone.astype(np.float16)).all()
