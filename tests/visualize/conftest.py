"""A person who walks a step, in every space."""

from __future__ import annotations

import numpy as np
import pytest

from kinegraph.sequence import SkeletonSequence
from kinegraph.skeleton import get_skeleton

# Pelvis at the origin, metres, y up, facing +z (left is +x).
POSE = {
    "pelvis": (0, 0, 0),
    "right_hip": (-0.12, 0, 0),
    "right_knee": (-0.13, -0.42, 0.02),
    "right_ankle": (-0.13, -0.84, -0.05),
    "left_hip": (0.12, 0, 0),
    "left_knee": (0.13, -0.40, 0.12),
    "left_ankle": (0.13, -0.82, 0.1),
    "spine": (0, 0.25, 0),
    "thorax": (0, 0.48, 0.02),
    "nose": (0, 0.58, 0.1),
    "head": (0, 0.72, 0.04),
    "left_shoulder": (0.17, 0.46, 0),
    "left_elbow": (0.25, 0.2, -0.05),
    "left_wrist": (0.27, -0.02, 0.1),
    "right_shoulder": (-0.17, 0.46, 0),
    "right_elbow": (-0.26, 0.21, 0.08),
    "right_wrist": (-0.28, 0.02, 0.25),
}


def world_points(frames: int = 20, people: int = 1) -> np.ndarray:
    """(people, frames, 17, 3) metres, y up, ankles near 0.08 m."""
    pose = np.array([POSE[j] for j in get_skeleton("h36m17").joints], dtype=float) + np.array([0, 0.92, 0])
    walk = np.zeros((people, frames, 1, 3))
    walk[..., 2] = np.linspace(0, 0.4, frames)[None, :, None]
    walk[..., 0] = 1.2 * np.arange(people)[:, None, None]
    return pose + walk


@pytest.fixture
def world() -> SkeletonSequence:
    return SkeletonSequence(world_points(), get_skeleton("h36m17"), fps=25, space="world", up="y", source="walk")


@pytest.fixture
def image() -> SkeletonSequence:
    points = world_points(people=2)
    flat = np.stack([300 + 150 * points[..., 0], 400 - 200 * points[..., 1]], axis=-1)
    confidence = np.full(flat.shape[:3], 0.9)
    confidence[0, 3:6, 13] = 0
    confidence[1, :, 4] = 0.1
    return SkeletonSequence(
        flat, get_skeleton("h36m17"), fps=25, unit="px", space="image", confidence=confidence, image_size=(800, 600)
    )
