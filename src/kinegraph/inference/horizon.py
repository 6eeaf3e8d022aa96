"""How far a forecast may go."""

from __future__ import annotations

import math
from numbers import Real

from kinegraph.errors import DataError

__all__ = ["LONGEST_S", "check_horizon", "is_time"]

LONGEST_S = 60.0
"""Beyond its first seconds a forecast follows from itself and says nothing of the person."""


def is_time(seconds: object) -> bool:
    """Whether this is a number of seconds above 0."""
    return isinstance(seconds, Real) and math.isfinite(seconds) and float(seconds) > 0


def check_horizon(seconds: float) -> None:
    """Raises DataError for a time that no recording can be forecast for."""
    if not is_time(seconds):
        raise DataError(f"a forecast of {seconds!r} s: expected a time above 0 s")
    if seconds > LONGEST_S:
        raise DataError(
            f"a forecast of {seconds:g} s: expected at most {LONGEST_S:g} s, because beyond its first seconds a "
            "forecast follows from itself and says nothing of the person"
        )
