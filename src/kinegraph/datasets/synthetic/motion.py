"""The embedded synthetic motion as joint positions, for recognition and forecasting: small, and there without files.

Positions are relative to the root, in metres, z up; the body faces one way in the first frame of a clip. Other people
move in each split.
"""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from kinegraph.datasets.motion_data import MotionClip, MotionData
from kinegraph.datasets.synthetic.generator import SyntheticMotion
from kinegraph.errors import DataError, nearest
from kinegraph.skeleton import Skeleton, get_skeleton

__all__ = ["MOTION", "SPLITS", "load"]

Array = NDArray[np.float64]
MOTION = SyntheticMotion(
    subjects=8,
    takes=1,
    seconds=4.0,
    fps=30.0,
    actions=("walking", "running", "jumping", "waving", "squatting", "kicking"),
)
"""The clips: 8 people, 6 actions, 120 frames each."""
SPLITS = {"train": range(5), "val": range(5, 6), "test": range(6, 8)}
"""Subjects of each split."""


@lru_cache(maxsize=3)
def load(split: str) -> MotionData:
    """One split, made once per process.

    Raises:
        DataError: there is no such split.
    """
    if split not in SPLITS:
        raise DataError(
            f"no split '{split}' of the synthetic motion{nearest(split, SPLITS)}; choose {', '.join(SPLITS)}"
        )
    skeleton = get_skeleton("h36m17")
    clips = []
    for subject in SPLITS[split]:
        for index, action in enumerate(MOTION.actions):
            positions = MOTION.clip(subject, action, 0).positions[0]
            features = _facing(positions - positions[:, [skeleton.root]], skeleton)
            name = f"{action}/P{subject:02d}"
            clips.append(MotionClip(features=features, action=index, name=name, subject=f"P{subject:02d}"))
    return MotionData(
        name=f"synthetic motion {split}",
        skeleton=skeleton,
        fps=MOTION.fps,
        representation="positions",
        actions=MOTION.actions,
        clips=tuple(clips),
        mirror=partial(_mirror, order=list(skeleton.mirror)),
    )


def _facing(positions: Array, skeleton: Skeleton) -> Array:
    """Turned about z so that in the first frame the left hip lies towards +x of the right one."""
    across = positions[0, skeleton.index("left_hip")] - positions[0, skeleton.index("right_hip")]
    x, y = across[:2] / np.hypot(*across[:2])
    turned: Array = positions @ np.array([[x, y, 0.0], [-y, x, 0.0], [0.0, 0.0, 1.0]]).T
    return turned


def _mirror(features: Array, *, order: list[int]) -> Array:
    mirrored: Array = np.asarray(features)[..., order, :] * np.array([-1.0, 1.0, 1.0])
    return mirrored
