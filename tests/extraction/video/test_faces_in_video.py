from dataclasses import asdict

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from msadg.errors import UnknownNameError
from msadg.extraction.catalog import make_extractor
from msadg.extraction.extractor import Loss
from msadg.extraction.faces.align import TEMPLATE
from msadg.extraction.faces.detector import FaceDetector, Faces
from msadg.extraction.media.decode import Frame
from msadg.extraction.media.sound import Sound
from msadg.extraction.video.faces_in_video import FaceConfig, batches_of_frames, largest_faces
from msadg.extraction.video.hog import Hog
from msadg.types import FACE_MARKS, Clip
from tests.media import write_clip

FRAME = (90, 160)


def square(x, y, size):
    """A face: box, landmarks."""
    corner = np.array([x - size / 2, y - size / 2])
    return np.array([*corner, *(corner + size)]), TEMPLATE * size + corner


class MadeUpDetector(FaceDetector):
    """Finds the faces that a picture's first pixel says are in it."""

    name = "made-up"
    settings = {"weights": "none"}  # noqa: RUF012

    def __init__(self, faces_of):
        self.faces_of = faces_of
        self.batches = []

    def detect(self, frames):
        self.batches.append(len(frames))
        return [self.faces_in(int(frame[0, 0, 0])) for frame in frames]

    def faces_in(self, step):
        found = self.faces_of(step)
        boxes = np.array([box for box, _ in found]).reshape(-1, 4)
        landmarks = np.array([points for _, points in found]).reshape(-1, 5, 2)
        return Faces(boxes, np.full(len(found), 0.75), landmarks)


@pytest.fixture
def watch(monkeypatch):
    """Features of made-up frames whose faces at each step are given."""

    def features(faces_of, num_steps, config=None, picture=None):
        def frames(path, *, rate, **_):
            for step in range(num_steps):
                image = np.full((*FRAME, 3), 90, np.uint8) if picture is None else picture(step).copy()
                image[0, 0, 0] = step
                yield Frame(10 + step / rate, image)

        detector = MadeUpDetector(faces_of)
        monkeypatch.setattr("msadg.extraction.video.faces_in_video.sampled_frames", frames)
        monkeypatch.setattr("msadg.extraction.video.faces_in_video.make_detector", lambda _: detector)
        features.detectors.append(detector)
        return Hog(config).extract_one(Clip(clip_id="a", clip_path="a.mp4"))

    features.detectors = []
    return features


def mark(features, name):
    return features.marks[:, FACE_MARKS.index(name)]


def test_a_step_says_when_it_was_and_where_the_face_was_as_shares_of_the_frame(watch):
    features = watch(lambda step: [square(80, 45, 40)], 2)
    assert_allclose(
        features.marks,
        [
            [10, 10.2, 60 / 160, 25 / 90, 40 / 160, 40 / 90, 0.75, 0],
            [10.2, 10.4, 60 / 160, 25 / 90, 40 / 160, 40 / 90, 0.75, 0],
        ],
    )
    assert features.valid.all()


def test_where_the_face_is_hidden_the_step_is_invalid_and_keeps_its_time(watch):
    features = watch(lambda step: [] if 3 <= step < 5 else [square(80, 45, 40)], 8)
    assert features.valid.tolist() == [True] * 3 + [False] * 2 + [True] * 3
    assert not features.values[3:5].any()
    assert_allclose(features.marks[3:5, :2], [[10.6, 10.8], [10.8, 11.0]])
    assert np.isnan(features.marks[3:5, 2:7]).all()
    assert mark(features, "track").tolist() == [0, 0, 0, -1, -1, 0, 0, 0]


def test_the_largest_face_is_followed_whatever_the_order_it_is_found_in(watch):
    def faces_of(step):
        two = [square(40, 45, 24), square(110, 45, 50)]
        return two if step % 2 else two[::-1]

    features = watch(faces_of, 6)
    assert_allclose(mark(features, "left"), 85 / 160)
    assert mark(features, "track").tolist() == [1] * 6


