"""Acclaim ASF, the skeleton of AMC clips: how long each bone is, which way it points, which rotations it has."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import FormatError
from kinegraph.formats.joints.rig import MAX_JOINTS, build_skeleton, known_layout
from kinegraph.formats.text_file import read_lines
from kinegraph.geometry.rotations import euler_to_matrix
from kinegraph.skeleton import Skeleton

__all__ = ["AsfSkeleton", "Bone", "finite_numbers", "read_asf"]

_INCH = 0.0254
_CHANNELS = ("rx", "ry", "rz", "tx", "ty", "tz")

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Bone:
    """One bone: its `vector` at rest (metres; the root's is its position), its frame `axis` (3, 3), the `order` of its
    rotations and its `dof` names in file order."""

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


def read_asf(path: Path | str) -> AsfSkeleton:
    """Parse an ASF file; `FormatError` names the line and what was expected there."""
    path = Path(path)
    sections = _sections(path, read_lines(path, "an ASF skeleton"))
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


def _sections(path: Path, lines: list[str]) -> dict[str, list[_Line]]:
    """Lines as (number, words) under their ``:keyword``; comments and blank lines dropped."""
    sections: dict[str, list[_Line]] = {}
    current: list[_Line] = []
    for number, line in enumerate(lines, start=1):
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


def finite_numbers(path: Path, number: int, words: Sequence[str], count: int, what: str) -> list[float]:
    """The first `count` words as finite numbers; `FormatError` names line `number` and `what` otherwise."""
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
            length = finite_numbers(path, number, words[1:], 1, "the unit 'length'")[0]
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
            position = finite_numbers(path, number, words[1:], 3, "the root's position")
        elif key == "orientation":
            orientation = finite_numbers(path, number, words[1:], 3, "the root's orientation")
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
    direction = finite_numbers(path, number, words, 3, f"the direction of '{name}'")
    norm = math.hypot(*direction)
    number, words = block["length"]
    length = finite_numbers(path, number, words, 1, f"the length of '{name}'")[0]
    if length < 0 or (norm == 0 and length > 0):
        raise FormatError(path, f"line {number}: '{name}' needs a length >= 0 along a direction, found {length:g}")
    x, y, z = (value * length * metres / (norm or 1.0) for value in direction)
    order, axis = "xyz", np.eye(3)
    if "axis" in block:
        number, words = block["axis"]
        angles = finite_numbers(path, number, words, 3, f"the axis of '{name}'")
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
