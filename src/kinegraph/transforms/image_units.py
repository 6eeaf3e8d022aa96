"""2D keypoints in px or as fractions of the image, and from one to the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinegraph.sequence import SkeletonSequence, Unit

__all__ = ["image_scale"]


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
