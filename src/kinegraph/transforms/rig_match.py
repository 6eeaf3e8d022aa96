"""Which joint of a recording turns what a network's joint turns, and how their rest poses differ.

Networks that work on rotations know one rig: ``cmu38`` with the rest pose of CMU's skeleton files, or any layout in a
T-pose. A recording has its own joints and its own rest pose. Joints are matched by name where the rig is the same, by
anatomy otherwise; along spine and neck, where rigs have any number of joints, by order. With ``A`` the constant turn
from the network's rest pose to the recording's, the network's global rotation is the recording's times ``A``
(measured on CMU clips that exist as AMC and as BVH of another rig: 0 to 4 degrees, hands apart).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import SkeletonError
from kinegraph.formats.motion.expmap_text import WIDTHS, rest_offsets
from kinegraph.geometry.kinematics import ancestors, forward_kinematics
from kinegraph.geometry.posing import rest_directions
from kinegraph.geometry.rotations import (
    matrix_to_quaternion,
    quaternion_between,
    quaternion_multiply,
    quaternion_rotate,
)
from kinegraph.skeleton import Skeleton, get_skeleton, map_joints
from kinegraph.skeleton.contraction import TRAJECTORY
from kinegraph.skeleton.pelvis import above_the_pelvis, pelvis_joint, rooted_at

__all__ = ["RigMatch", "body_skeleton", "match_rig", "trunk"]

Array = NDArray[np.float64]
_SAME_RIG = 0.8  # share of a network's joints that a rig must have by name to count as the same one
_SAME_REST = 0.26  # rad; rest poses of one rig differ by less from person to person
_NEAR_M = 0.15  # of where the legs part, within which a root that the trunk hangs on is the pelvis
_ON_THE_TRUNK = ("left_shoulder", "right_shoulder", "neck", "head")
_LEAST = 0.5  # share of a network's turning joints that must be found


@dataclass(frozen=True)
class RigMatch:
    """For each joint of `body`: index in the recording's rig (-1: none), and the constant turn `align` (joints, 4)."""

    body: Skeleton
    source: NDArray[np.int64]
    align: Array


def body_skeleton(network: Skeleton) -> Skeleton:
    """A network's skeleton without its trajectory."""
    if TRAJECTORY not in network.joints:
        return network
    at = network.index(TRAJECTORY)
    kept = [j for j in range(network.num_joints) if j != at]
    place = {j: i for i, j in enumerate(kept)}
    return Skeleton(
        name=network.name,
        joints=tuple(network.joints[j] for j in kept),
        parents=tuple(place.get(network.parents[j], -1) for j in kept),
        pairs=network.pairs,
        links=tuple(link for link in network.links if TRAJECTORY not in link),
        parts={part: tuple(j for j in members if j != TRAJECTORY) for part, members in network.parts.items()},
        landmarks=network.landmarks,
    )


def match_rig(rig: Skeleton, offsets: Array, body: Skeleton) -> RigMatch:
    """Match a recording's rig to a network's joints.

    Args:
        rig: joints of the recording, with one root, wherever on the body it is.
        offsets: rest offset of each from its parent (joints, 3).
        body: the network's joints, without trajectory.

    Raises:
        SkeletonError: under half of the joints that turn anything are found, or not the one at the network's root.
    """
    layout = _layout(body)
    named = np.array([rig.joints.index(j) if j in rig.joints else -1 for j in body.joints])
    same = (named >= 0).mean() >= _SAME_RIG
    pelvis = _pelvis(rig, offsets)
    source = named if same else _by_anatomy(rooted_at(rig, pelvis), body)
    if not (same and named[body.root] >= 0):
        source[body.root] = _at_root(rig, pelvis, body)
    turning = [i for i, j in enumerate(body.joints) if layout.index(j) in layout.parents]
    found = [i for i in turning if source[i] >= 0]
    if len(found) < _LEAST * len(turning) or len(found) < 2:
        missing = [body.joints[i] for i in turning if source[i] < 0]
        raise SkeletonError(
            f"only {len(found)} of the {len(turning)} joints that the network turns ('{body.name}') are seen in "
            f"'{rig.name}' (missing: {', '.join(missing[:6])}{', ...' if len(missing) > 6 else ''}); show more of "
            "the body, take a network trained on this skeleton, or name the layout"
        )
    return RigMatch(body=body, source=source, align=_align(rig, offsets, body, layout, source, same))


# ---- which joint -------------------------------------------------------------------------------------------------


