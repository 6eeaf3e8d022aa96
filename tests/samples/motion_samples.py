"""Motion small enough to train on in a test."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from kinegraph.datasets.motion_data import MotionClip, MotionData
from kinegraph.skeleton import Skeleton, contract, get_skeleton
from kinegraph.skeleton.contraction import TRAJECTORY
from kinegraph.training.motion_splits import MotionSplits
from kinegraph.transforms.heading import mirror_features

JOINTS = ("pelvis", "left_knee", "right_knee", "thorax", "left_elbow", "right_elbow")
ACTIONS = ("walk", "wave", "sit")


def small_skeleton() -> Skeleton:
    """Six joints of the CMU rig."""
    rig = get_skeleton("cmu38")
    return contract(rig, [joint for joint in JOINTS if joint in rig.joints], name="small")


def make_motion(
    name: str,
    lengths: tuple[int, ...],
    seed: int,
    *,
    representation: str = "expmap",
    skeleton: Skeleton | None = None,
    actions: tuple[str, ...] = ACTIONS,
) -> MotionData:
    """Smooth random motion whose tempo tells the action; the root's own channels are 0."""
    skeleton = skeleton or small_skeleton()
    rng = np.random.default_rng(seed)
    joints = skeleton.num_joints
    clips = []
    for index, length in enumerate(lengths):
        action = index % len(actions)
        phase, size = rng.uniform(0, 2 * np.pi, (joints, 3)), rng.uniform(0.05, 0.4, (joints, 3))
        t = np.arange(length)[:, None, None]
        features = size * np.sin(0.15 * (action + 1) * t + phase)
        if TRAJECTORY in skeleton.joints:
            features[:, 0] += np.array([0.02, 0.0, 0.01]) * t[:, 0]
        else:
            features[:, skeleton.root] = 0.0
        clips.append(MotionClip(features=features, action=action, name=f"{actions[action]}/{index}"))
    kind: Any = representation
    return MotionData(
        name=name,
        skeleton=skeleton,
        fps=60.0,
        representation=representation,
        actions=actions,
        clips=tuple(clips),
        mirror=partial(mirror_features, skeleton=skeleton, representation=kind),
    )


def make_splits(representation: str = "expmap", *, heading: bool = False, **options: Any) -> MotionSplits:
    """Six training clips and three for validation; with `heading` the body has a path."""
    if heading:
        rig = get_skeleton("cmu38")
        options["skeleton"] = contract(rig, JOINTS, trajectory=True, name="small with a path")
    return MotionSplits(
        make_motion("small/train", (40, 30, 25, 60, 33, 21), 1, representation=representation, **options),
        make_motion("small/val", (30, 25, 28), 2, representation=representation, **options),
    )
