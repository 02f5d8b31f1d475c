import importlib.util
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from torch.nn import functional as F
from torch.testing import assert_close

from msadg.errors import FeatureError, SettingsError
from msadg.extraction.faces import mtcnn
from msadg.extraction.faces.detector import FaceDetector, make_detector
from msadg.extraction.faces.mtcnn import WEIGHTS, Mtcnn, MtcnnConfig
from msadg.extraction.faces.mtcnn_nets import PNet, RNet, max_pool, with_weights
from msadg.extraction.faces.pyramid import cut_squares, halvings, level_sizes, scaled
from msadg.extraction.faces.suppression import surest
from tests.media import face_picture, picture


@pytest.fixture(scope="module")
def weights():
    package = importlib.util.find_spec("facenet_pytorch")
    if package is None:
        pytest.skip("needs the weights of MTCNN: pip install --no-deps facenet-pytorch")
    return Path(package.submodule_search_locations[0]) / "data"


@pytest.fixture(scope="module")
def detector(weights):
    return Mtcnn()


def pictures_of(*faces, width=320, height=240):
    return np.stack([picture(7 * step, width=width, height=height, faces=n) for step, n in enumerate(faces)])


def equal_faces(one, other, *, atol):
    assert len(one) == len(other)
    assert_allclose(one.boxes, other.boxes, atol=atol)
    assert_allclose(one.landmarks, other.landmarks, atol=atol)
    assert_allclose(one.confidence, other.confidence, atol=1e-5)


# The eyes, the nose and the corners of the mouth in tests.media.face_picture, read off the picture by eye, in pixels.
LANDMARKS = np.array([[73, 81], [117, 83], [94, 106], [75, 121], [113, 122]])


def test_a_real_face_is_found_where_it_is(detector):
    frame = np.full((240, 320, 3), 128, np.uint8)
    frame[30:210, 70:250] = face_picture()
    (faces,) = detector.detect(frame[None])
    assert len(faces) == 1
    assert faces.confidence[0] > 0.99
    assert_allclose(faces.landmarks[0], LANDMARKS + np.array([70, 30]), atol=5)
    left, top, right, bottom = faces.boxes[0]
    inside = (faces.landmarks[0] > [left, top]) & (faces.landmarks[0] < [right, bottom])
    assert inside.all()
    assert 60 < right - left < 100
    assert 80 < bottom - top < 130


def test_as_many_faces_are_found_as_there_are(detector):
    found = detector.detect(pictures_of(0, 1, 2, 3, width=640, height=240))
    assert [len(faces) for faces in found] == [0, 1, 2, 3]
    assert_array_equal(found[3].confidence, np.sort(found[3].confidence)[::-1])


def test_a_face_twice_as_large_has_a_box_twice_as_large(detector):
    frame = pictures_of(1)[0]
    doubled = frame.repeat(2, axis=0).repeat(2, axis=1)
    (small,), (large,) = detector.detect(frame[None]), detector.detect(doubled[None])
    assert_allclose(large.boxes, 2 * small.boxes, atol=6)
    assert_allclose(large.landmarks, 2 * small.landmarks, atol=6)


def test_the_faces_of_a_frame_do_not_depend_on_its_neighbours(detector):
    frames = pictures_of(1, 2, 0, 1, 2, width=384, height=216)
    together = detector.detect(frames)
    backwards = detector.detect(frames[::-1])[::-1]
    for frame, faces, other in zip(frames, together, backwards, strict=True):
        # Products of matrices of another number of rows may be added up in another order: 1e-6 of a box.
        equal_faces(detector.detect(frame[None])[0], faces, atol=1e-3)
        equal_faces(other, faces, atol=1e-3)


def test_two_runs_and_another_batch_size_give_the_same_faces(detector):
    frames = pictures_of(1, 2, 1)
    first, second = detector.detect(frames), Mtcnn().detect(frames)
    for one, other in zip(first, second, strict=True):
        assert_array_equal(one.boxes, other.boxes)
    for one, other in zip(first, Mtcnn(MtcnnConfig(batch_size=2)).detect(frames), strict=True):
        equal_faces(one, other, atol=1e-3)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (11, 300), (12, 12), (37, 23), (240, 321)])
def test_any_size_of_frame_is_taken(detector, height, width):
    frames = np.random.default_rng(0).integers(0, 256, (2, height, width, 3), np.uint8)
    assert [faces.boxes.shape[1] for faces in detector.detect(frames)] == [4, 4]
    assert detector.detect(frames[:0]) == []


