"""Pickles and archives that want to harm: nothing of them is run, nothing is allocated on their word."""

from __future__ import annotations

import io
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinegraph.errors import FormatError
from kinegraph.formats import read
from kinegraph.formats.restricted_pickle import load_npy, load_npz, load_pickle


class _Runs:
    """Unpickles by calling `function(*arguments)`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def _same(a: Any, b: Any) -> None:
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            _same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            _same(x, y)
    elif isinstance(a, np.ndarray):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        if a.dtype == object:
            _same(a.ravel().tolist(), b.ravel().tolist())
        else:
            np.testing.assert_array_equal(a, b)
    else:
        assert a == b


_HONEST = {
    "floats": np.arange(6.0).reshape(2, 3),
    "fortran": np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
    "big": np.arange(3, dtype=">f4"),
    "half": np.zeros((2, 3), np.float16),
    "empty": np.zeros((0, 17, 3)),
    "text": np.array(["ab", "c"]),
    "bytes": np.array([b"ab", b"c"]),
    "flags": np.array([True, False]),
    "objects": np.array([{"a": np.ones(2)}, None, "x"], dtype=object),
    "scalar": np.float32(1.5),
    "plain": [1, 2.5, "x", b"y", None, True, (1, (2,)), {3}, frozenset({4}), 2**80],
    1: {},
}


@pytest.mark.parametrize("protocol", range(6))
def test_honest_pickles_of_every_protocol(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(_HONEST, protocol))
    _same(load_pickle(path), _HONEST)
    path.write_bytes(pickle.dumps(OrderedDict(b=1, a=2), protocol))
    _same(load_pickle(path), {"b": 1, "a": 2})


def test_python_2_names_and_shared_objects(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(np.arange(3), 2).replace(b"numpy._core", b"numpy.core"))
    np.testing.assert_array_equal(load_pickle(path), np.arange(3))
    shared = np.arange(3)
    path.write_bytes(pickle.dumps([shared, shared]))
    loaded: Any = load_pickle(path)
    assert loaded[0] is loaded[1]
    loop: list[Any] = []
    loop.append(loop)
    path.write_bytes(pickle.dumps(loop))
    again: Any = load_pickle(path)
    assert again[0] is again


def test_npz_of_others(tmp_path: Path) -> None:
    data = {"S1": {"Walk": np.ones((2, 32, 3), np.float32)}}
    np.savez_compressed(tmp_path / "a.npz", positions_3d=np.array(data, dtype=object), n=np.arange(4), s=np.array("hi"))
    loaded = load_npz(tmp_path / "a.npz")
    _same(loaded["positions_3d"], data)
    np.testing.assert_array_equal(loaded["n"], np.arange(4))
    assert loaded["s"] == "hi"


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("where", ["pkl", "npz", "npy", "nested"])
def test_code_is_never_run(tmp_path: Path, where: str, protocol: int) -> None:
    sign = tmp_path / "pwned"
    evil: Any = _Runs(os.system, f"touch {sign}")
    path = tmp_path / f"evil.{'pkl' if where == 'nested' else where}"
    if where in ("pkl", "nested"):
        path.write_bytes(pickle.dumps({"a": [evil]} if where == "nested" else evil, protocol))
    else:
        stream = io.BytesIO()
        np.lib.format.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": ()})
        stream.write(pickle.dumps(evil, protocol))
        if where == "npy":
            path.write_bytes(stream.getvalue())
        else:
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("positions.npy", stream.getvalue())
    # The payload works: the ordinary unpickler would have run it.
    with pytest.raises(FormatError, match=r"refused a pickle that asks for (posix|nt)\.system") as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert not sign.exists()


def test_the_payload_of_the_test_above_is_real(tmp_path: Path) -> None:
    sign = tmp_path / "pwned"
    data = pickle.dumps(_Runs(os.system, f"touch {sign}"))
    subprocess.run([sys.executable, "-c", f"import pickle; pickle.loads({data!r})"], check=True)
    assert sign.exists()


def _global(module: str, name: str) -> bytes:
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


_CALLS = {
    "eval": _global("builtins", "eval") + b"(S'1'\ntR.",
    "getattr": _global("builtins", "getattr") + b"(S'a'\nS'b'\ntR.",
    "import": _global("builtins", "__import__") + b"(S'os'\ntR.",
    "dotted": b"\x80\x04\x8c\x05numpy\x8c\x0cf2py.os.path\x93.",
    "numpy load": _global("numpy", "load") + b"(S'x'\ntR.",
    "bytes": _global("builtins", "bytes") + b"(I9999999999\ntR.",
    "bytearray": _global("builtins", "bytearray") + b"(I9999999999\ntR.",
    "ndarray called": _global("numpy", "ndarray") + b"(I9999999999\ntR.",
    "dtype struct": _global("numpy", "dtype") + b"(S'i4,f8'\ntR.",
    "dtype object list": _global("numpy", "dtype") + b"((S'a'\nS'f8'\nttR.",
    "set of int": _global("builtins", "set") + b"(I9999999999\ntR.",
    "persistent": b"P1\n.",
    "ext": b"\x82\x01.",
    "inst": b"(I1\niposix\nsystem\n.",
    "huge memo": b"\x80\x02]r\xff\xff\xff\x7f.",
    "huge long": b"\x80\x02\x8b\xff\xff\xff\x7f.",
    "huge bytes": b"\x80\x04\x8e" + struct.pack("<Q", 2**60) + b".",
    "huge int": b"I" + b"9" * 6000 + b"\n.",
    "cut short": b"\x80\x04\x95",
    "empty": b"",
    "no stop": b"]",
    "text": b"hello",
    "build on a list": b"](S'a'\ntb.",
}


@pytest.mark.parametrize("name", sorted(_CALLS))
def test_every_other_trick_is_an_error_of_ours(tmp_path: Path, name: str) -> None:
    path = tmp_path / "evil.pkl"
    path.write_bytes(_CALLS[name])
    with pytest.raises(FormatError) as caught:
        load_pickle(path)
    assert "\n" not in str(caught.value)


def test_array_states_that_lie(tmp_path: Path) -> None:
    honest = pickle.dumps(np.arange(3.0), 2)
    path = tmp_path / "a.pkl"
    for wrong in (
        honest.replace(b"K\x03\x85", b"J\xff\xff\xff\x7f\x85"),  # shape (2147483647,)
        honest.replace(b"K\x03\x85", b"K\x04\x85"),
        honest.replace(b"f8", b"O8"),
        honest.replace(b"f8", b"f4"),
    ):
        assert wrong != honest
        path.write_bytes(wrong)
        with pytest.raises(FormatError):
            load_pickle(path)


def test_zip_bombs_are_refused_before_unpacking(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, positions=np.zeros((400_000, 17, 3)))
    assert path.stat().st_size < 1_000_000  # packed two hundredfold
    with pytest.raises(FormatError, match="would unpack to 163,"):
        load_npz(path, max_bytes=10**8)
    assert load_npz(path)["positions"].shape == (400_000, 17, 3)


def test_declared_sizes_that_deflate_cannot_reach(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, positions=np.zeros(3))
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02") + 24  # the uncompressed size in the central directory
    data[at : at + 4] = struct.pack("<I", 2**31)
    path.write_bytes(data)
    with pytest.raises(FormatError, match="zip bomb or a damaged"):
        load_npz(path)


def test_headers_that_lie_about_the_shape(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)})
    (tmp_path / "a.npy").write_bytes(stream.getvalue())
    with pytest.raises(FormatError, match="needs 8,000,000,000,000 bytes, but only"):
        load_npy(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("positions.npy", stream.getvalue())
    with pytest.raises(FormatError, match="array 'positions': shape"):
        load_npz(tmp_path / "a.npz")


def test_encrypted_or_strangely_packed_members(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("positions.npy", b"x")
    with pytest.raises(FormatError, match="unknown method"):
        load_npz(tmp_path / "a.npz")
