"""From the joint names of a motion file to a `Skeleton` that knows left, right and anatomy.

Every tool names joints its own way. Sides are found by symmetry of the names themselves (a joint is left when
exchanging ``l`` and ``r``, or ``left`` and ``right``, gives another joint); what the rest of the name means is
looked up in ``aliases.toml``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import FormatError, SkeletonError
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
    "side_pairs",
]

MAX_JOINTS = 1024
"""Joints a motion file may have; full-body rigs with hands and faces have some 200."""


@lru_cache(maxsize=1)
def _aliases() -> tuple[tuple[str, ...], Mapping[str, list[list[str]]], Mapping[str, list[list[str]]]]:
    data = tomllib.loads(files("kinegraph.formats").joinpath("aliases.toml").read_text(encoding="utf-8"))

    def table(key: str) -> dict[str, list[list[str]]]:
        return {point: [[a] if isinstance(a, str) else list(a) for a in names] for point, names in data[key].items()}

    return tuple(data["prefixes"]), table("sided"), table("central")


# ------------------------------------------------------------------------------------------------------ sides

_SIDE_WORDS = (("left", "right"), ("Left", "Right"), ("LEFT", "RIGHT"))
_SIDE_LETTERS = (("l", "r"), ("L", "R"))


def _exchanges(name: str) -> list[tuple[str, str]]:
    """Ways to read `name` as a left joint: (right name, what is left without the side)."""
    found = []
    for left, right in _SIDE_WORDS:
        at = name.find(left)
        if at >= 0:
            found.append((name[:at] + right + name[at + len(left) :], name[:at] + name[at + len(left) :]))
    for left, right in _SIDE_LETTERS:
        for match in re.finditer(left, name):
            at = match.start()
            before, after = name[:at], name[at + 1 :]
            # a lone letter counts at the start or between separators: lThigh, L_Thigh, thigh_l, thigh.L
            opens = not before or not before[-1].isalnum()
            if opens:
                found.append((before + right + after, before + after))
    return found


def side_pairs(joints: Sequence[str]) -> dict[tuple[str, str], str]:
    """``(left, right)`` joint names -> the name without its side, for every joint whose mirror image exists."""
    present = set(joints)
    taken: set[str] = set()
    pairs: dict[tuple[str, str], str] = {}
    for joint in joints:
        for right, rest in _exchanges(joint):
            if right in present and right != joint and not {joint, right} & taken:
                pairs[joint, right] = rest
                taken |= {joint, right}
                break
    return pairs


def _plain(name: str, prefixes: Sequence[str]) -> str:
    """Lower case without separators and tool prefixes; an ``_end`` stays, as it names another point."""
    ends = name.endswith("_end")
    body = name[: -len("_end")] if ends else name
    body = re.sub(r"[^a-z0-9]", "", body.rpartition(":")[2].lower())
    for prefix in prefixes:
        short = re.sub(r"[^a-z0-9]", "", prefix)
        if body.startswith(short) and len(body) > len(short):
            body = body[len(short) :]
            break
    return body + ("_end" if ends else "")


# ------------------------------------------------------------------------------------------------------ landmarks


def _landmarks(
    joints: Sequence[str], pairs: Mapping[tuple[str, str], str], *, markers: bool = False
) -> dict[str, dict[str, float]]:
    """What the joints of a rig stand for, or those of markers, whose "head" is its top where there is a nose too."""
    prefixes, sided, central = _aliases()
    landmarks: dict[str, dict[str, float]] = {}
    stems = {_plain(rest, prefixes): pair for pair, rest in pairs.items()}
    taken: set[str] = set()
    for point, alternatives in sided.items():
        for (entry,) in alternatives:
            alias, _, company = entry.partition(" with ")
            if alias in stems and alias not in taken and (not company or company in stems):
                taken.add(alias)
                left, right = stems[alias]
                landmarks[f"left_{point}"], landmarks[f"right_{point}"] = {left: 1.0}, {right: 1.0}
                break
    sides = {joint for pair in pairs for joint in pair}
    middle: dict[str, str] = {}
    for joint in joints:
        if joint not in sides:
            middle.setdefault(_plain(joint, prefixes), joint)
    found: dict[str, dict[str, float]] = {}
    for point, alternatives in central.items():
        for names in alternatives:
            if all(name in middle for name in names):
                found[point] = {middle[name]: 1 / len(names) for name in names}
                break
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
    return landmarks


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
) -> Skeleton:
    """The skeleton of a file's hierarchy.

    Args:
        path: the file, for its name and for messages.
        joints: names in the file's order.
        parents: parent index per joint, -1 for a root.
        layout: a registered layout whose joints are all among these, and whose anatomy is taken over.
        markers: these are points of a body, and no joints of a rig.

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
        landmarks = _landmarks(joints, pairs, markers=markers) if rig or not plain else {}
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


def marker_skeleton(path: Path, names: Sequence[str]) -> Skeleton:
    """A skeleton for named points without a hierarchy.

    The registered layout with the same names in any order; else loose markers, all hung on the first one, with
    what their names say about anatomy.

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
    return build_skeleton(path, names, [-1] + [0] * (len(names) - 1), markers=True)


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
