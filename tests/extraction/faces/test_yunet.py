import hashlib
import struct

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from msadg.errors import FeatureError, SettingsError
from msadg.extraction.faces.detector import FaceDetector
from msadg.extraction.faces.yunet import YuNet, YuNetConfig, faces_of


def varint(number):
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def field(number, value):
    """One field of a protocol buffer: an int, text, or a message already encoded."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def node(kind, inputs, output, **attributes):
    message = b"".join(field(1, name) for name in inputs) + field(2, output) + field(3, output) + field(4, kind)
    for name, values in attributes.items():
        message += field(5, field(1, name) + b"".join(field(8, value) for value in values) + field(20, 7))
    return field(1, message)


def tensor(name, values, dtype=np.float32):
    values = np.asarray(values, dtype)
    shape = b"".join(field(1, size) for size in values.shape)
    return field(5, shape + field(2, 1 if dtype is np.float32 else 7) + field(8, name) + field(9, values.tobytes()))


def value_info(number, name, *shape):
    sizes = b"".join(field(1, field(1, size)) for size in shape)
    return field(number, field(1, name) + field(2, field(1, field(1, 1) + field(2, sizes))))


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory):
    """A network with YuNet's outputs: how sure it is of a cell is how red the cell is; boxes are the cells' sizes."""
    graph = b""
    for stride in (8, 16, 32):
        for kind, num_channels in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            name = f"{kind}_{stride}"
            weight = np.zeros((num_channels, 3, stride, stride))
            if kind in ("cls", "obj"):
                weight[:, 2] = 1 / (255 * stride**2)  # OpenCV's order of colours: blue, green, red.
            graph += tensor(f"w_{name}", weight) + tensor(f"b_{name}", np.arange(num_channels) / 10 * (kind == "kps"))
            graph += tensor(f"s_{name}", [1, -1, num_channels], np.int64)
            graph += node("Conv", ["input", f"w_{name}", f"b_{name}"], f"c_{name}", strides=[stride] * 2)
            graph += node("Transpose", [f"c_{name}"], f"t_{name}", perm=[0, 2, 3, 1])
            graph += node("Reshape", [f"t_{name}", f"s_{name}"], name)
            graph += value_info(12, name, 1, 64 * 96 // stride**2, num_channels)
    graph += value_info(11, "input", 1, 3, 64, 96) + field(2, "tiny")
    path = tmp_path_factory.mktemp("models") / "tiny.onnx"
    path.write_bytes(field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13)))
    return path


@pytest.fixture
def offline(monkeypatch, tmp_path):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "no-cache"))


def test_a_network_in_a_file_finds_what_it_was_made_to_find(onnx_file):
    frames = np.zeros((3, 64, 96, 3), np.uint8)
    frames[0, 16:24, 40:48, 0] = 255  # Red: the cell in row 2 and column 5 of the finest grid.
    frames[2, 16:24, 40:48, 2] = 255  # Blue, which it does not see.
    first, second, third = YuNet(weights=onnx_file).detect(frames)
    assert (len(first), len(second), len(third)) == (1, 0, 0)
    assert_allclose(first.boxes, [[36, 12, 44, 20]], atol=1e-4)  # 8 pixels wide and high around (5, 2) * 8.
    assert_allclose(first.confidence, [1.0], atol=1e-5)
    assert_allclose(first.landmarks[0, :2], [[40, 16.8], [41.6, 18.4]], atol=1e-4)  # (5 + 0/10, 2 + 1/10) * 8 ...


def test_a_frame_has_the_same_faces_alone_and_among_others(onnx_file):
    frames = np.random.default_rng(0).integers(0, 256, (4, 64, 96, 3), np.uint8)
    frames[:, 8:16, 8:40, 0] = 250
    detector = YuNet(YuNetConfig(threshold=0.5), weights=onnx_file)
    together = detector.detect(frames)
    assert len(together[1]) > 0
    for frame, faces in zip(frames, together, strict=True):
        alone = detector.detect(frame[None])[0]
        assert_array_equal(alone.boxes, faces.boxes)
        assert_array_equal(alone.landmarks, faces.landmarks)


def test_rows_of_opencv_become_faces_with_the_surest_first():
    rows = np.arange(30, dtype=np.float32).reshape(2, 15)
    rows[:, 14] = [0.8, 0.9]
    faces = faces_of(rows)
    assert_allclose(faces.confidence, [0.9, 0.8], rtol=1e-6)
    assert_array_equal(faces.boxes, [[15, 16, 15 + 17, 16 + 18], [0, 1, 0 + 2, 1 + 3]])
    assert_array_equal(faces.landmarks[1], [[4, 5], [6, 7], [8, 9], [10, 11], [12, 13]])


def test_the_settings_hold_the_hash_of_the_file(onnx_file):
    detector = YuNet(YuNetConfig(threshold=0.9), weights=onnx_file)
    assert isinstance(detector, FaceDetector)
    sha256 = hashlib.sha256(onnx_file.read_bytes()).hexdigest()
    assert detector.settings == {"threshold": 0.9, "overlap": 0.3, "weights_sha256": sha256}


def test_without_file_and_network_the_way_out_is_named(offline):
    detector = YuNet()
    with pytest.raises(FeatureError, match=r"yunet are not among the downloaded files.*use the detector mtcnn"):
        detector.detect(np.zeros((1, 64, 96, 3), np.uint8))
    with pytest.raises(FeatureError, match="once with a network"):
        detector.settings  # noqa: B018


@pytest.mark.parametrize("content", [b"", b"not a network", struct.pack("<q", 7)])
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "damaged.onnx"
    path.write_bytes(content)
    with pytest.raises(FeatureError, match=r"damaged\.onnx is not read by OpenCV"):
        YuNet(weights=path).detect(np.zeros((1, 64, 96, 3), np.uint8))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FeatureError, match=r"nowhere\.onnx: no weights to read"):
        YuNet(weights=tmp_path / "nowhere.onnx").detect(np.zeros((1, 64, 96, 3), np.uint8))


def test_settings_out_of_range_are_refused():
    with pytest.raises(SettingsError, match=r"threshold = 1\.5; expected 1 or less"):
        YuNetConfig(threshold=1.5)
