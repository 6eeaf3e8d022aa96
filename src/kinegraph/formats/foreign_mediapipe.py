"""Which of MediaPipe's two kinds of landmarks three numbers a joint are, where nothing says so.

In the image x and y are fractions of its width and height, and z is a depth of no unit whose zero is between the hips.
World landmarks are metres, x right, y down, z away, whose zero is the middle of the hips (see
:mod:`kinegraph.formats.mediapipe`).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kinegraph.skeleton import Skeleton

__all__ = ["landmark_kind"]

_FRACTIONS = (-0.5, 1.5)
"""Landmarks outside the image go a little beyond 0..1."""
_AT_HIPS = 0.05
"""Of metres or of the image's width: how far the middle of the hips may be off zero."""


def landmark_kind(points: NDArray[np.float64], layout: Skeleton) -> Literal["image", "world"] | None:
    """``"image"`` or ``"world"`` where `points` (..., joints, 3) can be nothing else, else None.

    World landmarks have the middle of the hips at zero and the ankles at larger y than the nose. Landmarks in the
    image have x and y in about 0..1, hips of depth zero, and the nose at smaller y than the ankles, or all within the
    image. A world of another origin or with y up is neither.
    """
    poses = points.reshape(-1, *points.shape[-2:])
    poses = poses[np.isfinite(poses).all(axis=(1, 2))]
    if not len(poses):
        return None
    at = {name: poses[:, layout.index(name)] for name in ("nose", "left_hip", "right_hip", "left_ankle", "right_ankle")}
    hips = (at["left_hip"] + at["right_hip"]) / 2
    x, y, z = (float(np.median(np.abs(hips[:, axis]))) for axis in range(3))
    upright = bool(np.median(at["left_ankle"][:, 1] + at["right_ankle"][:, 1] - 2 * at["nose"][:, 1]) > 0)
    if max(x, y, z) < _AT_HIPS:
        return "world" if upright and float(np.ptp(poses, axis=1).max()) > 0 else None
    flat = poses[..., :2]
    if z >= 2 * _AT_HIPS or flat.min() < _FRACTIONS[0] or flat.max() > _FRACTIONS[1]:
        return None
    within = bool(flat.min() >= 0 and flat.max() <= 1)
    return "image" if upright or within else None
