"""Read NumPy archives and pickles that strangers made, without running anything they hold.

Data sets travel as pickles (Human3.6M's ``data_3d_h36m.npz`` is a pickled dict inside an npz, PYSKL's are plain
``.pkl``), and an ordinary unpickler runs whatever code such a file names. Here the only things a pickle can build
are Python's containers, strings, numbers and NumPy arrays of plain element types; any other name is refused, in a
message that says which. NumPy's own ``__setstate__`` is not trusted either: arrays are first collected as
placeholders and built by this module, which checks every declared size against the bytes that are really there.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any, Protocol, cast

import numpy as np

from kinegraph.errors import FormatError, KinegraphError

__all__ = ["MAX_UNPACKED_BYTES", "load_npy", "load_npz", "load_pickle"]

MAX_UNPACKED_BYTES = 8 * 2**30
"""Default limit of the unpacked size of an archive, in bytes. Human3.6M's positions take 0.5 GB."""

_SUSPECT_RATIO = 1200  # deflate cannot pack more than 1032:1; only a lying header goes beyond
NO_PICKLE = "a pickle may hold only NumPy arrays and Python's own containers, strings and numbers"


class _DType:
    """Stands for ``numpy.dtype(code)`` in a pickle; byte order comes with the state that follows."""

    def __init__(self, code: object, *_copy: object) -> None:
        if isinstance(code, bytes):
            code = code.decode("latin1")
        if not isinstance(code, str):
            raise RefusedError("an array whose element type is not a plain one")
        self.order = "<"
        self.dtype = np.dtype(code)
        if self.dtype.kind not in "biufcSUO" or self.dtype.shape or self.dtype.names:
            raise RefusedError(f"an array of element type {code!r}")

    def __setstate__(self, state: object) -> None:
        if not (isinstance(state, tuple) and len(state) >= 7) or any(part is not None for part in state[2:5]):
            raise RefusedError("an array whose element type is structured")
        order = state[1].decode("latin1") if isinstance(state[1], bytes) else state[1]
        if order not in ("<", ">", "|", "="):
            raise RefusedError(f"an array of byte order {order!r}")
        if self.dtype.kind in "SU":  # the pickled item size and the code say the same; the code is used
            size = self.dtype.itemsize
            if state[5] not in (-1, size):
                raise RefusedError("a text array whose item size contradicts its type")
        self.order = order

    def final(self) -> np.dtype[Any]:
        order: Any = self.order
        return self.dtype.newbyteorder(order) if order in "<>" else self.dtype


class PickledArray:
    """Stands for an array until its shape, type and bytes have all been read."""

    def __init__(self) -> None:
        self.shape: tuple[int, ...] = (0,)
        self.kind = _DType("f8")
        self.fortran = False
        self.data: object = b""

    def __setstate__(self, state: object) -> None:
        if not (isinstance(state, tuple) and len(state) == 5):
            raise RefusedError("an array with an unknown state")
        self.fill(state[1], state[2], bool(state[3]), state[4])

    def fill(self, shape: object, kind: object, fortran: bool, data: object) -> None:
        """Take what the pickle says of the array.

        Raises:
            RefusedError: no shape or no element type.
        """
        if not (isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape) and len(shape) <= 32):
            raise RefusedError("an array with an impossible shape")
        if not isinstance(kind, _DType):
            raise RefusedError("an array without an element type")
        self.shape, self.kind, self.fortran, self.data = shape, kind, fortran, data

    def build(self, resolve: Callable[[object], object]) -> np.ndarray[Any, Any]:
        """The array, of any shape; `resolve` finishes the objects in it.

        Raises:
            RefusedError: bytes or objects that do not fill the shape.
        """
        count = 1
        for n in self.shape:
            count *= n
        dtype = self.kind.final()
        order: Any = "F" if self.fortran else "C"
        if dtype.kind == "O":
            if not isinstance(self.data, list) or len(self.data) != count:
                raise RefusedError("an object array whose length contradicts its shape")
            flat = np.empty(count, dtype=object)
            for i, item in enumerate(self.data):
                flat[i] = resolve(item)
            return flat.reshape(self.shape, order=order)
        raw = self.data.encode("latin1") if isinstance(self.data, str) else self.data
        if not isinstance(raw, bytes | bytearray) or len(raw) != count * dtype.itemsize:
            raise RefusedError(f"an array of shape {self.shape} with the wrong number of bytes")
        if not count or not dtype.itemsize:
            if count * max(dtype.itemsize, 1) > 2**20:
                raise RefusedError(f"an array of shape {self.shape} without any bytes")
            return np.zeros(self.shape, dtype=dtype)
        return np.frombuffer(bytes(raw), dtype=dtype).reshape(self.shape, order=order).copy()


