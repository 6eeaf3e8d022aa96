"""2D keypoints in px or as fractions of the image, and from one to the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import DataError
from kinegraph.sequence import SkeletonSequence, Unit

__all__ = ["checked_size", "image_scale"]


def checked_size(image_size: Any, who: str) -> tuple[int, int]:
    """Width and height of an image as whole px.

    Args:
        image_size: two numbers.
        who: states them.

    Raises:
        DataError: something else.
    """
    sides = list(image_size) if isinstance(image_size, Iterable) else [image_size]
    numbers = all(isinstance(side, int | float | np.number) for side in sides)
    if not (len(sides) == 2 and numbers and all(1 <= side < np.inf and side == int(side) for side in sides)):
        size = " x ".join(str(side) for side in sides)
        raise DataError(f"{who}: image_size is {size}; expected width and height in px, at least 1 each")
    return int(sides[0]), int(sides[1])


def image_scale(
    sequence: SkeletonSequence, unit: Unit, size: tuple[int, int] | None = None
) -> NDArray[np.float64] | None:
    """What the positions of 2D keypoints are multiplied by to be in `unit`.

    Args:
        sequence: in px or in fractions of the image.
        unit: ``"px"`` or ``"normalized"``.
        size: width and height of the image in px, where the sequence does not state them.

    Returns:
        ``(2,)``; None where it depends on the size of the image and that is not known.
    """
    if sequence.unit == unit:
        return np.ones(2)
    known = sequence.image_size or size
    if known is None:
        return None
    pixels = np.array(known, dtype=np.float64)
    return 1 / pixels if unit == "normalized" else pixels