def _pelvis(rig: Skeleton, offsets: Array) -> int:
    """The rig's pelvis: where its legs part, or its root where nothing tells that.

    A root near by is the pelvis where the trunk hangs on it and not on that joint, which then carries legs alone. Where
    legs and trunk hang on the joint, the root is none, however near: it carries a body, as root motion does.
    """
    found = pelvis_joint(rig)
    if found is None:
        return rig.root
    away, at = np.zeros(3), found
    while rig.parents[at] >= 0:
        away, at = away + offsets[at], rig.parents[at]
    trunk_above = [int(np.argmax(of)) for of in map(rig.landmark, _ON_THE_TRUNK) if of is not None]
    apart = bool(trunk_above) and not any(found in ancestors(rig.parents, joint) for joint in trunk_above)
    return rig.root if apart and np.linalg.norm(away) <= _NEAR_M else found


def _at_root(rig: Skeleton, pelvis: int, body: Skeleton) -> int:
    """The rig's joint that is what the network's root is.

    Raises:
        SkeletonError: there is none.
    """
    joint = body.joints[body.root]
    if pelvis_joint(body) not in (None, body.root):  # a network whose tree begins elsewhere
        used = np.flatnonzero(map_joints(rig, body, minimum=0.0).weights[body.root])
        if len(used) == 1:
            return int(used[0])
        raise SkeletonError(
            f"the network's root '{joint}' ('{body.name}') is no joint of '{rig.name}'; name the layout"
        )
    if pelvis == rig.root and pelvis_joint(rig) is None and above_the_pelvis(rig, rig.root):
        raise SkeletonError(
            f"'{rig.name}' hangs on its '{rig.joints[rig.root]}' and has neither a pelvis nor two hips to stand for "
            f"'{joint}', the root of '{body.name}'; map it to a layout that has them, or name the layout"
        )
    return pelvis


def _layout(body: Skeleton) -> Skeleton:
    """The full layout a contracted body comes from, whose free ends say where its last bones point."""
    known = (get_skeleton(name) for name in WIDTHS.values())
    return next((layout for layout in known if set(body.joints) <= set(layout.joints)), body)


def _by_anatomy(rig: Skeleton, body: Skeleton) -> NDArray[np.int64]:
    leaves = {j for j in range(rig.num_joints) if j not in rig.parents}
    paired = {joint for pair in body.pairs for joint in pair}
    weights = map_joints(rig, body, minimum=0.0).weights
    source = np.full(body.num_joints, -1)
    for i, joint in enumerate(body.joints):
        used = np.flatnonzero(weights[i])
        if joint in paired and len(used) == 1 and used[0] not in leaves:
            source[i] = used[0]
    for ours, theirs in zip(trunk(body), trunk(rig), strict=True):
        # From the top, so that what is missing is missing below: a rig with one neck joint has the upper one.
        for step, i in enumerate(reversed(ours)):
            at = len(theirs) - 1 - (step * len(theirs)) // len(ours) if len(theirs) >= len(ours) else -1
            if len(theirs) < len(ours):
                at = len(theirs) - 1 - step
            source[i] = theirs[at] if at >= 0 else -1
    return source


def trunk(skeleton: Skeleton) -> tuple[list[int], list[int]]:
    """Joints of the spine (above the root, up to where the arms part) and of neck and head, free ends left out."""
    arms = [skeleton.landmark(f"{side}_shoulder") for side in ("left", "right")]
    if any(arm is None for arm in arms):
        return [], []
    above = [ancestors(skeleton.parents, int(np.argmax(arm))) for arm in arms if arm is not None]
    common = [j for j in above[0] if j in above[1]]
    if not common:
        return [], []
    parting = common[0]
    spine = [j for j in reversed([parting, *ancestors(skeleton.parents, parting)]) if skeleton.parents[j] >= 0]
    paired = {skeleton.index(joint) for pair in skeleton.pairs for joint in pair}
    neck: list[int] = []
    at = parting
    while True:
        below = [
            j
            for j, p in enumerate(skeleton.parents)
            if p == at and j not in paired and j in skeleton.parents and j not in above[0] and j not in above[1]
        ]
        # a contracted skeleton ends where it ends: its last joint turns the head
        if not below and "head" in skeleton.joints and skeleton.parents[skeleton.index("head")] == at:
            below = [skeleton.index("head")]
        if not below or below[0] in neck:
            return spine, neck
        at = below[0]
        neck.append(at)


# ---- rest poses --------------------------------------------------------------------------------------------------


def _rest_points(skeleton: Skeleton, offsets: Array) -> Array:
    """Joint positions (joints, 3) of the rest pose."""
    identity = np.tile([0.0, 0.0, 0.0, 1.0], (skeleton.num_joints, 1))
    moved = offsets.copy()
    moved[skeleton.root] = 0.0
    return forward_kinematics(skeleton.parents, identity, moved)[0]


