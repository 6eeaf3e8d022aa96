"""How long one unit of a motion file is, judged by the body it holds: for formats that state no unit.

The body's height is what tells. It follows from the leg where the joints' names say which that is: thigh and shank are
0.245 and 0.246 of the stature (Drillis and Contini, 1966). Fingers, hats and tails do not change it. In other rigs it
follows from the longest way along the bones, fingertip to toe, 2.2 to 2.4 m in an adult.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kinegraph.skeleton import Skeleton

__all__ = ["guess_unit"]

Array = NDArray[np.float64]

# CMU's skeletons count 1/0.45 inch; a unit of MikuMikuDance is 8 cm
_UNITS = (
    ("m", 1.0),
    ("cm", 0.01),
    ("mm", 0.001),
    ("inch", 0.0254),
    ("1/0.45 inch", 0.0254 / 0.45),
    ("dm", 0.1),
    ("8 cm (MikuMikuDance)", 0.08),
)
_SURE = 6  # units that a body is tried in, in this order, where the last is too near to dm to be told from it
_ADULT = (1.4, 2.1)  # m
_USUAL = 1.7
_LEG_SHARE = 0.49
_WAY_SHARE = 1.35  # longest way along the bones, as a share of the height
_BODY = (1.1, 4.2)  # m, the longest way of any body: a small child to a giant


def guess_unit(skeleton: Skeleton, offsets: Array) -> tuple[float, str]:
    """Metres in one unit, and a note that says what was taken for what.

    That unit is taken in which the body is nearest to an adult of 1.7 m, of those in which it is 1.4 to 2.1 m tall;
    MikuMikuDance's only by the leg.
    Where there is none, the first of m, cm, mm, inch, 1/0.45 inch and dm whose longest way is 1.1 to 4.2 m; else cm.

    Args:
        skeleton: the joints; their names say which is the leg.
        offsets: from each joint's parent (joints, 3), in the file's unit.
    """
    longest = _longest_way(offsets, skeleton.parents)
    leg = _leg(skeleton, offsets)
    height = leg / _LEG_SHARE if leg else longest / _WAY_SHARE
    adult = [unit for unit in (_UNITS if leg else _UNITS[:_SURE]) if _ADULT[0] <= height * unit[1] <= _ADULT[1]]
    if adult:
        name, metres = min(adult, key=lambda unit: abs(math.log(height * unit[1] / _USUAL)))
    else:
        fitting = [unit for unit in _UNITS[:_SURE] if _BODY[0] <= longest * unit[1] <= _BODY[1]]
        if not fitting:
            return (
                0.01,
                f"unit cm assumed: a body of {longest:.4g} units end to end fits no unit; give unit= to be sure",
            )
        name, metres = fitting[0]
    return metres, f"unit {name} guessed from the body's size ({longest * metres:.2f} m end to end)"


def _leg(skeleton: Skeleton, offsets: Array) -> float:
    """Thigh and shank along the bones, mean of both sides; 0 where the names do not say which they are."""
    with np.errstate(over="ignore"):
        lengths = np.linalg.norm(offsets, axis=1)
    legs = []
    for side in ("left", "right"):
        ends = [_alone(skeleton, f"{side}_{point}") for point in ("ankle", "hip")]
        if None in ends:
            return 0.0
        ankle, hip = (int(end or 0) for end in ends)
        length = 0.0
        while ankle not in (hip, -1):
            length += float(lengths[ankle])
            ankle = skeleton.parents[ankle]
        if ankle < 0:
            return 0.0
        legs.append(length)
    return sum(legs) / len(legs)


def _alone(skeleton: Skeleton, point: str) -> int | None:
    """The joint that by itself is an anatomical point."""
    weights = skeleton.landmark(point)
    if weights is None or np.count_nonzero(weights) != 1:
        return None
    return int(np.flatnonzero(weights)[0])


def _longest_way(offsets: Array, parents: Sequence[int]) -> float:
    """Length of the longest way along the bones between two joints; parents come before children."""
    with np.errstate(over="ignore"):
        lengths = np.linalg.norm(offsets, axis=1)
    depth = np.zeros(len(parents))
    longest = 0.0
    for joint in range(len(parents) - 1, 0, -1):
        parent = parents[joint]
        if parent >= 0:
            reach = depth[joint] + lengths[joint]
            longest = max(longest, depth[parent] + reach)
            depth[parent] = max(depth[parent], reach)
    return float(longest)
