"""Lifting data small enough to train on in a test."""

from __future__ import annotations

import numpy as np

from kinegraph.datasets.lifting_data import LiftingData
from kinegraph.skeleton import get_skeleton
from kinegraph.training.lifting_splits import LiftingSplits


def make_data(name: str, clips: int, frames: int, seed: int) -> LiftingData:
    """Random poses that move a little from frame to frame, seen by a camera 5 m away."""
    rng = np.random.default_rng(seed)
    skeleton = get_skeleton("h36m17")
    body = np.random.default_rng(0).normal(0, 0.3, (17, 3))
    poses = body + rng.normal(0, 0.05, (clips, 1, 17, 3)) + rng.normal(0, 0.01, (clips, frames, 17, 3)).cumsum(axis=1)
    camera = (poses - poses[:, :, :1] + np.array([0.0, 0.0, 5.0])).reshape(-1, 17, 3).astype(np.float32)
    count = len(camera)
    keypoints = camera[..., :2] / camera[..., 2:] * 1150 + 500
    return LiftingData(
        name=name,
        skeleton=skeleton,
        keypoints_px=keypoints,
        confidence=np.ones((count, 17), dtype=np.float32),
        camera_m=camera,
        intrinsics=np.tile(np.float32([1150, 1150, 500, 500]), (count, 1)),
        image_size=np.full((count, 2), 1000, dtype=np.float32),
        clip=np.repeat(np.arange(clips), frames),
        action=np.zeros(count, dtype=np.int32),
        subject=np.zeros(count, dtype=np.int32),
        clip_names=tuple(f"clip{i}" for i in range(clips)),
        action_names=("move",),
        subject_names=("somebody",),
        fps=50.0,
    )


def make_lifting_splits() -> LiftingSplits:
    """100 training poses in 4 clips, 20 validation poses in 2."""
    return LiftingSplits(make_data("tiny/train", 4, 25, 1), make_data("tiny/val", 2, 10, 2))
