"""A pickle of arrays is read; one that wants anything else runs nothing and is refused."""

from __future__ import annotations

import collections
import hashlib
import os
import pickle
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from msadg.corpora.restricted_pickle import PUBLISHED_SHA256, load_restricted
from msadg.errors import CorpusError

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


class Asks:
    """Pickles to a call."""

    def __init__(self, *reduced):
        self.reduced = reduced

    def __reduce__(self):
        return self.reduced


def save(folder: Path, content: object, protocol: int = 4) -> Path:
    path = folder / "file.pkl"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


def assert_same(met: object, expected: object) -> None:
    if isinstance(expected, dict):
        assert isinstance(met, dict)
        assert list(met) == list(expected)
        for key in expected:
            assert_same(met[key], expected[key])
    elif isinstance(expected, list | tuple):
        assert type(met) is type(expected)
        for one, other in zip(met, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, np.ndarray):
        assert isinstance(met, np.ndarray)
        assert met.dtype == expected.dtype
        assert expected.dtype.hasobject or expected.size == 0 or not met.flags.writeable
        np.testing.assert_array_equal(met, expected)
    else:
        assert met == expected
        assert type(met) is type(expected)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrays_and_containers_come_back_as_they_were(tmp_path: Path, protocol: int):
    shared = np.arange(3.0)
    content = {
        "float": np.array([[1.5, -np.inf], [np.nan, 0]], dtype=np.float32),
        "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "big endian": np.arange(3, dtype=">i4"),
        "half": np.ones((2, 0, 3), dtype=np.float16),
        "text": np.array(["vid$_$1", "é"]),
        "bytes": np.array([b"sp", b"word"]),
        "bool": np.array([True, False]),
        "object": np.array([["a", "b"], ["c", None]], dtype=object),
        "ragged": np.array([np.arange(2), np.arange(3)], dtype=object)[:1],
        "scalar": [np.float32(2.4), np.int64(3), np.str_("x")],
        "plain": (1, 2.5, "x", b"y", True, None, [{}], {1, 2}, frozenset("a"), b""),
        "shared": [shared, shared],
    }
    ragged = content.pop("ragged")
    met = load_restricted(save(tmp_path, content | {"ragged": ragged}, protocol))
    met_ragged = met.pop("ragged")
    assert_same(met, content)
    np.testing.assert_array_equal(met_ragged[0], [0, 1])


@given(
    array=hnp.arrays(
        dtype=st.one_of(hnp.floating_dtypes(), hnp.integer_dtypes(), hnp.boolean_dtypes()),
        shape=hnp.array_shapes(min_dims=0, max_dims=3, min_side=0),
    ),
    protocol=st.sampled_from(PROTOCOLS),
)
def test_any_array_of_numbers_comes_back(tmp_path_factory, array, protocol: int):
    path = save(tmp_path_factory.mktemp("any"), array, protocol)
    assert_same(load_restricted(path), array)


def test_a_container_that_holds_itself_comes_back(tmp_path: Path):
    content: list = [np.arange(2)]
    content.append(content)
    met = load_restricted(save(tmp_path, content))
    assert met[1] is met


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_malicious_pickle_runs_nothing(tmp_path: Path, protocol: int):
    trace = tmp_path / "was_here"
    path = save(tmp_path, {"train": Asks(os.system, (f"touch {trace}",))}, protocol)
    with pytest.raises(CorpusError, match=r"file\.pkl: asks for (posix|nt)\.system, which is neither"):
        load_restricted(path)
    assert not trace.exists()
    pickle.loads(path.read_bytes())  # what would have happened
    assert trace.exists()


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        (Asks(eval, ("1",)), "builtins.eval"),
        (Asks(getattr, ("a", "upper")), "builtins.getattr"),
        (Asks(np.load, ("x.npy",)), "numpy.load"),
        (Asks(np.fromfile, ("x.bin",)), "fromfile"),
        (collections.OrderedDict(a=1), "collections.OrderedDict"),
        (collections.Counter("ab"), "collections.Counter"),
        (Path("x"), "pathlib"),
        (np.random.default_rng(0), "numpy.random"),
        (np.ma.masked_array([1]), "numpy.ma"),
    ],
)
def test_what_is_not_plain_data_is_refused_by_name(tmp_path: Path, asked: object, name: str):
    with pytest.raises(CorpusError, match=name):
        load_restricted(save(tmp_path, [asked]))


