"""Biovision BVH: a hierarchy of joints with offsets, then channel values frame by frame. Writing: `bvh_write`.

Any hierarchy is read: any channel order and number, position channels on any joint. Position channels give a
joint's whole local translation and replace its OFFSET, as in Blender and MotionBuilder. A bone's end (``End
Site``) becomes the joint ``<parent>_end`` unless its offset is zero.

BVH states no unit. `read` guesses it from the size of the body and says so in the notes; give ``unit=`` to be
sure. It states no up axis either: y is the custom, ``up="z"`` may be given.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import FormatError
from kinegraph.formats.bvh_write import write
from kinegraph.formats.export import UNITS
from kinegraph.formats.rig import MAX_JOINTS, build_skeleton, contained_layout
from kinegraph.formats.text_file import read_lines
from kinegraph.geometry.kinematics import forward_kinematics
from kinegraph.geometry.rotations import euler_to_quaternion, make_continuous
from kinegraph.naming import free_name
from kinegraph.sequence import SkeletonSequence

__all__ = ["NAME", "SUFFIXES", "UNITS", "read", "write"]

NAME = "bvh"
SUFFIXES = (".bvh",)

# The longest way along the bones, fingertip to toe, is 2.2-2.4 m in an adult; a small child has half of it.
_BODY_METRES = (1.1, 4.2)
_GUESSES = (("m", 1.0), ("cm", 0.01), ("mm", 0.001), ("inch", 0.0254), ("1/0.45 inch", 0.0254 / 0.45))

_CHANNELS = {f"{axis}{kind}": (kind, axis) for axis in "xyz" for kind in ("rotation", "position")}

Array = NDArray[np.float64]


@dataclass
class _Joint:
    name: str
    parent: int
    line: int
    end: bool = False
    offset: tuple[float, ...] | None = None
    channels: tuple[tuple[str, str], ...] | None = None
    at: int = 0  # first column of its channels
    closed: bool = False

    @property
    def rotation_order(self) -> str:
        return "".join(axis for kind, axis in self.channels or () if kind == "rotation")


def read(
    path: Path | str,
    *,
    unit: str | float | None = None,
    ends: bool = True,
    up: Literal["y", "z"] = "y",
) -> SkeletonSequence:
    """Read a BVH file.

    Args:
        path: the file.
        unit: what one unit of the file is: a name of `UNITS`, or metres as a number. By default the first of m,
            cm, mm, inch and 1/0.45 inch that gives a body of human size (longest way along the bones 1.1 to
            4.2 m), else cm; the notes say which.
        ends: keep End Sites as joints named ``<parent>_end``.
        up: the file's vertical axis.

    Returns:
        One person, positions (1, frames, joints, 3) in metres, world space; local rotations (xyzw) and rest
        offsets too, unless a joint other than the root moves against its parent.

    Raises:
        FormatError: the file is missing, damaged or not BVH, or an argument is not valid.
    """
    path = Path(path)
    if up not in ("y", "z"):
        raise FormatError(path, f"up={up!r} is not valid: expected 'y' or 'z'")
    lines = read_lines(path, "a BVH file")
    joints, start = _hierarchy(path, lines)
    values, fps = _motion(path, lines, start, joints)
    notes: list[str] = []
    joints = _keep(joints, ends, notes)
    parents = [joint.parent for joint in joints]
    rest = np.array([joint.offset for joint in joints])
    metres = _metres(path, unit, rest, parents, notes)

    rotations = np.zeros((len(values), len(joints), 4))
    rotations[..., 3] = 1.0
    translations = np.tile(rest, (len(values), 1, 1))
    for j, joint in enumerate(joints):
        columns: dict[str, list[int]] = {"rotation": [], "position": []}
        for i, (kind, axis) in enumerate(joint.channels or ()):
            columns[kind].append(joint.at + i)
            if kind == "position":
                translations[:, j, "xyz".index(axis)] = values[:, joint.at + i]
        if columns["rotation"]:
            rotations[:, j] = euler_to_quaternion(np.radians(values[:, columns["rotation"]]), joint.rotation_order)
        if columns["position"] and joint.parent < 0 and np.any(rest[j]):
            notes.append(f"the OFFSET of root '{joint.name}' was replaced by its position channels")
    with np.errstate(over="ignore", invalid="ignore"):
        translations *= metres
        positions = forward_kinematics(parents, rotations, translations)[0]
    if not np.isfinite(positions).all():
        raise FormatError(path, "joint positions are not finite: offsets or channel values are far too large")

    child = np.array([parent >= 0 for parent in parents])
    offsets = np.where(child[:, None], translations[0], 0.0)
    rigid = np.ptp(translations[:, child], axis=0).max(initial=0.0) <= 1e-6
    if not rigid:
        notes.append("joints move against their parents: positions are right, rotations are not kept")
    names = [joint.name for joint in joints]
    layout = contained_layout(names, parents, offsets) if ends or rigid else None
    return SkeletonSequence(
        positions=positions[None],
        skeleton=build_skeleton(path, names, parents, layout=layout),
        fps=fps,
        unit="m",
        space="world",
        up=up,
        rotations=make_continuous(rotations)[None] if rigid else None,
        offsets=offsets if rigid else None,
        source=str(path),
        notes=tuple(notes),
    )


# ---------------------------------------------------------------------------------------------------- hierarchy


def _pieces(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """(line number, piece) with each brace a piece of its own, wherever the file's author put it."""
    for number, line in enumerate(lines, start=1):
        for piece in re.split(r"([{}])", line):
            if piece.strip():
                yield number, piece.strip()


