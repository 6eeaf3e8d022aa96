"""Forward kinematics: from local rotations and offsets to joint positions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinegraph.errors import DataError
from kinegraph.geometry.rotations import quaternion_to_matrix

Array = NDArray[np.float64]

__all__ = ["ancestors", "forward_kinematics", "topological_order"]


def ancestors(parents: Sequence[int], joint: int) -> list[int]:
    """Parent, its parent, and so on to the root; not for ever where parents are a ring."""
    found: list[int] = []
    while (joint := parents[joint]) >= 0 and joint not in found:
        found.append(joint)
    return found


def topological_order(parents: Sequence[int]) -> tuple[int, ...]:
    """Joint indices with every parent before its children; `DataError` for a cycle or a bad index."""
    children: dict[int, list[int]] = {}
    for joint, parent in enumerate(parents):
        if not -1 <= parent < len(parents):
            raise DataError(f"parent {parent} of joint {joint} is not one of -1..{len(parents) - 1}")
        children.setdefault(parent, []).append(joint)
    order = list(children.get(-1, ()))
    for joint in order:  # grows while it is walked: breadth first
        order.extend(children.get(joint, ()))
    if len(order) != len(parents):
        raise DataError(f"parents {tuple(parents)} contain a cycle")
    return tuple(order)


def forward_kinematics(parents: Sequence[int], rotations: ArrayLike, translations: ArrayLike) -> tuple[Array, Array]:
    """Joint positions and global rotations of a posed skeleton.

    Args:
        parents: parent index per joint, -1 for a root, in any order.
        rotations: local unit quaternions (..., joints, 4), xyzw, child space to parent space; or local
            rotation matrices (..., joints, 3, 3).
        translations: joint positions in the parent's frame (..., joints, 3), metres: the rest offsets, with the
            root's world position at the root's place. Broadcast against the rotations' leading axes.

    Returns:
        positions (..., joints, 3) in world space and global rotation matrices (..., joints, 3, 3):
        ``global = parent_global @ local`` and ``position = parent_position + parent_global @ translation``.

    Raises:
        DataError: rotations or translations of other shapes.
    """
    local = np.asarray(rotations, dtype=np.float64)
    joints = len(parents)
    if local.shape[-2:] == (joints, 4):
        local = quaternion_to_matrix(local)
    elif local.shape[-3:] != (joints, 3, 3):
        raise DataError(f"rotations must be (..., {joints}, 4) or (..., {joints}, 3, 3), found {local.shape}")
    offsets = np.asarray(translations, dtype=np.float64)
    if offsets.shape[-2:] != (joints, 3):
        raise DataError(f"translations must be (..., {joints}, 3), found {offsets.shape}")
    lead = np.broadcast_shapes(local.shape[:-3], offsets.shape[:-2])
    # joints first and contiguous: each step below works on one block of memory
    local = np.ascontiguousarray(np.moveaxis(np.broadcast_to(local, (*lead, joints, 3, 3)), -3, 0))
    offsets = np.ascontiguousarray(np.moveaxis(np.broadcast_to(offsets, (*lead, joints, 3)), -2, 0))
    positions = np.empty_like(offsets)
    turned = np.empty_like(local)
    for joint in topological_order(parents):
        parent = parents[joint]
        if parent < 0:
            positions[joint] = offsets[joint]
            turned[joint] = local[joint]
        else:
            positions[joint] = positions[parent] + (turned[parent] @ offsets[joint][..., None])[..., 0]
            turned[joint] = turned[parent] @ local[joint]
    return np.moveaxis(positions, 0, -2), np.moveaxis(turned, 0, -3)
