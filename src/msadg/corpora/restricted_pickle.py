"""Read a published pickle without running it: NumPy arrays and plain containers, nothing else.

A pickle is a program. This reader knows only the instructions that rebuild arrays, and rebuilds them itself from
their bytes: no constructor of NumPy's is handed to the file, and what the file asks for beyond that stops the reading.
"""

from __future__ import annotations

import hashlib
import math
import pickle  # the one place where it may be
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from msadg.errors import CorpusError

PUBLISHED_SHA256: dict[tuple[str, str], str] = {
    ("mosi", "unaligned_50.pkl"): "78e0f8b5ef8ff71558e7307848fc1fa929ecb078203f565ab22b9daab2e02524",
    ("mosi", "aligned_50.pkl"): "d3994fd25681f9c7ad6e9c6596a6fe9b4beb85ff7d478ba978b124139002e5f9",
    ("mosei", "unaligned_50.pkl"): "ad8b23d50557045e7d47959ce6c5b955d8d983f2979c7d9b7b9226f6dd6fec1f",
    ("mosei", "aligned_50.pkl"): "45eccfb748a87c80ecab9bfac29582e7b1466bf6605ff29d3b338a75120bf791",
}
"""By corpus and file, as MMSA publishes them (github.com/thuiar/MMSA, README.md, "SHA-256 for feature files")."""

# What a damaged or hostile pickle makes the machine say. RecursionError: nested without end.
DAMAGED = (
    pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, LookupError, OverflowError,
    RecursionError, MemoryError,
)  # fmt: skip


def load_restricted(path: Path, sha256: str | None = None) -> Any:
    """Load a pickle of NumPy arrays and plain containers (dict, list, tuple, set, str, bytes, numbers).

    Arrays of numbers come back read-only: they are views of the file's bytes, so nothing is copied.

    Args:
        path: The file.
        sha256: What the file's SHA-256 has to be; None leaves it unchecked.

    Raises:
        CorpusError: not there, another SHA-256, truncated, or asking for anything that is not plain data.
    """
    if not path.is_file():
        raise CorpusError(f"{path} is not there")
    if sha256 is not None:
        _check_sha256(path, sha256)
    try:
        with path.open("rb") as file:
            return _plain(_RestrictedUnpickler(file, path).load(), set())
    except DAMAGED as error:
        raise CorpusError(
            f"{path}: not a whole pickle of arrays and plain containers ({type(error).__name__}: {error}); "
            f"fetch the file again"
        ) from None


def _check_sha256(path: Path, expected: str) -> None:
    with path.open("rb") as file:
        met = hashlib.file_digest(file, "sha256").hexdigest()
    if met != expected.lower():
        raise CorpusError(
            f"{path}: SHA-256 is {met}, expected {expected.lower()}: the file is truncated, altered, or another one; "
            f"fetch it again, or give its own SHA-256 if you made it"
        )


class _Dtype:
    """A dtype of plain elements; its byte order arrives as state."""

    __slots__ = ("value",)
    PLAIN = re.compile(r"[<>|=]?(?:[biufcSUO?]\d*)")

    def __init__(self, spec: Any, *_: Any) -> None:
        if not isinstance(spec, str) or not self.PLAIN.fullmatch(spec):
            raise pickle.UnpicklingError(f"dtype {spec!r} is not plain")
        self.value: np.dtype[Any] = np.dtype(spec)

    def __setstate__(self, state: Any) -> None:
        if any(part is not None for part in state[2:5]):
            raise pickle.UnpicklingError("a structured dtype is not plain")
        if state[1] in ("<", ">"):
            self.value = self.value.newbyteorder(state[1])


class _Array:
    """An array on its way: empty until its state arrives."""

    __slots__ = ("value",)

    def __init__(self, value: NDArray[Any] | None = None) -> None:
        self.value = value

    def __setstate__(self, state: Any) -> None:
        shape, dtype, is_fortran, content = state[-4:]
        self.value = _array(content, dtype, shape, "F" if is_fortran else "C")


# What follows is called by the file: it may be handed anything, and says so with one of DAMAGED.


