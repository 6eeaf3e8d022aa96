"""Two-bone inverse kinematics: where a knee goes when the ankle is moved, in closed form."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinegraph.geometry.bone_ends import NO_LENGTH

__all__ = ["bend_direction", "two_bone"]

Array = NDArray[np.float64]

_SURE = 0.05  # of the thigh: a knee this far off the line from hip to ankle tells by itself to which side it bends


def two_bone(hip: Array, knee: Array, ankle: Array, target: Array, side: Array | None = None) -> tuple[Array, Array]:
    """A limb of two bones whose end is moved to a target; both bones keep their lengths, whatever the target is.

    The knee stays in the plane and on the side to which it bends, both turned by the shortest way with the line from
    hip to ankle. A target out of reach is approached as far as the stretched (or folded) limb goes.

    Args:
        hip: ``(n, 3)``, which stays; of an arm, the shoulder.
        knee: ``(n, 3)``.
        ankle: ``(n, 3)``.
        target: where the ankle is to be ``(n, 3)``.
        side: to where the knee of a straight limb bends ``(n, 3)``, of any length; None: any way across the limb.

    Returns:
        Knee and ankle ``(n, 3)`` each.
    """
    thigh, shank = (np.linalg.norm(bone, axis=-1, keepdims=True) for bone in (knee - hip, ankle - knee))
    before = _unit(ankle - hip, knee - hip)
    wanted = target - hip
    axis = _unit(wanted, before)
    reach = np.clip(np.linalg.norm(wanted, axis=-1, keepdims=True), np.abs(thigh - shank), thigh + shank)
    bend = _turned(bend_direction(hip, knee, ankle, side), before, axis)
    along = (thigh**2 + reach**2 - shank**2) / (2 * np.maximum(reach, NO_LENGTH))
    along = np.clip(along, -thigh, thigh)
    across = np.sqrt(np.maximum(thigh**2 - along**2, 0.0))
    return hip + along * axis + across * bend, hip + reach * axis


def bend_direction(hip: Array, knee: Array, ankle: Array, side: Array | None = None) -> Array:
    """Unit vectors ``(n, 3)`` across the line from hip to ankle to where the knee bends.

    Where the limb is nearly straight its own bend says little, and `side` says more.

    Args:
        hip: ``(n, 3)``.
        knee: ``(n, 3)``.
        ankle: ``(n, 3)``.
        side: ``(n, 3)``, of any length; None: any way across a straight limb.
    """
    thigh = knee - hip
    axis = _unit(ankle - hip, thigh)
    own = _across(thigh, axis) / np.maximum(np.linalg.norm(thigh, axis=-1, keepdims=True), NO_LENGTH)
    unsure = np.clip(1 - np.linalg.norm(own, axis=-1, keepdims=True) / _SURE, 0.0, 1.0)
    least = np.eye(3)[np.abs(axis).argmin(axis=-1)]
    other = _across(least, axis)
    if side is not None:
        other = _unit(_across(_unit(side, other), axis), other)
    # an opposite side would cancel a bend: of the two, the one that is there wins
    bend = own + _SURE * unsure * _unit(other, least)
    return _unit(_across(bend, axis), _unit(own, _unit(other, least)))


def _across(vectors: Array, axis: Array) -> Array:
    """What of vectors ``(n, 3)`` lies across unit vectors."""
    result: Array = vectors - (vectors * axis).sum(axis=-1, keepdims=True) * axis
    return result


def _unit(vectors: Array, other: Array) -> Array:
    """Unit vectors ``(n, 3)``; those of `other` where there is no length, and x where there is none either."""
    size = np.linalg.norm(vectors, axis=-1, keepdims=True)
    size_of_other = np.linalg.norm(other, axis=-1, keepdims=True)
    instead = np.where(
        size_of_other > NO_LENGTH, other / np.maximum(size_of_other, NO_LENGTH), np.array([1.0, 0.0, 0.0])
    )
    return np.where(size > NO_LENGTH, vectors / np.maximum(size, NO_LENGTH), instead)


def _turned(vectors: Array, start: Array, end: Array) -> Array:
    """Vectors ``(n, 3)`` across `start`, by the shortest rotation from unit vectors `start` to `end`."""
    cosine = (start * end).sum(axis=-1, keepdims=True)
    # Rodrigues, for the rotation between two unit vectors; opposite ones turn about the vector itself, which stays.
    safe = np.maximum(1 + cosine, 1e-6)
    result = vectors - (vectors * end).sum(axis=-1, keepdims=True) / safe * (start + end)
    result = np.where(1 + cosine > 1e-6, result, vectors)
    return _unit(_across(result, end), vectors)
