"""How far a forecast may go."""

from __future__ import annotations

import math
from numbers import Real

__all__ = ["LONGEST_S", "is_time"]

LONGEST_S = 60.0
"""Beyond its first seconds a forecast follows from itself and says nothing of the person."""


def is_time(seconds: object) -> bool:
    """Whether this is a number of seconds above 0."""
    return isinstance(seconds, Real) and math.isfinite(seconds) and float(seconds) > 0
