"""A skeleton of fewer joints: what a network sees where some joints never move or are not predicted."""

from __future__ import annotations

from collections.abc import Iterable

from kinegraph.errors import SkeletonError, nearest
from kinegraph.skeleton.skeleton import Skeleton

__all__ = ["TRAJECTORY", "contract"]

TRAJECTORY = "trajectory"
"""Name of the virtual joint that carries the body's path; the root hangs on it."""


def contract(
    skeleton: Skeleton, joints: Iterable[str], *, trajectory: bool = False, name: str | None = None
) -> Skeleton:
    """The skeleton with only `joints` and its root; a joint's parent is its nearest kept ancestor.

    The root stays even when it is not named, because the limbs would fall apart without it. Joints keep their order;
    left/right pairs, parts and landmarks are those of the joints that are left. Where a landmark is lost but a kept
    joint bears its name, ``{}`` still says that this joint is another point. A link goes the way of the bones: an end
    that is not kept moves to its nearest kept ancestor; the link is gone where that is the other end, or joined to it
    anyway.

    Args:
        skeleton: with one root.
        joints: names of the joints to keep.
        trajectory: put the virtual joint :data:`TRAJECTORY` before them, as parent of the root.
        name: of the result; by default the skeleton's name and the number of joints.

    Raises:
        SkeletonError: an unknown joint.
    """
    wanted = set(joints)
    for joint in wanted:
        if joint not in skeleton.joints:
            raise SkeletonError(f"{skeleton.name} has no joint '{joint}'{nearest(joint, skeleton.joints)}")
    wanted.add(skeleton.joints[skeleton.root])
    kept = [index for index, joint in enumerate(skeleton.joints) if joint in wanted]
    place = {index: position for position, index in enumerate(kept)}

    def nearest_kept(index: int) -> int:
        """A joint itself or the first above it that is kept; -1 above a root that is not."""
        while index >= 0 and index not in place:
            index = skeleton.parents[index]
        return place.get(index, -1)

    parents = [nearest_kept(skeleton.parents[index]) for index in kept]
    joined = {frozenset(bone) for bone in enumerate(parents)}
    links = []
    for link in skeleton.links:
        ends = [nearest_kept(skeleton.index(joint)) for joint in link]
        if -1 not in ends and len(set(ends)) == 2 and frozenset(ends) not in joined:
            joined.add(frozenset(ends))
            links.append((skeleton.joints[kept[ends[0]]], skeleton.joints[kept[ends[1]]]))
    left = tuple(skeleton.joints[index] for index in kept)
    parts = {part: tuple(joint for joint in members if joint in wanted) for part, members in skeleton.parts.items()}
    if trajectory:
        root_name = skeleton.joints[skeleton.root]
        parents = [-1, *(parent + 1 if parent >= 0 else 0 for parent in parents)]
        left = (TRAJECTORY, *left)
        parts = {part: (TRAJECTORY, *members) if root_name in members else members for part, members in parts.items()}
    return Skeleton(
        name=name or f"{skeleton.name}_{len(kept)}",
        joints=left,
        parents=tuple(parents),
        pairs=tuple(pair for pair in skeleton.pairs if wanted.issuperset(pair)),
        links=tuple(links),
        parts={part: members for part, members in parts.items() if members},
        landmarks={
            landmark: weights if wanted.issuperset(weights) else {}
            for landmark, weights in skeleton.landmarks.items()
            if wanted.issuperset(weights) or landmark in wanted
        },
    )
