"""Bones of a BVH file whose joints move against their parents: position channels can make any of them longer.

Rotations and one offset a joint cannot say that. They can where only a whole body moves against the root that carries
it, as root motion of game engines and MotionBuilder's ``Reference`` have it: such a root is no part of the body, and is
laid on the body's first joint. What it carries beside the body, as the ik helpers of Unreal's mannequin, is left out
where it would cost the body's rotations. They can, to a millimetre, where joints move by hardly anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kinegraph.geometry.kinematics import ancestors, forward_kinematics
from kinegraph.geometry.rotations import matrix_to_quaternion
from kinegraph.skeleton import Skeleton, contract, get_skeleton

__all__ = ["bones"]

_STILL_M = 1e-5  # by which a joint that keeps its place may move: the rounding of the numbers in a file
_SHOWN = 4  # joints named in a note
_AGREE_M = 1e-3  # from positions to what rotations and bones make of them, as `SkeletonSequence.is_posed` has it

Array = NDArray[np.float64]


def bones(
    skeleton: Skeleton, rotations: Array, translations: Array, rest: Array, notes: list[str], *, props: bool = False
) -> tuple[Skeleton, Array, Array | None, Array]:
    """What a skeleton of rigid bones keeps of a file's joints.

    Tried in this order: as the file has it, with a root that goes along with its body, and both without what the root
    carries beside the body (ik helpers, props): without what moves against the root, then without all of it. Where
    nothing will do, positions are the file's, without rotations, and joints that move have its OFFSETs, which tell its
    rest pose.

    Args:
        skeleton: the joints, in the file's order, with one root.
        rotations: (frames, joints, 4) against the parent, xyzw.
        translations: (frames, joints, 3) against the parent, metres; the root's place at the root.
        rest: (joints, 3) the file's OFFSETs, metres.
        notes: takes what was changed and what is not kept.
        props: keep what the root carries beside the body, whatever it costs.

    Returns:
        The skeleton of the joints that are kept; their positions (frames, joints, 3) in metres; the rotations (frames,
        joints, 4) which make them to a millimetre with one offset a joint, or None; and these offsets (joints, 3), the
        root's 0.
    """
    positions, turned = forward_kinematics(skeleton.parents, rotations, translations)
    found = _rigid(skeleton, rotations, translations, positions, turned, notes)
    if found is not None:
        return skeleton, *found
    branches = {} if props else _beside_the_body(skeleton)
    moving = _moving(skeleton.parents, translations)
    for left in ([first for first in branches if not branches[first].isdisjoint(moving)], list(branches)):
        gone = {joint for first in left for joint in branches[first]}
        if not gone:
            continue
        kept = [joint for joint in range(skeleton.num_joints) if joint not in gone]
        body = contract(skeleton, [skeleton.joints[joint] for joint in kept], name=skeleton.name)
        told: list[str] = []
        found = _rigid(body, rotations[:, kept], translations[:, kept], positions[:, kept], turned[:, kept], told)
        if found is not None:
            named = ", ".join(f"'{skeleton.joints[first]}'" for first in left[:_SHOWN])
            named += ", ..." if len(left) > _SHOWN else ""
            notes.append(
                f"left out, for rotations to be kept: {len(gone)} joints beside the body that do not move with it "
                f"({named}); props=true keeps them (--read props=true), and no rotations"
            )
            notes += told
            return replace(body, title=skeleton.title, source=skeleton.source), *found
    offsets = _mean_bones(skeleton, rotations, translations, positions)[0]
    notes.append("joints move against their parents: positions are right, rotations are not kept")
    offsets[moving] = rest[moving]
    return skeleton, positions, None, offsets


def _rigid(
    skeleton: Skeleton, rotations: Array, translations: Array, positions: Array, turned: Array, notes: list[str]
) -> tuple[Array, Array, Array] | None:
    """Positions, rotations and offsets as :func:`bones` returns them; None where these would not make those."""
    offsets, off = _mean_bones(skeleton, rotations, translations, positions)
    if not off <= _AGREE_M and (carried := _carry(skeleton, rotations, translations, positions, turned)) is not None:
        joint, turns, places = carried
        along = forward_kinematics(skeleton.parents, turns, places)[0]
        lengths, left = _mean_bones(skeleton, turns, places, along)
        if left <= _AGREE_M:
            far = np.linalg.norm(along - positions, axis=-1).max()
            notes.append(
                f"the root '{skeleton.joints[skeleton.root]}' has the path and the rotation of '{joint}' now, up to "
                f"{far:.3g} m from its own: rotations are kept, and all positions from '{joint}' on"
            )
            positions, rotations, offsets, off = along, turns, lengths, left
    if not off <= _AGREE_M:
        return None
    if off:
        notes.append(
            f"joints move against their parents: rotations are kept, which put them up to {1000 * off:.2g} mm away"
        )
    return positions, rotations, offsets


def _beside_the_body(skeleton: Skeleton) -> dict[int, set[int]]:
    """What hangs on the root, or on what leads from it to the body, and is no part of the body.

    The body begins where all that is known by its anatomy hangs together. Without two hips nothing tells a body.

    Returns:
        The first joint of each branch -> all its joints.
    """
    if any(skeleton.landmark(f"{side}_hip") is None for side in ("left", "right")):
        return {}
    points, parents = _points(skeleton), skeleton.parents
    chains = [[joint, *ancestors(parents, joint)] for joint, name in enumerate(skeleton.joints) if name in points]
    first = next(joint for joint in chains[0] if all(joint in chain for chain in chains))
    above = set(ancestors(parents, first))
    branches: dict[int, set[int]] = {}
    branch_of: dict[int, int] = {}
    for joint in skeleton.topological_order():
        parent = parents[joint]
        if parent in branch_of:
            branch_of[joint] = branch_of[parent]
        elif parent in above and joint != first and joint not in above:
            branch_of[joint] = joint
        else:
            continue
        branches.setdefault(branch_of[joint], set()).add(joint)
    return branches


def _moving(parents: Sequence[int], translations: Array) -> list[int]:
    """Joints that move against their parents; translations (frames, joints, 3) in metres."""
    far = np.ptp(translations, axis=0).max(axis=-1)
    return [joint for joint, parent in enumerate(parents) if parent >= 0 and not far[joint] <= _STILL_M]


def _mean_bones(skeleton: Skeleton, rotations: Array, translations: Array, positions: Array) -> tuple[Array, float]:
    """One offset a joint (joints, 3), where it moves its mean; by how many metres these put a joint elsewhere."""
    moving = _moving(skeleton.parents, translations)
    offsets = translations[0].copy()
    offsets[moving] = translations[:, moving].mean(axis=0)
    offsets[skeleton.root] = 0.0
    if not moving:
        return offsets, 0.0
    rigid = np.tile(offsets, (len(translations), 1, 1))
    rigid[:, skeleton.root] = translations[:, skeleton.root]
    made = forward_kinematics(skeleton.parents, rotations, rigid)[0]
    return offsets, float(np.linalg.norm(made - positions, axis=-1).max())


def _points(skeleton: Skeleton) -> set[str]:
    """Joints that are points of a body, by their names or by what they stand for."""
    return {*get_skeleton("h36m17").joints, *(joint for weights in skeleton.landmarks.values() for joint in weights)}


def _carry(
    skeleton: Skeleton, rotations: Array, translations: Array, positions: Array, turned: Array
) -> tuple[str, Array, Array] | None:
    """With a root that goes along with its body: that body's first joint, rotations and translations.

    Between a root and the body that it carries are joints which carry nothing else. Of those, the last that moves
    gives its path and its rotation to the root, and lies on it with all between: it and all it carries stay where
    they were and turned as they were. None where no joint of the chain moves, or where it is no such chain.

    `positions` and `turned`, the joints' global rotations (frames, joints, 3, 3), are what the file makes.
    """
    parents, root = skeleton.parents, skeleton.root
    chain = [root]
    while parents.count(chain[-1]) == 1:
        chain.append(parents.index(chain[-1]))
    moves = set(_moving(parents, translations))
    moving = [joint for joint in chain if joint in moves]
    if not moving:
        return None
    above = chain[: chain.index(moving[-1])]
    stand = (
        len(moving) == 1
        and np.ptp(translations[:, root], axis=0).max() <= _STILL_M
        and np.ptp(rotations[:, above], axis=0).max() <= _STILL_M
    )
    # An arm, a rope or half a body whose parts slide is such a chain too, and there the first joint counts as much as
    # the last: where joints above move, a body has to branch off below, and none of them may be a point of it.
    branches = parents.count(chain[-1]) > 1
    if not stand and (not branches or _points(skeleton).intersection(skeleton.joints[joint] for joint in above)):
        return None
    body, folded = moving[-1], [*above[1:], moving[-1]]
    turns, places = rotations.copy(), translations.copy()
    places[:, root], turns[:, root] = positions[:, body], matrix_to_quaternion(turned[:, body])
    places[:, folded], turns[:, folded] = 0.0, [0.0, 0.0, 0.0, 1.0]
    return skeleton.joints[body], turns, places