def test_a_face_smaller_than_asked_for_is_not_sought(detector, weights):
    frames = pictures_of(1)
    assert len(detector.detect(frames)[0]) == 1
    assert len(Mtcnn(MtcnnConfig(min_face=0.9)).detect(frames)[0]) == 0


def test_the_code_of_the_package_is_not_imported(detector):
    detector.detect(pictures_of(0))
    assert "facenet_pytorch" not in sys.modules


def test_the_settings_name_the_weights(weights):
    made = make_detector("mtcnn")
    assert isinstance(made, FaceDetector)
    assert made.settings["weights_sha256"] == WEIGHTS
    assert made.settings["thresholds"] == [0.6, 0.7, 0.7]


def test_without_the_package_the_way_out_is_named(monkeypatch):
    monkeypatch.setattr(mtcnn, "PACKAGE", "no_such_package")
    with pytest.raises(FeatureError, match="pip install --no-deps facenet-pytorch"):
        Mtcnn().detect(pictures_of(0))


def test_other_weights_than_the_pinned_ones_are_refused(weights, tmp_path):
    for name in WEIGHTS:
        shutil.copy(weights / name, tmp_path / name)
    (tmp_path / "rnet.pt").write_bytes((weights / "onet.pt").read_bytes())
    met, expected = WEIGHTS["onet.pt"], WEIGHTS["rnet.pt"]
    with pytest.raises(FeatureError, match=f"rnet.pt has the SHA-256 {met}; expected {expected}"):
        Mtcnn(folder=tmp_path).detect(pictures_of(0))


@pytest.mark.parametrize("setting", [{"min_face": 0}, {"factor": 1.0}, {"batch_size": 0}, {"min_face_pixels": 11}])
def test_settings_out_of_range_are_refused(setting):
    with pytest.raises(SettingsError, match=next(iter(setting))):
        MtcnnConfig(**setting)


# --- the networks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "window"), [(10, 2), (11, 2), (9, 3), (10, 3), (22, 3), (23, 3), (3, 2), (3, 3)])
def test_pooling_is_that_of_torch(size, window):
    x = torch.randn(2, 5, size, size + 1, generator=torch.Generator().manual_seed(0))
    assert_close(max_pool(x, window), F.max_pool2d(x, window, 2, ceil_mode=True), rtol=0, atol=0)


def random_weights(shapes):
    draw = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=draw) * 0.2 for name, shape in shapes.items()}


def test_the_proposals_are_those_of_the_published_widths():
    shapes = {"conv1": (10, 3, 3, 3), "conv2": (16, 10, 3, 3), "conv3": (32, 16, 3, 3)}
    shapes |= {"conv4_1": (2, 32, 1, 1), "conv4_2": (4, 32, 1, 1)}
    w = random_weights(
        {f"{name}.weight": shape for name, shape in shapes.items()}
        | {f"{name}.bias": shape[:1] for name, shape in shapes.items()}
        | {f"prelu{n}.weight": (width,) for n, width in ((1, 10), (2, 16), (3, 32))}
    )
    x = torch.randn(2, 3, 21, 30, generator=torch.Generator().manual_seed(1))
    y = F.prelu(F.conv2d(x, w["conv1.weight"], w["conv1.bias"]), w["prelu1.weight"])
    y = F.max_pool2d(y, 2, 2, ceil_mode=True)
    y = F.prelu(F.conv2d(y, w["conv2.weight"], w["conv2.bias"]), w["prelu2.weight"])
    y = F.prelu(F.conv2d(y, w["conv3.weight"], w["conv3.bias"]), w["prelu3.weight"])
    probability = F.conv2d(y, w["conv4_1.weight"], w["conv4_1.bias"]).softmax(1)[:, 1]
    shifts = F.conv2d(y, w["conv4_2.weight"], w["conv4_2.bias"]).permute(0, 2, 3, 1)
    net = with_weights(PNet(), w, "here")
    log_odds, features = net(x)
    assert_close(log_odds.sigmoid(), probability, rtol=1e-4, atol=1e-5)
    assert_close(net.shifts(features.reshape(-1, 32)), shifts.reshape(-1, 4), rtol=1e-4, atol=1e-5)


def test_weights_of_another_network_are_refused_by_name(weights):
    given = torch.zeros(10, 3, 3, 3)
    with pytest.raises(FeatureError, match=r"there does not hold the weights of a PNet; they differ in conv1\.bias"):
        with_weights(PNet(), {"conv1.weight": given}, "there")
    wide = {name: torch.zeros([size + 1 for size in value.shape]) for name, value in RNet().state_dict().items()}
    with pytest.raises(FeatureError, match=r"conv1\.weight is \(33, 4, 4, 4\); expected at most \(32, 3, 3, 3\)"):
        with_weights(RNet(), wide, "there")


