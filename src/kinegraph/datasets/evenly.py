"""A few of many: which rows stand for all where looking at every one would take too long."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["evenly_spaced"]


def evenly_spaced(rows: NDArray[np.int64], most: int | None) -> NDArray[np.int64]:
    """At most so many of the rows ``(n, ...)``, evenly spaced, first and last among them; None takes all.

    >>> evenly_spaced(np.arange(10, 20), 4).tolist()
    [10, 13, 16, 19]
    """
    if most is None or most >= len(rows):
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).round().astype(np.int64)]