def test_the_mouth_that_moves_with_the_sound_is_followed_where_that_is_asked_for(watch, monkeypatch):
    def picture(step):
        image = np.full((*FRAME, 3), 90, np.uint8)
        image[45:60, 30:50] = 90 + 60 * (step // 2 % 2)  # The smaller face's mouth changes at every other step,
        return image

    seconds = np.arange(12 * 3200) / 16_000
    loud = (np.ceil(seconds * 5 - 1e-9) % 2 == 0).astype(np.float32) * 0.3  # and so does the sound before it.
    monkeypatch.setattr("msadg.extraction.faces.speaker.read_sound", lambda *_, **__: Sound(loud, 16_000, 10.0))

    def faces_of(step):
        return [square(40, 45, 40), square(110, 45, 60)]

    assert mark(watch(faces_of, 12, FaceConfig(speaker="mouth"), picture), "track").tolist() == [0] * 12
    assert mark(watch(faces_of, 12, FaceConfig(speaker="largest"), picture), "track").tolist() == [1] * 12


def test_a_clip_without_a_face_is_a_loss_that_counts_the_frames(watch):
    met = watch(lambda step: [], 7)
    expected = "a.mp4: no face in any of 7 frames, looked at 5 times a second with mtcnn"
    assert met == Loss("face", expected)


@pytest.mark.parametrize("batch_frames", [1, 4, 7])
def test_the_batch_decides_no_number(watch, batch_frames):
    random = np.random.default_rng(0)
    pictures = random.integers(0, 120, (12, *FRAME, 3), dtype=np.uint8) // 20 + 90

    def faces_of(step):
        return [] if step == 6 else [square(70 + step, 45, 40), square(20, 30, 20)]

    whole = watch(faces_of, 12, FaceConfig(batch_frames=32), lambda step: pictures[step])
    parts = watch(faces_of, 12, FaceConfig(batch_frames=batch_frames), lambda step: pictures[step])
    assert_array_equal(whole.values, parts.values)
    assert_array_equal(whole.marks, parts.marks)
    assert watch.detectors[0].batches == [12]
    assert max(watch.detectors[1].batches) == batch_frames


def test_pictures_of_another_size_begin_a_new_batch():
    frames = [Frame(0.0, np.zeros((size, 4, 3), np.uint8)) for size in (2, 2, 2, 5, 5, 2)]
    assert [len(batch) for batch in batches_of_frames(frames, 2)] == [2, 1, 2, 1]


def test_only_the_largest_faces_are_described_and_none_without_extent():
    found = [square(50, 50, size) for size in (10, 1, 40, 20)] + [(np.array([0.0, 0, 50, 50]), np.ones((5, 2)))]
    faces = Faces(np.array([b for b, _ in found]), np.ones(5), np.array([p for _, p in found]))
    assert largest_faces(faces, 2) == [2, 3]
    assert largest_faces(faces, 9) == [0, 2, 3]
    assert largest_faces(Faces(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2))), 9) == []


def test_the_settings_are_those_that_decide_a_number(watch):
    watch(lambda step: [square(80, 45, 40)], 1)
    hog = Hog(FaceConfig(rate=10, batch_frames=3))
    expected = asdict(FaceConfig()) | {"rate": 10.0, "detector_settings": {"weights": "none"}}
    del expected["batch_frames"]
    assert hog.settings == expected


def test_an_unknown_detector_is_refused_by_name():
    with pytest.raises(UnknownNameError, match="unknown face detector 'mtcn'; did you mean 'mtcnn'"):
        make_extractor("video", "hog:detector=mtcn")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return Clip(clip_id="a", clip_path=str(write_clip(tmp_path_factory.mktemp("clips") / "a face.mp4", seconds=2)))


def test_a_real_face_is_described_at_every_step_and_twice_the_same(clip):
    first, second = Hog().extract_one(clip), Hog(FaceConfig(batch_frames=4)).extract_one(clip)
    assert first.valid.tolist() == [True] * 10
    assert np.isfinite(first.values).all()
    assert_array_equal(first.values, second.values)
    assert_array_equal(first.marks, second.marks)
    # The face's picture is 180 of 240 pixels high, in the middle; its box lies within it.
    assert (np.abs(mark(first, "left") + mark(first, "width") / 2 - 0.5) < 0.1).all()


@pytest.mark.data
def test_a_real_video_gives_finite_features_twice_the_same(research_data):
    path = research_data / "media" / "video.mp4"
    if not path.is_file():
        pytest.skip(f"needs a real video with faces: {path}")
    clip = Clip(clip_id="real", clip_path=str(path))
    first, second = Hog().extract_one(clip), Hog(FaceConfig(batch_frames=4)).extract_one(clip)
    assert first.valid.sum() >= 0.8 * len(first.valid)
    assert np.isfinite(first.values).all()
    assert_array_equal(first.values, second.values)
