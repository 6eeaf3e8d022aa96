"""The world that networks see: y up, from the ground a person stands on. Training and inference share these rules."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinegraph.sequence import SkeletonSequence

__all__ = ["ground", "turned_y_up", "y_up"]

# what turns a space into y up, as a matrix on column vectors
_TO_Y_UP = {
    "camera": np.diag([1.0, -1.0, -1.0]),
    "z": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]),
    "y": np.eye(3),
}
_LOWEST = 0.01  # share of a person's frames whose lowest joint may be a fault


def y_up(sequence: SkeletonSequence) -> NDArray[np.float64]:
    """Rotation matrix (3, 3) from the sequence's space to a world with y up; a world of unstated up is taken as is."""
    return _TO_Y_UP["camera" if sequence.space == "camera" else sequence.up or "y"]


def turned_y_up(sequence: SkeletonSequence) -> SkeletonSequence:
    """The positions in a world with y up, see :func:`y_up`; rotations, which would have to turn too, are left out."""
    turned = sequence.positions @ y_up(sequence).T
    return sequence.replace(positions=turned, rotations=None, offsets=None, space="world", up="y")


def ground(sequence: SkeletonSequence) -> NDArray[np.float64]:
    """Height (people,) of the ground under each: their lowest joint's, the lowest hundredth of frames left out.

    In the sequence's unit, along :func:`y_up`; 0 for who is never seen.
    """
    heights = (sequence.positions @ y_up(sequence).T)[..., 1]
    heights = np.where(np.isfinite(heights), heights, np.inf).min(axis=-1)
    return np.array([np.quantile(h[np.isfinite(h)], _LOWEST) if np.isfinite(h).any() else 0.0 for h in heights])