def _hierarchy(path: Path, lines: Sequence[str]) -> tuple[list[_Joint], int]:
    """Joints in file order, and the index of the line after MOTION."""
    joints: list[_Joint] = []
    stack: list[int] = []
    pending: int | None = None  # a joint named, its brace not yet seen
    channels = 0
    first = True
    for number, piece in _pieces(lines):
        key, _, rest = piece.partition(" ") if "\t" not in piece else piece.replace("\t", " ").partition(" ")
        key, rest = key.upper(), rest.strip()
        if first and key != "HIERARCHY":
            raise FormatError(path, f"line {number}: a BVH file begins with HIERARCHY, found '{piece[:40]}'")
        first = False
        where = joints[stack[-1]] if stack else None
        if pending is not None and key != "{":
            raise FormatError(
                path, f"line {number}: expected '{{' after '{joints[pending].name}', found '{piece[:40]}'"
            )
        if key == "HIERARCHY":
            continue
        if key == "MOTION":
            if stack:
                raise FormatError(path, f"line {number}: MOTION begins while '{joints[stack[-1]].name}' is not closed")
            if not joints:
                raise FormatError(path, f"line {number}: the hierarchy has no joints")
            return joints, number
        if key in ("ROOT", "JOINT", "END"):
            end = key == "END"
            if (key == "ROOT") == bool(stack):
                place = "inside" if stack else "outside"
                raise FormatError(path, f"line {number}: {key} is not expected {place} a joint")
            if where is not None and where.end:
                raise FormatError(path, f"line {number}: an End Site has no children, found '{piece[:40]}'")
            if len(joints) >= MAX_JOINTS:
                raise FormatError(path, f"line {number}: more than {MAX_JOINTS} joints; at most that many are read")
            name = f"{where.name}_end" if end and where else rest or f"joint_{len(joints)}"
            joints.append(_Joint(name=name, parent=stack[-1] if stack else -1, line=number, end=end))
            pending = len(joints) - 1
        elif key == "{":
            if pending is None:
                raise FormatError(path, f"line {number}: '{{' without a joint before it")
            stack.append(pending)
            pending = None
        elif key == "}":
            if where is None:
                raise FormatError(path, f"line {number}: '}}' without an open joint")
            if where.offset is None:
                raise FormatError(path, f"line {number}: '{where.name}' closes without an OFFSET")
            stack.pop()
        elif key == "OFFSET" and where is not None:
            where.offset = tuple(_floats(path, number, rest.split(), 3, f"the OFFSET of '{where.name}'"))
        elif key == "CHANNELS" and where is not None and not where.end:
            where.channels = _channels(path, number, rest.split(), where)
            where.at = channels
            channels += len(where.channels)
        else:
            raise FormatError(
                path,
                f"line {number}: ROOT, JOINT, End Site, OFFSET, CHANNELS or a brace is expected, not '{piece[:40]}'",
            )
    raise FormatError(path, f"no MOTION section after {len(joints)} joints: the file is cut short")


def _floats(path: Path, number: int, words: Sequence[str], count: int, what: str) -> list[float]:
    try:
        values = [float(word) for word in words]
    except ValueError:
        values = []
    if len(values) != count or not all(math.isfinite(value) for value in values):
        found = " ".join(words[:6])[:60] or "nothing"
        raise FormatError(path, f"line {number}: {what} needs {count} finite numbers, found '{found}'")
    return values


def _channels(path: Path, number: int, words: Sequence[str], joint: _Joint) -> tuple[tuple[str, str], ...]:
    if joint.channels is not None:
        raise FormatError(path, f"line {number}: '{joint.name}' lists CHANNELS twice")
    named = [_CHANNELS.get(word.lower()) for word in words[1:]]
    known = tuple(channel for channel in named if channel is not None)
    if not words or words[0] != str(len(named)) or len(known) != len(named):
        raise FormatError(
            path,
            f"line {number}: CHANNELS of '{joint.name}' needs a count and as many of {', '.join(_CHANNELS)}; "
            f"found '{' '.join(words)[:80]}'",
        )
    joint_order = [axis for kind, axis in known if kind == "rotation"]
    if len(joint_order) > 3 or len(set(known)) != len(known):
        raise FormatError(path, f"line {number}: CHANNELS of '{joint.name}' lists a channel twice")
    return known


