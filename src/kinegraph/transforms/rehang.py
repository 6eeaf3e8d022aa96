"""A tree for loose points: files of named markers (TRC, C3D, CSV) say what each is called, not what hangs on what."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinegraph.skeleton import Skeleton, get_skeleton, map_joints

__all__ = ["is_loose", "rehung"]

_FEWEST = 5  # points, under which all hanging on one is a tree like any other


def is_loose(skeleton: Skeleton) -> bool:
    """Whether every joint hangs on the root: what readers make of points without a hierarchy."""
    root = skeleton.root
    return skeleton.num_joints >= _FEWEST and all(p == root for j, p in enumerate(skeleton.parents) if j != root)


def rehung(skeleton: Skeleton, positions: NDArray[np.float64]) -> Skeleton:
    """The same joints, hung on each other as bodies are.

    Points whose names have an anatomical meaning hang as in Human3.6M's tree, over missing ones to the next above;
    any other hangs on the one of these from which its distance changes least.

    Args:
        skeleton: loose points; the root stays the root.
        positions: (frames, joints, 3), NaN where missing.
    """
    layout = get_skeleton("h36m17")
    weights = map_joints(skeleton, layout, minimum=0.0).weights
    stands_for = {int(np.flatnonzero(row)[0]): i for i, row in enumerate(weights) if np.count_nonzero(row) == 1}
    at = {i: joint for joint, i in stands_for.items()}
    root = skeleton.root
    parents = [-1] * skeleton.num_joints
    for joint in range(skeleton.num_joints):
        if joint == root:
            continue
        if joint in stands_for:
            above = layout.parents[stands_for[joint]]
            while above >= 0 and above not in at:
                above = layout.parents[above]
            parents[joint] = at[above] if above >= 0 and at[above] != joint else root
            continue
        choices = [root, *(j for j in stands_for if j != root)]
        distance = np.linalg.norm(positions[:, choices] - positions[:, joint, None], axis=-1)
        seen = np.isfinite(distance).all(axis=1)
        spread = distance[seen].std(axis=0) + 0.05 * distance[seen].mean(axis=0) if seen.any() else np.zeros(1)
        parents[joint] = choices[int(spread.argmin())]
    return Skeleton(
        name=skeleton.name,
        joints=skeleton.joints,
        parents=tuple(parents),
        pairs=skeleton.pairs,
        landmarks=skeleton.landmarks,
    )