@pytest.mark.parametrize(
    "asked",
    [
        Asks(np.ndarray, ((1,), np.dtype(object), b"\x01" * 8)),  # an object array over raw memory
        Asks(np.dtype, ([("a", "O")],)),
        Asks(np.dtype, ("O", False, True), (3, "|", None, ("a",), {"a": (np.dtype("f8"), 0)}, 8, 1, 0)),
        Asks(np.zeros(1).__reduce__()[0], (np.ndarray, (0,), b"b"), (1, (4,), np.dtype("f8"), False, b"\0" * 8)),
        Asks(np.zeros(1).__reduce__()[0], (np.ndarray, (0,), b"b")),
        Asks(np.float64(1).__reduce__()[0], (np.dtype("O"), b"\x01" * 8)),
        np.zeros(2, dtype=[("a", "f8")]),
        np.array(["2020-01-01"], dtype="M8[D]"),
    ],
)
def test_numpy_cannot_be_talked_into_more_than_plain_arrays(tmp_path: Path, asked: object):
    with pytest.raises(CorpusError, match=r"file\.pkl: not a whole pickle"):
        load_restricted(save(tmp_path, [asked]))


def test_what_builds_arrays_cannot_be_altered(tmp_path: Path):
    # GLOBAL numpy dtype; a state; BUILD
    (tmp_path / "file.pkl").write_bytes(b"cnumpy\ndtype\n}X\x01\x00\x00\x00aK\x01sb.")
    with pytest.raises(CorpusError, match="takes no state"):
        load_restricted(tmp_path / "file.pkl")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.7, 0.99])
def test_a_truncated_pickle_is_refused(tmp_path: Path, share: float):
    path = save(tmp_path, {"train": {"audio": np.ones((50, 7)), "id": ["a$_$1"] * 50}})
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(CorpusError, match=r"file\.pkl: not a whole pickle"):
        load_restricted(path)


@given(position=st.integers(0, 399), byte=st.integers(0, 255))
def test_an_altered_pickle_is_read_or_refused_and_nothing_else(tmp_path_factory, position: int, byte: int):
    content = bytearray(
        pickle.dumps({"a": np.arange(20.0), "b": ["x", ("y", 1)], "c": np.array(["u", "v"])}, protocol=2)
    )
    content[position % len(content)] = byte
    path = tmp_path_factory.mktemp("altered") / "file.pkl"
    path.write_bytes(content)
    try:
        load_restricted(path)
    except CorpusError as error:
        assert "file.pkl" in str(error)


def test_a_tampered_file_fails_its_sha256(tmp_path: Path):
    path = save(tmp_path, {"audio": np.zeros(3)})
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert load_restricted(path, sha256.upper())["audio"].tolist() == [0, 0, 0]
    path.write_bytes(path.read_bytes().replace(b"\0" * 8, b"\1" * 8, 1))
    with pytest.raises(CorpusError, match=f"expected {sha256}: the file is truncated, altered"):
        load_restricted(path, sha256)


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(CorpusError, match=r"none\.pkl is not there"):
        load_restricted(tmp_path / "none.pkl")


