"""Writing BVH: one body a file, y up, rotations in ZXY order, centimetres unless told otherwise.

A sequence that carries rotations and offsets (read from BVH) is written as it is; from any other, rotations are
made from the positions (`kinegraph.geometry.posing`): bones get their median lengths and keep their directions to 2 mm,
the rest pose is a T-pose, gaps are bridged in time. Where bones change length, joints are elsewhere in the file;
`strayed` says how far. BVH hides nobody: who is away stands still, or glides to where they return
(`kinegraph.formats.export.away` says it).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from kinegraph.atomic import write_text
from kinegraph.axes import y_up
from kinegraph.errors import DataError
from kinegraph.formats.export import check_metric, person_files, present
from kinegraph.geometry.posing import bridge_gaps, rest_directions, rotations_from_positions
from kinegraph.geometry.rotations import (
    continuous_euler,
    matrix_to_quaternion,
    quaternion_multiply,
    quaternion_to_euler,
)
from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import Skeleton
from kinegraph.skeleton.mapping import layouts_with_a_root
from kinegraph.skeleton.rehang import rehung

_ORDER = "zxy"
_LARGEST_M = 0.002  # that a joint may be off, in any frame, for turning with its siblings
_NAMED = 3  # layouts named in a message
_TOLD_M = 0.005  # from where joints are off by so much in a file, it is said

Array = NDArray[np.float64]

_OFF: WeakKeyDictionary[SkeletonSequence, dict[tuple[int, bool, bool], Array]] = WeakKeyDictionary()
"""`Body.off` of sequences that are still there, by person and options. Sequences never change, posing takes as long as
the rest of writing, and `strayed` is asked once the file is written."""


@dataclass
class Body:
    """What a file holds: joints, parents, offsets (joints, 3) m, rotations (frames, joints, 4), root (frames, 3) m.

    `off` (seen joints,) m: how far each is from where it was seen, in all frames; empty where rotations are its own.
    """

    joints: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Array
    rotations: Array
    root: Array
    off: Array


def write(
    sequence: SkeletonSequence,
    path: Path | str,
    *,
    unit: str = "cm",
    pivots: bool = True,
    from_positions: bool = False,
) -> tuple[Path, ...]:
    """Write a sequence as BVH.

    Under one frame a second the reader wants the rate stated again (``fps``).

    Args:
        sequence: 3D, in metres. Camera space and z-up worlds are turned to y up.
        path: the file. Further people, one file each, go beside it as ``<name>_person2.bvh`` and so on. Who is seen
            in no frame gets no file, and the others keep their numbers.
        unit: a name of `kinegraph.formats.export.UNITS`; Blender and MotionBuilder expect cm.
        pivots: when rotations are made from positions, give joints that do not move with their siblings a joint
            of their own (see `kinegraph.geometry.posing`), so that bones are within 2 mm of their directions.
            Positions are then as exact as bones keep their lengths.
        from_positions: make rotations from the positions even if the sequence has its own.

    Returns:
        The files written.

    Raises:
        DataError: the sequence is 2D, not in metres, has no frame rate, nobody in it, or somebody whose root is never
            seen.
        KinegraphError: the file cannot be written; nothing is left behind.
    """
    metres = check_metric(sequence, "BVH", unit)
    files = person_files(sequence, path, "BVH")
    bodies = [posed_body(sequence, person, pivots, from_positions) for person in files]
    for body, target in zip(bodies, files.values(), strict=True):
        write_text(target, _text(body, sequence.fps or 0.0, metres))
    return tuple(files.values())


def posed_body(sequence: SkeletonSequence, person: int, pivots: bool, from_positions: bool) -> Body:
    """One person as a rig with y up: the sequence's own rotations, or ones made from its positions; see `write`.

    Raises:
        DataError: the root or every joint is never seen.
    """
    turn = y_up(sequence)
    positions = sequence.positions[person] @ turn.T
    rotations, offsets = sequence.rotations, sequence.offsets
    if rotations is not None and offsets is not None and not from_positions and sequence.is_posed(person):
        body = _own_rotations(sequence.skeleton, positions, rotations[person], offsets, turn)
    else:
        body = _made_rotations(sequence, person, positions, pivots)
    _OFF.setdefault(sequence, {})[person, pivots, from_positions] = body.off
    return body


def _made_rotations(sequence: SkeletonSequence, person: int, positions: Array, pivots: bool) -> Body:
    """The body that y-up positions (frames, joints, 3) make."""
    skeleton = rehung(sequence.skeleton, positions)  # from marker to marker bones would not keep their lengths
    joints, parents, kept = _seen_joints(sequence, person, skeleton)
    seen = positions[:, kept]
    posed = rotations_from_positions(
        bridge_gaps(seen),
        joints,
        parents,
        rest=rest_directions(joints, parents, skeleton.meanings),
        fps=sequence.fps or 0.0,
        pivots=pivots,
        largest=_LARGEST_M,
    )
    places = [posed.source.index(j) for j in range(len(kept))]
    off = np.linalg.norm(posed.positions[:, places] - seen, axis=-1)
    root = posed.root_positions[:, 0]
    return Body(posed.joints, posed.parents, posed.offsets, posed.rotations, root, off[np.isfinite(off)])


def strayed(sequence: SkeletonSequence, *, pivots: bool = True, from_positions: bool = False, **_: object) -> list[str]:
    """Notes on how far joints are from where they were in a rig made from positions; options as of `write`.

    Raises:
        DataError: as `write`.
    """
    for person in present(sequence, "BVH"):
        if (person, pivots, from_positions) not in _OFF.get(sequence, {}):
            posed_body(sequence, person, pivots, from_positions)
    off = np.concatenate([_OFF[sequence][person, pivots, from_positions] for person in present(sequence, "BVH")])
    if off.max(initial=0.0) <= _TOLD_M:
        return []
    return [
        f"bones keep one length here{'' if pivots else ' and siblings turn as one'}: joints are up to "
        f"{off.max() * 1000:.0f} mm ({off.mean() * 1000:.1f} mm on average) from where they were; "
        "npz, CSV, TRC and C3D keep every position"
    ]


def _own_rotations(skeleton: Skeleton, positions: Array, rotations: Array, offsets: Array, turn: Array) -> Body:
    """The body that a sequence's own rotations make."""
    at = skeleton.root
    rotations, offsets = rotations.copy(), offsets.copy()
    rotations[:, at] = quaternion_multiply(matrix_to_quaternion(turn), rotations[:, at])
    offsets[at] = 0.0
    root = bridge_gaps(positions[:, [at]])[:, 0]
    return Body(skeleton.joints, skeleton.parents, offsets, rotations, root, np.zeros(0))


