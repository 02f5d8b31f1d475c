import numpy as np
import pytest
from numpy.testing import assert_allclose
from skimage.transform import SimilarityTransform

from msadg.extraction.faces.align import TEMPLATE, aligned_crop, box_crop, fit_similarity, upright


@pytest.mark.parametrize("degrees", [0, 30, -75, 180])
def test_a_turned_scaled_and_shifted_template_is_brought_back_exactly(degrees):
    elsewhere = SimilarityTransform(scale=83.0, rotation=np.deg2rad(degrees), translation=(200, 90))(TEMPLATE)
    fitted = upright(elsewhere)
    assert_allclose(fitted(elsewhere), TEMPLATE, atol=1e-12)
    assert_allclose([fitted.scale, np.cos(fitted.angle)], [1 / 83, np.cos(np.deg2rad(degrees))])


def test_the_fit_is_the_least_squares_one_of_scikit_image():
    random = np.random.default_rng(0)
    source, target = random.normal(size=(5, 2)) * 50, random.normal(size=(5, 2)) * 50
    reference = SimilarityTransform.from_estimate(source, target)
    # Umeyama's scale allows for mirroring; for points that need none, both are the same fit.
    target = reference(source) + random.normal(size=(5, 2))
    reference = SimilarityTransform.from_estimate(source, target)
    assert_allclose(fit_similarity(source, target).matrix, reference.params[:2], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("size", [30, 64, 200, 400])
@pytest.mark.parametrize("degrees", [0, 40])
def test_a_dot_at_a_landmark_lands_where_the_template_has_it(size, degrees):
    landmarks = SimilarityTransform(scale=size, rotation=np.deg2rad(degrees), translation=(230, 10))(TEMPLATE)
    rows, columns = np.mgrid[:480, :640] + 0.5
    for landmark, expected in zip(landmarks, TEMPLATE, strict=True):
        far = np.hypot(columns - landmark[0], rows - landmark[1])
        image = np.repeat((255 * np.exp(-((far / (0.06 * size)) ** 2))).astype(np.uint8)[..., None], 3, axis=2)
        crop = aligned_crop(image, landmarks, 64)[..., 0].astype(float)
        row, column = np.mgrid[:64, :64] + 0.5
        met = np.array([(crop * column).sum(), (crop * row).sum()]) / crop.sum() / 64
        assert_allclose(met, expected, atol=0.3 / 64)  # 8-bit rounding and interpolation: a third of a pixel.


def test_beyond_the_frame_an_aligned_crop_repeats_the_edge():
    image = np.full((60, 60, 3), 77, np.uint8)
    assert (aligned_crop(image, TEMPLATE * 50 - 30, 64) == 77).all()


def test_a_box_is_cropped_to_the_pixel():
    image = np.arange(100 * 100 * 3, dtype=np.uint32).reshape(100, 100, 3).astype(np.uint8)
    crop = box_crop(image, np.array([20.0, 30.0, 60.0, 70.0]), 40, 0)
    assert (crop == image[30:70, 20:60]).all()


def test_a_margin_is_the_share_of_the_crop_outside_the_box():
    image = np.zeros((400, 400, 3), np.uint8)
    image[100:246, 100:246] = 200  # 146 pixels wide: with a margin of 14, the crop's 160 pixels are the frame's.
    crop = box_crop(image, np.array([100.0, 100.0, 246.0, 246.0]), 160, 14)
    assert (crop[7:153, 7:153] == 200).all()
    assert int((crop > 0).sum()) == 146 * 146 * 3


def test_a_box_that_reaches_beyond_the_frame_is_cut_off_at_its_edge():
    image = np.zeros((50, 50, 3), np.uint8)
    image[:20, :10] = 99
    assert (box_crop(image, np.array([-30.0, -5.0, 10.0, 20.0]), 16, 0) == 99).all()


def test_a_box_outside_the_frame_still_has_a_pixel():
    image = np.full((50, 50, 3), 5, np.uint8)
    assert (box_crop(image, np.array([60.0, 60.0, 80.0, 80.0]), 8, 0) == 5).all()


def test_a_face_in_a_turned_picture_gives_the_same_crop():
    import cv2

    from tests.media import face_picture

    picture = np.pad(face_picture(), ((100, 100), (100, 100), (0, 0)), mode="edge")
    landmarks = np.array([[168, 170], [210, 168], [192, 195], [172, 215], [207, 213]], float)
    turn = cv2.getRotationMatrix2D((190, 190), 35, 1.0)
    turned = cv2.warpAffine(picture, turn, picture.shape[1::-1], flags=cv2.INTER_LINEAR)
    moved = landmarks @ turn[:, :2].T + turn[:, 2]
    apart = aligned_crop(turned, moved, 64).astype(float) - aligned_crop(picture, landmarks, 64)
    assert np.abs(apart).mean() < 4  # Grey levels of 255: interpolated twice.
    assert np.abs(aligned_crop(turned, landmarks, 64).astype(float) - aligned_crop(picture, landmarks, 64)).mean() > 20