# --- smaller copies and squares -----------------------------------------------------------------------------------


def test_levels_shrink_by_the_factor_down_to_the_least_side():
    # 100 * 0.6 = 60, then 30, then 15; 7.5 is too small. Widths 120, 60, 30; odd sides become even.
    assert level_sizes(100, 200, scale=0.6, factor=0.5, least_side=12) == [(60, 120), (30, 60), (16, 30)]
    assert level_sizes(10, 200, scale=0.6, factor=0.5, least_side=12) == []


def test_halvings_are_means_of_two_by_two_pixels():
    frame = np.zeros((48, 60, 3), np.uint8)
    frame[0:2, 0:2] = np.array([[0, 100], [200, 60]])[..., None]
    copies = halvings(frame, least_side=12)
    assert [copy.shape for copy in copies] == [(48, 60, 3), (24, 30, 3), (12, 15, 3)]
    assert_array_equal(copies[1][0, 0], [90, 90, 90])
    assert scaled(copies, 13, 15).shape == (13, 15, 3)


def test_a_square_keeps_its_place_and_is_black_outside_the_frame():
    ramp = np.broadcast_to(np.arange(96, dtype=np.uint8)[None, :, None] * 2, (96, 96, 3)).copy()
    cut = cut_squares(
        halvings(ramp, least_side=12), np.array([[10.0, 20, 34, 44], [40, 40, 88, 88], [-24, 0, 24, 48]]), 24
    )
    assert_array_equal(cut[0, 5, :, 0], 2 * np.arange(10, 34))  # One pixel each.
    assert_array_equal(cut[1, 5, :, 0], np.arange(40, 88).reshape(24, 2).sum(1))  # Means of two: (2a + 2a + 2) / 2.
    assert_array_equal(cut[2, :, :11], np.zeros((24, 11, 3)))
    assert_array_equal(cut[2, 5, 13:, 0], np.arange(2, 24).reshape(11, 2).sum(1))


# --- suppression --------------------------------------------------------------------------------------------------


def one_by_one(boxes, scores, groups, overlap, of):
    """The same by the book: a loop over one group's boxes, the surest first."""
    kept = []
    for group in sorted(set(groups.tolist())):
        rest = sorted(np.flatnonzero(groups == group).tolist(), key=lambda at: -scores[at])
        while rest:
            best, *rest = rest
            kept.append(best)
            rest = [at for at in rest if share(boxes[best], boxes[at], of) <= overlap]
    return kept


def share(a, b, of):
    across, down = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(across, 0) * max(down, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return shared / (min(areas) if of == "smaller" else sum(areas) - shared)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    num=st.integers(0, 40),
    num_groups=st.integers(1, 5),
    of=st.sampled_from(["union", "smaller"]),
)
def test_the_boxes_kept_are_those_of_a_loop_over_each_group(seed, num, num_groups, of):
    random = np.random.default_rng(seed)
    corners = random.uniform(0, 20, (num, 2))
    boxes = np.concatenate([corners, corners + random.uniform(1, 20, (num, 2))], axis=1)
    scores, groups = random.integers(0, 10, num) / 10, random.integers(0, num_groups, num)
    kept = surest(boxes, scores, groups, overlap=0.4, of=of)
    assert kept.tolist() == one_by_one(boxes, scores, groups, 0.4, of)


# --- real pictures ------------------------------------------------------------------------------------------------


@pytest.mark.data
def test_six_faces_and_one_face_are_found_in_real_pictures(detector, research_data):
    import cv2

    for name, num_faces in (("many_faces.jpg", 6), ("one_face.jpg", 1)):
        path = research_data / "media" / name
        if not path.is_file():
            pytest.skip(f"needs {path}")
        image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        scale = 640 / max(image.shape[:2])
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        (faces,) = detector.detect(image[None])
        assert len(faces) == num_faces
        eyes_and_mouth = faces.landmarks[:, [0, 1, 3, 4]]
        assert (eyes_and_mouth[:, 0, 0] < eyes_and_mouth[:, 1, 0]).all()  # The eye on the left comes first ...
        assert (eyes_and_mouth[:, 2, 0] < eyes_and_mouth[:, 3, 0]).all()  # ... and so does that corner of the mouth,
        assert (eyes_and_mouth[:, :2, 1].max(1) < eyes_and_mouth[:, 2:, 1].min(1)).all()  # below the eyes.
