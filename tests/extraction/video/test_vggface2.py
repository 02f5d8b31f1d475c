import hashlib
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from safetensors.torch import save_file

from msadg.errors import FeatureError, SettingsError
from msadg.extraction.catalog import make_extractor
from msadg.extraction.extractor import Loss
from msadg.extraction.video.faces_in_video import Sighting
from msadg.extraction.video.inception_resnet import InceptionResnetV1
from msadg.extraction.video.vggface2 import EmbeddingDescriber, VGGFace2, VGGFace2Config, find_weights, load_network
from msadg.types import Clip

PUBLISHED = "c0638fa983a7cf513cd2dfb4310e1e627f43ae2e6bcbe857010cd3b37e3c5b1c"
"""SHA-256 of the sorted lines "name shape" of InceptionResnetV1 in facenet-pytorch 2.6.0, without its classifier."""


def random_weights(seed=0):
    torch.manual_seed(seed)
    weights = {name: value.clone() for name, value in InceptionResnetV1().state_dict().items()}
    for name, value in weights.items():
        if name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
    return weights


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory):
    """A file as published: PyTorch's format, with a classifier."""
    path = tmp_path_factory.mktemp("weights") / "vggface2.pt"
    classifier = {"logits.weight": torch.zeros(7, 512), "logits.bias": torch.zeros(7)}
    torch.save(random_weights() | classifier, path)
    return path


def sightings(number):
    random = np.random.default_rng(0)
    image = random.integers(0, 255, (200, 200, 3), dtype=np.uint8)
    lefts = random.uniform(0, 90, number)
    boxes = [np.array([left, 20.0, left + 80, 120.0]) for left in lefts]
    return [Sighting(at, at / 5, 0, image, box, np.zeros((5, 2))) for at, box in enumerate(boxes)]


def test_the_parameters_have_the_published_names_and_shapes():
    lines = sorted(f"{name} {tuple(value.shape)}" for name, value in InceptionResnetV1().state_dict().items())
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == PUBLISHED


def test_an_embedding_has_512_numbers_and_length_1(weights_file):
    embedded = EmbeddingDescriber(load_network(weights_file, None), 14).describe(sightings(2))
    assert embedded.shape == (2, 512)
    assert_allclose(np.linalg.norm(embedded, axis=1), 1, rtol=1e-5)
    assert np.abs(embedded[0] - embedded[1]).max() > 1e-4


def test_an_embedding_is_what_the_network_says_of_the_standardised_crop(weights_file):
    network = InceptionResnetV1().eval()
    network.load_state_dict(random_weights())
    grey = np.full((200, 200, 3), 191, np.uint8)  # (191 - 127.5) / 128 = 0.49609375
    face = Sighting(0, 0.0, 0, grey, np.array([10.0, 10.0, 90.0, 90.0]), np.zeros((5, 2)))
    embedded = EmbeddingDescriber(load_network(weights_file, None), 0).describe([face])
    with torch.inference_mode():
        expected = network(torch.full((1, 3, 160, 160), 0.49609375))
    assert_allclose(embedded, expected, atol=1e-5)  # another memory layout


def test_faces_embedded_together_or_one_by_one_are_the_same_to_the_bit(weights_file):
    describer = EmbeddingDescriber(load_network(weights_file, None), 14)
    faces = sightings(5)
    together = describer.describe(faces)
    alone = np.concatenate([describer.describe([face]) for face in faces])
    assert (together == alone).all()


def test_a_wrong_hash_is_refused(weights_file):
    extractor = VGGFace2(VGGFace2Config(weights=str(weights_file), sha256="0" * 64))
    met = hashlib.sha256(weights_file.read_bytes()).hexdigest()
    with pytest.raises(FeatureError, match=f"{met}; expected 0000"):
        _ = extractor.settings
    with pytest.raises(FeatureError, match=f"{met}; expected 0000"):
        next(extractor.extract([Clip(clip_id="a", clip_path="a.mp4")]))


def test_the_settings_hold_the_hash_of_the_weights_and_not_where_they_lie(weights_file, tmp_path):
    met = hashlib.sha256(weights_file.read_bytes()).hexdigest()
    elsewhere = tmp_path / "copy.pt"
    elsewhere.write_bytes(weights_file.read_bytes())
    first = VGGFace2(VGGFace2Config(weights=str(weights_file)))
    second = VGGFace2(VGGFace2Config(weights=str(elsewhere), sha256=met.upper(), batch_frames=4))
    assert first.settings == second.settings
    assert first.settings["sha256"] == met
    assert str(weights_file) not in repr(first.settings)


def test_safetensors_give_the_same_embeddings(weights_file, tmp_path):
    save_file(random_weights(), tmp_path / "w.safetensors")
    a = EmbeddingDescriber(load_network(weights_file, None), 14).describe(sightings(1))
    b = EmbeddingDescriber(load_network(tmp_path / "w.safetensors", None), 14).describe(sightings(1))
    assert (a == b).all()


def test_a_file_of_another_network_says_what_is_missing_unknown_and_of_another_shape(tmp_path):
    weights = random_weights()
    del weights["last_bn.weight"]
    weights |= {"head.weight": torch.zeros(1), "conv2d_1a.conv.weight": torch.zeros(32, 1, 3, 3)}
    save_file(weights, tmp_path / "w.safetensors")
    expected = (
        r"1 missing \(first: last_bn.weight\), 1 unknown \(first: head.weight\), "
        r"1 of another shape \(first: conv2d_1a.conv.weight\)"
    )
    with pytest.raises(FeatureError, match=expected):
        load_network(tmp_path / "w.safetensors", None)


def test_a_hub_that_cannot_be_reached_says_what_to_do(monkeypatch, tmp_path):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(FeatureError, match=r"py-feat/facenet.*20180402-114759-vggface2.pt.*weights=PATH"):
        find_weights("py-feat/facenet")


def test_missing_weights_stop_the_extraction_and_are_no_loss(tmp_path):
    extractor = VGGFace2(VGGFace2Config(weights=str(tmp_path / "gone.pt")))
    with pytest.raises(FeatureError, match=r"gone.pt: no such weight file"):
        extractor.extract_one(Clip(clip_id="a", clip_path="a.mp4"))
    assert isinstance(extractor.extract_one(Clip(clip_id="a")), Loss)


def test_another_process_gets_the_same_extractor(weights_file):
    extractor = make_extractor("video", f"vggface2:weights={weights_file},rate=2")
    _ = extractor.settings
    copy = pickle.loads(pickle.dumps(extractor))
    assert (copy.name, copy.config, copy.settings) == (extractor.name, extractor.config, extractor.settings)
    assert len(pickle.dumps(extractor)) < 2_000


@pytest.mark.parametrize("option", ["margin=160", "margin=-1", "rate=0", "max_faces=0"])
def test_a_setting_out_of_range_is_refused(option):
    with pytest.raises(SettingsError, match=option.split("=")[0]):
        make_extractor("video", f"vggface2:{option}")
