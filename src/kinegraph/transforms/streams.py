"""The four streams of skeleton-based recognition, for any skeleton: joint, bone, joint motion, bone motion.

Bone: joint minus its parent, a root 0. Motion: the next frame minus this one, the last frame 0. The networks of the
streams are trained apart and their scores fused (2s-AGCN, Shi et al., 2019; HCSF, suppl. 2.1.3).
Every recognition recipe takes a stream by name.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from kinegraph.errors import ConfigError, SkeletonError, nearest
from kinegraph.skeleton import Skeleton

__all__ = ["STREAMS", "Stream", "stream", "stream_confidence"]

Array = NDArray[np.floating]
Stream = Literal["joint", "bone", "joint-motion", "bone-motion"]
STREAMS: tuple[str, ...] = get_args(Stream)


def stream(positions: Array, name: str, skeleton: Skeleton) -> Array:
    """One stream of positions.

    Args:
        positions: ``(..., frames, joints, dims)``; NaN where missing.
        name: one of :data:`STREAMS`.
        skeleton: of the joint axis.

    Returns:
        As `positions`. A bone is missing where one of its ends is, a motion where one of its two frames is; roots of
        the bone streams and the last frame of the motion streams are 0 where the joint is there.

    Raises:
        ConfigError: there is no such stream.
        SkeletonError: another number of joints.
    """
    _check(positions.shape[-2], name, skeleton)
    if name.startswith("bone"):
        parents, children = _ends(skeleton)
        positions = positions[..., children, :] - positions[..., parents, :]
    if name.endswith("motion"):
        moved = np.zeros_like(positions)
        np.subtract(positions[..., 1:, :, :], positions[..., :-1, :, :], out=moved[..., :-1, :, :])
        moved[..., -1, :, :][np.isnan(positions[..., -1, :, :])] = np.nan
        positions = moved
    return positions


def stream_confidence(confidence: Array, name: str, skeleton: Skeleton) -> Array:
    """Confidence ``(..., frames, joints)`` of a stream: the mean of the two joints, or frames, it is made from."""
    _check(confidence.shape[-1], name, skeleton)
    if name.startswith("bone"):
        parents, children = _ends(skeleton)
        confidence = (confidence[..., children] + confidence[..., parents]) / 2
    if name.endswith("motion"):
        following = np.concatenate([confidence[..., 1:, :], confidence[..., -1:, :]], axis=-2)
        confidence = (confidence + following) / 2
    return confidence


def _ends(skeleton: Skeleton) -> tuple[list[int], list[int]]:
    """Parent and child of each joint's bone; a root is its own parent."""
    return [p if p >= 0 else joint for joint, p in enumerate(skeleton.parents)], list(range(skeleton.num_joints))


def _check(joints: int, name: str, skeleton: Skeleton) -> None:
    if name not in STREAMS:
        raise ConfigError(f"no stream '{name}'{nearest(name, STREAMS)}; there are {', '.join(STREAMS)}")
    if joints != skeleton.num_joints:
        raise SkeletonError(
            f"clips of {joints} joints; '{skeleton.name}' has {skeleton.num_joints}. Map them by name with to_skeleton"
        )
