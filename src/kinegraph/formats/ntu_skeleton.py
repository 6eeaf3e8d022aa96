"""NTU RGB+D ``.skeleton`` text: the bodies a Kinect v2 saw, frame by frame. Read only.

Line 1 is the number of frames; each frame gives its number of bodies; each body has a line of ten fields (the first a
64-bit identity), the line ``25``, and 25 lines ``x y z depthX depthY colorX colorY qw qx qy qz trackingState``.
Metres at 30 fps in the Kinect's frame: x to the sensor's left, y up but for its tilt, z away from it. Frames without a
body occur. The name ``SsssCcccPpppRrrrAaaa`` tells setup, camera, performer, replication and action.

A file is some hundred thousand numbers of which a third is wanted, so they are not parsed one by one: lines and blanks
are found at once, and the digits of all wanted numbers are turned into values together, eight in a 64-bit word, to the
same bits as ``float`` would. Lines in another spelling are read one by one.
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
from kinegraph.formats.rig import read_bytes as read_file
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton

__all__ = ["FPS", "NAME", "SUFFIXES", "NtuBodies", "NtuName", "parse_name", "read", "read_bodies"]

NAME = "ntu_skeleton"
SUFFIXES = (".skeleton",)
FPS = 30.0

_JOINTS, _JOINTS_LINE = 25, b"25"
_BODY_FIELDS, _JOINT_FIELDS = 10, 12
_MOST_FRAMES, _MOST_BODIES = 100_000, 6  # a Kinect tracks six bodies at most
_MOST_PEOPLE = 64  # identities in one file; a body that is lost and found again gets a new one
_DIGITS = 15  # of a number that is read in the fast way: an integer below 2^53
_PIECE = 2**16  # bytes
_BLOCK = 800  # lines at a time: what is at work stays in the cache and in memory that the allocator keeps
_TENS = 10.0 ** np.arange(23)  # all of these are exact
_ZEROS = np.uint64(0x3030303030303030)  # "00000000"
_LAST = np.array([0, *(2**64 - 2 ** (8 * (8 - n)) for n in range(1, 9))], dtype=np.uint64)  # masks of n characters
# neighbours in a word become one number: factor, shift and mask for digits, pairs and fours
_JOINED = tuple(
    (np.uint64(1 + (base << bits)), np.uint64(bits), np.uint64(mask))
    for base, bits, mask in ((10, 8, 0x00FF00FF00FF00FF), (100, 16, 0x0000FFFF0000FFFF), (10000, 32, 0xFFFFFFFF))
)
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
    lines = _Lines(path, read_file(path, "an NTU .skeleton file"))
    frames = lines.integer(0, "the number of frames", 0, _MOST_FRAMES)
    at = 1
    heads: list[int] = []  # line of each body
    frame_of: list[int] = []
    for frame in range(frames):
        count = lines.integer(at, "the number of bodies", 0, _MOST_BODIES)
        at += 1
        for _ in range(count):
            if not lines.says(at + 1, _JOINTS_LINE):
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
        self.raw = raw
        self.data = np.frombuffer(raw, dtype=np.uint8)
        # in pieces: memory that is asked of the system anew for every file costs as much as the search
        pieces = [np.flatnonzero(self.data[at : at + _PIECE] == 10) + at for at in range(0, len(raw), _PIECE)]
        breaks = np.concatenate(pieces)
        if raw[-1] != 10:
            breaks = np.append(breaks, len(raw))
        while raw[int(breaks[-2]) + 1 if len(breaks) > 1 else 0 : int(breaks[-1])].strip() == b"":
            breaks = breaks[:-1]  # ends at a line with something: the file is not blank
        self.starts = np.concatenate(([0], breaks[:-1] + 1))
        self.ends = breaks - (self.data[breaks - 1] == 13)
        self._identities: dict[str, int] = {}
        # the same as lists: taking single values from arrays is slow
        self._starts, self._ends = self.starts.tolist(), self.ends.tolist()

    def __len__(self) -> int:
        return len(self._starts)

    def says(self, line: int, text: bytes) -> bool:
        """Whether a line is exactly this text."""
        return line < len(self._starts) and self.raw[self._starts[line] : self._ends[line]] == text

    def words(self, line: int) -> list[str]:
        return self.raw[self._starts[line] : self._ends[line]].decode("latin-1").split()

    def integer(self, line: int, what: str, least: int, most: int) -> int:
        """The one number of a line."""
        if line >= len(self._starts):
            raise FormatError(self.path, f"ends after line {len(self)}, before {what}; the file is cut short")
        word = self.raw[self._starts[line] : self._ends[line]]
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
        known = self._identities.get(words[0])
        if known is None:
            known = self._identities[words[0]] = self._whole(words[0], line, "the body's identity", 0, 2**64 - 1)
        return known

    def _whole(self, word: str, line: int, what: str, least: int, most: int) -> int:
        # 20 digits hold 2^64; int() is quadratic in the length of what a hostile file gives it
        if not (word.isascii() and word.isdigit() and len(word) <= 20 and least <= int(word) <= most):
            wanted = str(least) if least == most else f"{least} to {most}"
            raise FormatError(self.path, f"line {line + 1}: {what} is '{word[:40]}', expected {wanted}")
        return int(word)

    def joints(self, rows: NDArray[np.int64]) -> tuple[Array, NDArray[np.int8]]:
        """x, y, z ``(rows, 3)`` and tracking state ``(rows,)`` of the joints on these lines."""
        points, states = np.empty((len(rows), 3)), np.empty(len(rows), dtype=np.int8)
        for begin in range(0, len(rows), _BLOCK):
            part = slice(begin, begin + _BLOCK)
            usual = self._usual_joints(rows[part], points[part], states[part])
            for place in np.flatnonzero(~usual):  # another spelling, or damage
                points[begin + place], states[begin + place] = self._joint(int(rows[begin + place]))
        return points, states

    def _usual_joints(self, rows: NDArray[np.int64], points: Array, states: NDArray[np.int8]) -> NDArray[np.bool_]:
        """Fill in the joints of lines with 12 plain numbers and 11 blanks; which these are."""
        begin, stop = int(self.starts[rows[0]]), int(self.ends[rows[-1]])
        starts, ends = self.starts[rows], self.ends[rows]
        blanks = np.flatnonzero(self.data[begin:stop] == 32)
        doubled = blanks[:-1][np.diff(blanks) == 1] + begin
        blanks = np.append(blanks + begin, np.full(_JOINT_FIELDS, -1))
        first = np.searchsorted(blanks[:-_JOINT_FIELDS], starts)  # the blank after x
        usual: NDArray[np.bool_] = (blanks[first + _JOINT_FIELDS - 2] == ends - 2) & (blanks[first] > starts)
        if doubled.size:  # as many blanks as usual, but a number less
            usual &= ~np.isin(rows, np.searchsorted(self.starts, doubled, side="right") - 1)
        if not usual.any():
            return usual
        whole = usual.all()
        chosen = slice(None) if whole else np.flatnonzero(usual)
        stops = [blanks[first[chosen] + axis] for axis in range(3)]
        begins = np.concatenate([starts[chosen], stops[0] + 1, stops[1] + 1])
        values, plain = _numbers(self.data, begins, np.concatenate(stops))
        state = self.data[ends[chosen] - 1] - 48
        points[chosen] = values.reshape(3, -1).T
        states[chosen] = state
        usual[chosen] &= plain.reshape(3, -1).all(axis=0) & (state <= 2)
        return usual

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
    """The numbers at ``data[begin:end]``, and which are plain: ``-12.345``, up to three digits before the point.

    What follows each number must be at least 18 further characters, as the rest of a joint's line is.

    Up to 15 digits are an integer below 2^53, and a power of ten up to 22 is exact: their quotient is the float64 next
    to the decimal number, the same that ``float`` gives.
    """
    negative = data.take(begin) == 45
    first = begin + negative
    point = first + 1
    found = data.take(point) == 46
    digit = data.take(first) - 48  # unsigned: what is no digit becomes 10 or more
    plain = digit < 10
    whole = digit.astype(np.float64)
    for _ in range(2):  # one digit before the point, as metres have, or up to two more
        if found.all():
            break
        digit = data.take(point) - 48
        plain &= found | (digit < 10)
        whole = np.where(found, whole, whole * 10 + digit)
        point += ~found
        found = data.take(point) == 46
    plain &= found
    length = end - point - 1
    plain &= (length >= 1) & (end - first <= _DIGITS + 1)
    if not plain.all():
        length = np.where(plain, length, 1)
    # every place of the text as the beginning of a 64-bit word
    words = np.ndarray((len(data) - 7,), dtype="<u8", buffer=data, strides=(1,))
    fraction, digits = _eight_digits(words[end - 8], np.minimum(length, 8))
    plain &= digits
    if int(length.max(initial=0)) > 8:
        more = np.maximum(length - 8, 0)
        high, digits = _eight_digits(words[np.maximum(end - 16, 0)], more)
        plain &= digits
        fraction = fraction + high * 1e8
    tens = _TENS.take(length)
    values = (whole * tens + fraction) / tens
    return np.where(negative, -values, values), plain


def _eight_digits(words: NDArray[np.uint64], count: NDArray[np.int64]) -> tuple[Array, NDArray[np.bool_]]:
    """The last `count` (0 to 8) characters of 8-character words as a number, and whether all of them are digits.

    Pairs of digits, then of those, then of those are joined by one multiplication each.
    """
    digits = (words ^ _ZEROS) & _LAST.take(count)  # 0..9 in each byte; anything else is above 9
    above = (digits + np.uint64(0x0606060606060606)) | digits
    fine = (above & np.uint64(0xF0F0F0F0F0F0F0F0)) == 0
    for factor, shift, mask in _JOINED:
        digits *= factor
        digits >>= shift
        digits &= mask
    return digits.astype(np.float64), fine
