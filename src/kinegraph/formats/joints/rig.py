"""From the joint names of a motion file to a `Skeleton` that knows left, right and anatomy.

Every tool names joints its own way. `kinegraph.formats.joints.rig_names` finds their sides and takes away what is round
the names; what is left is looked up in ``aliases.toml``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import FormatError, SkeletonError
from kinegraph.formats.joints.aliases import aliases, first_way
from kinegraph.formats.joints.rig_names import PlainNames, side_pairs
from kinegraph.formats.joints.skin_markers import skin_landmarks, skin_note
from kinegraph.geometry.kinematics import ancestors
from kinegraph.skeleton import Skeleton, get_skeleton, skeleton_names
from kinegraph.skeleton.parts import part_of_name, spread_parts
from kinegraph.skeleton.skeleton import meanings

__all__ = [
    "MAX_JOINTS",
    "build_skeleton",
    "contained_layout",
    "known_layout",
    "marker_skeleton",
    "parts_of",
]

_SPINE = ("spine1", "spine2", "spine3")
MAX_JOINTS = 1024
"""Joints a motion file may have; full-body rigs with hands and faces have some 200."""


# ------------------------------------------------------------------------------------------------------ landmarks


def _landmarks(
    joints: Sequence[str], pairs: Mapping[tuple[str, str], str], *, markers: bool = False
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """What the joints of a rig stand for, or those of markers, whose "head" is its top where there is a nose too.

    Returns:
        all landmarks, and those among them that are means of markers on the skin.
    """
    tables = aliases()
    names = PlainNames.of(joints, tables.prefixes)
    landmarks: dict[str, dict[str, float]] = {}
    stems = {names.plain(rest): pair for pair, rest in pairs.items()}
    taken: set[str] = set()
    for point, ways in tables.sided.items():
        for alias in first_way(ways, stems, taken):
            taken.add(alias)
            left, right = stems[alias]
            landmarks[f"left_{point}"], landmarks[f"right_{point}"] = {left: 1.0}, {right: 1.0}
    sides = {joint for pair in pairs for joint in pair}
    middle: dict[str, str] = {}
    for joint in joints:
        if joint not in sides:
            middle.setdefault(names.plain(joint, middle=True), joint)
    found: dict[str, dict[str, float]] = {}
    for point, ways in tables.central.items():
        if way := first_way(ways, middle):
            found[point] = {middle[name]: 1 / len(way) for name in way}
    if "left_hip" in landmarks:
        # rigs put their root anywhere from the crotch to the lumbar spine; the hips' midpoint is one place
        landmarks["pelvis"] = {j: 0.5 for side in ("left", "right") for j in landmarks[f"{side}_hip"]}
    elif "root" in found:
        landmarks["pelvis"] = found["root"]
    if "spine" in found:
        landmarks["spine"] = found["spine"]
    if "neck" in found:
        landmarks["neck"] = landmarks["thorax"] = found["neck"]
    if "left_shoulder" in landmarks:
        # Human3.6M's thorax is level with the shoulders, where 2D layouts can put it; necks begin a hand's width above
        landmarks["thorax"] = {j: 0.5 for side in ("left", "right") for j in landmarks[f"{side}_shoulder"]}
    if markers and "nose" in found:
        landmarks["nose"] = found["nose"]
        top = found.get("crown", found.get("skull"))
        if top is not None:
            landmarks["head"] = landmarks["head_top"] = top
    elif "skull" in found:
        landmarks["nose"] = found["skull"]
        if "crown" in found:
            landmarks["head"] = landmarks["head_top"] = found["crown"]
        elif "neck" in found and "left_eye" in landmarks:
            # no top of the head in the rig: half way to the eyes, and up along the neck by 1.5 of its length
            estimate = dict.fromkeys(found["skull"], 2.0) | dict.fromkeys(found["neck"], -1.5)
            for side in ("left", "right"):
                estimate |= dict.fromkeys(landmarks[f"{side}_eye"], 0.25)
            landmarks["head"] = landmarks["head_top"] = estimate
        elif "head" in found["skull"]:
            landmarks["head"] = {}  # the name of a joint, and not of this point
    skin = skin_landmarks(landmarks, stems, middle) if markers else {}
    landmarks |= skin
    corners = [landmarks.get(f"{side}_{point}") for point in ("shoulder", "hip") for side in ("left", "right")]
    if markers and "spine" not in landmarks and all(corners):
        landmarks["spine"] = {joint: 0.25 for corner in corners for joint in corner or ()}  # as of 2D layouts
    if "left_shoulder" in skin:
        landmarks["thorax"] = {j: 0.5 for side in ("left", "right") for j in skin[f"{side}_shoulder"]}
    return landmarks, skin


def _three_of_the_spine(
    joints: Sequence[str], parents: Sequence[int], landmarks: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float]]:
    """SMPL's spine1, spine2 and spine3, where three joints lead to the neck from where the legs part.

    Nothing unless the middle one is what all layouts call the spine, and none bears one of the three names itself: two
    joints would else stand for one point.
    """
    at = {joint: index for index, joint in enumerate(joints)}
    ends = [landmarks.get(point, {}) for point in ("neck", "left_hip", "spine")]
    if any(len(end) != 1 for end in ends) or not set(_SPINE).isdisjoint(at):
        return {}
    neck, hip, spine = (at[joint] for end in ends for joint in end)
    below = set(ancestors(parents, hip))
    way = [joint for joint in ancestors(parents, neck) if joint not in below][::-1]
    if len(way) != len(_SPINE) or way[1] != spine or parents[way[0]] < 0:
        return {}
    return {point: {joints[joint]: 1.0} for point, joint in zip(_SPINE, way, strict=True)}


def known_layout(joints: Sequence[str], parents: Sequence[int], prefer: str = "") -> Skeleton | None:
    """The registered layout with exactly these joints, in any order, and this tree; `prefer` settles a tie."""
    tree = {joint: joints[parent] if parent >= 0 else "" for joint, parent in zip(joints, parents, strict=True)}
    names = sorted(skeleton_names(), key=lambda name: name != prefer)
    for name in names:
        layout = get_skeleton(name)
        if layout.num_joints == len(tree) and tree == {
            joint: layout.joints[parent] if parent >= 0 else ""
            for joint, parent in zip(layout.joints, layout.parents, strict=True)
        }:
            return layout
    return None


def contained_layout(joints: Sequence[str], parents: Sequence[int], offsets: NDArray[np.float64]) -> Skeleton | None:
    """The registered layout whose joints, joined in its way, are all among these; the largest, or None.

    Further joints (bone ends, pivots) may lie between and beyond. Files made from Acclaim skeletons by other tools
    bear the same names for the *start* of each bone; their ``lhipjoint`` coincides with the root, so a layout is
    only recognised when no bone of it has zero length.

    Args:
        joints: names.
        parents: index of each joint's parent, -1 for a root.
        offsets: ``(joints, 3)`` from the parent, in any unit.
    """
    at = {joint: i for i, joint in enumerate(joints)}
    found: list[Skeleton] = []
    for name in skeleton_names():
        layout = get_skeleton(name)
        if set(layout.joints) <= set(at) and all(
            _joined(layout, child, joints, parents, offsets, at[layout.joints[child]])
            for child in range(layout.num_joints)
        ):
            found.append(layout)
    return max(found, key=lambda layout: layout.num_joints, default=None)


def _joined(
    layout: Skeleton, child: int, joints: Sequence[str], parents: Sequence[int], offsets: NDArray[np.float64], at: int
) -> bool:
    """Whether the nearest ancestor of joint `at` that the layout knows is the layout's parent, at some distance."""
    expected = layout.joints[layout.parents[child]] if layout.parents[child] >= 0 else ""
    offset, start = np.zeros(3), at
    while at >= 0:
        offset = offset + offsets[at]
        at = parents[at]
        if at >= 0 and joints[at] in layout.joints:
            break
    if at < 0:
        return expected == "" and parents[start] < 0
    return joints[at] == expected and bool(np.abs(offset).max() > 0)


