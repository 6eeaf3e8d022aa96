"""The text of a BVH file: its joints with their offsets and channels, and the channels' values frame by frame."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import FormatError
from kinegraph.formats.joints.rig import MAX_JOINTS
from kinegraph.formats.motion.frame_time import SLOWEST_S, printed_rate
from kinegraph.formats.text_file import read_lines

__all__ = ["BvhJoint", "read_text"]

_CHANNELS = {f"{axis}{kind}": (kind, axis) for axis in "xyz" for kind in ("rotation", "position")}

Array = NDArray[np.float64]


@dataclass
class BvhJoint:
    """A joint of the hierarchy as the file has it; `parent` is -1 for a root, `end` says whether it is an End Site.

    It begins in `line`; `channels` are (kind, axis) in the order of the file, `at` is the first of their columns.
    """

    name: str
    parent: int
    line: int
    end: bool = False
    offset: tuple[float, ...] | None = None
    channels: tuple[tuple[str, str], ...] | None = None
    at: int = 0
    closed: bool = False

    @property
    def rotation_order(self) -> str:
        """The axes that its rotation channels turn about, in their order."""
        return "".join(axis for kind, axis in self.channels or () if kind == "rotation")


def read_text(path: Path, fps: float | None, notes: list[str]) -> tuple[list[BvhJoint], Array, float]:
    """Joints in file order, parents first; channel values (frames, channels); frames per second.

    Args:
        path: the file.
        fps: the rate, where it is not the file's that counts.
        notes: takes what was guessed.

    Raises:
        FormatError: the file is missing, damaged or not BVH.
    """
    lines = read_lines(path, "a BVH file")
    lines[-1] = lines[-1].rstrip("\x1a")  # with which DOS programs end a text
    joints, start = _hierarchy(path, lines)
    values, own = _motion(path, lines, start, joints, fps, notes)
    return joints, values, own


# ---------------------------------------------------------------------------------------------------- hierarchy


def _pieces(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """(line number, piece) with each brace a piece of its own, wherever the file's author put it."""
    for number, line in enumerate(lines, start=1):
        for piece in re.split(r"([{}])", line):
            if piece.strip():
                yield number, piece.strip()


def _hierarchy(path: Path, lines: Sequence[str]) -> tuple[list[BvhJoint], int]:
    """Joints in file order, and the index of the line after MOTION."""
    joints: list[BvhJoint] = []
    stack: list[int] = []
    pending: int | None = None  # a joint named, its brace not yet seen
    channels = 0
    first = True
    for number, piece in _pieces(lines):
        key, _, rest = piece.partition(" ") if "\t" not in piece else piece.replace("\t", " ").partition(" ")
        key, rest = key.upper(), rest.strip()
        if first and key != "HIERARCHY" and not piece.startswith("#"):
            raise FormatError(path, f"line {number}: a BVH file begins with HIERARCHY, found '{piece[:40]}'")
        first = False
        if piece.startswith("#"):
            raise FormatError(path, f"line {number}: BVH knows no comments, found '{piece[:40]}'; delete the line")
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
            if key == "ROOT" and joints:
                raise FormatError(
                    path,
                    f"line {number}: a second ROOT '{rest[:40]}' after '{joints[0].name}'; expected one body a file: "
                    "delete it and its channels, or export them apart",
                )
            if len(joints) >= MAX_JOINTS:
                raise FormatError(path, f"line {number}: more than {MAX_JOINTS} joints; at most that many are read")
            name = f"{where.name}_end" if end and where else rest or f"joint_{len(joints)}"
            joints.append(BvhJoint(name=name, parent=stack[-1] if stack else -1, line=number, end=end))
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


def _channels(path: Path, number: int, words: Sequence[str], joint: BvhJoint) -> tuple[tuple[str, str], ...]:
    if joint.channels is not None:
        raise FormatError(path, f"line {number}: '{joint.name}' lists CHANNELS twice")
    scales = [word for word in words[1:] if word.lower() in ("xscale", "yscale", "zscale")]
    if scales:
        raise FormatError(
            path,
            f"line {number}: '{joint.name}' has the channel {scales[0]}, and bones that change their size are not "
            "read; export without scale",
        )
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


# ------------------------------------------------------------------------------------------------------- motion


def _motion(
    path: Path,
    lines: Sequence[str],
    start: int,
    joints: Sequence[BvhJoint],
    fps: float | None,
    notes: list[str],
) -> tuple[Array, float]:
    """Channel values (frames, channels) and the frame rate."""
    head: dict[str, tuple[int, str]] = {}
    at = start
    while at < len(lines) and len(head) < 2:
        line = lines[at].strip()
        at += 1
        if line:
            found = re.fullmatch(r"(frames|frame\s+time)(?:\s*:|\s)\s*(.*)", line, re.IGNORECASE)
            if not found:
                raise FormatError(
                    path, f"line {at}: expected 'Frames:' and 'Frame Time:' after MOTION, found '{line[:40]}'"
                )
            head[" ".join(found[1].lower().split())] = (at, found[2].strip())
    if len(head) < 2:
        raise FormatError(path, "the file ends before 'Frames:' and 'Frame Time:': it is cut short")
    number, word = head["frames"]
    if not re.fullmatch(r"[0-9]{1,12}", word):
        raise FormatError(path, f"line {number}: 'Frames:' needs a whole number, found '{word[:40]}'")
    frames = int(word)
    rate = _stated_rate(path, *head["frame time"], notes) if fps is None else fps
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
            return values.reshape(frames, channels), rate
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
    if rows > frames:
        return f"'Frames:' announces {frames} frames, found {rows}; correct the count, or delete the last ones"
    return f"'Frames:' announces {frames} frames, found {rows}; the file is cut short or its count is wrong"


def _stated_rate(path: Path, number: int, word: str, notes: list[str]) -> float:
    """Frames per second by the line ``Frame Time:``."""
    seconds = _floats(path, number, word.split(), 1, "'Frame Time:'")[0]
    if seconds < 1e-6:
        raise FormatError(path, f"line {number}: 'Frame Time:' must be a positive time in seconds, found {seconds:g}")
    if seconds > SLOWEST_S:
        raise FormatError(
            path,
            f"line {number}: 'Frame Time:' is {seconds:g}, expected at most {SLOWEST_S:g} second a frame; is it a rate "
            "or in milliseconds? State the rate: --read fps=N (fps=N)",
        )
    fps = printed_rate(word)
    if abs(fps * seconds - 1) > 1e-4:
        notes.append(f"a frame time of {word} s taken for {fps:.6g} frames a second; --read fps=N states another rate")
    return fps
