import hashlib
import os

import pytest
import torch
from safetensors.torch import save_file
from torch.testing import assert_close

from msadg.errors import FeatureError
from msadg.extraction.faces.weights import load_weights, sha256_of

TENSORS = {"layer.weight": torch.arange(6.0).reshape(2, 3), "layer.bias": torch.tensor([1.0, -1.0])}


@pytest.fixture(params=[".safetensors", ".pt", ".pth"])
def file(request, tmp_path):
    path = tmp_path / f"weights{request.param}"
    if request.param == ".safetensors":
        save_file(TENSORS, path)
    else:
        torch.save(TENSORS, path)
    return path


def test_what_was_saved_is_read_again_under_the_hash_of_the_file(file):
    expected = hashlib.sha256(file.read_bytes()).hexdigest()
    assert sha256_of(file) == expected
    for sha256 in (None, expected, expected.upper()):
        weights = load_weights(file, sha256=sha256)
        assert set(weights) == set(TENSORS)
        for name, value in TENSORS.items():
            assert_close(weights[name], value, rtol=0, atol=0)


def test_another_hash_is_refused_with_both_hashes_named(file):
    met = hashlib.sha256(file.read_bytes()).hexdigest()
    with pytest.raises(FeatureError, match=f"SHA-256 {met}; expected {'0' * 64}.*fetch it again"):
        load_weights(file, sha256="0" * 64)


def test_the_hash_is_checked_before_anything_is_interpreted(tmp_path):
    path = tmp_path / "weights.pt"
    path.write_bytes(b"no weights at all")
    with pytest.raises(FeatureError, match="expected 0000"):
        load_weights(path, sha256="0" * 64)


@pytest.mark.parametrize("keep", [0, 10, -20])
def test_a_file_that_was_cut_is_damaged(file, keep):
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(FeatureError, match=r"cannot be read as \.\w+ weights"):
        load_weights(file, sha256=None)


def test_a_missing_file_and_another_kind_of_file_are_named(tmp_path):
    with pytest.raises(FeatureError, match=r"nowhere\.pt: no weights to read"):
        load_weights(tmp_path / "nowhere.pt", sha256=None)
    with pytest.raises(FeatureError, match="no weights to read"):
        sha256_of(tmp_path / "nowhere.onnx")
    with pytest.raises(FeatureError, match=r"not from '\.bin'"):
        load_weights(tmp_path / "weights.bin", sha256=None)


@pytest.mark.parametrize(("content", "named"), [([1, 2], "a list"), ({"epoch": 3}, "a int under 'epoch'")])
def test_a_file_of_something_else_than_tensors_says_what_it_holds(tmp_path, content, named):
    torch.save(content, tmp_path / "checkpoint.pt")
    with pytest.raises(FeatureError, match=named):
        load_weights(tmp_path / "checkpoint.pt", sha256=None)


class Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_code_in_a_file_is_refused_and_not_run(tmp_path):
    torch.save({"weight": Harmful(tmp_path / "was-run")}, tmp_path / "harmful.pt")
    with pytest.raises(FeatureError, match="cannot be read"):
        load_weights(tmp_path / "harmful.pt", sha256=None)
    assert not (tmp_path / "was-run").exists()
