"""The bytes of a C3D file: header, parameters and 3D points, read with NumPy and every size checked first.

Written from the C3D user guide (c3d.org). The ezc3d library reads the same files faster, but a damaged one makes it
crash the whole process (segmentation fault, measured), which no exception handler can catch; so it only writes here,
and what it writes otherwise than the guide says, the residuals, is put right afterwards (`put_residuals`).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import FormatError

__all__ = ["HEADER_FRAMES", "C3dPoints", "put_residuals", "read_points"]

HEADER_FRAMES = 65535
"""The most frames that the header and a POINT:FRAMES of 16 bits can announce."""

_BLOCK = 512
_MAGIC = 0x50
_INTEL, _DEC, _MIPS = 84, 85, 86
_MAX_BYTES = 2**31

Array = NDArray[np.float64]
Parameter = list[str] | Array


@dataclass(frozen=True)
class C3dPoints:
    """Points in file units: `positions` (frames, points, 3), `residuals` (frames, points; negative = not seen)."""

    positions: Array
    residuals: Array
    labels: tuple[str, ...]
    unit: str
    rate: float
    notes: tuple[str, ...] = ()


class _Numbers:
    """How a processor lays out numbers: byte order, and DEC's own floats."""

    def __init__(self, processor: int) -> None:
        self.order = ">" if processor == _MIPS else "<"
        self.dec = processor == _DEC

    def integers(self, data: bytes) -> Array:
        return np.frombuffer(data, dtype=self.order + "i2").astype(np.float64)

    def word(self, data: bytes) -> int:
        return int(np.frombuffer(data[:2], dtype=self.order + "u2")[0])

    def floats(self, data: bytes) -> Array:
        if not self.dec:
            return np.frombuffer(data, dtype=self.order + "f4").astype(np.float64)
        # DEC: 16-bit halves exchanged, exponent larger by two
        halves = np.frombuffer(data, dtype="<u2").reshape(-1, 2)[:, ::-1]
        return np.ascontiguousarray(halves).view("<f4")[:, 0].astype(np.float64) / 4


def read_points(path: Path) -> C3dPoints:
    """Read the 3D points of a C3D file.

    Raises:
        FormatError: the file is missing, not C3D, damaged or cut short.
    """
    data = _bytes(path)
    start = (data[0] - 1) * _BLOCK
    if data[0] < 2 or start + 4 > len(data):
        raise FormatError(path, f"the header puts the parameters at block {data[0]} of {len(data) // _BLOCK}; damaged?")
    processor = data[start + 3]
    if processor not in (_INTEL, _DEC, _MIPS):
        raise FormatError(path, f"processor type {processor} is unknown; expected 84 (Intel), 85 (DEC) or 86 (MIPS)")
    numbers = _Numbers(processor)
    parameters = _parameters(path, data, start + 4, numbers)

    def number(name: str, default: float) -> float:
        value = parameters.get(name)
        return float(value[0]) if isinstance(value, np.ndarray) and len(value) else default

    def texts(name: str) -> list[str]:
        value = parameters.get(name)
        return value if isinstance(value, list) else []

    count = numbers.word(data[2:4])
    analog = numbers.word(data[4:6])
    scale = number("POINT:SCALE", float(numbers.floats(data[12:16])[0]))
    rate = number("POINT:RATE", float(numbers.floats(data[20:24])[0]))
    first = (numbers.word(data[16:18]) - 1) * _BLOCK
    if not count or first < _BLOCK or not np.isfinite(scale) or scale == 0:
        raise FormatError(path, f"no points to read: {count} points, data at byte {first}, scale {scale:g}")
    width = 4 if scale < 0 else 2
    size = (4 * count + analog) * width
    frames = _frames(path, data, numbers, parameters)
    room = len(data) - first
    if frames * size > room:
        raise FormatError(
            path, f"{frames} frames of {size} bytes are announced, {max(room, 0)} bytes are there; cut short?"
        )
    block = data[first : first + frames * size]
    table = (numbers.floats(block) if scale < 0 else numbers.integers(block)).reshape(frames, 4 * count + analog)
    values = table[:, : 4 * count].reshape(frames, count, 4)
    word = np.nan_to_num(values[..., 3], nan=-1.0, posinf=-1.0, neginf=-1.0)
    # the fourth word packs camera bits (high byte, its top bit: not seen) and the residual (low byte)
    residuals = np.where(word < 0, -1.0, np.mod(np.trunc(np.maximum(word, 0.0)), 256) * abs(scale))
    labels = texts("POINT:LABELS")
    for extra in range(2, 10):
        labels = [*labels, *texts(f"POINT:LABELS{extra}")]  # one parameter holds 255 names at most
    units = texts("POINT:UNITS")
    return C3dPoints(
        positions=values[..., :3] * (1.0 if scale < 0 else scale),
        residuals=residuals,
        labels=tuple(labels[:count]),
        unit=units[0] if units else "mm",
        rate=rate,
        notes=_unread(frames, size, room),
    )