def _seen_joints(
    sequence: SkeletonSequence, person: int, skeleton: Skeleton
) -> tuple[tuple[str, ...], tuple[int, ...], list[int]]:
    """Joints seen at least once, joined past those that never are: names, parents, indices in the sequence."""
    seen = sequence.seen[person].any(axis=0)
    who = f"person {person + 1}: " if sequence.people > 1 else ""
    if len(skeleton.roots) != 1:
        raise DataError(
            f"{who}rigs (BVH, GLB) hang all joints on one root, and '{skeleton.name}' has several; map it to another "
            "skeleton"
        )
    if not seen[skeleton.root]:
        fit = ", ".join(layouts_with_a_root(sequence.skeleton, seen)[:_NAMED])
        other = f"map it to a layout whose root can be had ({fit}), " if fit else ""
        raise DataError(
            f"{who}'{skeleton.joints[skeleton.root]}' is never seen, on which '{skeleton.name}' hangs and which rigs "
            f"(BVH, GLB) need: {other}keep its own joints if it was mapped (no --skeleton), or write npz, CSV, TRC or "
            "C3D, which hold gaps"
        )
    kept = [j for j in range(sequence.joints) if seen[j]]
    parents = []
    for joint in kept:
        parent = skeleton.parents[joint]
        while parent >= 0 and not seen[parent]:
            parent = skeleton.parents[parent]
        parents.append(kept.index(parent) if parent >= 0 else -1)
    return tuple(skeleton.joints[j] for j in kept), tuple(parents), kept


# --------------------------------------------------------------------------------------------------------- text


def _text(body: Body, fps: float, metres: float) -> str:
    children: dict[int, list[int]] = {}
    for joint, parent in enumerate(body.parents):
        children.setdefault(parent, []).append(joint)
    offsets = body.offsets / metres
    lines = ["HIERARCHY"]
    order: list[int] = []
    # depth first without recursion: (joint, depth), or (-1, depth) to close a brace
    stack = [(children[-1][0], 0)]
    while stack:
        joint, depth = stack.pop()
        pad = "\t" * depth
        if joint < 0:
            lines.append(f"{pad}}}")
            continue
        parent = body.parents[joint]
        x, y, z = offsets[joint]
        offset = f"{pad}\tOFFSET {x:.6f} {y:.6f} {z:.6f}"
        below = children.get(joint, [])
        if not below and parent >= 0 and body.joints[joint] == f"{body.joints[parent]}_end" and offsets[joint].any():
            lines += [f"{pad}End Site", f"{pad}{{", offset, f"{pad}}}"]
            continue
        kind, channels = ("ROOT", "6 Xposition Yposition Zposition") if parent < 0 else ("JOINT", "3")
        rotations = " ".join(f"{axis.upper()}rotation" for axis in _ORDER)
        lines += [f"{pad}{kind} {body.joints[joint]}", f"{pad}{{", offset, f"{pad}\tCHANNELS {channels} {rotations}"]
        order.append(joint)
        if not below:
            lines += [f"{pad}\tEnd Site", f"{pad}\t{{", f"{pad}\t\tOFFSET 0 0 0", f"{pad}\t}}"]
        stack.append((-1, depth))
        stack += [(child, depth + 1) for child in reversed(below)]
    angles = np.degrees(continuous_euler(quaternion_to_euler(body.rotations[:, order], _ORDER)))
    values = np.concatenate((body.root / metres, angles.reshape(len(angles), -1)), axis=1)
    lines += ["MOTION", f"Frames: {len(values)}", f"Frame Time: {1 / fps:.9g}"]
    pattern = " ".join(["%.6f"] * values.shape[1])
    lines += [pattern % tuple(row) for row in values.tolist()]
    return "\n".join(lines) + "\n"
