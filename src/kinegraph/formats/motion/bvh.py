"""Biovision BVH: a hierarchy of joints with offsets, then channel values frame by frame.

Any hierarchy is read: any channel order and number, position channels on any joint. Position channels give a
joint's whole local translation and replace its OFFSET, as in Blender and MotionBuilder. A bone's end (``End
Site``) becomes the joint ``<parent>_end`` unless its offset is zero. Text: `bvh_text`; joints that move against their
parents: `bvh_bones`; writing: `bvh_write`.

BVH states no unit. `read` guesses it from the size of the body and says so in the notes; give ``unit=`` to be
sure. It states no up axis either: y is the custom, ``up="z"`` may be given; `kinegraph.formats.stance` says where a
body stands along another axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import FormatError
from kinegraph.formats.body_size import guess_unit
from kinegraph.formats.export import UNITS
from kinegraph.formats.joints.own_landmarks import with_landmarks
from kinegraph.formats.joints.rig import build_skeleton, contained_layout
from kinegraph.formats.motion.bvh_bones import bones
from kinegraph.formats.motion.bvh_text import BvhJoint, read_text
from kinegraph.formats.motion.bvh_write import write
from kinegraph.geometry.rotations import euler_to_quaternion, make_continuous
from kinegraph.naming import free_name
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton

__all__ = ["UNITS", "read", "write"]


Array = NDArray[np.float64]


def read(
    path: Path | str,
    *,
    unit: str | float | None = None,
    fps: float | None = None,
    ends: bool = True,
    up: Literal["y", "z"] = "y",
    skeleton: str | Path | Skeleton | None = None,
    props: bool = False,
) -> SkeletonSequence:
    """Read a BVH file.

    Args:
        path: the file.
        unit: what one unit of the file is: a name of `UNITS`, or metres as a number. By default it is guessed from
            the size of the body (:func:`kinegraph.formats.body_size.guess_unit`); the notes say which.
        fps: the rate, where the file's ``Frame Time:`` is wrong.
        ends: keep End Sites as joints named ``<parent>_end``.
        up: the file's vertical axis.
        skeleton: a file with ``[landmarks]``, which says what the joints stand for
            (:mod:`kinegraph.formats.joints.own_landmarks`).
        props: keep the joints that the root carries beside the body (ik helpers, props), even where they move on their
            own and rotations cannot be kept with them.

    Returns:
        One person, positions (1, frames, joints, 3) in metres, world space; rest offsets; and local rotations, unless
        joints other than the root move against their parents by more than a millimetre. Where a whole body moves
        against a root that carries nothing else (root motion, MotionBuilder's ``Reference``), the root is laid on the
        body's first joint and turns with it, which the notes say: all else stays where it was. Joints that move on
        their own beside the body (`props`) are then left out, which the notes say too.

    Raises:
        FormatError: the file is missing, damaged or not BVH, or an argument is not valid.
    """
    path = Path(path)
    if up not in ("y", "z"):
        raise FormatError(path, f"up={up!r} is not valid: expected 'y' or 'z'")
    if fps is not None and not 0 < fps < 1e7:
        raise FormatError(path, f"fps={fps} is no frame rate; expected a positive number")
    notes: list[str] = []
    joints, values, rate = read_text(path, fps, notes)
    joints = _keep(joints, ends, notes)
    parents = [joint.parent for joint in joints]
    names = [joint.name for joint in joints]
    rest = np.array([joint.offset for joint in joints])
    rotations, translations = _local(joints, values, rest, notes)
    child = np.array([parent >= 0 for parent in parents])
    layout = contained_layout(names, parents, np.where(child[:, None], translations[0], 0.0))
    own = build_skeleton(path, names, parents, layout=layout)
    metres = _metres(path, unit, rest, own, notes)
    with np.errstate(over="ignore", invalid="ignore"):
        own, positions, turns, offsets = bones(
            with_landmarks(path, own, skeleton), rotations, translations * metres, rest * metres, notes, props=props
        )
    if not (np.isfinite(positions).all() and np.isfinite(offsets).all()):
        raise FormatError(path, "joint positions are not finite: offsets or channel values are far too large")
    if not ends and turns is None:
        own = with_landmarks(path, build_skeleton(path, names, parents), skeleton)
    return SkeletonSequence(
        positions=positions[None],
        skeleton=own,
        fps=rate,
        unit="m",
        space="world",
        up=up,
        rotations=None if turns is None else make_continuous(turns)[None],
        offsets=offsets,
        source=str(path),
        notes=tuple(notes),
    )


def _local(joints: Sequence[BvhJoint], values: Array, rest: Array, notes: list[str]) -> tuple[Array, Array]:
    """Rotations (frames, joints, 4) and translations (frames, joints, 3), in the file's unit, against the parent."""
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
    return rotations, translations


def _keep(joints: Sequence[BvhJoint], ends: bool, notes: list[str]) -> list[BvhJoint]:
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
        result.append(replace(joint, name=name, parent=parent))
    return result


def _metres(path: Path, unit: str | float | None, rest: Array, skeleton: Skeleton, notes: list[str]) -> float:
    if isinstance(unit, str):
        if unit not in UNITS:
            raise FormatError(path, f"unit '{unit}' is unknown: expected {', '.join(UNITS)} or metres as a number")
        return UNITS[unit]
    if unit is not None:
        if not (math.isfinite(unit) and unit > 0):
            raise FormatError(path, f"unit must be a positive number of metres, found {unit}")
        return float(unit)
    metres, note = guess_unit(skeleton, rest)
    notes.append(note)
    return metres
