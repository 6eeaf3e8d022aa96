"""Frames per second of a frame time as a file prints it: rounded, so that 0.0333 stands for 30 frames a second."""

from __future__ import annotations

import math
import re

__all__ = ["SLOWEST_S", "printed_rate"]

SLOWEST_S = 1.0
"""Seconds a frame that a file is believed; what is longer may be a rate, or in milliseconds."""

_CUSTOMARY = (24, 25, 30, 48, 50, 60, 72, 90, 100, 120, 144, 150, 180, 200, 240, 250, 300, 360, 480, 500, 1000)
_NTSC = (23.976, 29.97, 59.94, 119.88)
_COARSEST = 0.035  # by which rounding may have changed the time, as a share of it; 0.03 s says too little


def printed_rate(word: str) -> float:
    """Frames per second of a printed frame time in seconds, a positive finite number.

    A whole rate where the time is its reciprocal to 1e-4; else the rate within the rounding of the last printed digit
    that is the only whole one there, the only customary one, or the only one of 23.976, 29.97, 59.94 and 119.88. Where
    the digits do not decide, the reciprocal.
    """
    seconds = float(word)
    fps = 1 / seconds
    if abs(fps - round(fps)) < 1e-4 * fps:
        return float(round(fps))
    half = _half_a_digit(word)
    if not half < _COARSEST * seconds:
        return fps
    slowest, fastest = 1 / (seconds + half), 1 / (seconds - half)
    whole = range(math.ceil(slowest), math.floor(fastest) + 1)
    for candidates in (whole, [rate for rate in _CUSTOMARY if rate in whole], _NTSC):
        inside = [rate for rate in candidates if slowest <= rate <= fastest]
        if len(inside) == 1:
            return float(inside[0])
    return fps


def _half_a_digit(word: str) -> float:
    """Half of what one more in the last printed digit would add."""
    found = re.fullmatch(r"[+-]?[0-9_]*\.?([0-9_]*)(?:e([+-]?[0-9]{1,3}))?", word.strip().lower())
    if not found:
        return math.inf
    return float(0.5 * 10.0 ** (int(found[2] or 0) - len(found[1].replace("_", ""))))