def build_skeleton(
    path: Path,
    joints: Sequence[str],
    parents: Sequence[int],
    *,
    layout: Skeleton | None = None,
    markers: bool = False,
    notes: list[str] | None = None,
) -> Skeleton:
    """The skeleton of a file's hierarchy.

    Args:
        path: the file, for its name and for messages.
        joints: names in the file's order.
        parents: parent index per joint, -1 for a root.
        layout: a registered layout whose joints are all among these, and whose anatomy is taken over.
        markers: these are points of a body, and no joints of a rig.
        notes: takes which markers on the skin were taken for joints.

    Raises:
        FormatError: too many joints, a name twice, or several separate trees.
    """
    if len(joints) > MAX_JOINTS:
        raise FormatError(path, f"{len(joints)} joints; at most {MAX_JOINTS} are read")
    if layout is not None and tuple(joints) == layout.joints:
        return layout
    try:
        pairs = side_pairs(joints)
        if layout is not None:
            own = {joint: part for part, members in layout.parts.items() for joint in members}
            return Skeleton(
                name=layout.name if len(joints) == layout.num_joints else path.stem,
                joints=tuple(joints),
                parents=tuple(parents),
                pairs=tuple(pairs),
                links=layout.links,
                parts=spread_parts(joints, parents, own),
                landmarks=layout.landmarks,
                title=f"{layout.name}, as in {path.name}",
                source=layout.source,
            )
        canonical = set(get_skeleton("h36m17").joints)
        # files we wrote ourselves, and others with plain anatomical names, need no table
        plain = len(canonical & set(joints)) >= len(canonical) // 2
        # SMPL's names look like ours, but its head begins on the neck, where Human3.6M's is the top
        rig = not markers and {"neck", "head"} <= set(joints) and "nose" not in joints
        landmarks, skin = _landmarks(joints, pairs, markers=markers) if rig or not plain else ({}, {})
        # in front: of several points a joint stands for the last, which is the spine of all layouts
        landmarks = _three_of_the_spine(joints, parents, landmarks) | landmarks
        if skin and notes is not None:
            notes.append(skin_note(skin))
        return Skeleton(
            name=path.stem,
            joints=tuple(joints),
            parents=tuple(parents),
            pairs=tuple(pairs),
            parts=parts_of(joints, parents, landmarks),
            landmarks=landmarks,
            title=f"from {path.name}",
        )
    except SkeletonError as error:
        raise FormatError(path, f"the joints do not make a skeleton: {error}") from error