def put_residuals(path: Path, residuals: Array, scale: float) -> None:
    """Store the residuals in a file of floats that ezc3d wrote (1.7 puts them where the guide has the cameras).

    The fourth word of a point is -1 where it was not seen; else its low byte is the residual in steps of POINT:SCALE,
    and its high byte the cameras that saw it, none. The header repeats the scale, which ezc3d leaves at 1.

    Args:
        path: the file.
        residuals: (frames, points) in file units, negative = not seen; more than 255 steps are stored as 255.
        scale: the step, POINT:SCALE without its sign.
    """
    words = np.where(residuals < 0, -1.0, np.clip(np.round(residuals / scale), 0, 255))
    with path.open("r+b") as file:
        header = file.read(_BLOCK)
        first = (int.from_bytes(header[16:18], "little") - 1) * _BLOCK
        file.seek(12)
        file.write(struct.pack("<f", -scale))
    points = np.memmap(path, dtype="<f4", mode="r+", offset=first, shape=(*residuals.shape, 4))
    points[..., 3] = words
    points.flush()


def _unread(frames: int, size: int, room: int) -> tuple[str, ...]:
    """A note where much more data follow than are announced: what wrote the file could not count that far."""
    spare = (room - frames * size) // size
    # Other sections may follow the points; as many bytes as the count of 16 bits hides do not come about otherwise.
    if frames % (HEADER_FRAMES + 1) != HEADER_FRAMES or spare < 1 or room - frames * size <= 2 * _BLOCK:
        return ()
    return (
        f"{frames} frames are announced, the most that 16 bits can count, and bytes for about {spare} more follow, "
        "which are not read; if they are frames, have the file written anew with POINT:LONG_FRAMES",
    )


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise FormatError(path, "a C3D file above 2 GiB is not read; cut it into clips")
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FormatError(path, f"cannot be opened as a C3D file: {reason}") from error
    if len(data) < _BLOCK or data[1] != _MAGIC:
        raise FormatError(path, "not a C3D file, or cut short: its 512-byte header with the mark 0x50 is missing")
    return data


def _frames(path: Path, data: bytes, numbers: _Numbers, parameters: Mapping[str, Parameter]) -> int:
    """Number of frames; the header's 16 bits end or wrap at 65535, so later parameters say it too."""
    first, last = numbers.word(data[6:8]), numbers.word(data[8:10])
    count = last - first + 1
    begin, end = parameters.get("TRIAL:ACTUAL_START_FIELD"), parameters.get("TRIAL:ACTUAL_END_FIELD")
    if isinstance(begin, np.ndarray) and isinstance(end, np.ndarray) and len(begin) == len(end) == 2:
        low_high = np.mod(np.stack((begin, end)), 65536)
        long_first, long_last = (int(low + high * 65536) for low, high in low_high)
        if long_last - long_first + 1 >= count:
            first, last, count = long_first, long_last, long_last - long_first + 1
    if count <= HEADER_FRAMES:
        # C-Motion's own parameter, or POINT:FRAMES as a float: either may say a count that 16 bits cannot.
        for name in ("POINT:LONG_FRAMES", "POINT:FRAMES"):
            value = parameters.get(name)
            if isinstance(value, np.ndarray) and len(value) and HEADER_FRAMES < value[0] < _MAX_BYTES:
                return int(value[0])
    if count < 1:
        raise FormatError(path, f"first frame {first}, last frame {last}: there are no frames")
    return count


def _parameters(path: Path, data: bytes, at: int, numbers: _Numbers) -> dict[str, Parameter]:
    """``"GROUP:NAME"`` -> list of strings or flat array of numbers; records must lie inside the file."""
    groups: dict[int, str] = {}
    found: dict[tuple[int, str], Parameter] = {}
    steps = 0
    while at + 2 <= len(data):
        length, group = struct.unpack_from("bb", data, at)
        length, steps = abs(length), steps + 1
        if length == 0:
            break
        if at + 4 + length > len(data) or steps > 20_000:
            raise FormatError(path, f"the parameters run past the end of the file at byte {at}; damaged or cut short")
        name = data[at + 2 : at + 2 + length].decode("latin-1").strip().upper()
        pointer = at + 2 + length
        following = numbers.word(data[pointer : pointer + 2])
        if group < 0:
            groups[-group] = name
        elif group > 0:
            found[group, name] = _parameter(path, data, pointer + 2, name, numbers)
        if following == 0:
            break
        at = pointer + following
    return {f"{groups.get(group, group)}:{name}": value for (group, name), value in found.items()}


def _parameter(path: Path, data: bytes, at: int, name: str, numbers: _Numbers) -> Parameter:
    head = data[at : at + 2]
    if len(head) < 2:
        raise FormatError(path, f"parameter {name} lies outside the file; damaged or cut short")
    kind, rank = struct.unpack("bB", head)
    dims = list(data[at + 2 : at + 2 + rank])
    width = abs(kind)
    size = width
    for dim in dims:
        size *= dim
    begin = at + 2 + rank
    if kind not in (-1, 1, 2, 4) or rank > 7 or begin + size > len(data):
        raise FormatError(path, f"parameter {name} of type {kind}, sizes {dims} does not fit; damaged or cut short")
    content = data[begin : begin + size]
    if kind == -1:
        step = dims[0] if dims else 1
        pieces = [content[i : i + step] for i in range(0, len(content), step)] if step else []
        return [piece.decode("latin-1").strip(" \0") for piece in pieces]
    if kind == 1:
        return np.frombuffer(content, dtype=np.uint8).astype(np.float64)
    return numbers.integers(content) if kind == 2 else numbers.floats(content)
