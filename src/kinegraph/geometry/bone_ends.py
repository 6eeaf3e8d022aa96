"""What tells how a joint turns: the bones that start where it lies, and the body's facing where they do not suffice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kinegraph.geometry.kinematics import topological_order

__all__ = ["NO_LENGTH", "bone_ends", "facing", "has_length", "leaves_a_turn"]

Array = NDArray[np.float64]

NO_LENGTH = 1e-9
"""A bone this short, in metres, points nowhere."""
_SHORT = 0.02  # of the longest bone: under it a joint lies on the one above, and where it points is noise
_IN_LINE = 0.2  # second singular value to first of directions that lie in one line


def has_length(lengths: Array) -> NDArray[np.bool_]:
    """Which bones (joints,) are long enough to say where they point."""
    return lengths > max(NO_LENGTH, _SHORT * float(lengths.max(initial=0.0)))


def bone_ends(parents: Sequence[int], lengths: Array) -> list[list[int]]:
    """For each joint the ends of the bones that start at its place.

    Rigs put joints on top of each other: hips on the root, collar bones on the thorax. Those are looked through, level
    by level, to the bones that begin there.

    Args:
        parents: parent index per joint, -1 for a root.
        lengths: (joints,) of the bone that ends in each.
    """
    long = has_length(lengths)
    ends: list[list[int]] = [[] for _ in parents]
    for joint, parent in enumerate(parents):
        if parent < 0 or not long[joint]:
            continue
        ends[parent].append(joint)
        while not long[parent] and parents[parent] >= 0:
            parent = parents[parent]
            ends[parent].append(joint)
    return ends


def leaves_a_turn(directions: Array) -> bool:
    """Whether known rest directions (bones, 3), NaN where unknown, all lie in one line, about which a body may turn."""
    known = directions[np.isfinite(directions).all(axis=-1)]
    if len(known) < 2:
        return True
    spread = np.linalg.svd(known, compute_uv=False)
    return bool(spread[1] < _IN_LINE * spread[0])


def facing(points: Array, parents: Sequence[int], bones: Array, root: int) -> Array:
    """Rotations (frames, 4) about y that turn the rest body to where most of it is: which way somebody faces.

    Identity where the rest says nothing of sides.

    Args:
        points: (frames, joints, 3), y up.
        parents: parent index per joint.
        bones: (joints, 3) from parent to joint at rest; NaN where unknown.
        root: whose tree counts.
    """
    rest, below = np.zeros((len(parents), 3)), [root]
    for joint in topological_order(parents):
        if parents[joint] in below:
            rest[joint] = rest[parents[joint]] + np.nan_to_num(bones[joint])
            below.append(joint)
    seen = points[:, below] - points[:, [root]]
    rest = rest[below]
    along = seen[..., 0] @ rest[:, 0] + seen[..., 2] @ rest[:, 2]
    across = seen[..., 0] @ rest[:, 2] - seen[..., 2] @ rest[:, 0]
    told = np.hypot(along, across) > NO_LENGTH
    half = np.where(told, np.arctan2(across, along), 0.0) / 2
    zero = np.zeros_like(half)
    return np.stack((zero, np.sin(half), zero, np.cos(half)), axis=-1)
