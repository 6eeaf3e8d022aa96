"""The box round those joints of a pose that are seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["seen_box"]

Array = NDArray[np.float64]


def seen_box(points: Array, seen: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Lowest and highest coordinates ``(..., 2)`` of the seen joints of ``(..., joints, 2)``.

    Where ``seen (..., joints)`` holds for none, they are infinity and minus infinity.
    """
    # Joints first: a minimum over a short axis in the middle takes many times as long as one over the first.
    first = np.moveaxis(points, -2, 0)
    known = np.moveaxis(seen, -1, 0)[..., None]
    shape = first.shape
    low, high = np.full(shape, np.inf), np.full(shape, -np.inf)
    np.copyto(low, first, where=known)
    np.copyto(high, first, where=known)
    return low.min(axis=0), high.max(axis=0)
