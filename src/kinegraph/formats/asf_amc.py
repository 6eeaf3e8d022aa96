"""Acclaim ASF/AMC, the format of CMU Mocap and HDM05: a skeleton file and, beside it, one file per clip.

The ASF says how long each bone is, which way it points and which rotations it has; the AMC lists those
rotations frame by frame. An AMC alone is numbers without a body, so reading one means finding its ASF:
given as ``asf=``, or by the naming of the two databases (`find_asf`).

Joints are named as the bones, plus ``root``; a joint lies at its bone's *end*. Lengths are in units of
``1/length`` inch (both databases: 1/0.45 inch = 5.644 cm). The files hold no frame rate; 120 Hz is theirs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import FormatError
from kinegraph.formats.rig import MAX_JOINTS, build_skeleton, known_layout, read_text
from kinegraph.geometry.kinematics import forward_kinematics
from kinegraph.geometry.rotations import euler_to_matrix
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton

NAME = "asf_amc"
SUFFIXES = (".amc", ".asf")

_INCH = 0.0254
_CHANNELS = ("rx", "ry", "rz", "tx", "ty", "tz")

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Bone:
    """One bone: unit `direction` and `length` (metres) at rest, its `axis` frame and its `dof` names in file order."""

    name: str
    parent: int
    vector: tuple[float, float, float]
    axis: Array
    order: str
    dof: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AsfSkeleton:
    """A parsed ASF file: `bones` (root first, then in file order), metres per file unit, angle unit."""

    path: Path
    bones: tuple[Bone, ...]
    metres: float
    degrees: bool

    @property
    def skeleton(self) -> Skeleton:
        """The joint tree, with landmarks; a known layout when the joints are the same (cmu31, hdm05_31)."""
        joints, parents = [bone.name for bone in self.bones], [bone.parent for bone in self.bones]
        prefer = "hdm05_31" if self.path.stem.upper().startswith("HDM") else "cmu31"
        return build_skeleton(self.path, joints, parents, layout=known_layout(joints, parents, prefer))


def find_asf(path: Path) -> Path:
    """The ASF file of an AMC file, by convention.

    Looked for in the clip's folder and three folders up: the clip's own name (``walk.asf`` for ``walk.amc``), then
    the longest leading part of it that ends at an underscore (``01.asf`` for ``01_01.amc``, ``HDM_bd.asf`` for
    ``HDM_bd_kick_001_120.amc``); in the clip's own folder also a single ASF whatever its name.

    Raises:
        FormatError: none was found; the message says where it looked and what to do.
    """
    pieces = path.stem.lower().split("_")
    wanted = ["_".join(pieces[:count]) for count in range(len(pieces), 0, -1)]
    folder = path.absolute().parent
    for place in (folder, *folder.parents[:3]):
        try:
            present = sorted(entry for entry in place.iterdir() if entry.suffix.lower() == ".asf")
        except OSError:
            continue
        by_stem = {entry.stem.lower(): entry for entry in present}
        for stem in wanted:
            if stem in by_stem:
                return by_stem[stem]
        if place == folder and len(present) == 1:
            return present[0]
    names = ", ".join(f"{stem}.asf" for stem in dict.fromkeys((wanted[0], wanted[-1], "_".join(pieces[:2]))))
    raise FormatError(
        path,
        f"an AMC file needs its ASF skeleton and none was found: looked for {names} in {folder} and up to three "
        "folders above; put the ASF beside the clip or name it with asf=",
    )


def read(path: Path | str, *, asf: Path | str | None = None, fps: float = 120.0) -> SkeletonSequence:
    """Read an AMC clip (or an ASF file alone: its rest pose as one frame).

    Args:
        path: the ``.amc`` (any case) or ``.asf`` file.
        asf: the skeleton file; by default it is found by `find_asf`.
        fps: frame rate in Hz; the format does not store one, and CMU and HDM05 record at 120.

    Returns:
        One person, positions (1, frames, joints, 3) in metres, y up. Local rotations are not kept: an ASF joint's
        children may each turn on their own, which one rotation per joint cannot say.

    Raises:
        FormatError: a file is missing, damaged or does not fit the other.
    """
    path = Path(path)
    if not (math.isfinite(fps) and fps > 0):
        raise FormatError(path, f"fps must be a positive number of frames per second, found {fps}")
    if path.suffix.lower() == ".asf":
        body = read_asf(path)
        values = np.zeros((1, sum(len(bone.dof) for bone in body.bones)))
        notes: tuple[str, ...] = ("rest pose of an ASF skeleton: one frame",)
    else:
        if not path.is_file():
            raise FormatError(path, "no such file; expected an AMC clip")
        body = read_asf(Path(asf) if asf is not None else find_asf(path))
        values, numbers, body = _read_amc(path, body)
        notes = (f"frame rate {fps:g} Hz assumed: AMC stores none", f"skeleton from {body.path.name}")
        gaps = int((np.diff(numbers) != 1).sum())
        if gaps:
            notes = (*notes, f"frame numbers jump in {gaps} places; frames were taken as consecutive")
    with np.errstate(over="ignore", invalid="ignore"):
        positions = _pose(body, values)
    if not np.isfinite(positions).all():
        raise FormatError(path, "joint positions are not finite: lengths or angles are far too large")
    return SkeletonSequence(
        positions=positions[None],
        skeleton=body.skeleton,
        fps=fps,
        unit="m",
        space="world",
        up="y",
        source=str(path),
        notes=notes,
    )


def _pose(body: AsfSkeleton, values: Array) -> Array:
    """Joint positions (frames, joints, 3) in metres of channel values (frames, channels)."""
    frames = len(values)
    local = np.empty((frames, len(body.bones), 3, 3))
    along = np.empty((frames, len(body.bones), 3))
    at = 0
    for j, bone in enumerate(body.bones):
        channels = {name: values[:, at + i] for i, name in enumerate(bone.dof)}
        at += len(bone.dof)
        angles = np.zeros((frames, 3))
        for i, letter in enumerate(bone.order):
            if f"r{letter}" in channels:
                angles[:, i] = channels[f"r{letter}"]
        if body.degrees:
            angles = np.radians(angles)
        # the file's order is that of fixed axes: the first letter turns first
        motion = euler_to_matrix(angles[:, ::-1], bone.order[::-1])
        local[:, j] = bone.axis @ motion @ bone.axis.T
        along[:, j] = local[:, j] @ np.array(bone.vector)
        if bone.parent < 0:
            along[:, j] = bone.vector
            for i, letter in enumerate("xyz"):
                if f"t{letter}" in channels:
                    along[:, j, i] += channels[f"t{letter}"] * body.metres
    return forward_kinematics([bone.parent for bone in body.bones], local, along)[0]


# ---------------------------------------------------------------------------------------------------------- ASF


def read_asf(path: Path | str) -> AsfSkeleton:
    """Parse an ASF file; `FormatError` names the line and what was expected there."""
    path = Path(path)
    sections = _sections(path, read_text(path, "an ASF skeleton"))
    metres, degrees = _units(path, sections.get("units", []))
    root = _root(path, sections, metres, degrees)
    bones = _bones(path, sections, metres, degrees)
    if not bones:
        raise FormatError(path, "no bones: expected a :bonedata section with begin ... end blocks; is it an ASF file?")
    parents = _hierarchy(path, sections, bones)
    index = {name: i for i, name in enumerate(("root", *bones))}
    hung = (replace(bone, parent=index[parents[name]]) for name, bone in bones.items())
    return AsfSkeleton(path=path, bones=(root, *hung), metres=metres, degrees=degrees)


_Line = tuple[int, list[str]]


def _sections(path: Path, text: str) -> dict[str, list[_Line]]:
    """Lines as (number, words) under their ``:keyword``; comments and blank lines dropped."""
    sections: dict[str, list[_Line]] = {}
    current: list[_Line] = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        if words[0].startswith(":"):
            current = sections.setdefault(words[0][1:].lower(), [])
            words = words[1:]
            if not words:
                continue
        current.append((number, words))
    if "bonedata" not in sections:
        raise FormatError(path, "no :bonedata section: this is not an ASF skeleton, or it is cut short")
    return sections


def _numbers(path: Path, number: int, words: Sequence[str], count: int, what: str) -> list[float]:
    try:
        values = [float(word) for word in words[:count]]
    except ValueError:
        values = []
    if len(values) != count or not all(math.isfinite(value) for value in values):
        found = " ".join(words[:6]) or "nothing"
        raise FormatError(path, f"line {number}: {what} needs {count} finite numbers, found '{found}'")
    return values


def _units(path: Path, lines: Sequence[_Line]) -> tuple[float, bool]:
    length, degrees = 1.0, True
    for number, words in lines:
        if words[0].lower() == "length":
            length = _numbers(path, number, words[1:], 1, "the unit 'length'")[0]
            if length <= 0:
                raise FormatError(path, f"line {number}: the unit 'length' must be positive, found {length:g}")
        elif words[0].lower() == "angle":
            unit = words[1].lower() if len(words) > 1 else ""
            if unit not in ("deg", "rad"):
                raise FormatError(path, f"line {number}: the unit 'angle' must be deg or rad, found '{unit}'")
            degrees = unit == "deg"
    return _INCH / length, degrees


def _order(path: Path, number: int, word: str) -> str:
    if sorted(word.lower()) != ["x", "y", "z"]:
        raise FormatError(path, f"line {number}: an axis order such as XYZ is expected, found '{word}'")
    return word.lower()


def _dof(path: Path, number: int, words: Sequence[str]) -> tuple[str, ...]:
    names = tuple(word.lower() for word in words)
    for name in names:
        if name not in _CHANNELS:
            raise FormatError(
                path, f"line {number}: degree of freedom '{name}' is not supported; expected {' '.join(_CHANNELS)}"
            )
    if len(set(names)) != len(names):
        raise FormatError(path, f"line {number}: a degree of freedom is listed twice in '{' '.join(words)}'")
    return names


def _frame(angles: Sequence[float], order: str, degrees: bool) -> Array:
    a = np.asarray(angles, dtype=np.float64)
    if degrees:
        a = np.radians(a)
    return euler_to_matrix(np.array([a["xyz".index(letter)] for letter in reversed(order)]), order[::-1])


def _root(path: Path, sections: Mapping[str, list[_Line]], metres: float, degrees: bool) -> Bone:
    order = "xyz"
    dof: tuple[str, ...] = ("tx", "ty", "tz", "rx", "ry", "rz")
    position, orientation = [0.0] * 3, [0.0] * 3
    if "root" not in sections:
        raise FormatError(path, "no :root section: expected the order, axis, position and orientation of the root")
    for number, words in sections["root"]:
        key = words[0].lower()
        if key == "order":
            dof = _dof(path, number, words[1:])
        elif key == "axis":
            order = _order(path, number, words[1] if len(words) > 1 else "")
        elif key == "position":
            position = _numbers(path, number, words[1:], 3, "the root's position")
        elif key == "orientation":
            orientation = _numbers(path, number, words[1:], 3, "the root's orientation")
    x, y, z = (value * metres for value in position)
    axis = _frame(orientation, order, degrees)
    return Bone(name="root", parent=-1, vector=(x, y, z), axis=axis, order=order, dof=dof)


def _bones(path: Path, sections: Mapping[str, list[_Line]], metres: float, degrees: bool) -> dict[str, Bone]:
    bones: dict[str, Bone] = {}
    block: dict[str, _Line] | None = None
    begun = 0
    for number, words in sections["bonedata"]:
        key = words[0].lower()
        if key == "begin":
            block, begun = {}, number
        elif key == "end" and block is not None:
            bone = _bone(path, begun, block, metres, degrees)
            if bone.name in bones or bone.name == "root":
                raise FormatError(path, f"line {begun}: bone '{bone.name}' appears twice")
            bones[bone.name] = bone
            block = None
            if len(bones) > MAX_JOINTS:
                raise FormatError(path, f"more than {MAX_JOINTS} bones: not the skeleton of a person")
        elif block is not None:
            block[key] = (number, words[1:])
    if block is not None:
        raise FormatError(path, f"line {begun}: the bone begun here has no 'end'; the file is cut short")
    return bones


def _bone(path: Path, begun: int, block: Mapping[str, _Line], metres: float, degrees: bool) -> Bone:
    for key in ("name", "direction", "length"):
        if key not in block or not block[key][1]:
            raise FormatError(path, f"line {begun}: the bone begun here has no {key}")
    name = block["name"][1][0]
    number, words = block["direction"]
    direction = _numbers(path, number, words, 3, f"the direction of '{name}'")
    norm = math.hypot(*direction)
    number, words = block["length"]
    length = _numbers(path, number, words, 1, f"the length of '{name}'")[0]
    if length < 0 or (norm == 0 and length > 0):
        raise FormatError(path, f"line {number}: '{name}' needs a length >= 0 along a direction, found {length:g}")
    x, y, z = (value * length * metres / (norm or 1.0) for value in direction)
    order, axis = "xyz", np.eye(3)
    if "axis" in block:
        number, words = block["axis"]
        angles = _numbers(path, number, words, 3, f"the axis of '{name}'")
        order = _order(path, number, words[3] if len(words) > 3 else "xyz")
        axis = _frame(angles, order, degrees)
    number, words = block.get("dof", (begun, []))
    dof = _dof(path, number, words)
    if any(channel.startswith("t") for channel in dof):
        raise FormatError(path, f"line {number}: '{name}' translates; only the root may ({' '.join(words)})")
    return Bone(name=name, parent=-1, vector=(x, y, z), axis=axis, order=order, dof=dof)


def _hierarchy(path: Path, sections: Mapping[str, list[_Line]], bones: Mapping[str, Bone]) -> dict[str, str]:
    """Bone -> its parent's name."""
    parents: dict[str, str] = {}
    known = {"root"}
    for number, words in sections.get("hierarchy", []):
        if words[0].lower() in ("begin", "end"):
            continue
        if words[0] not in known:
            raise FormatError(path, f"line {number}: parent '{words[0]}' comes before its own parent, or is no bone")
        for name in words[1:]:
            if name not in bones or name in known:
                why = "is named twice" if name in known else "has no :bonedata block"
                raise FormatError(path, f"line {number}: bone '{name}' of the hierarchy {why}")
            known.add(name)
            parents[name] = words[0]
    if len(parents) != len(bones):
        lost = sorted(set(bones) - known)
        raise FormatError(path, f"the hierarchy leaves out {len(lost)} bones, the first '{lost[0]}'; is it cut short?")
    return parents


