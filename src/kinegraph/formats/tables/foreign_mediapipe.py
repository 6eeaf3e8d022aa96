"""Which of MediaPipe's two kinds of landmarks three numbers a joint are, where nothing says so.

In the image x and y are fractions of its width and height, and z is a depth of no unit whose zero is between the hips.
World landmarks are metres, x right, y down, z away, whose zero is the middle of the hips (see
:mod:`kinegraph.formats.keypoints.mediapipe`).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kinegraph.skeleton import Skeleton

__all__ = ["has_landmarks", "landmark_kind", "may_be_in_image"]

_FRACTIONS = (-0.5, 1.5)
"""Landmarks outside the image go a little beyond 0..1."""
_AT_HIPS = 0.05
"""Of metres or of the image's width: how far the middle of the hips may be off zero."""


def has_landmarks(points: NDArray[np.float64], layout: Skeleton) -> bool:
    """Whether `points` (..., joints, n) are MediaPipe's landmarks by their layout."""
    return layout.name == "mediapipe33" and points.shape[-2:-1] == (layout.num_joints,)


def may_be_in_image(points: NDArray[np.float64], layout: Skeleton) -> bool:
    """Whether `points` (..., joints, 3) can be landmarks in the image: fractions, hips of depth zero, no world's."""
    if not has_landmarks(points, layout):
        return False
    poses = _whole(points)
    return _in_image(poses, layout) and landmark_kind(points, layout) != "world"


def landmark_kind(points: NDArray[np.float64], layout: Skeleton) -> Literal["image", "world"] | None:
    """``"image"`` or ``"world"`` where `points` (..., joints, 3) can be nothing else, else None.

    World landmarks have the middle of the hips at zero and the ankles at larger y than the nose. Landmarks in the
    image have x and y in about 0..1, hips of depth zero, and the nose at smaller y than the ankles, or all within the
    image. A world of another origin or with y up is neither.
    """
    poses = _whole(points)
    if not len(poses):
        return None
    ankles = poses[:, layout.index("left_ankle"), 1] + poses[:, layout.index("right_ankle"), 1]
    upright = bool(np.median(ankles - 2 * poses[:, layout.index("nose"), 1]) > 0)
    if max(_hips(poses, layout)) < _AT_HIPS:
        return "world" if upright else None
    flat = poses[..., :2]
    within = bool(flat.min() >= 0 and flat.max() <= 1)
    return "image" if _in_image(poses, layout) and (upright or within) else None


def _whole(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The poses (n, joints, 3) that lack nothing."""
    poses = points.reshape(-1, *points.shape[-2:])
    return poses[np.isfinite(poses).all(axis=(1, 2))]


def _hips(poses: NDArray[np.float64], layout: Skeleton) -> list[float]:
    """How far from zero the middle of the hips is along each axis, as a rule."""
    middle = (poses[:, layout.index("left_hip")] + poses[:, layout.index("right_hip")]) / 2
    return [float(value) for value in np.median(np.abs(middle), axis=0)]


def _in_image(poses: NDArray[np.float64], layout: Skeleton) -> bool:
    flat = poses[..., :2]
    if not len(poses) or flat.min() < _FRACTIONS[0] or flat.max() > _FRACTIONS[1]:
        return False
    return _hips(poses, layout)[2] < 2 * _AT_HIPS
