"""What tells how far a lifted joint may be off: the mirror image's answer, what was seen, and how the pose lies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinegraph.skeleton import Skeleton

__all__ = ["LIFT_FEATURES", "lift_features"]

Floats = NDArray[np.float64]

LIFT_FEATURES = (
    "constant",
    "log_disagreement",
    "log_pose_disagreement",
    "missing",
    "doubt",
    "missing_share",
    "neighbour_missing",
    "log_extent",
    "tilt",
)
_SMALL_M = 0.004


def lift_features(spread: Floats, confidence: Floats, keypoints_px: Floats, skeleton: Skeleton) -> Floats:
    """Features of every joint of every frame ``(frames, joints, 9)``.

    Args:
        spread: ``(frames, joints)`` metres between the answers for the pose and for its mirror image; 0 without the
            flip test.
        confidence: ``(frames, joints)`` of the keypoints; 0 where nothing was seen.
        keypoints_px: ``(frames, joints, 2)``, finite, guesses included.
        skeleton: of the joints.

    The features: 1; the logarithm of the joint's disagreement and of the pose's mean disagreement; whether the joint
    is missing; 1 - its confidence if it is seen; the share of missing joints; the share of missing joints among its
    neighbours; the logarithm of the pose's extent in the image over the length of its bones there (a folded body is
    harder); and how far the trunk is from upright in the image, 0 to 1.
    """
    frames, joints = confidence.shape
    gone = confidence <= 0
    near = np.zeros((joints, joints))
    for a, b in skeleton.bones:
        near[a, b] = near[b, a] = 1.0
    near /= np.maximum(near.sum(axis=1, keepdims=True), 1.0)
    ends = np.array(skeleton.bones)
    length = np.linalg.norm(keypoints_px[:, ends[:, 0]] - keypoints_px[:, ends[:, 1]], axis=-1).sum(axis=1)
    extent = np.linalg.norm(np.ptp(keypoints_px, axis=1), axis=-1)
    upper, lower = skeleton.landmark("thorax"), skeleton.landmark("pelvis")
    tilt = np.zeros(frames)
    if upper is not None and lower is not None:
        trunk = np.einsum("j,fjd->fd", upper - lower, keypoints_px)
        tilt = (1 + trunk[:, 1] / np.maximum(np.linalg.norm(trunk, axis=1), 1e-9)) / 2
    ones = np.ones((frames, joints))
    columns = [
        ones,
        np.log(spread + _SMALL_M),
        ones * np.log(np.nan_to_num(spread).mean(axis=1) + _SMALL_M)[:, None],
        gone.astype(np.float64),
        np.where(gone, 0.0, 1 - np.clip(confidence, 0, 1)),
        ones * gone.mean(axis=1)[:, None],
        gone @ near.T,
        ones * np.log(np.maximum(extent, 1.0) / np.maximum(length, 1.0))[:, None],
        ones * tilt[:, None],
    ]
    return np.stack(columns, axis=-1)
