"""Weight files: told apart by the SHA-256 of their content, and read as tensors only, never as code.

The one file here that reads PyTorch's own format, and only with ``weights_only=True``.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from msadg.errors import FeatureError

SUFFIXES = (".safetensors", ".pt", ".pth")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a weight file's content, in hexadecimal.

    Raises:
        FeatureError: there is no such file, or it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(path, error) from error


def load_weights(path: Path, *, sha256: str | None) -> dict[str, Tensor]:
    """Return the tensors of a ``.safetensors``, ``.pt`` or ``.pth`` file by name, on the processor.

    Args:
        path: the file.
        sha256: what its content must hash to, in hexadecimal; nothing of it is interpreted before that is known.
            None takes any content.

    Raises:
        FeatureError: the file is missing, has another hash or another suffix, is damaged, or holds something else
            than named tensors.
    """
    if path.suffix not in SUFFIXES:
        raise FeatureError(f"{path}: weights are read from {', '.join(SUFFIXES)} files, not from {path.suffix!r}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    _require_hash(path, content, sha256)
    weights = _tensors_in(path, content)
    if not isinstance(weights, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in weights.items()
    ):
        raise FeatureError(f"{path} holds {_kind_of(weights)}; expected a dictionary from names to tensors")
    return dict(weights)


def _require_hash(path: Path, content: bytes, sha256: str | None) -> None:
    met = hashlib.sha256(content).hexdigest()
    if sha256 is not None and met != sha256.strip().lower():
        raise FeatureError(
            f"{path} has the SHA-256 {met}; expected {sha256}. The file is damaged or is not the one meant: fetch it "
            f"again, or name the hash of the file that you mean"
        )


def _tensors_in(path: Path, content: bytes) -> Any:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load

            return load(content)
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # A damaged file can fail in any of the many parts that read it.
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise FeatureError(f"{path} cannot be read as {path.suffix} weights ({reason}); fetch it again") from error


def _kind_of(weights: Any) -> str:
    if not isinstance(weights, dict):
        return f"a {type(weights).__name__}"
    other = next(name for name, value in weights.items() if not (isinstance(name, str) and isinstance(value, Tensor)))
    return f"a {type(weights[other]).__name__} under {other!r}"


def _unreadable(path: Path, error: OSError) -> FeatureError:
    return FeatureError(f"{path}: no weights to read ({error.strerror}); check the path, or fetch the file")