def _network_rest(layout: Skeleton) -> Array:
    if layout.name in WIDTHS.values():
        return rest_offsets(layout.name)
    return np.nan_to_num(rest_directions(layout.joints, layout.parents, layout.meanings)) * 0.2


def _align(
    rig: Skeleton, offsets: Array, body: Skeleton, layout: Skeleton, source: NDArray[np.int64], same: bool
) -> Array:
    align = np.tile([0.0, 0.0, 0.0, 1.0], (body.num_joints, 1))
    if same and body is layout and layout.name not in WIDTHS.values():
        return align  # a network trained on this very rig: its rest pose is the rig's
    ours, theirs = _rest_points(layout, _network_rest(layout)), _rest_points(rig, offsets)
    mapping = map_joints(rig, layout, minimum=0.0)
    seen = [status != "missing" for status in mapping.status]
    points = mapping.weights @ theirs  # (layout joints, 3); zeros where missing
    if same:
        for i, joint in enumerate(layout.joints):
            if joint in rig.joints:
                points[i], seen[i] = theirs[rig.index(joint)], True
    whole = _body_turn(rig, layout, ours, theirs)
    if same and 2 * np.arccos(min(1.0, abs(whole[3]))) < _SAME_REST:
        whole = np.array([0.0, 0.0, 0.0, 1.0])
    limbs = _limbs(body)
    for i in body.topological_order():
        parent = body.parents[i]
        align[i] = align[parent] if i in limbs else whole
        if i not in limbs or source[i] < 0:
            continue
        start = layout.index(body.joints[i])
        ends = [end for end in _next_points(layout, start, ours) if seen[end]]
        mine = sum((_unit(ours[end] - ours[start]) for end in ends), np.zeros(3))
        own = sum((_unit(points[end] - theirs[source[i]]) for end in ends), np.zeros(3))
        if np.linalg.norm(mine) < 0.1 or np.linalg.norm(own) < 0.1:
            continue
        carried = quaternion_rotate(align[i], mine)
        turn = quaternion_between(carried, own)
        if not same or 2 * np.arccos(min(1.0, abs(turn[3]))) > _SAME_REST:
            align[i] = quaternion_multiply(turn, align[i])
    return align


def _limbs(body: Skeleton) -> set[int]:
    """Joints of arms and legs. Trunk, collar bones and hip bones turn as they do whatever shape a rig gives them."""
    marks = [body.landmark(f"{side}_{joint}") for side in ("left", "right") for joint in ("hip", "shoulder")]
    above = {j for mark in marks if mark is not None for j in ancestors(body.parents, int(np.argmax(mark)))}
    return {body.index(joint) for pair in body.pairs for joint in pair} - above


def _next_points(layout: Skeleton, joint: int, rest: Array) -> list[int]:
    """The nearest joints below that do not lie on this one."""
    found: list[int] = []
    for child, parent in enumerate(layout.parents):
        if parent == joint:
            apart = np.linalg.norm(rest[child] - rest[joint]) > 1e-4
            found += [child] if apart else _next_points(layout, child, rest)
    return found


def _body_turn(rig: Skeleton, layout: Skeleton, ours: Array, theirs: Array) -> Array:
    """Rotation (4,) from the network's upright rest body to the recording's, by left and up."""
    frames = []
    for skeleton, points in ((layout, ours), (rig, theirs)):
        marks = {}
        for name in ("left_hip", "right_hip", "left_shoulder", "right_shoulder"):
            weights = skeleton.landmark(name)
            if weights is None:
                return np.array([0.0, 0.0, 0.0, 1.0])
            marks[name] = weights @ points
        across = marks["left_hip"] - marks["right_hip"] + marks["left_shoulder"] - marks["right_shoulder"]
        up = marks["left_shoulder"] + marks["right_shoulder"] - marks["left_hip"] - marks["right_hip"]
        if min(np.linalg.norm(across), np.linalg.norm(up)) < 1e-3:
            return np.array([0.0, 0.0, 0.0, 1.0])
        # Shoulders stand forward or back of the hips differently from rig to rig: uprightness is read to the nearest
        # axis, the side exactly.
        axis = np.zeros(3)
        axis[np.abs(up).argmax()] = np.sign(up[np.abs(up).argmax()])
        left = _unit(across - axis * (across @ axis))
        frames.append(np.stack((left, axis, np.cross(left, axis)), axis=1))
    return matrix_to_quaternion(frames[1] @ frames[0].T)


def _unit(vector: Array) -> Array:
    norm = float(np.linalg.norm(vector))
    return vector / norm if norm > 1e-9 else np.zeros(3)