def _keep(joints: Sequence[_Joint], ends: bool, notes: list[str]) -> list[_Joint]:
    """Without the End Sites that say nothing (or all of them), renumbered, every name once."""
    kept = [not joint.end or (ends and any(joint.offset or ())) for joint in joints]
    new = np.cumsum(kept) - 1
    used: set[str] = set()
    result = []
    for joint, keep in zip(joints, kept, strict=True):
        if not keep:
            continue
        name = free_name(joint.name, used)
        if name != joint.name:
            notes.append(f"a second joint '{joint.name}' (line {joint.line}) was named '{name}'")
        used.add(name)
        parent = int(new[joint.parent]) if joint.parent >= 0 else -1
        result.append(
            _Joint(
                name=name,
                parent=parent,
                line=joint.line,
                end=joint.end,
                offset=joint.offset,
                channels=joint.channels,
                at=joint.at,
            )
        )
    return result


def _metres(path: Path, unit: str | float | None, rest: Array, parents: Sequence[int], notes: list[str]) -> float:
    if isinstance(unit, str):
        if unit not in UNITS:
            raise FormatError(path, f"unit '{unit}' is unknown: expected {', '.join(UNITS)} or metres as a number")
        return UNITS[unit]
    if unit is not None:
        if not (math.isfinite(unit) and unit > 0):
            raise FormatError(path, f"unit must be a positive number of metres, found {unit}")
        return float(unit)
    longest = _longest_path(rest, parents)
    for name, metres in _GUESSES:
        if _BODY_METRES[0] <= longest * metres <= _BODY_METRES[1]:
            notes.append(f"unit {name} guessed from the body's size ({longest * metres:.2f} m end to end)")
            return metres
    notes.append(f"unit cm assumed: a body of {longest:.4g} units end to end fits no unit; give unit= to be sure")
    return UNITS["cm"]


def _longest_path(rest: Array, parents: Sequence[int]) -> float:
    """Length of the longest way along the bones between two joints; parents come before children."""
    with np.errstate(over="ignore"):
        lengths = np.linalg.norm(rest, axis=1)
    depth = np.zeros(len(parents))
    longest = 0.0
    for joint in range(len(parents) - 1, 0, -1):
        parent = parents[joint]
        if parent >= 0:
            reach = depth[joint] + lengths[joint]
            longest = max(longest, depth[parent] + reach)
            depth[parent] = max(depth[parent], reach)
    return float(longest)


# ------------------------------------------------------------------------------------------------------- motion


def _motion(path: Path, lines: Sequence[str], start: int, joints: Sequence[_Joint]) -> tuple[Array, float]:
    """Channel values (frames, channels) and the frame rate."""
    head: dict[str, tuple[int, str]] = {}
    at = start
    while at < len(lines) and len(head) < 2:
        key, colon, value = lines[at].partition(":")
        at += 1
        if key.strip():
            name = " ".join(key.lower().split())
            if not colon or name not in ("frames", "frame time"):
                raise FormatError(
                    path, f"line {at}: expected 'Frames:' and 'Frame Time:' after MOTION, found '{lines[at - 1][:40]}'"
                )
            head[name] = (at, value.strip())
    if len(head) < 2:
        raise FormatError(path, "the file ends before 'Frames:' and 'Frame Time:': it is cut short")
    number, word = head["frames"]
    if not re.fullmatch(r"[0-9]{1,12}", word):
        raise FormatError(path, f"line {number}: 'Frames:' needs a whole number, found '{word[:40]}'")
    frames = int(word)
    number, word = head["frame time"]
    seconds = _floats(path, number, word.split(), 1, "'Frame Time:'")[0]
    if not 1e-6 <= seconds <= 1e6:
        raise FormatError(path, f"line {number}: 'Frame Time:' must be a positive time in seconds, found {seconds:g}")
    channels = sum(len(joint.channels or ()) for joint in joints)
    if not frames or not channels:
        raise FormatError(path, f"no motion: {frames} frames of {channels} channels; both must be at least 1")
    words = " ".join(lines[at:]).split()
    if len(words) == frames * channels:
        try:
            values = np.array(words, dtype=np.float64)
        except ValueError:
            values = np.array([np.nan])
        if np.isfinite(values).all():
            return values.reshape(frames, channels), _rate(seconds)
    raise FormatError(path, _what_is_wrong(lines, at, frames, channels))


def _what_is_wrong(lines: Sequence[str], start: int, frames: int, channels: int) -> str:
    """The first fault of a motion section that is known to have one."""
    rows = 0
    for number, line in enumerate(lines[start:], start=start + 1):
        words = line.split()
        for word in words:
            try:
                good = math.isfinite(float(word))
            except ValueError:
                good = False
            if not good:
                return f"line {number}: '{word[:40]}' is not a finite number"
        if words and len(words) != channels:
            return f"line {number}: frame {rows} has {len(words)} values, the hierarchy has {channels} channels"
        rows += bool(words)
    return f"'Frames:' announces {frames} frames, found {rows}; the file is cut short or its count is wrong"


def _rate(seconds: float) -> float:
    """Frames per second; whole where the file's rounded frame time means a whole rate (0.0083333 -> 120)."""
    fps = 1 / seconds
    return float(round(fps)) if abs(fps - round(fps)) < 1e-4 * fps else fps