def test_published_sums_are_sha256():
    assert len(set(PUBLISHED_SHA256.values())) == 5
    assert all(len(bytes.fromhex(sum_)) == 32 for sum_ in PUBLISHED_SHA256.values())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        # 2^40 parts in 100 bytes, as tuples and as lists
        (b"\x80\x04K\x01\x85" + b"2\x86" * 40 + b".", "the same containers over and over"),
        (b"\x80\x04]\x94" + b"".join(b"]\x94(h%ch%ce" % (n, n) for n in range(40)) + b".", "over and over"),
        # A dictionary with a tuple in 400,000 tuples as a key; the same in a set; two levels of it
        (b"\x80\x04})" + b"\x85" * 400_000 + b"Ns.", "nested more than 100 deep"),
        (b"\x80\x04\x8f()" + b"\x85" * 400_000 + b"\x90.", "nested more than 100 deep"),
        (b"\x80\x04}K\x01\x85" + b"2\x86" * 40 + b"Ns.", "a tuple as a key or in a set"),
        (b"\x80\x04\x8f(K\x01\x85\x90.", "a tuple as a key or in a set"),
        (b"\x80\x04cbuiltins\nset\n]K\x01\x85a\x85R.", "a set of more than text and numbers"),
        # A memo of 2^28 and of 2^32 - 1 entries
        (b"\x80\x04Nr\x00\x00\x00\x10.", "memo index 268435456, after 3 instructions"),
        (b"\x80\x04Nr\xff\xff\xff\xff.", "memo index 4294967295, after 3 instructions"),
        # A frame and a string of 2^40 bytes
        (b"\x80\x04\x95\x00\x00\x00\x00\x00\x01\x00\x00N.", "a frame of 1099511627776 bytes, beyond the end"),
        (b"\x80\x04\x8e\x00\x00\x00\x00\x00\x01\x00\x00N.", "expected 1099511627776 bytes"),
        # A dtype named by 2^40 parts; takes from an empty stack
        (b"\x80\x04cnumpy\ndtype\nK\x01\x85" + b"2\x86" * 40 + b"\x85R.", "dtype tuple is not plain"),
        (b"\x80\x04a.", "APPEND takes more than was put"),
    ],
)
def test_a_pickle_made_to_hang_or_crash_its_reader_is_refused(tmp_path: Path, content: bytes, message: str):
    (tmp_path / "file.pkl").write_bytes(content)
    with pytest.raises(CorpusError, match=rf"file\.pkl: not a whole pickle.*{message}"):
        load_restricted(tmp_path / "file.pkl")


def test_lists_and_arrays_nested_by_way_of_the_memo_are_refused(tmp_path: Path):
    # Each list, or object array, gets the next one only after it lies in the one before.
    get = [b"j%s" % n.to_bytes(4, "little") for n in range(200_000)]
    lists = b"]\x94" * 100_000 + b"".join(get[n] + get[n + 1] + b"a0" for n in range(99_999))
    core = np.zeros(1).__reduce__()[0].__module__.encode()
    one = b"c%s\n_reconstruct\n)R\x94" % core
    state = b"(K\x01K\x01\x85cnumpy\ndtype\n\x8c\x01O\x85R\x89]%satb0"
    arrays = one * 20_000 + b"".join(get[n] + state % get[n + 1] for n in range(19_999))
    for content in (lists, arrays):
        (tmp_path / "file.pkl").write_bytes(b"\x80\x04" + content + get[0] + b".")
        with pytest.raises(CorpusError, match=r"not a whole pickle.*RecursionError"):
            load_restricted(tmp_path / "file.pkl")


def test_a_shape_that_would_multiply_a_tuple_is_refused(tmp_path: Path):
    state = (1, (10**10, (1,)), np.dtype("f8"), False, b"\0" * 8)
    reconstruct = np.zeros(1).__reduce__()[0]
    with pytest.raises(CorpusError, match="a shape of whole numbers was expected, not tuple"):
        load_restricted(save(tmp_path, Asks(reconstruct, (np.ndarray, (0,), b"b"), state)))


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_file_as_large_as_published_ones_are_is_read_at_once(tmp_path: Path, protocol: int):
    # MOSEI: 22,856 clips; 25 MB of features, which protocol 2 writes as text
    num_clips = 22_856
    split = {
        "audio": np.arange(num_clips * 270, dtype=np.float32).reshape(num_clips, 5, 54),
        "raw_text": [f"sentence {n}" for n in range(num_clips)],
        "id": np.array([f"video$_${n}" for n in range(num_clips)], dtype=object),
        "regression_labels": [float(n % 3) for n in range(num_clips)],
    }
    path = save(tmp_path, {"train": split, "test": split}, protocol)
    started = time.process_time()
    met = load_restricted(path)["test"]
    assert time.process_time() - started < 5
    np.testing.assert_array_equal(met["audio"], split["audio"])
    assert (met["raw_text"], met["id"].tolist()) == (split["raw_text"], split["id"].tolist())