class PickledScalar(PickledArray):
    """A NumPy scalar, read as the Python number it holds."""


class RefusedError(Exception):
    """Something in the pickle that we will not build; the text says what."""


def _reconstruct(*_arguments: object) -> PickledArray:
    return PickledArray()


def _scalar(kind: object, data: object = b"") -> PickledScalar:
    scalar = PickledScalar()
    scalar.fill((), kind, False, data)
    return scalar


def _frombuffer(data: object, kind: object, shape: object, order: object = "C") -> PickledArray:
    array = PickledArray()
    array.fill(shape, kind, order == "F", data)
    return array


def _encode(text: object, encoding: object = "latin1") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise RefusedError("bytes in an unknown encoding")
    return text.encode("latin1")


def _set(items: object = ()) -> set[Any]:
    if not isinstance(items, list | tuple):
        raise RefusedError("a set built from something else than a list")
    return set(items)


def _frozenset(items: object = ()) -> frozenset[Any]:
    return frozenset(_set(items))


def _no_bytes() -> bytes:
    """What pickles of Python 2's age write for ``b""``; with a number it would allocate as many bytes."""
    return b""


def _dict(items: object = ()) -> dict[Any, Any]:
    if not isinstance(items, list | tuple):
        raise RefusedError("a dictionary built from something else than a list")
    return dict(items)


_NDARRAY = "numpy.ndarray"  # only ever an argument of _reconstruct: not callable on purpose

_ALLOWED: dict[str, object] = {
    "numpy.ndarray": _NDARRAY,
    "numpy.dtype": _DType,
    "_codecs.encode": _encode,
    "collections.OrderedDict": _dict,
}
for _module in ("numpy.core", "numpy._core"):
    _ALLOWED[f"{_module}.multiarray._reconstruct"] = _reconstruct
    _ALLOWED[f"{_module}.multiarray.scalar"] = _scalar
    _ALLOWED[f"{_module}.numeric._frombuffer"] = _frombuffer
for _module in ("builtins", "__builtin__"):
    _ALLOWED[f"{_module}.set"] = _set
    _ALLOWED[f"{_module}.frozenset"] = _frozenset
    _ALLOWED[f"{_module}.bytes"] = _no_bytes


class RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that knows NumPy's arrays and built-in types alone.

    Raises:
        RefusedError: the pickle names anything else; nothing of it has been called then.
    """

    def find_class(self, module: str, name: str) -> Any:
        found = _ALLOWED.get(f"{module}.{name}")
        if found is None:
            raise RefusedError(f"{module}.{name}")
        return found


class _Held(Protocol):
    """Long byte strings that were left in the file, and stand in the pickle as tickets."""

    def fetch(self, ticket: object) -> object: ...

    def array(self, item: PickledArray) -> object: ...


def resolve(root: object, held: _Held | None = None) -> object:
    """Replace the placeholders in nested containers by what they stand for; shared objects stay shared.

    Raises:
        RefusedError: an element type outside an array.
    """
    done: dict[int, object] = {}

    def visit(item: object) -> object:
        if id(item) in done:
            return done[id(item)]
        result: object = item
        if isinstance(item, PickledScalar):
            result = item.build(visit)[()]
        elif isinstance(item, PickledArray):
            result = held.array(item) if held is not None else None
            result = item.build(visit) if result is None else result
        elif isinstance(item, str | bytes):
            result = held.fetch(item) if held is not None else item
        elif isinstance(item, dict):
            result = done[id(item)] = {}
            for key, value in item.items():
                cast(dict[object, object], result)[visit(key)] = visit(value)
        elif isinstance(item, list):
            result = done[id(item)] = []
            for value in item:
                cast(list[object], result).append(visit(value))
        elif isinstance(item, tuple | set | frozenset):
            result = type(item)(visit(value) for value in item)
        elif isinstance(item, _DType):
            raise RefusedError("an element type outside an array")
        done[id(item)] = result
        return result

    return visit(root)


def _unpickle(data: bytes, path: Path, where: str) -> object:
    """The object in `data`. Raises FormatError for anything but arrays, containers, strings and numbers."""
    prefix = f"{where}: " if where else ""
    try:
        # A memo index far beyond the file makes CPython allocate gigabytes; an honest one counts objects.
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and cast(int, argument) > len(data):
                raise RefusedError("a memo index larger than the file")
        return resolve(RestrictedUnpickler(io.BytesIO(data)).load())
    except RefusedError as refused:
        raise FormatError(
            path, f"{prefix}refused a pickle that asks for {refused}; {NO_PICKLE}. Ask its author for a plain npz"
        ) from None
    except Exception as error:  # a damaged pickle raises almost any type: all of them mean the same here
        found = f"{type(error).__name__}: {error}".splitlines()[0][:120]
        raise FormatError(
            path, f"{prefix}not a readable pickle ({found}); the file is damaged or cut short. Fetch it again"
        ) from None


def load_pickle(path: str | Path) -> object:
    """The object pickled in `path`: containers, strings, numbers and NumPy arrays only.

    Raises FormatError, naming what the pickle asked for, when it holds anything else; nothing of it is run.
    """
    path = Path(path)
    return _unpickle(_read_bytes(path), path, "")


def _read_bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_UNPACKED_BYTES:
            raise FormatError(path, f"{size:,} bytes; expected at most {MAX_UNPACKED_BYTES:,}. Split the file")
        return path.read_bytes()
    except OSError as error:
        raise FormatError(path, f"cannot be read ({error.strerror}); check the path and its permissions") from None


def _read_array(stream: IO[bytes], size: int, path: Path, where: str) -> object:
    """One ``.npy`` of `size` bytes: an array, or what an object array of shape () holds."""
    try:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        elif version in ((2, 0), (3, 0)):
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
        else:
            raise ValueError(f"version {version}")
    except (
        *(ValueError, TypeError, SyntaxError, TokenError, EOFError),
        *(RecursionError, MemoryError, zlib.error, OSError),
    ) as error:
        found = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise FormatError(
            path, f"{where}: no NumPy array ({found}); expected an .npy header. Save it again with numpy.savez"
        ) from None
    count = 1
    for n in shape:
        if n < 0:
            raise FormatError(path, f"{where}: shape {shape}; expected no negative length. The header is damaged")
        count *= n
    if dtype.hasobject:
        if dtype.kind != "O":
            raise FormatError(
                path,
                f"{where}: a structured array of Python objects; expected plain arrays. Save the fields one by one",
            )
        loaded = _unpickle(stream.read(size), path, where)
        if isinstance(loaded, np.ndarray) and loaded.shape == () and loaded.dtype == object:
            return loaded[()]
        return loaded
    declared = count * dtype.itemsize
    if declared > size or count > max(size, 1) * 8:
        raise FormatError(
            path,
            f"{where}: shape {shape} of {dtype} needs {declared:,} bytes, but only {size:,} are "
            "there; the file is cut short or its header is false. Save it again",
        )
    raw = stream.read(declared)
    if len(raw) != declared:
        raise FormatError(path, f"{where}: {len(raw):,} bytes of {declared:,}; the file is cut short. Fetch it again")
    if dtype.itemsize == 0:
        return np.zeros(shape, dtype=dtype)
    return np.frombuffer(raw, dtype=dtype).reshape(shape, order="F" if fortran else "C").copy()


def load_npy(path: str | Path) -> object:
    """The array in an ``.npy`` file (or the object a zero-dimensional object array holds). Raises FormatError."""
    path = Path(path)
    data = _read_bytes(path)
    return _read_array(io.BytesIO(data), len(data), path, "array")


def load_npz(path: str | Path, max_bytes: int = MAX_UNPACKED_BYTES) -> dict[str, Any]:
    """Every array of an ``.npz`` by name; object arrays are read by the restricted unpickler.

    A zero-dimensional object array, the way data sets wrap a dict, is given as the object itself. Sizes are
    checked before anything is unpacked: an archive whose members declare more than `max_bytes` in all, or more
    than deflate can hold, is refused. Raises FormatError for that and for anything unreadable.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
            total = sum(m.file_size for m in members)
            if total > max_bytes:
                raise FormatError(
                    path,
                    f"would unpack to {total:,} bytes; expected at most {max_bytes:,}. If you "
                    "trust it, read it with load_npz(path, max_bytes=...)",
                )
            packed = path.stat().st_size
            if sum(m.compress_size for m in members) > packed or total > _SUSPECT_RATIO * packed:
                raise FormatError(
                    path,
                    f"{packed:,} bytes that claim to unpack to {total:,}: a zip bomb or a damaged "
                    "archive. Fetch it again",
                )
            arrays: dict[str, Any] = {}
            for member in members:
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise FormatError(path, f"{member.filename!r} is packed by an unknown method; expected numpy.savez")
                if not member.filename.endswith(".npy"):
                    continue
                name = member.filename.removesuffix(".npy")
                with archive.open(member) as stream:
                    arrays[name] = _read_array(stream, member.file_size, path, f"array {name!r}")
            return arrays
    except KinegraphError:
        raise
    except OSError as error:
        raise FormatError(path, f"cannot be read ({error.strerror or error}); check the path") from None
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
        OverflowError,
        MemoryError,
        UnicodeError,
        IndexError,
        TypeError,
        KeyError,
        AttributeError,
    ) as error:
        found = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise FormatError(
            path, f"not a readable npz archive ({found}); the file is damaged or cut short. Fetch it again"
        ) from None