def marker_skeleton(path: Path, names: Sequence[str], notes: list[str]) -> Skeleton:
    """A skeleton for named points without a hierarchy.

    The registered layout with the same names in any order; else loose markers, all hung on the first one, with
    what their names say about anatomy.

    Args:
        path: the file, for its name and for messages.
        names: of the markers, each once.
        notes: takes which markers on the skin were taken for joints.

    Raises:
        FormatError: too many points.
    """
    for name in skeleton_names():
        layout = get_skeleton(name)
        if set(layout.joints) == set(names):
            parent_of = {
                j: layout.joints[p] if p >= 0 else "" for j, p in zip(layout.joints, layout.parents, strict=True)
            }
            parents = [names.index(parent_of[j]) if parent_of[j] else -1 for j in names]
            return build_skeleton(path, names, parents, layout=layout)
    return build_skeleton(path, names, [-1] + [0] * (len(names) - 1), markers=True, notes=notes)


def parts_of(
    joints: Sequence[str], parents: Sequence[int], landmarks: Mapping[str, Mapping[str, float]]
) -> dict[str, tuple[str, ...]]:
    """The ten parts by what each joint stands for."""
    points = meanings(landmarks)
    known = {*landmarks, *get_skeleton("h36m17").joints}
    part_of = {}
    for joint in joints:
        name = points.get(joint, joint)
        if name in known and (part := part_of_name(name)):
            part_of[joint] = part
    return spread_parts(joints, parents, part_of)
