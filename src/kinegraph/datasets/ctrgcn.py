"""CTR-GCN's npz (Chen et al., 2021): NTU clips padded to 300 frames, already divided into train and test.

``x_train``, ``x_test``: (N, 300, 150), two people of 25 joints side by side, metres, zeros where nobody is;
``y_train``, ``y_test``: one-hot. An archive written by ``numpy.savez`` is read in place, row by row; a compressed one
is first unpacked to a temporary file. Names and cameras are not in such files.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import FormatError
from kinegraph.skeleton import get_skeleton
from kinegraph.store.clip import ActionClip, ClipSource, absent, stamp

__all__ = ["CtrGcnSource"]

_PARTS = ("train", "test")
_JOINTS, _DIMS = 25, 3
_LARGE, _MOST_PACKED = 2**27, 100  # bytes, and how many times smaller recordings with their padding can get
_MOST_CLASSES = 100_000


class CtrGcnSource(ClipSource):
    """The clips of one npz, train before test.

    Raises:
        FormatError: not such a file, or arrays that do not fit each other.
    """

    dataset = "ctrgcn"
    fps = 30.0
    unit = "m"
    space = "world"

    def __init__(self, source: Path | str) -> None:
        self.path = Path(source)
        self.skeleton = get_skeleton("ntu25")
        self._unpacked: list[Any] = []
        self._data: list[_Rows] = []
        labels: list[NDArray[np.int64]] = []
        classes = 0
        try:
            with zipfile.ZipFile(self.path) as archive:
                for part in _PARTS:
                    rows = self._rows(archive, f"x_{part}")
                    target = np.asarray(self._rows(archive, f"y_{part}").open())
                    self._check(part, rows, target)
                    classes = max(classes, target.shape[1] if target.ndim == 2 else int(target.max(initial=0)) + 1)
                    labels.append(target.argmax(axis=1) if target.ndim == 2 else target.astype(np.int64))
                    self._data.append(rows)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
            raise FormatError(self.path, f"not a readable npz ({error}); the file is damaged. Fetch it again") from None
        except OSError as error:
            raise FormatError(self.path, f"cannot be read ({error.strerror or error}); check the path") from None
        self.labels = np.concatenate(labels)
        self.classes = tuple(f"A{n + 1:03d}" for n in range(classes))
        self._stamp = stamp(self.path)

    def _check(self, part: str, rows: _Rows, target: NDArray[Any]) -> None:
        if len(rows.shape) != 3 or rows.shape[2] % (_JOINTS * _DIMS) or not rows.shape[2] or rows.dtype.kind != "f":
            raise FormatError(
                self.path, f"x_{part} is {rows.shape} of {rows.dtype}; expected floats (clips, frames, 150): 2 x 25 x 3"
            )
        if target.ndim not in (1, 2) or len(target) != rows.shape[0] or target.dtype.kind not in "iufb":
            raise FormatError(self.path, f"y_{part} is {target.shape}; expected one-hot rows for {rows.shape[0]} clips")
        if (target.ndim == 2 and target.shape[1] < 1) or (target.ndim == 1 and target.dtype.kind not in "iu"):
            raise FormatError(
                self.path, f"y_{part} is {target.shape} of {target.dtype}; expected one-hot rows, or labels"
            )
        wrong = (
            np.flatnonzero((target != 0).sum(axis=1) != 1)
            if target.ndim == 2
            else np.flatnonzero((target < 0) | (target >= _MOST_CLASSES))
        )
        if len(wrong):
            found = np.array2string(target[wrong[0]], threshold=8, edgeitems=3).replace("\n", " ")
            raise FormatError(
                self.path, f"y_{part}[{wrong[0]}] is {found[:60]}; expected one class of a clip, a label from 0"
            )

    def _rows(self, archive: zipfile.ZipFile, name: str) -> _Rows:
        try:
            member = archive.getinfo(f"{name}.npy")
        except KeyError:
            raise FormatError(self.path, f"no array {name}; expected x_train, y_train, x_test, y_test") from None
        if member.compress_type == zipfile.ZIP_STORED:
            with self.path.open("rb") as stream:
                # the sizes of name and extra field may differ from those in the archive's directory
                stream.seek(member.header_offset + 26)
                sizes = np.frombuffer(stream.read(4), dtype="<u2")
                return _rows_at(self.path, stream, member.header_offset + 30 + int(sizes.sum()), name)
        if member.compress_type != zipfile.ZIP_DEFLATED:
            raise FormatError(self.path, f"{name} is packed by an unknown method; expected numpy.savez")
        if member.file_size > _LARGE and member.file_size > _MOST_PACKED * member.compress_size:
            raise FormatError(
                self.path,
                f"{name} unpacks from {member.compress_size:,} to {member.file_size:,} bytes, as no recordings do; "
                "the file is hostile or holds nothing. Fetch it again",
            )
        if member.file_size > shutil.disk_usage(tempfile.gettempdir()).free:
            raise FormatError(
                self.path,
                f"{name} unpacks to {member.file_size:,} bytes, more than {tempfile.gettempdir()} has left; "
                "set TMPDIR to a larger disk",
            )
        unpacked = tempfile.NamedTemporaryFile(suffix=".npy")  # noqa: SIM115 - lives as long as this source
        self._unpacked.append(unpacked)
        with archive.open(member) as packed:
            shutil.copyfileobj(packed, unpacked, 2**20)
        unpacked.flush()
        with open(unpacked.name, "rb") as stream:
            return _rows_at(Path(unpacked.name), stream, 0, name)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_unpacked": []}  # another process reads the files that this one keeps

    def __len__(self) -> int:
        return len(self.labels)

    def name(self, index: int) -> str:
        first = self._data[0].shape[0]
        return f"train/{index:06d}" if index < first else f"test/{index - first:06d}"

    def stamp(self, index: int) -> str:
        return self._stamp

    def read(self, index: int) -> ActionClip:
        first = self._data[0].shape[0]
        part, row = (0, index) if index < first else (1, index - first)
        flat = np.array(self._data[part].open()[row])
        dense = flat.reshape(len(flat), -1, _JOINTS, _DIMS).transpose(1, 0, 2, 3)
        return ActionClip(
            name=self.name(index),
            label=int(self.labels[index]),
            positions=absent(dense.astype(np.float32)),
            splits=(_PARTS[part],),
        ).check()


class _Rows:
    """An array in a file, mapped when it is used."""

    def __init__(self, path: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.path, self.offset, self.shape, self.dtype = path, offset, shape, dtype

    def open(self) -> NDArray[Any]:
        if 0 in self.shape:
            return np.zeros(self.shape, dtype=self.dtype)
        return np.memmap(self.path, dtype=self.dtype, mode="r", offset=self.offset, shape=self.shape)


def _rows_at(path: Path, stream: IO[bytes], offset: int, name: str) -> _Rows:
    """The array whose ``.npy`` begins at `offset`. Raises FormatError for anything but plain numbers, whole."""
    stream.seek(offset)
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    if dtype.hasobject or fortran or dtype.kind not in "fiub" or min(shape, default=0) < 0:
        raise FormatError(path, f"{name} holds {dtype}; expected plain numbers, row by row")
    begin = stream.tell()
    stream.seek(0, 2)
    needed = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if begin + needed > stream.tell():
        raise FormatError(
            path, f"{name} of shape {shape} needs {needed:,} bytes; the file is cut short. Fetch it again"
        )
    return _Rows(path, begin, tuple(shape), dtype)
