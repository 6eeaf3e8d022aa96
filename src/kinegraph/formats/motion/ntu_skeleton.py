"""NTU RGB+D ``.skeleton`` text: the bodies a Kinect v2 saw, frame by frame. Read only.

Line 1 is the number of frames; each frame gives its number of bodies; each body has a line of ten fields (the first a
64-bit identity), the line ``25``, and 25 lines ``x y z depthX depthY colorX colorY qw qx qy qz trackingState``.
Metres at 30 fps in the Kinect's frame: x to the sensor's left, y up but for its tilt, z away from it. Frames without a
body occur. The name ``SsssCcccPpppRrrrAaaa`` tells setup, camera, performer, replication and action.

A file is some hundred thousand numbers of which a third is wanted, so they are not parsed one by one: lines are found
at once, blanks become bits of which the lowest ones say where the wanted numbers end, and the digits of all of these
turn into values together, eight in a 64-bit word, to the same bits as ``float`` would. Lines in another spelling are
read one by one. Identities are never anything but integers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import FormatError
from kinegraph.formats.joints.keypoint_layouts import layouts_of
from kinegraph.formats.text_file import read_bytes as read_file
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton

__all__ = ["FPS", "NtuBodies", "NtuName", "parse_name", "read", "read_bodies"]

FPS = 30.0

_JOINTS, _JOINTS_LINE = 25, b"25"
_BODY_FIELDS, _JOINT_FIELDS = 10, 12
_BODY_LINES = 2 + _JOINTS
_MOST_FRAMES, _MOST_BODIES = 100_000, 6  # a Kinect tracks six bodies at most
_MOST_PEOPLE = 64  # identities in one file; a body that is lost and found again gets a new one
_FRACTION = 12  # digits after the point; with three before it they are an integer below 2^53
_LONGEST = 255  # characters of a line that is read in the fast way: a byte counts its blanks
_PIECE = 2**16  # bytes
_BLOCK = 2000  # lines at a time: what is at work stays in the cache and in memory that the allocator keeps
_TENS = 10.0 ** np.arange(23)  # all of these are exact
_ZEROS, _SIXES, _HIGH = (np.uint64(byte * 0x0101010101010101) for byte in (0x30, 0x06, 0xF0))  # 0x30 is "0"
_LAST = np.array([0, *(2**64 - 2 ** (8 * (8 - n)) for n in range(1, 9))], dtype=np.uint64)  # masks of n characters
_PAIRS = ((np.uint16, 10, 8), (np.uint32, 100, 16), (np.uint64, 10000, 32))  # of digits, of pairs, of fours
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

    @property
    def seen(self) -> Array:
        """`positions`, ``(people, frames, 25, 3)`` metres, with NaN for joints that are not tracked as well.

        Where those stand in the file means nothing.
        """
        found: Array = np.where(self.tracking[..., None] > 0, self.positions, np.nan)
        return found


def read_bodies(path: Path | str) -> NtuBodies:
    """Positions and tracking states of every body.

    Raises:
        FormatError: the file is missing, cut short, or not laid out as NTU's are.
    """
    path = Path(path)
    lines = _Lines(path, read_file(path, "an NTU .skeleton file"))
    frames, heads, frame_of = lines.bodies()
    identities: dict[int, int] = {}
    people = [identities.setdefault(identity, len(identities)) for identity in lines.identities(heads)]
    person_of = np.array(people, dtype=np.intp)
    if len(identities) > _MOST_PEOPLE:
        raise FormatError(path, f"{len(identities)} different bodies; expected at most {_MOST_PEOPLE} in one recording")
    places = person_of * frames + frame_of
    twice = np.bincount(places) > 1
    if twice.any():
        place = int(np.argmax(twice))
        again = int(np.flatnonzero(places == place)[1])
        identity = list(identities)[place // frames]
        raise FormatError(path, f"line {heads[again] + 1}: body {identity} stands twice in frame {place % frames}")
    positions = np.full((len(identities), frames, _JOINTS, 3), np.nan)
    tracking = np.full((len(identities), frames, _JOINTS), -1, dtype=np.int8)
    if len(heads):
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
        # in pieces: memory that is asked of the system anew for every file costs more than the search
        pieces = [np.flatnonzero(self.data[at : at + _PIECE] == 10) + at for at in range(0, len(raw), _PIECE)]
        breaks = np.concatenate(pieces)
        if raw[-1] != 10:
            breaks = np.append(breaks, len(raw))
        while raw[int(breaks[-2]) + 1 if len(breaks) > 1 else 0 : int(breaks[-1])].strip() == b"":
            breaks = breaks[:-1]  # ends at a line with something: the file is not blank
        self.starts = np.concatenate(([0], breaks[:-1] + 1))
        self.ends = breaks - (self.data[breaks - 1] == 13) if b"\r" in raw else breaks

    def __len__(self) -> int:
        return len(self.starts)

    def bodies(self) -> tuple[int, NDArray[np.intp], NDArray[np.intp]]:
        """Number of frames; the line at which each body begins, and the frame that it is in."""
        frames = self.integer(0, "the number of frames", 0, _MOST_FRAMES)
        return frames, *(self._usual_bodies(frames) or self._any_bodies(frames))

    def _usual_bodies(self, frames: int) -> tuple[NDArray[np.intp], NDArray[np.intp]] | None:
        """As :meth:`bodies` where the only lines of one character are the numbers of bodies; None elsewhere."""
        lengths = self.ends - self.starts
        at = 1 + np.flatnonzero(lengths[1:] == 1)
        counts = self.data[self.starts[at]].astype(np.intp) - 48
        if len(at) != frames or not frames or at[0] != 1 or counts.min() < 0 or counts.max() > _MOST_BODIES:
            return None
        if (np.diff(at, append=len(self)) != 1 + _BODY_LINES * counts).any():
            return None
        frame_of = np.repeat(np.arange(frames), counts)
        nth = np.arange(len(frame_of)) - np.repeat(np.cumsum(counts) - counts, counts)
        heads = at[frame_of] + 1 + _BODY_LINES * nth
        begin = self.starts[heads + 1]
        usual = (lengths[heads + 1] == 2) & (self.data[begin] == _JOINTS_LINE[0])
        return (heads, frame_of) if (usual & (self.data[begin + 1] == _JOINTS_LINE[1])).all() else None

    def _any_bodies(self, frames: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """As :meth:`bodies`, line by line; what does not fit is named."""
        at = 1
        heads, frame_of = [], []
        for frame in range(frames):
            count = self.integer(at, "the number of bodies", 0, _MOST_BODIES)
            at += 1
            for _ in range(count):
                self.joint_count(at + 1)
                heads.append(at)
                frame_of.append(frame)
                at += _BODY_LINES
        if at != len(self):
            raise FormatError(self.path, f"{len(self)} lines, expected {at} for {frames} frames; the file is damaged")
        return np.array(heads, dtype=np.intp), np.array(frame_of, dtype=np.intp)

    def line(self, line: int) -> bytes:
        return self.raw[self.starts[line] : self.ends[line]]

    def words(self, line: int) -> list[str]:
        return self.line(line).decode("latin-1").split()

    def integer(self, line: int, what: str, least: int, most: int) -> int:
        """The one number of a line."""
        if line >= len(self):
            raise FormatError(self.path, f"ends after line {len(self)}, before {what}; the file is cut short")
        words = self.words(line)
        if len(words) != 1:
            found = " ".join(words)[:40]
            raise FormatError(self.path, f"line {line + 1}: found '{found}', expected {what} alone on the line")
        return self._whole(words[0], line, what, least, most)

    def joint_count(self, line: int) -> None:
        """Check that a body has 25 joints."""
        found = self.integer(line, "the number of joints", 0, 2**64 - 1)
        if found != _JOINTS:
            raise FormatError(
                self.path,
                f"line {line + 1}: the number of joints is '{found}' ({layouts_of(found)}), expected 25 (ntu25)",
            )

    def identities(self, heads: NDArray[np.intp]) -> Iterator[int]:
        """The first of the ten fields of each body."""
        known: dict[bytes, int] = {}
        begins, ends = self.starts[heads].tolist(), self.ends[heads].tolist()
        for head, begin, end in zip(heads.tolist(), begins, ends, strict=True):
            words = self.raw[begin:end].split()
            if len(words) != _BODY_FIELDS:
                found = f"{len(words)} fields of a body, expected {_BODY_FIELDS}"
                raise FormatError(self.path, f"line {head + 1}: {found}")
            if words[0] not in known:
                known[words[0]] = self._whole(words[0].decode("latin-1"), head, "the body's identity", 0, 2**64 - 1)
            yield known[words[0]]

    def _whole(self, word: str, line: int, what: str, least: int, most: int) -> int:
        # 20 digits hold 2^64; int() is quadratic in the length of what a hostile file gives it
        if not (word.isascii() and word.isdigit() and len(word) <= 20 and least <= int(word) <= most):
            wanted = str(least) if least == most else f"{least} to {most}"
            raise FormatError(self.path, f"line {line + 1}: {what} is '{word[:40]}', expected {wanted}")
        return int(word)

    def joints(self, rows: NDArray[np.intp]) -> tuple[Array, NDArray[np.int8]]:
        """x, y, z ``(rows, 3)`` and tracking state ``(rows,)`` of the joints on these lines."""
        points, states = np.empty((len(rows), 3)), np.empty(len(rows), dtype=np.int8)
        for begin in range(0, len(rows), _BLOCK):
            part = slice(begin, begin + _BLOCK)
            usual = self._usual_joints(rows[part], points[part], states[part])
            if not usual.all():
                for place in begin + np.flatnonzero(~usual):  # another spelling, or damage
                    points[place], states[place] = self._joint(int(rows[place]))
        return points, states

    def _usual_joints(self, rows: NDArray[np.intp], points: Array, states: NDArray[np.int8]) -> NDArray[np.bool_]:
        """Fill in the joints of lines with 12 plain numbers and 11 blanks; which these are."""
        every = self.starts[rows[0] : rows[-1] + 1]  # lines of bodies between them, too
        starts, ends = self.starts[rows], self.ends[rows]
        blank = self.data[every[0] : ends[-1]] == 32
        count = np.add.reduceat(blank, every - every[0], dtype=np.uint8)[rows - rows[0]]
        usual: NDArray[np.bool_] = (count == _JOINT_FIELDS - 1) & (ends - starts <= _LONGEST)
        doubled = blank[1:] & blank[:-1]
        if doubled.any():  # as many blanks as usual, but a number less
            lines = np.searchsorted(every, every[0] + np.flatnonzero(doubled), side="right") - 1
            usual &= ~np.isin(starts, every[lines])
        # a bit for each of the first characters of a line says whether it is blank
        bits = np.concatenate([np.packbits(blank, bitorder="little"), np.zeros(8, dtype=np.uint8)])
        place = starts - every[0]
        ahead = _words(bits)[place >> 3]
        ahead >>= (place & 7).view(np.uint64)
        lowest = np.empty((3, len(rows)), dtype=np.uint64)
        for row in lowest:
            np.bitwise_and(ahead, -ahead, out=row)
            ahead ^= row
        # a power of two as float64 has its exponent in the upper bits
        stops = (lowest.astype(np.float64).view(np.int64) >> 52) + (starts - 1023)
        begins = np.concatenate([starts[None], stops[:2] + 1])
        state = self.data.take(ends - 1) - 48  # unsigned: what is no digit becomes 10 or more
        usual &= (state <= 2) & (self.data.take(ends - 2) == 32) & (lowest[2] != 0)
        chosen: slice | NDArray[np.intp] = slice(None)
        if not usual.all():
            chosen = np.flatnonzero(usual)
            if not len(chosen):
                return usual
            begins, stops, state = begins[:, chosen], stops[:, chosen], state[chosen]
        values, plain = _numbers(self.data, begins.ravel(), stops.ravel())
        points[chosen] = values.reshape(3, -1).T
        states[chosen] = state
        usual[chosen] &= plain.reshape(3, -1).all(axis=0)
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


def _words(data: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Every place as the beginning of a 64-bit word."""
    return np.ndarray((len(data) - 7,), dtype="<u8", buffer=data, strides=(1,))


