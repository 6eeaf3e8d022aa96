"""NTU RGB+D ``.skeleton`` text: the bodies a Kinect v2 saw, frame by frame. Read only.

Line 1 is the number of frames; each frame gives its number of bodies; each body has a line of ten fields (the first a
64-bit identity), the line ``25``, and 25 lines ``x y z depthX depthY colorX colorY qw qx qy qz trackingState``.
Metres at 30 fps in the Kinect's frame: x to the sensor's left, y up but for its tilt, z away from it. Frames without a
body occur. The name ``SsssCcccPpppRrrrAaaa`` tells setup, camera, performer, replication and action.

A file is some hundred thousand numbers of which a third is wanted, so they are not parsed one by one: lines are found
at once, and the digits of all wanted numbers are turned into values together, to the same bits as ``float`` would.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import FormatError
from kinegraph.formats.rig import read_text
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton

__all__ = ["FPS", "NAME", "SUFFIXES", "NtuBodies", "NtuName", "parse_name", "read", "read_bodies"]

NAME = "ntu_skeleton"
SUFFIXES = (".skeleton",)
FPS = 30.0

_JOINTS = 25
_BODY_FIELDS, _JOINT_FIELDS = 10, 12
_MOST_FRAMES, _MOST_BODIES = 100_000, 6  # a Kinect tracks six bodies at most
_MOST_PEOPLE = 64  # identities in one file; a body that is lost and found again gets a new one
_WIDEST = 18  # characters of a number that is read in the fast way
_COLUMN = np.arange(_WIDEST + 1)[:, None]
_TENS = 10.0 ** np.arange(23)  # all of these are exact
_FARTHEST = 1e9
_TRACKED = np.array([0.0, 0.5, 1.0])  # not tracked, inferred, tracked -> confidence
_NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})", re.IGNORECASE)

Array = NDArray[np.float64]


class NtuName(NamedTuple):
    """What the name of a file says; all count from 1."""

    setup: int
    camera: int
    performer: int
    replication: int
    action: int


def parse_name(name: str) -> NtuName | None:
    """What a file's name says, or None where it is not ``SsssCcccPpppRrrrAaaa``."""
    match = _NAME.search(name)
    return NtuName(*map(int, match.groups())) if match else None


@dataclass(frozen=True, kw_only=True, eq=False)
class NtuBodies:
    """What a file holds.

    Attributes:
        identities: 64-bit identity of each person, in the order of appearance.
        positions: ``(people, frames, 25, 3)`` metres, NaN where there is no such body.
        tracking: ``(people, frames, 25)``: -1 no body, 0 not tracked, 1 inferred, 2 tracked.
    """

    identities: tuple[int, ...]
    positions: Array
    tracking: NDArray[np.int8]


def read_bodies(path: Path | str) -> NtuBodies:
    """Positions and tracking states of every body.

    Raises:
        FormatError: the file is missing, cut short, or not laid out as NTU's are.
    """
    path = Path(path)
    lines = _Lines(path, read_text(path, "an NTU .skeleton file").encode("latin-1"))
    frames = lines.integer(0, "the number of frames", 0, _MOST_FRAMES)
    at = 1
    heads: list[int] = []  # line of each body
    frame_of: list[int] = []
    for frame in range(frames):
        count = lines.integer(at, "the number of bodies", 0, _MOST_BODIES)
        at += 1
        for _ in range(count):
            lines.integer(at + 1, "the number of joints", _JOINTS, _JOINTS)
            heads.append(at)
            frame_of.append(frame)
            at += 2 + _JOINTS
    if at != len(lines):
        raise FormatError(path, f"{len(lines)} lines, expected {at} for {frames} frames; the file is damaged")
    identities: dict[int, int] = {}
    person_of = []
    taken: set[tuple[int, int]] = set()
    for head, frame in zip(heads, frame_of, strict=True):
        identity = lines.identity(head)
        person = identities.setdefault(identity, len(identities))
        if (person, frame) in taken:
            raise FormatError(path, f"line {head + 1}: body {identity} stands twice in frame {frame}")
        taken.add((person, frame))
        person_of.append(person)
    if len(identities) > _MOST_PEOPLE:
        raise FormatError(path, f"{len(identities)} different bodies; expected at most {_MOST_PEOPLE} in one recording")
    positions = np.full((len(identities), frames, _JOINTS, 3), np.nan)
    tracking = np.full((len(identities), frames, _JOINTS), -1, dtype=np.int8)
    if heads:
        points, states = lines.joints(np.add.outer(heads, 2 + np.arange(_JOINTS)).ravel())
        positions[person_of, frame_of] = points.reshape(len(heads), _JOINTS, 3)
        tracking[person_of, frame_of] = states.reshape(len(heads), _JOINTS)
    return NtuBodies(identities=tuple(identities), positions=positions, tracking=tracking)


