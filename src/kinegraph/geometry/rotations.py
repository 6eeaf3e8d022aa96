"""Rotations in NumPy: unit quaternions (x, y, z, w), matrices, Euler angles and exponential maps.

Everything is vectorised over leading axes and works in float64, in radians. A rotation maps child-space
vectors to parent space: ``v_parent = R @ v_child``. SciPy's ``Rotation`` is the oracle of the tests; it is
not used here because motion files are read by programs that should start without it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinegraph.errors import ConfigError

Array = NDArray[np.float64]

__all__ = [
    "check_order",
    "continuous_euler",
    "euler_to_matrix",
    "euler_to_quaternion",
    "expmap_to_quaternion",
    "make_continuous",
    "matrix_to_euler",
    "matrix_to_quaternion",
    "quaternion_between",
    "quaternion_conjugate",
    "quaternion_multiply",
    "quaternion_normalise",
    "quaternion_rotate",
    "quaternion_to_euler",
    "quaternion_to_expmap",
    "quaternion_to_matrix",
]

_AXES = "xyz"


def check_order(order: str) -> str:
    """Lower-case Euler order of one to three of x, y, z, no axis twice in a row; `ConfigError` otherwise."""
    lowered = order.lower()
    valid = 0 < len(lowered) <= 3 and all(axis in _AXES for axis in lowered)
    if not valid or any(a == b for a, b in pairwise(lowered)):
        raise ConfigError(f"Euler order {order!r} is not valid: expected up to three of x, y, z such as 'zxy'")
    return lowered


def quaternion_normalise(quaternion: ArrayLike) -> Array:
    """Unit quaternions from (..., 4); an all-zero quaternion becomes the identity."""
    q = np.asarray(quaternion, dtype=np.float64)
    norm = np.linalg.norm(q, axis=-1, keepdims=True)
    identity = np.array([0.0, 0.0, 0.0, 1.0])
    unit: Array = np.where(norm > 0, q / np.where(norm > 0, norm, 1.0), identity)
    return unit


def quaternion_conjugate(quaternion: ArrayLike) -> Array:
    """Inverse of unit quaternions (..., 4)."""
    conjugate: Array = np.asarray(quaternion, dtype=np.float64) * np.array([-1.0, -1.0, -1.0, 1.0])
    return conjugate


def quaternion_multiply(first: ArrayLike, second: ArrayLike) -> Array:
    """Hamilton product (..., 4): the rotation that applies `second`, then `first` (as matrices: A @ B)."""
    a = np.asarray(first, dtype=np.float64)
    b = np.asarray(second, dtype=np.float64)
    ax, ay, az, aw = a[..., 0], a[..., 1], a[..., 2], a[..., 3]
    bx, by, bz, bw = b[..., 0], b[..., 1], b[..., 2], b[..., 3]
    return np.stack(
        (
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        ),
        axis=-1,
    )


def quaternion_rotate(quaternion: ArrayLike, vector: ArrayLike) -> Array:
    """Vectors (..., 3) turned by unit quaternions (..., 4); leading axes broadcast."""
    q = np.asarray(quaternion, dtype=np.float64)
    v = np.asarray(vector, dtype=np.float64)
    twice = 2.0 * _cross(q[..., :3], v)
    turned: Array = v + q[..., 3:] * twice + _cross(q[..., :3], twice)
    return turned


def quaternion_to_matrix(quaternion: ArrayLike) -> Array:
    """Rotation matrices (..., 3, 3) of unit quaternions (..., 4)."""
    q = np.asarray(quaternion, dtype=np.float64)
    x, y, z, w = q[..., 0], q[..., 1], q[..., 2], q[..., 3]
    matrix = np.empty((*q.shape[:-1], 3, 3))
    matrix[..., 0, 0] = 1 - 2 * (y * y + z * z)
    matrix[..., 0, 1] = 2 * (x * y - z * w)
    matrix[..., 0, 2] = 2 * (x * z + y * w)
    matrix[..., 1, 0] = 2 * (x * y + z * w)
    matrix[..., 1, 1] = 1 - 2 * (x * x + z * z)
    matrix[..., 1, 2] = 2 * (y * z - x * w)
    matrix[..., 2, 0] = 2 * (x * z - y * w)
    matrix[..., 2, 1] = 2 * (y * z + x * w)
    matrix[..., 2, 2] = 1 - 2 * (x * x + y * y)
    return matrix


def matrix_to_quaternion(matrix: ArrayLike) -> Array:
    """Unit quaternions (..., 4), w >= 0, of rotation matrices (..., 3, 3).

    Of the four equivalent formulas each element uses the one that divides by its largest component
    (Shepperd, 1978), so half turns are as accurate as small ones.
    """
    m = np.asarray(matrix, dtype=np.float64)
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    squares = np.stack((xx - yy - zz, yy - xx - zz, zz - xx - yy, xx + yy + zz), axis=-1)
    largest = squares.argmax(axis=-1)
    antisymmetric = np.stack(
        (m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]), axis=-1
    )
    xy = m[..., 0, 1] + m[..., 1, 0]
    xz = m[..., 0, 2] + m[..., 2, 0]
    yz = m[..., 1, 2] + m[..., 2, 1]
    one = 1.0 + squares
    rows = np.stack(
        (
            np.stack((one[..., 0], xy, xz, antisymmetric[..., 0]), axis=-1),
            np.stack((xy, one[..., 1], yz, antisymmetric[..., 1]), axis=-1),
            np.stack((xz, yz, one[..., 2], antisymmetric[..., 2]), axis=-1),
            np.concatenate((antisymmetric, one[..., 3:]), axis=-1),
        ),
        axis=-2,
    )
    q = quaternion_normalise(np.take_along_axis(rows, largest[..., None, None], axis=-2)[..., 0, :])
    return np.where(q[..., 3:] < 0, -q, q)


def _axis_quaternion(axis: str, angle: Array) -> Array:
    quaternion = np.zeros((*angle.shape, 4))
    quaternion[..., _AXES.index(axis)] = np.sin(angle / 2)
    quaternion[..., 3] = np.cos(angle / 2)
    return quaternion


def euler_to_quaternion(angles: ArrayLike, order: str) -> Array:
    """Unit quaternions (..., 4) of intrinsic Euler angles (..., n) in radians, n = len(order) <= 3.

    ``order="zxy"`` means ``Rz(angles[0]) @ Rx(angles[1]) @ Ry(angles[2])``, the way a BVH file lists its
    channels. For extrinsic (fixed-axis) angles reverse both order and angles.

    Raises:
        ConfigError: as many angles as the order has axes are not there, or an axis that is none.
    """
    order = check_order(order)
    a = np.asarray(angles, dtype=np.float64)
    if a.shape[-1:] != (len(order),):
        raise ConfigError(f"Euler order {order!r} needs {len(order)} angles on the last axis, found {a.shape}")
    quaternion = _axis_quaternion(order[0], a[..., 0])
    for i, axis in enumerate(order[1:], start=1):
        quaternion = quaternion_multiply(quaternion, _axis_quaternion(axis, a[..., i]))
    return quaternion


def euler_to_matrix(angles: ArrayLike, order: str) -> Array:
    """Rotation matrices (..., 3, 3) of intrinsic Euler angles (..., n) in radians; see `euler_to_quaternion`."""
    return quaternion_to_matrix(euler_to_quaternion(angles, order))


def matrix_to_euler(matrix: ArrayLike, order: str) -> Array:
    """Intrinsic Euler angles (..., 3) in radians of matrices (..., 3, 3), for three different axes.

    The middle angle lies in [-pi/2, pi/2]. In gimbal lock the last angle is set to 0 and the first one
    takes the whole turn, so the rotation itself is always reproduced.

    Raises:
        ConfigError: an order that does not name each axis once.
    """
    order = check_order(order)
    if len(set(order)) != 3:
        raise ConfigError(f"Euler order {order!r} must name each of x, y, z once here")
    m = np.asarray(matrix, dtype=np.float64)
    i, j, k = (_AXES.index(axis) for axis in order)
    sign = 1.0 if (j - i) % 3 == 1 else -1.0
    middle_cos = np.hypot(m[..., i, i], m[..., i, j])
    middle = np.arctan2(sign * m[..., i, k], middle_cos)
    locked = middle_cos < 1e-7
    first = np.where(
        locked,
        np.arctan2(sign * m[..., k, j], m[..., j, j]),
        np.arctan2(-sign * m[..., j, k], m[..., k, k]),
    )
    last = np.where(locked, 0.0, np.arctan2(-sign * m[..., i, j], m[..., i, i]))
    return np.stack((first, middle, last), axis=-1)


def quaternion_to_euler(quaternion: ArrayLike, order: str) -> Array:
    """Intrinsic Euler angles (..., 3) in radians of unit quaternions (..., 4); see `matrix_to_euler`."""
    return matrix_to_euler(quaternion_to_matrix(quaternion), order)


def continuous_euler(angles: ArrayLike) -> Array:
    """The same rotations (frames, ..., 3), angles in radians about three different axes, without jumps in time.

    Every rotation has two sets of angles, (a, b, c) and (a + pi, pi - b, c + pi), each up to whole turns; the set
    nearest to the frame before is taken, so that curves can be edited and interpolated.
    """
    result = np.array(angles, dtype=np.float64)
    turn = 2 * np.pi
    for frame in range(1, len(result)):
        before, first = result[frame - 1], result[frame]
        second = first * np.array([1.0, -1.0, 1.0]) + np.pi
        first = first + turn * np.round((before - first) / turn)
        second = second + turn * np.round((before - second) / turn)
        nearer = np.abs(second - before).sum(axis=-1) < np.abs(first - before).sum(axis=-1)
        result[frame] = np.where(nearer[..., None], second, first)
    return result


def expmap_to_quaternion(expmap: ArrayLike) -> Array:
    """Unit quaternions (..., 4) of exponential maps (..., 3): axis times angle in radians."""
    e = np.asarray(expmap, dtype=np.float64)
    half = np.linalg.norm(e, axis=-1, keepdims=True) / 2
    # np.sinc is sin(pi x)/(pi x): sin(half)/(2 half) stays exact through zero
    return np.concatenate((e * np.sinc(half / np.pi) / 2, np.cos(half)), axis=-1)


def quaternion_to_expmap(quaternion: ArrayLike) -> Array:
    """Exponential maps (..., 3), angle in [0, pi], of unit quaternions (..., 4)."""
    q = np.asarray(quaternion, dtype=np.float64)
    q = np.where(q[..., 3:] < 0, -q, q)
    sine = np.linalg.norm(q[..., :3], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[..., 3:])
    scale = np.where(sine > 1e-12, angle / np.where(sine > 1e-12, sine, 1.0), 2.0)
    expmap: Array = q[..., :3] * scale
    return expmap


def quaternion_between(source: ArrayLike, target: ArrayLike) -> Array:
    """Shortest rotation (..., 4) that turns directions `source` (..., 3) into `target` (..., 3).

    Lengths do not matter; where either vector is zero the result is the identity, and where they are
    opposite it is a half turn about an axis perpendicular to `source`.
    """
    a = np.asarray(source, dtype=np.float64)
    b = np.asarray(target, dtype=np.float64)
    a, b = np.broadcast_arrays(_unit(a), _unit(b))
    real = (a * b).sum(axis=-1, keepdims=True)
    imaginary = _cross(a, b)
    # |cross| and 1 + dot both vanish for opposite vectors: take any perpendicular axis there
    opposite = (real < -1 + 1e-12) & (np.abs(a).max(axis=-1, keepdims=True, initial=0.0) > 0)
    if opposite.any():
        helper = np.zeros_like(a)
        np.put_along_axis(helper, np.abs(a).argmin(axis=-1)[..., None], 1.0, axis=-1)
        imaginary = np.where(opposite, _unit(_cross(a, helper)), imaginary)
        real = np.where(opposite, -1.0, real)
    return quaternion_normalise(np.concatenate((imaginary, 1 + real), axis=-1))


def make_continuous(quaternions: ArrayLike, axis: int = 0) -> Array:
    """The same rotations with signs chosen so that neighbours along `axis` lie in one hemisphere.

    q and -q are one rotation; without this, interpolation and plots jump. Shape (..., 4) is kept.
    """
    q: NDArray[Any] = np.moveaxis(np.array(quaternions, dtype=np.float64), axis, 0)
    if len(q) > 1:
        flips = (q[1:] * q[:-1]).sum(axis=-1) < 0
        q[1:][np.logical_xor.accumulate(flips, axis=0)] *= -1
    return np.moveaxis(q, 0, axis)


def _cross(a: Array, b: Array) -> Array:
    """Cross product (..., 3), a third of np.cross's time for few vectors."""
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    return np.stack((ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx), axis=-1)


def _unit(vector: Array) -> Array:
    norm = np.linalg.norm(vector, axis=-1, keepdims=True)
    unit: Array = vector / np.where(norm > 0, norm, 1.0)
    return unit