def _numbers(
    data: NDArray[np.uint8], begin: NDArray[np.int64], end: NDArray[np.int64]
) -> tuple[Array, NDArray[np.bool_]]:
    """The numbers at ``data[begin:end]``, and which are plain: ``-12.345``, up to three digits before the point.

    At least 16 characters must come before the end of each number, and 18 after it, as in a file of joints' lines.

    Up to 15 digits are an integer below 2^53, and a power of ten up to 22 is exact: their quotient is the float64 next
    to the decimal number, the same that ``float`` gives.
    """
    negative = data.take(begin) == 45
    first = begin + negative
    point = first + 1
    found = data.take(point) == 46
    digit = data.take(first) - 48
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
    length = end - point
    length -= 1
    plain &= (length - 1).view(np.uint64) < _FRACTION  # which 0 - 1 is not; what it is then does no harm below
    words = _words(data)
    fraction, digits = _eight_digits(words[end - 8], length)
    plain &= digits
    long = np.flatnonzero(length > 8)
    if len(long):
        high, digits = _eight_digits(words[end[long] - 16], length[long] - 8)
        plain[long] &= digits
        fraction[long] += high * 1e8
    tens = _TENS.take(length, mode="clip")
    whole *= tens
    whole += fraction
    whole /= tens
    return np.negative(whole, out=whole, where=negative), plain


def _eight_digits(words: NDArray[np.uint64], count: NDArray[np.int64]) -> tuple[Array, NDArray[np.bool_]]:
    """The last `count` (8 where it is more) characters of 8-character words as a number; whether all are digits.

    Pairs of digits, then of those, then of those are joined by one multiplication each: of the two neighbours the
    first, which is in the lower bits, counts for `base` times the second.
    """
    digits = words ^ _ZEROS
    digits &= _LAST.take(count, mode="clip")  # 0..9 in each byte; anything else is above 9
    above = digits + _SIXES
    above |= digits
    above &= _HIGH
    fine = above == 0
    for kind, base, bits in _PAIRS:
        pairs: Any = digits.view(kind)
        pairs *= kind(1 + (base << bits))
        pairs >>= kind(bits)
    return digits.astype(np.float64), fine