def read(path: Path | str) -> SkeletonSequence:
    """Read a .skeleton file.

    Returns:
        Every body as a person, in the order of appearance; positions (people, frames, 25, 3) in metres as the file
        has them (the Kinect's frame, y up), confidence 1 tracked, 0.5 inferred, 0 not tracked or absent; the label is
        the action of the file's name ("A001").

    Raises:
        FormatError: see :func:`read_bodies`, or nobody in any frame.
    """
    path = Path(path)
    bodies = read_bodies(path)
    if not bodies.identities:
        raise FormatError(path, "no body in any frame; leave the recording out")
    name = parse_name(path.stem)
    confidence = np.where(bodies.tracking < 0, 0.0, _TRACKED[np.maximum(bodies.tracking, 0)])
    return SkeletonSequence(
        positions=bodies.positions,
        confidence=confidence,
        skeleton=get_skeleton("ntu25"),
        fps=FPS,
        unit="m",
        space="world",
        up="y",
        label=f"A{name.action:03d}" if name else None,
        source=str(path),
        notes=("coordinates of the Kinect: y is up but for the sensor's tilt, z points away from it",),
    )


class _Lines:
    """The lines of a text by their places, without a Python object for each."""

    def __init__(self, path: Path, raw: bytes) -> None:
        self.path = path
        self.raw = raw.rstrip() + b"\n"
        self.data = np.frombuffer(self.raw + bytes(4 * _WIDEST), dtype=np.uint8)  # so that no place lies beyond
        breaks = np.flatnonzero(self.data[: len(self.raw)] == 10)
        self.starts = np.concatenate(([0], breaks[:-1] + 1))
        self.ends = breaks - (self.data[breaks - 1] == 13)

    def __len__(self) -> int:
        return len(self.starts)

    def words(self, line: int) -> list[str]:
        return self.raw[int(self.starts[line]) : int(self.ends[line])].decode("latin-1").split()

    def integer(self, line: int, what: str, least: int, most: int) -> int:
        """The one number of a line."""
        if line >= len(self):
            raise FormatError(self.path, f"ends after line {len(self)}, before {what}; the file is cut short")
        word = self.raw[int(self.starts[line]) : int(self.ends[line])]
        if word.isdigit() and len(word) <= 20 and least <= int(word) <= most:
            return int(word)
        words = self.words(line)
        if len(words) != 1:
            found = " ".join(words)[:40]
            raise FormatError(self.path, f"line {line + 1}: found '{found}', expected {what} alone on the line")
        return self._whole(words[0], line, what, least, most)

    def identity(self, line: int) -> int:
        """The first of the ten fields of a body."""
        words = self.words(line)
        if len(words) != _BODY_FIELDS:
            raise FormatError(self.path, f"line {line + 1}: {len(words)} fields of a body, expected {_BODY_FIELDS}")
        return self._whole(words[0], line, "the body's identity", 0, 2**64 - 1)

    def _whole(self, word: str, line: int, what: str, least: int, most: int) -> int:
        # 20 digits hold 2^64; int() is quadratic in the length of what a hostile file gives it
        if not (word.isascii() and word.isdigit() and len(word) <= 20 and least <= int(word) <= most):
            wanted = str(least) if least == most else f"{least} to {most}"
            raise FormatError(self.path, f"line {line + 1}: {what} is '{word[:40]}', expected {wanted}")
        return int(word)

    def joints(self, rows: NDArray[np.int64]) -> tuple[Array, NDArray[np.int8]]:
        """x, y, z ``(rows, 3)`` and tracking state ``(rows,)`` of the joints on these lines."""
        starts, ends = self.starts[rows], self.ends[rows]
        blank = self.data == 32
        counted = np.add.reduceat(blank.view(np.uint8), self.starts, dtype=np.int32)
        usual = counted[rows] == _JOINT_FIELDS - 1
        doubled = np.flatnonzero(blank[1:] & blank[:-1])
        if doubled.size:  # as many blanks as usual, but a number less
            usual &= ~np.isin(rows, np.searchsorted(self.starts, doubled, side="right") - 1)
        # the first three blanks of each line end x, y and z; lines with another number of blanks are read below
        places = np.append(np.flatnonzero(blank), np.zeros(3, dtype=np.int64))
        first = (np.cumsum(counted) - counted)[rows]
        stops = [places[first + axis] for axis in range(3)]
        begins = [starts, stops[0] + 1, stops[1] + 1]
        values, plain = _numbers(self.data, np.concatenate(begins), np.concatenate(stops))
        points = values.reshape(3, -1).T.copy()
        usual &= plain.reshape(3, -1).all(axis=0)
        states = self.data[ends - 1] - 48
        usual &= (states <= 2) & (self.data[ends - 2] == 32)
        for place in np.flatnonzero(~usual):  # another spelling, or damage
            points[place], states[place] = self._joint(int(rows[place]))
        return points, states.astype(np.int8)

    def _joint(self, line: int) -> tuple[list[float], int]:
        words = self.words(line)
        if len(words) != _JOINT_FIELDS:
            raise FormatError(self.path, f"line {line + 1}: {len(words)} numbers of a joint, expected {_JOINT_FIELDS}")
        point = []
        for word in words[:3]:
            try:
                value = float(word) if len(word) <= 64 and "_" not in word else math.nan
            except ValueError:
                value = math.nan
            if not math.isfinite(value) or abs(value) > _FARTHEST:
                raise FormatError(self.path, f"line {line + 1}: found '{word[:40]}', expected a finite number")
            point.append(value)
        return point, self._whole(words[-1], line, "the tracking state", 0, 2)


