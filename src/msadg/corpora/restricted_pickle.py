"""Read a published pickle without running it: NumPy arrays and plain containers, nothing else.

A pickle is a program. This reader knows only the instructions that rebuild arrays, and rebuilds them itself from
their bytes: no constructor of NumPy's is handed to the file, and what the file asks for beyond that stops the reading.
What would crash the interpreter on the way is found before (pickle_scan).
"""

from __future__ import annotations

import hashlib
import math
import pickle  # the one place where it may be
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from msadg.corpora.pickle_scan import scan_pickle
from msadg.errors import CorpusError

PUBLISHED_SHA256: dict[tuple[str, str], str] = {
    ("mosi", "unaligned_50.pkl"): "78e0f8b5ef8ff71558e7307848fc1fa929ecb078203f565ab22b9daab2e02524",
    ("mosi", "aligned_50.pkl"): "d3994fd25681f9c7ad6e9c6596a6fe9b4beb85ff7d478ba978b124139002e5f9",
    ("mosei", "unaligned_50.pkl"): "ad8b23d50557045e7d47959ce6c5b955d8d983f2979c7d9b7b9226f6dd6fec1f",
    ("mosei", "aligned_50.pkl"): "45eccfb748a87c80ecab9bfac29582e7b1466bf6605ff29d3b338a75120bf791",
    ("ch-sims", "unaligned_39.pkl"): "c9e20c13ec0454d98bb9c1e520e490c75146bfa2dfeeea78d84de047dbdd442f",
}
"""By corpus and file, as MMSA publishes them (github.com/thuiar/MMSA, README.md, "SHA-256 for feature files")."""

# What a damaged or hostile pickle makes the machine say. RecursionError: nested without end.
DAMAGED = (
    pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, LookupError, OverflowError,
    RecursionError, MemoryError,
)  # fmt: skip

SCALAR = (str, bytes, int, float, complex, np.generic, type(None))
"""What holds nothing else, and may be a key or in a set."""


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
        num_instructions = scan_pickle(path)
        with path.open("rb") as file:
            content = _RestrictedUnpickler(file, path).load()
        return _Walk(max_parts=1_000_000 + 10 * num_instructions).plain(content)[0]
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
            raise pickle.UnpicklingError(f"dtype {_shown(spec)} is not plain")
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


def _shown(value: Any) -> str:
    """Show a value in a message; of a container only the kind, since it may be endless to write out."""
    return repr(value) if isinstance(value, str | bytes) and len(value) < 100 else type(value).__name__


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
    if not isinstance(shape, tuple | list) or not all(type(length) is int and length >= 0 for length in shape):
        raise pickle.UnpicklingError(f"a shape of whole numbers was expected, not {_shown(shape)}")
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
        raise pickle.UnpicklingError(f"encoding {_shown(encoding)}")
    return str.encode(text, "latin-1")


def _bytes(content: Any = b"") -> bytes:
    return b"".join([content])


def _set(elements: Any = ()) -> set[Any]:
    if not all(isinstance(element, SCALAR) for element in elements):
        raise pickle.UnpicklingError("a set of more than text and numbers")
    return set(elements)


def _frozenset(elements: Any = ()) -> frozenset[Any]:
    return frozenset(_set(elements))


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
        for name, call in (("set", _set), ("frozenset", _frozenset), ("bytes", _bytes), ("bytearray", _bytes))
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


class _Walk:
    """Puts the arrays in the place of what stood for them, and counts the parts.

    A part that is mentioned twice counts twice, as for whoever goes through the content afterwards: a few hundred
    bytes can mention more of them than anyone lives to see.
    """

    def __init__(self, max_parts: int) -> None:
        self.max_parts = max_parts
        self._done: dict[int, tuple[Any, Any, int]] = {}
        """By id: the value itself, so that its id stays its own; what takes its place; its parts."""

    def plain(self, value: Any) -> tuple[Any, int]:
        """Return what takes the place of a value, and the number of its parts."""
        if isinstance(value, SCALAR):
            return value, 1
        if isinstance(value, _Array):
            if value.value is None:
                raise pickle.UnpicklingError("an array without content")
            value = value.value
        if isinstance(value, _Dtype | _Instruction):
            raise pickle.UnpicklingError(f"{type(value).__name__} where data should be")
        if id(value) not in self._done:
            self._done[id(value)] = (value, value, 1)  # for a container that holds itself
            met, num_parts = self._inside(value)
            if num_parts > self.max_parts:
                raise pickle.UnpicklingError(f"the same containers over and over, more than {self.max_parts:,} parts")
            self._done[id(value)] = (value, met, num_parts)
        return self._done[id(value)][1:]

    def _inside(self, value: Any) -> tuple[Any, int]:
        if isinstance(value, np.ndarray) and value.dtype.hasobject:
            parts, num_parts = self._each(value.reshape(-1))
            for index, part in zip(np.ndindex(value.shape), parts, strict=True):
                value[index] = part
            return value, num_parts
        if isinstance(value, tuple):
            parts, num_parts = self._each(value)
            return tuple(parts), num_parts
        if isinstance(value, list):
            value[:], num_parts = self._each(value)
            return value, num_parts
        if isinstance(value, dict | set | frozenset) and not all(isinstance(key, SCALAR) for key in value):
            raise pickle.UnpicklingError("a key, or a set's element, that is neither text nor a number")
        if isinstance(value, dict):
            parts, num_parts = self._each(value.values())
            value.update(zip(value, parts, strict=True))
            return value, num_parts + len(value)
        return value, 1 + (len(value) if isinstance(value, set | frozenset) else 0)

    def _each(self, values: Iterable[Any]) -> tuple[list[Any], int]:
        """Return what takes the place of each value, and the parts of all, with what holds them."""
        met = [self.plain(value) for value in values]
        return [part for part, _ in met], 1 + sum(num_parts for _, num_parts in met)