# ---------------------------------------------------------------------------------------------------------- AMC


def _read_amc(path: Path, body: AsfSkeleton) -> tuple[Array, NDArray[np.int64], AsfSkeleton]:
    """Channel values (frames, channels) in bone order, frame numbers (frames,), the body with the clip's angle unit."""
    text = read_text(path, "an AMC clip")
    lines = text.splitlines()
    start = 0
    for start, line in enumerate(lines):  # noqa: B007 - the first frame's line number is what we want
        word = line.strip()
        if word.lower() in (":radians", ":degrees"):
            body = replace(body, degrees=word.lower() == ":degrees")
        if word and word[0] not in "#:":
            break
    else:
        raise FormatError(path, "no frames: expected a line '1' followed by one line per bone; the file is empty")
    table = _fast(lines[start:], body)
    if table is None:
        table = _careful(path, lines, start, body)
    return (*table, body)


def _fast(lines: Sequence[str], body: AsfSkeleton) -> tuple[Array, NDArray[np.int64]] | None:
    """The regular case, every frame listing the same bones in one order, in one pass; None when it is not that."""
    words = " ".join(lines).split()
    counts = {bone.name: len(bone.dof) for bone in body.bones if bone.dof}
    total = 1 + sum(1 + count for count in counts.values())
    if not words or len(words) % total:
        return None
    table = np.array(words, dtype=object).reshape(-1, total)
    column, place = 1, {}
    while column < total:
        name = words[column]
        if name not in counts or name in place or not (table[:, column] == name).all():
            return None
        place[name] = column + 1
        column += 1 + counts[name]
    columns = [place[bone.name] + i for bone in body.bones if bone.dof for i in range(len(bone.dof))]
    try:
        values = table[:, columns].astype(np.float64)
        numbers = table[:, 0].astype(np.int64)
    except (ValueError, OverflowError):
        return None
    return (values, numbers) if np.isfinite(values).all() else None