def _numbers(
    data: NDArray[np.uint8], begin: NDArray[np.int64], end: NDArray[np.int64]
) -> tuple[Array, NDArray[np.bool_]]:
    """The numbers at ``data[begin:end]``, and which of them are plain: ``-12.345``, up to 15 digits.

    Up to 15 digits are an integer below 2^53, and a power of ten up to 22 is exact: their quotient is the float64 next
    to the decimal number, the same that ``float`` gives.
    """
    length = np.clip(end - begin, 0, _WIDEST + 1)
    column = _COLUMN[: max(1, int(length.max()))]  # (characters, 1): a row of memory is one place of all numbers
    characters = data[begin + column] * (column < length)
    digits = characters - 48  # unsigned: what is no digit becomes 10 or more
    is_digit = digits < 10
    dot = characters == 46
    negative = characters[0] == 45
    count, dots = (np.add.reduce(mask.view(np.uint8), axis=0, dtype=np.uint8) for mask in (is_digit, dot))
    plain = (count >= 1) & (count <= 15) & (dots <= 1) & (count + dots + negative == length)
    place = np.add.reduce(dot * column.astype(np.uint8), axis=0, dtype=np.uint8)  # of the point
    behind = np.where(plain & (dots == 1), length - 1 - place, 0)
    mantissa = np.zeros(len(begin))
    for factor, digit in zip(np.where(is_digit, 10.0, 1.0), np.where(is_digit, digits, 0.0), strict=True):
        mantissa *= factor
        mantissa += digit
    values = mantissa / _TENS[behind]
    return np.where(negative, -values, values), plain
