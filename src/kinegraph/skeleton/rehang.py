"""A tree for loose points: files of named markers (TRC, C3D, CSV) say what each is called, not what hangs on what."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinegraph.skeleton import Skeleton, get_skeleton, map_joints

__all__ = ["is_loose", "rehung"]

_FEWEST = 5  # points, under which all hanging on one is a tree like any other
_LOOKS = 240  # frames at which distances are compared
_NEARNESS = (
    0.05  # of two points that keep their distance equally well the nearer one: 1 mm of spread is 2 cm of distance
)
_BETTER = 0.5  # spread of two bones to that of the one that they stand for
_APART = 1e6  # spread of points that are never seen together


def is_loose(skeleton: Skeleton) -> bool:
    """Whether every joint hangs on the root: what readers make of points without a hierarchy."""
    root = skeleton.root
    return skeleton.num_joints >= _FEWEST and all(p == root for j, p in enumerate(skeleton.parents) if j != root)


def rehung(skeleton: Skeleton, positions: NDArray[np.float64]) -> Skeleton:
    """The same joints, hung on each other as bodies are; a skeleton that is not loose as it is.

    Points whose names have an anatomical meaning hang as in Human3.6M's tree, over missing ones to the next above, by
    way of a nameless point where one keeps its distance to both. What is still apart is joined where the distance
    between two points changes least (a minimum spanning tree).

    Args:
        skeleton: loose points, see :func:`is_loose`; the root stays the root, wherever on the body it is.
        positions: (frames, joints, 3), NaN where missing.
    """
    if not is_loose(skeleton):
        return skeleton
    count = skeleton.num_joints
    group = np.arange(count)  # whom a joint is joined to so far
    linked: list[list[int]] = [[] for _ in range(count)]

    def link(a: int, b: int) -> None:
        if group[a] != group[b]:
            group[group == group[a]] = group[b]
            linked[a].append(b)
            linked[b].append(a)

    spread = _spread(positions)
    for a, b in _anatomical(skeleton, spread):
        link(a, b)
    first, second = np.triu_indices(count, 1)
    for pair in np.argsort(spread[first, second], kind="stable"):
        link(int(first[pair]), int(second[pair]))
    parents = [-1] * count
    waiting = [skeleton.root]
    while waiting:
        joint = waiting.pop()
        for below in linked[joint]:
            if below != parents[joint]:
                parents[below] = joint
                waiting.append(below)
    return Skeleton(
        name=skeleton.name,
        joints=skeleton.joints,
        parents=tuple(parents),
        pairs=skeleton.pairs,
        landmarks=skeleton.landmarks,
    )


def _anatomical(skeleton: Skeleton, spread: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Each point that stands for a joint of Human3.6M's, and the next one above it that has a point too."""
    layout = get_skeleton("h36m17")
    weights = map_joints(skeleton, layout, minimum=0.0).weights
    stands_for = {int(np.flatnonzero(row)[0]): i for i, row in enumerate(weights) if np.count_nonzero(row) == 1}
    at = {i: joint for joint, i in stands_for.items()}
    links = []
    for joint, i in stands_for.items():
        above = layout.parents[i]
        while above >= 0 and at.get(above, joint) == joint:
            above = layout.parents[above]
        if above < 0:
            continue
        way = np.maximum(spread[joint], spread[at[above]])  # by way of each other point
        way[list(stands_for)] = _APART
        between = int(way.argmin())
        if above != layout.parents[i] and way[between] < _BETTER * spread[joint, at[above]]:
            links += [(joint, between), (between, at[above])]
        else:
            links.append((joint, at[above]))
    return links


def _spread(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each two points (joints, joints) are from keeping their distance, metres."""
    joints = positions.shape[1]
    total, squares, looks = (np.zeros((joints, joints)) for _ in range(3))
    for frame in positions[:: max(1, -(-len(positions) // _LOOKS))]:
        distance = np.linalg.norm(frame[:, None] - frame, axis=-1)
        seen = np.isfinite(distance)
        distance = np.where(seen, distance, 0.0)
        total += distance
        squares += distance**2
        looks += seen
    mean = total / np.maximum(looks, 1)
    deviation = np.sqrt(np.maximum(squares / np.maximum(looks, 1) - mean**2, 0.0))
    return np.where(looks > 0, deviation + _NEARNESS * mean, _APART)
