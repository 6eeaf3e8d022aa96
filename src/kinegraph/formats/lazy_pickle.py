"""Pickles larger than memory: the same restricted reading as elsewhere, with the arrays left in the file.

PYSKL's files hold tens of thousands of arrays in one pickle. Its instructions are walked once; every long byte string
is replaced by a short ticket that says where in the file it lies, and what remains, some megabytes, is unpickled under
the rules of :mod:`kinegraph.formats.restricted_pickle`. Arrays come out as :class:`LazyArray`.
"""

from __future__ import annotations

import io
import mmap
import pickletools
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import FormatError
from kinegraph.formats.restricted_pickle import (
    NO_PICKLE,
    PickledArray,
    PickledScalar,
    RefusedError,
    RestrictedUnpickler,
    resolve,
)

__all__ = ["LazyArray", "load_lazily"]

_LEAST = 256  # bytes; shorter strings stay where they are
_PREFIX = {"BINBYTES": 5, "BINBYTES8": 9, "BYTEARRAY8": 9, "BINUNICODE": 5, "BINUNICODE8": 9}
_MOST_WITHOUT = 2 * 2**30
"""Limit of what is left without the arrays, in bytes."""


@dataclass(frozen=True, kw_only=True)
class LazyArray:
    """An array in a file.

    Attributes:
        path: the file.
        offset, length: where its bytes are.
        text: whether they are the UTF-8 of latin-1 text, as pickles of protocol 2 have them.
        dtype, shape, fortran: what they mean.
    """

    path: Path
    offset: int
    length: int
    text: bool
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool

    def load(self) -> NDArray[Any]:
        """The array, of any shape. Raises FormatError when the file has changed, or its bytes do not fill the shape."""
        try:
            with self.path.open("rb") as stream:
                stream.seek(self.offset)
                raw = stream.read(self.length)
            if self.text:
                raw = raw.decode("utf-8").encode("latin-1")
        except (OSError, UnicodeError) as error:
            raise FormatError(self.path, f"an array at byte {self.offset} cannot be read ({error})") from None
        expected = int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize
        if len(raw) != expected:
            raise FormatError(
                self.path,
                f"an array of shape {self.shape} has {len(raw):,} bytes; expected {expected:,}. Fetch it again",
            )
        return np.frombuffer(raw, dtype=self.dtype).reshape(self.shape, order="F" if self.fortran else "C")


class _Tickets:
    """The long strings of one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.token = secrets.token_hex(8)  # no file can know it
        self.spans: list[tuple[int, int, bool]] = []
        self.pattern = re.compile(f"\0{self.token}:([0-9]+)")

    def give(self, offset: int, length: int, text: bool) -> bytes:
        """Instructions that push a ticket in place of the string."""
        ticket = f"\0{self.token}:{len(self.spans)}".encode()
        self.spans.append((offset, length, text))
        return b"\x8c" + bytes([len(ticket)]) + ticket if text else b"C" + bytes([len(ticket)]) + ticket

    def _span(self, ticket: object) -> tuple[int, int, bool] | None:
        if isinstance(ticket, bytes | bytearray):
            if not ticket.startswith(b"\0"):
                return None
            ticket = ticket.decode("latin-1")
        match = self.pattern.fullmatch(ticket) if isinstance(ticket, str) else None
        return self.spans[int(match[1])] if match else None

    def fetch(self, ticket: object) -> object:
        span = self._span(ticket)
        if span is None:
            return ticket
        offset, length, text = span
        with self.path.open("rb") as stream:
            stream.seek(offset)
            raw = stream.read(length)
        if not text:
            return raw
        decoded = raw.decode("utf-8", "surrogatepass")
        return decoded if isinstance(ticket, str) else decoded.encode("latin-1")

    def array(self, item: PickledArray) -> LazyArray | None:
        """Where an array lies; None when it is a short one, or of objects or text, and is built at once."""
        dtype = item.kind.final()
        span = self._span(item.data)
        if span is None or isinstance(item, PickledScalar) or dtype.kind not in "biufc":
            if span is not None:
                item.data = self.fetch(item.data)
            return None
        offset, length, text = span
        count = 1
        for size in item.shape:
            count *= size
        if (not text and count * dtype.itemsize != length) or count * dtype.itemsize > length:
            raise RefusedError(f"an array of shape {item.shape} with the wrong number of bytes")
        return LazyArray(
            path=self.path, offset=offset, length=length, text=text, dtype=dtype, shape=item.shape, fortran=item.fortran
        )


def load_lazily(path: Path | str) -> object:
    """The object pickled in `path`, its larger arrays as :class:`LazyArray`.

    Raises:
        FormatError: the pickle asks for anything but containers, strings, numbers and NumPy arrays (the message says
            for what; nothing of it is run), or is damaged.
    """
    path = Path(path)
    tickets = _Tickets(path)
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            rest = _without_long_strings(data, tickets)
        return resolve(RestrictedUnpickler(io.BytesIO(rest)).load(), tickets)
    except RefusedError as refused:
        raise FormatError(
            path, f"refused a pickle that asks for {refused}; {NO_PICKLE}. Ask its author for a plain npz"
        ) from None
    except OSError as error:
        raise FormatError(path, f"cannot be read ({error.strerror}); check the path and its permissions") from None
    except Exception as error:  # a damaged pickle raises almost any type: all of them mean the same here
        found = f"{type(error).__name__}: {error}".splitlines()[0][:120]
        raise FormatError(
            path, f"not a readable pickle ({found}); the file is damaged or cut short. Fetch it again"
        ) from None


def _without_long_strings(data: mmap.mmap, tickets: _Tickets) -> bytes:
    """The pickle with tickets in the place of long strings, and without frames, which would no longer be right."""
    rest = io.BytesIO()
    copied = 0  # everything before is in `rest`
    pending: tuple[int, str] | None = None  # a long string whose end is where the next instruction begins
    for opcode, argument, found in pickletools.genops(cast(Any, data)):
        position = cast(int, found)
        if pending is not None:
            start, name = pending
            offset = start + _PREFIX[name]
            rest.write(tickets.give(offset, position - offset, "UNICODE" in name))
            copied, pending = position, None
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and cast(int, argument) > len(data):
            raise RefusedError("a memo index larger than the file")
        long = opcode.name in _PREFIX and len(cast(bytes, argument)) >= _LEAST
        if long or opcode.name == "FRAME":
            rest.write(data[copied:position])
            copied = position + 9
            pending = (position, opcode.name) if long else None
        if rest.tell() > _MOST_WITHOUT:
            raise RefusedError(f"more than {_MOST_WITHOUT:,} bytes beside its arrays")
    rest.write(data[copied:])
    return rest.getvalue()
