"""A body's tree from the pelvis outwards, wherever the recording's begins: thorax, nose, or a point on the floor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from kinegraph.skeleton import Skeleton

__all__ = ["above_the_pelvis", "hung_on_hips", "pelvis_joint", "rooted_at"]

# points of the body at which legs do not part
_ABOVE = {"thorax", "neck", "nose", "head", "head_top"}


def pelvis_joint(skeleton: Skeleton) -> int | None:
    """Index of the joint that is the pelvis: by name, else where both legs part from the trunk; None without one.

    Of several trees, which links join, no bones lead from leg to leg: the name alone tells it there.
    """
    named = _one_joint(skeleton, "pelvis")
    if named is not None:
        return named
    hips = [_one_joint(skeleton, f"{side}_hip") for side in ("left", "right")]
    if hips[0] is None or hips[1] is None or len(skeleton.roots) > 1:
        return None
    shoulder = _one_joint(skeleton, "left_shoulder")
    between = _way(skeleton, hips[0], hips[1])
    trunk = _way(skeleton, skeleton.root if shoulder is None else shoulder, hips[0])
    parting = next(joint for joint in trunk if joint in between)
    paired = {skeleton.index(joint) for pair in skeleton.pairs for joint in pair}
    if parting in paired or parting in hips or above_the_pelvis(skeleton, parting):
        return None
    return parting


def above_the_pelvis(skeleton: Skeleton, joint: int) -> bool:
    """Whether a joint is, by its name, a point of the chest, neck or head."""
    name = skeleton.joints[joint]
    return skeleton.meanings.get(name, name) in _ABOVE


def rooted_at(skeleton: Skeleton, joint: int) -> Skeleton:
    """The same joints and bones, hung on `joint`."""
    if skeleton.parents[joint] < 0:
        return skeleton
    return _hung(skeleton, skeleton.joints, skeleton.bones, joint, skeleton.landmarks)


def hung_on_hips(skeleton: Skeleton) -> tuple[Skeleton, dict[int, tuple[int, ...]]]:
    """A skeleton without a pelvis, which hangs on a new one: its hips and, above them, what joined these before.

    Args:
        skeleton: with hip joints, see :meth:`Skeleton.landmark`.

    Returns:
        The skeleton, new joints last, and the joints whose mean each of these is. Without two hips, and where
        it has several roots, it stays as it is.
    """
    hips = [_one_joint(skeleton, f"{side}_hip") for side in ("left", "right")]
    if hips[0] is None or hips[1] is None or len(skeleton.roots) > 1:
        return skeleton, {}
    names, landmarks = list(skeleton.joints), {point: dict(own) for point, own in skeleton.landmarks.items()}
    means: dict[int, tuple[int, ...]] = {}

    def add(point: str, of: Sequence[int]) -> int:
        name = point
        while name in names:
            name += "_"
        names.append(name)
        landmarks[point] = {name: 1.0}
        means[len(names) - 1] = tuple(of)
        return len(names) - 1

    pelvis = add("pelvis", (hips[0], hips[1]))
    chest = _one_joint(skeleton, "thorax")
    if chest is None:
        shoulders = [_one_joint(skeleton, f"{side}_shoulder") for side in ("left", "right")]
        if shoulders[0] is not None and shoulders[1] is not None:
            chest = add("thorax", (shoulders[0], shoulders[1]))
    way = _way(skeleton, hips[0], hips[1])
    cut = {frozenset(pair) for pair in pairwise(way)}
    bones = [bone for bone in skeleton.bones if frozenset(bone) not in cut]
    above = pelvis if chest is None else chest
    bones += [(pelvis, hips[0]), (pelvis, hips[1]), *([] if chest is None else [(pelvis, chest)])]
    bones += [(above, joint) for joint in way[1:-1]]
    return _hung(skeleton, tuple(names), bones, pelvis, landmarks), means


def _one_joint(skeleton: Skeleton, point: str) -> int | None:
    """The joint that alone is an anatomical point."""
    weights = skeleton.landmark(point)
    if weights is None or np.count_nonzero(weights) != 1:
        return None
    return int(weights.argmax())


def _way(skeleton: Skeleton, start: int, end: int) -> list[int]:
    """Joints from one to another along the bones of one tree, both included."""
    up = [[joint] for joint in (start, end)]
    for joints in up:
        while skeleton.parents[joints[-1]] >= 0:
            joints.append(skeleton.parents[joints[-1]])
    top = next(joint for joint in up[0] if joint in up[1])
    return up[0][: up[0].index(top) + 1] + up[1][: up[1].index(top)][::-1]


def _hung(
    skeleton: Skeleton,
    names: Sequence[str],
    bones: Sequence[tuple[int, int]],
    root: int,
    landmarks: Mapping[str, Mapping[str, float]],
) -> Skeleton:
    """A tree of bones from its root out; a bone that would close a ring is none."""
    linked: list[list[int]] = [[] for _ in names]
    for a, b in bones:
        linked[a].append(b)
        linked[b].append(a)
    parents = [-1] * len(names)
    waiting, reached = [root], {root}
    while waiting:
        joint = waiting.pop(0)
        for below in linked[joint]:
            if below not in reached:
                parents[below] = joint
                reached.add(below)
                waiting.append(below)
    return Skeleton(
        name=skeleton.name,
        joints=tuple(names),
        parents=tuple(parents),
        pairs=skeleton.pairs,
        landmarks=landmarks,
    )