_INTEGER = re.compile(r"[0-9]{1,15}")


def _careful(path: Path, lines: Sequence[str], start: int, body: AsfSkeleton) -> tuple[Array, NDArray[np.int64]]:
    """Line by line: reads frames whose bones come in varying order, and says exactly what is wrong otherwise."""
    counts = {bone.name: len(bone.dof) for bone in body.bones if bone.dof}
    frames: list[dict[str, list[float]]] = []
    numbers: list[int] = []

    def finish(number: int) -> None:
        if frames and len(frames[-1]) != len(counts):
            lost = [name for name in counts if name not in frames[-1]]
            raise FormatError(
                path,
                f"line {number}: frame {numbers[-1]} ends here with {len(frames[-1])} of {len(counts)} bones "
                f"(no '{lost[0]}'); the file is cut short or belongs to another skeleton than {body.path.name}",
            )

    for number, line in enumerate(lines[start:], start=start + 1):
        words = line.split()
        if not words or words[0][0] in "#:":
            continue
        if len(words) == 1 and _INTEGER.fullmatch(words[0]):
            finish(number)
            numbers.append(int(words[0]))
            frames.append({})
            continue
        if not frames:
            raise FormatError(path, f"line {number}: expected a frame number, found '{words[0][:40]}'")
        name = words[0]
        if name not in counts:
            raise FormatError(
                path, f"line {number}: '{name[:40]}' is not a moving bone of {body.path.name}; is it the right ASF?"
            )
        if name in frames[-1]:
            raise FormatError(path, f"line {number}: bone '{name}' appears twice in frame {numbers[-1]}")
        if len(words) - 1 != counts[name]:
            raise FormatError(path, f"line {number}: bone '{name}' needs {counts[name]} values, found {len(words) - 1}")
        frames[-1][name] = _numbers(path, number, words[1:], counts[name], f"bone '{name}'")
    finish(len(lines))
    names = list(counts)
    values = np.array([[value for name in names for value in frame[name]] for frame in frames])
    return values.reshape(len(frames), sum(counts.values())), np.array(numbers, dtype=np.int64)
