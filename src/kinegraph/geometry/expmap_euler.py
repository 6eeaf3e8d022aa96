"""The exponential maps of the motion-prediction text files, and the Euler angles their protocols measure in.

The files of CMU Mocap and Human3.6M that this literature shares store, for every joint, the exponential map of the
*transposed* local rotation: the rotation that turns the joint's space into its parent's (column vectors) is
``Rodrigues(-e)``. A planted foot of the CMU walk moves at 0.07 m/s under that reading, at 0.9 m/s under the other.
The protocols' Euler angles are read off ``Rodrigues(e)`` itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinegraph.errors import DataError
from kinegraph.geometry.rotations import expmap_to_quaternion, quaternion_to_expmap, quaternion_to_matrix

__all__ = ["expmap_to_protocol_euler", "file_expmap_to_quaternion", "protocol_euler", "quaternion_to_file_expmap"]

Array = NDArray[np.float64]
_LOCKED = 1.0 - 1e-12
"""|R[0, 2]| from which the outer angles cannot be told apart: the cosine between them is then under 1.5e-6."""


def file_expmap_to_quaternion(expmap: ArrayLike) -> Array:
    """Local rotations (..., 4), xyzw, child space to parent space, of the files' exponential maps (..., 3), rad."""
    return expmap_to_quaternion(-np.asarray(expmap, dtype=np.float64))


def quaternion_to_file_expmap(quaternion: ArrayLike) -> Array:
    """The files' exponential maps (..., 3), rad, angle in [0, pi], of local unit quaternions (..., 4)."""
    return -quaternion_to_expmap(quaternion)


def protocol_euler(matrix: ArrayLike) -> Array:
    """Euler angles (..., 3) of rotation matrices (..., 3, 3) as the Euler-error protocols define them, radians.

    ``R = (Rz(E3) Ry(E2) Rx(E1))^T``: E2 = -asin R02, E1 = atan2(R12, R22), E3 = atan2(R01, R00), each in its main
    branch and never unwrapped. In gimbal lock (\\|R02\\| = 1) only one outer angle is determined: E3 is 0 and E1 takes
    the whole turn.

    Raises:
        DataError: not 3 x 3.
    """
    r = np.asarray(matrix, dtype=np.float64)
    if r.shape[-2:] != (3, 3):
        raise DataError(f"found matrices of shape {r.shape}, expected (..., 3, 3)")
    locked = np.abs(r[..., 0, 2]) >= _LOCKED
    # cos E2 is never negative, so the quotients of the printed formulas leave the quadrants as they are
    first = np.where(locked, np.arctan2(-r[..., 2, 1], r[..., 1, 1]), np.arctan2(r[..., 1, 2], r[..., 2, 2]))
    second = -np.arcsin(np.clip(r[..., 0, 2], -1.0, 1.0))
    third = np.where(locked, 0.0, np.arctan2(r[..., 0, 1], r[..., 0, 0]))
    return np.stack((first, second, third), axis=-1)


def expmap_to_protocol_euler(expmap: ArrayLike) -> Array:
    """Protocol Euler angles (..., 3) of the files' exponential maps (..., 3); both in radians."""
    return protocol_euler(quaternion_to_matrix(expmap_to_quaternion(expmap)))