def _array(content: Any, dtype: Any, shape: Any, order: Any) -> NDArray[Any]:
    if not isinstance(dtype, _Dtype):
        raise pickle.UnpicklingError(f"a dtype was expected, not {type(dtype).__name__}")
    if dtype.value.hasobject:
        array = np.empty(len(content), dtype=object)
        for index, element in enumerate(content):
            array[index] = element
    else:
        content = memoryview(content).toreadonly()
        array = np.frombuffer(content, dtype=dtype.value) if content.nbytes else np.empty(0, dtype=dtype.value)
    if math.prod(shape) != array.size:
        raise pickle.UnpicklingError(f"shape {shape} does not fit {array.size} elements")
    return array.reshape(shape, order="F" if order == "F" else "C")


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _frombuffer(content: Any, dtype: Any, shape: Any, order: Any, *_: Any) -> _Array:
    return _Array(_array(content, dtype, shape, order))


def _scalar(dtype: Any, content: Any = b"") -> Any:
    if not isinstance(dtype, _Dtype) or dtype.value.hasobject:
        raise pickle.UnpicklingError("a scalar of dtype object is not plain")
    return np.frombuffer(content, dtype=dtype.value, count=1)[0]


def _encode(text: Any, encoding: Any) -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"encoding {encoding!r}")
    return str.encode(text, "latin-1")


def _bytes(content: Any = b"") -> bytes:
    return b"".join([content])


class _Instruction:
    """One thing that a pickle may ask for. It can be called, and neither altered nor derived from."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[..., Any] | None) -> None:
        self.call = call

    def __call__(self, *arguments: Any) -> Any:
        if self.call is None:
            raise pickle.UnpicklingError("numpy.ndarray is built from its state only")
        return self.call(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("an instruction takes no state")


INSTRUCTIONS: dict[tuple[str, str], _Instruction] = {
    ("numpy", "dtype"): _Instruction(_Dtype),
    ("numpy", "ndarray"): _Instruction(None),
    ("_codecs", "encode"): _Instruction(_encode),
    **{
        (f"{core}.multiarray", name): _Instruction(call)
        for core in ("numpy.core", "numpy._core")
        for name, call in (("_reconstruct", _reconstruct), ("scalar", _scalar))
    },
    **{(f"{core}.numeric", "_frombuffer"): _Instruction(_frombuffer) for core in ("numpy.core", "numpy._core")},
    **{
        (module, name): _Instruction(call)
        for module in ("builtins", "__builtin__")
        for name, call in (("set", set), ("frozenset", frozenset), ("bytes", _bytes), ("bytearray", _bytes))
    },
}


class _RestrictedUnpickler(pickle.Unpickler):
    def __init__(self, file: Any, path: Path) -> None:
        super().__init__(file)
        self._path = path

    def find_class(self, module: Any, name: Any) -> Any:
        try:
            return INSTRUCTIONS[module, name]
        except (KeyError, TypeError):
            raise CorpusError(
                f"{self._path}: asks for {module}.{name}, which is neither a NumPy array nor a plain container; "
                f"nothing was run. Fetch the file from its publisher, or store arrays only"
            ) from None


def _plain(value: Any, seen: set[int]) -> Any:
    """Put the arrays in the place of what stood for them."""
    if isinstance(value, _Array):
        if value.value is None:
            raise pickle.UnpicklingError("an array without content")
        return _plain(value.value, seen)
    if isinstance(value, tuple):
        return tuple(_plain(part, seen) for part in value)
    if isinstance(value, _Dtype | _Instruction):
        raise pickle.UnpicklingError(f"{type(value).__name__} where data should be")
    if id(value) in seen:
        return value
    if isinstance(value, dict):
        seen.add(id(value))
        value.update({key: _plain(part, seen) for key, part in value.items()})
    elif isinstance(value, list):
        seen.add(id(value))
        value[:] = [_plain(part, seen) for part in value]
    elif isinstance(value, np.ndarray) and value.dtype.hasobject:
        seen.add(id(value))
        for index in np.ndindex(value.shape):
            value[index] = _plain(value[index], seen)
    return value
